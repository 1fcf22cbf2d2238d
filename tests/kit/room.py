"""A throw-away directory and the processes that work in it; leaving it ends them and removes it.

The processes are children of `kit.reaper`, which does the same when this process dies without leaving:
after Ctrl-C, a failing test, or SIGKILL. Knows nothing of what is run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

REAPER = Path(__file__).with_name("reaper.py")
LOG_TAIL_BYTES = 4000
CLOSE_TIMEOUT_S = 120  # a registry full of tags takes a while to remove

# Settings of the person's own servers and clients, which would overrule the flags that ours are given.
NOT_INHERITED = ("ETCD", "REGISTRY_", "HELM_", "KUBECONFIG", "OTEL_", "BUNDLEWATCH_")


def inherited_environment() -> dict[str, str]:
    """What a process of ours gets of our own environment."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}


class ProcessError(RuntimeError):
    """A process of the bed ended, or did not do in time what it was started for; carries the end of
    its output.
    """


class Process:
    """One process in a room; it outlives neither the room nor this Python process."""

    def __init__(self, *, room: Room, name: str, pid: int, output: Path) -> None:
        self.name = name
        self.pid = pid
        self.output = output  # standard output and standard error together
        self._room = room

    def poll(self) -> int | None:
        """None while it runs, then its exit status (negative: the signal that ended it)."""
        status = self._room._ask({"op": "poll", "pid": self.pid})["status"]
        return None if status is None else int(str(status))

    def signal(self, number: signal.Signals) -> None:
        self._room._ask({"op": "signal", "pid": self.pid, "signal": int(number)})

    def wait(self, *, timeout_s: float) -> int:
        """The exit status; raises ProcessError where it is still running after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} was still running after {timeout_s:g} s{self.tail()}")
            time.sleep(0.01)
        return status

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait(timeout_s=10)

    def expect_running(self) -> None:
        if (status := self.poll()) is not None:
            raise ProcessError(f"{self.name} ended with status {status}{self.tail()}")

    def tail(self) -> str:
        """The end of its output, for an error message."""
        text = self.output.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
        return f"; the end of its output:\n{text}" if text else "; it printed nothing"


class Room:
    """`directory` is there until `close()`; use as a context manager or through a fixture."""

    def __init__(self, *, prefix: str, parent: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(REAPER), str(parent or tempfile.gettempdir()), prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run; the reaper acts when the run is over
            text=True,
        )
        self.directory = Path(str(self._answer()["directory"]))

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Process:
        """Its output is appended to `<name>.log` in the room; `environment` is added to what it inherits."""
        output = self.directory / f"{name}.log"
        reply = self._ask(
            {
                "op": "start",
                "argv": [str(argument) for argument in argv],
                "environment": {**inherited_environment(), **(environment or {})},
                "cwd": str(cwd or self.directory),
                "output": str(output),
            }
        )
        return Process(room=self, name=name, pid=int(str(reply["pid"])), output=output)

    def close(self) -> None:
        """Returns when every process is gone and the directory is removed."""
        with self._lock:
            if self._reaper.stdin is not None and not self._reaper.stdin.closed:
                self._reaper.stdin.close()
            self._reaper.wait(timeout=CLOSE_TIMEOUT_S)
            if self._reaper.stdout is not None:
                self._reaper.stdout.close()
            shutil.rmtree(self.directory, ignore_errors=True)  # there only where the reaper was killed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Mapping[str, object]) -> dict[str, object]:
        with self._lock:
            assert self._reaper.stdin is not None
            self._reaper.stdin.write(json.dumps(request) + "\n")
            self._reaper.stdin.flush()
            reply = self._answer()
        if "error" in reply:
            raise ProcessError(f"{request.get('argv', [request['op']])}: {reply['error']}")
        return reply

    def _answer(self) -> dict[str, object]:
        assert self._reaper.stdout is not None
        line = self._reaper.stdout.readline()
        if not line:
            raise ProcessError(f"the reaper {self._reaper.pid} is gone; its servers went with it")
        reply = json.loads(line)
        assert isinstance(reply, dict)
        return reply
