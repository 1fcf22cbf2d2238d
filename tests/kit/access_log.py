"""The access log of the distribution registry, read back: who asked it for what, counted at the server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

LINE = re.compile(
    r'^\S+ - \S+ \[[^]]*\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" '
    r'(?P<status>\d{3}) (?P<size>\d+) "[^"]*" "(?P<agent>[^"]*)"$'
)


@dataclass(frozen=True, slots=True)
class Request:
    """One line of it."""

    method: str
    path: str
    query: str
    status: int
    size_bytes: int  # of the answer's body
    agent: str  # the User-Agent header

    @property
    def lists_tags(self) -> bool:
        return self.path.endswith("/tags/list")


@dataclass(slots=True)
class Recording:
    """The requests answered while `Registry.recording()` was open; complete once it is closed."""

    requests: list[Request] = field(default_factory=list)

    @property
    def listings(self) -> list[Request]:
        return [request for request in self.requests if request.lists_tags]


def read(log: Path, *, offset: int = 0) -> list[Request]:
    """The requests from byte `offset` on; a last line that is still being written is left out."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").split("\n")[:-1]
    return [_request(found) for line in lines if (found := LINE.match(line))]


def _request(found: re.Match[str]) -> Request:
    path, _, query = found["target"].partition("?")
    return Request(
        method=found["method"],
        path=path,
        query=query,
        status=int(found["status"]),
        size_bytes=int(found["size"]),
        agent=found["agent"],
    )
