"""The operator as a process of its own, as it runs in a cluster: started, watched from outside, ended.

Knows its command line, its probes and that it logs JSON lines; nothing of what it does.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kit.ports import free_port
from kit.room import Process, ProcessError, Room
from kit.waiting import eventually

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0


class OperatorProcess:
    """`start()` returns when it is ready; more flags go into `arguments`, e.g. `"--namespace=shop"`."""

    def __init__(
        self,
        *,
        kubeconfig: Path,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        log_format: str = "json",
    ) -> None:
        self._room = Room(prefix="bundlewatch-operator-")
        self._process: Process | None = None
        # A killed process cannot remove its temporary files: they go with the room.
        directory = str(self._room.directory)
        self._environment = {"HOME": directory, "TMPDIR": directory, **(environment or {})}
        self.probe_port = free_port()
        self.command = [
            *(sys.executable, "-m", "bundlewatch", "run", f"--kubeconfig={kubeconfig}"),
            *(f"--probe-address=127.0.0.1:{self.probe_port}", f"--log-format={log_format}", *arguments),
        ]

    def start(self, *, wait: bool = True) -> Self:
        """Also again, after `stop` or `kill`; the log goes on in the same file."""
        assert self._process is None or self._process.poll() is not None, "it is running"
        self._process = self._room.start("operator", self.command, environment=self._environment)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while self.probe("/readyz") != 200:
            self._running.expect_running()
            if time.monotonic() > deadline:
                raise ProcessError(f"the operator was not ready after {timeout_s:g} s{self._running.tail()}")
            time.sleep(0.02)

    def probe(self, path: str) -> int | None:
        """The status `/healthz` or `/readyz` answers with; None where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.probe_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stop(self) -> float:
        """SIGTERM; how many seconds it took to end. It must end by itself, and with status 0."""
        started = time.monotonic()
        self._running.signal(signal.SIGTERM)
        status = self._running.wait(timeout_s=STOP_TIMEOUT_S)
        assert status == 0, f"the operator ended with status {status}{self._running.tail()}"
        return time.monotonic() - started

    def kill(self) -> None:
        """SIGKILL, as a node that dies; nothing it was doing is finished."""
        self._running.kill()

    def pause(self) -> None:
        """SIGSTOP: it stands still, with its connections open, until `resume`."""
        self._running.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.signal(signal.SIGCONT)

    def wait(self, *, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """The exit status of a process that ends by itself."""
        return self._running.wait(timeout_s=timeout_s)

    def close(self) -> None:
        """Whatever it is doing, nothing of it is left; politely where it runs, so that coverage is kept."""
        try:
            if self._process is not None and self._process.poll() is None:
                self._process.signal(signal.SIGTERM)
                self._process.wait(timeout_s=10)
        except ProcessError:
            pass  # the room ends it
        finally:
            self._room.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What it says

    @property
    def output(self) -> str:
        """All it printed since the first start, as it is."""
        return self._process.output.read_text(errors="replace") if self._process else ""

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log lines; what is not a JSON object, such as a traceback, is `{"raw": …}`."""
        entries = []
        for line in self.output.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            entries.append(entry if isinstance(entry, dict) else {"raw": line})
        return entries

    def wait_logged(self, text: str, *, timeout_s: float = 15) -> dict[str, Any]:
        """The first log line whose message contains `text`."""
        return eventually(
            lambda: next((entry for entry in self.log if text in str(entry.get("message", ""))), None) or {},
            timeout_s=timeout_s,
            message=f"the operator did not log {text!r}",
        )

    # What it uses

    @property
    def pid(self) -> int:
        return self._running.pid

    def rss_bytes(self) -> int:
        return self._status_bytes("VmRSS")

    def peak_rss_bytes(self) -> int:
        return self._status_bytes("VmHWM")

    def cpu_s(self) -> float:
        """CPU time since its start, in user and in kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status_bytes(self, field: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise ProcessError(f"the operator {self.pid} is not running")

    @property
    def _running(self) -> Process:
        assert self._process is not None, "start() it first"
        return self._process
