"""A process that asks a registry for one thing many times, and says what that cost it.

It reads what to do from its standard input, a JSON object a line, and answers each with one line when it is done: as
the Go program `tests/bed/oras/` does, and whatever else keeps to the same. It ends with its input: with `close()`,
and with this process however that ends.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from kit import bed
from kit.room import ProcessError, inherited_environment

END_TIMEOUT_S = 10

Operation = Literal["head", "get", "list"]


@dataclass(frozen=True, slots=True)
class Work:
    operation: Operation  # what a tag points at, the manifest itself, or the list of tags
    repository: str  # the path
    reference: str  # "list" needs none
    requests: int
    at_once: int
    warm_up: int  # requests before these, whose cost does not count


@dataclass(frozen=True, slots=True)
class Cost:
    """Of all requests together."""

    seconds: float
    cpu_s: float  # of the process, in user and in kernel mode, as the kernel counts it


class Requester:
    def __init__(self, argv: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> None:
        """`environment` is added to what the process inherits."""
        self._name = Path(argv[0]).name
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited_environment(), **(environment or {})},
        )

    def do(self, work: Work) -> Cost:
        """Raises ProcessError, with what the process said, where it could not be done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended, and that there is no answer says so
            self._process.stdin.write(json.dumps(asdict(work)).encode() + b"\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise ProcessError(f"{self._name} ended: {said or 'it said nothing'}")
        return Cost(**json.loads(line))

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait(timeout=END_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def oras(host: str) -> Requester:
    """The Go library oras-go; plain HTTP, without credentials."""
    return Requester([bed.find_oras(), host])
