"""The small process between a test run and the servers it starts: when the run ends, in whatever way,
they end too.

It owns one throw-away directory and the servers that work in it. Its parent talks to it in JSON lines
over standard input and output; the end of that input *is* the order to clean up, and the kernel gives it
also when the parent was killed with SIGKILL. Servers additionally ask the kernel to kill them with this
process (PR_SET_PDEATHSIG), so that killing the reaper leaves none either. One thread only: that signal
is bound to the thread that forked.

Started by `kit.room` as a plain script with `python -I -S`; standard library only, no imports from the kit.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1


class Reaper:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._prctl = ctypes.CDLL(None).prctl
        self._pid = os.getpid()

    def serve(self) -> None:
        answer({"directory": str(self.directory), "pid": self._pid})
        for line in sys.stdin:
            answer(self._handle(json.loads(line)))

    def clean_up(self) -> None:
        for child in reversed(self._children.values()):
            if self._status(child) is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _handle(self, request: dict[str, object]) -> dict[str, object]:
        try:
            if request["op"] == "start":
                return self._start(request)
            child = self._children[int(str(request["pid"]))]
            status = self._status(child)
            if request["op"] == "signal" and status is None:
                os.killpg(child.pid, int(str(request["signal"])))
        except OSError as error:
            return {"error": str(error)}
        return {"status": status}

    def _start(self, request: dict[str, object]) -> dict[str, object]:
        argv, environment = request["argv"], request["environment"]
        assert isinstance(argv, list)
        assert isinstance(environment, dict)
        with Path(str(request["output"])).open("ab") as output:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=str(request["cwd"]),
                start_new_session=True,  # its own process group, and no Ctrl-C from the terminal
                preexec_fn=self._die_with_the_reaper,  # noqa: PLW1509 - this process has one thread
            )
        self._children[child.pid] = child
        return {"pid": child.pid}

    def _die_with_the_reaper(self) -> None:
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:  # the reaper died between the fork and the request above
            os._exit(1)

    @staticmethod
    def _status(child: subprocess.Popen[bytes]) -> int | None:
        if child.returncode is not None:
            return child.returncode
        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # It ended but is not waited for, so its number cannot be anybody else's: what it forked goes too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def answer(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def leave(*_: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    parent, prefix = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, leave)
    reaper = Reaper(Path(tempfile.mkdtemp(prefix=prefix, dir=parent)))
    try:
        reaper.serve()
    except BrokenPipeError:  # the parent died before it read an answer: the end of input in other words
        sys.stdout = None
    finally:
        reaper.clean_up()


if __name__ == "__main__":
    main()
