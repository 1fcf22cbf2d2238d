"""What github.com/Masterminds/semver, the library that Helm reads versions and ranges with, says itself.

The answers come from the program `tests/bed/oracle/`, a process that ends with its input: with `close()`, and with
this process however that ends.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from kit import bed
from kit.room import ProcessError, inherited_environment

SELECT_TIMEOUT_S = 120
END_TIMEOUT_S = 10

Check = tuple[bool, bool]
"""Whether a constraint admits a version: by Check(), and by Check() with IncludePrerelease."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the version it is, written by String(); None where it is refused."""

    loose: str | None  # NewVersion
    strict: str | None  # StrictNewVersion


@dataclass(frozen=True, slots=True)
class Selection:
    """The highest of the tags that a constraint admits."""

    highest: str | None  # as the tag is written; the first of equal ones
    admitted: int
    versions: int  # how many of the tags are versions
    seconds: float  # for reading constraint and tags and for choosing, without start, input and output


class Masterminds:
    """Asks the library; each method takes any number of questions and answers in their order."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [bed.find_oracle()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=inherited_environment(),
        )

    def read(self, texts: Iterable[str]) -> list[Reading]:
        answers = self._ask([{"version": text} for text in texts])
        return [Reading(loose=answer["loose"], strict=answer["strict"]) for answer in answers]

    def check(self, questions: Iterable[tuple[str, Sequence[str]]]) -> list[list[Check | None] | None]:
        """Of each constraint and its versions: None where the constraint is refused, else an answer a version,
        which is None for what is no version.
        """
        asked = [{"constraint": constraint, "versions": versions} for constraint, versions in questions]
        return [
            [None if check is None else (check[0], check[1]) for check in answer["checks"]]
            if answer["accepted"]
            else None
            for answer in self._ask(asked)
        ]

    def compare(self, pairs: Iterable[tuple[str, str]]) -> list[int | None]:
        """-1, 0 or 1 for each pair of versions; None where one of them is no version."""
        return [answer["order"] for answer in self._ask([{"compare": pair} for pair in pairs])]

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

    def _ask(self, questions: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
        # Not escaped: what UTF-8 cannot carry, such as half a surrogate pair, fails here and does not arrive changed.
        lines = [json.dumps(question, ensure_ascii=False).encode() + b"\n" for question in questions]
        assert self._process.stdout is not None
        # Both pipes are shorter than a batch: who only writes waits for the reader of answers for ever.
        writer = threading.Thread(target=self._write, args=[lines], daemon=True)
        writer.start()
        try:
            return [self._answer(self._process.stdout.readline()) for _ in lines]
        except BaseException:
            self._process.kill()  # nobody reads on, and the writer must not wait for that
            raise
        finally:
            writer.join()

    def _write(self, lines: Sequence[bytes]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended, and the reader of answers says so
            self._process.stdin.writelines(lines)
            self._process.stdin.flush()

    def _answer(self, line: bytes) -> dict[str, Any]:
        if not line:
            assert self._process.stderr is not None
            said = self._process.stderr.read().decode(errors="replace").strip()
            raise ProcessError(f"the oracle ended: {said or 'it said nothing'}")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


def select(constraint: str, tags: Iterable[str]) -> Selection:
    """The library's choice from `tags`, by a process of its own; raises ProcessError for what is no constraint."""
    done = subprocess.run(
        [bed.find_oracle(), "select", constraint],
        input="".join(f"{tag}\n" for tag in tags),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=SELECT_TIMEOUT_S,
        env=inherited_environment(),
    )
    if done.returncode != 0:
        raise ProcessError(f"the oracle: {done.stderr.strip()}")
    return Selection(**json.loads(done.stdout))
