"""What `kit.proxy` can do to an answer on its way, one small value for each; several of a kind may differ.

Bytes are counted in the body, after the headers, as the real server sent it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer of the real server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def with_header(self, name: str, value: str) -> Response:
        others = {key: old for key, old in self.headers.items() if key.lower() != name.lower()}
        return replace(self, headers={**others, name: value})


@dataclass(frozen=True, slots=True)
class Pass:
    """As it is."""


@dataclass(frozen=True, slots=True)
class Hang:
    """The request is read and never answered; the real server never sees it."""


@dataclass(frozen=True, slots=True)
class HangInBody:
    """The headers and this many bytes, and then nothing more."""

    after_bytes: int = 1


@dataclass(frozen=True, slots=True)
class Drip:
    """A few bytes at a time: never silent for long, and never done in time."""

    bytes_at_once: int = 1
    every_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Reset:
    """This many bytes of the body, then the connection is reset."""

    at_byte: int = 0


@dataclass(frozen=True, slots=True)
class HalfBody:
    """The headers, half of the body, and an orderly end of the connection."""


@dataclass(frozen=True, slots=True)
class WrongLength:
    """The whole body behind a Content-Length that is off by this much, then the end of the connection."""

    by_bytes: int = 10


@dataclass(frozen=True, slots=True)
class CutChunks:
    """The body in chunks, of which half never come, and no last one."""


@dataclass(frozen=True, slots=True)
class Delay:
    """As it is, but later."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Status:
    """This answer instead; the real server never sees the request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Lie:
    """The real answer, changed."""

    change: Callable[[Response], Response]


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that need not be HTTP at all, then the end of the connection."""

    data: bytes = b"\x16\x03\x01\x00\x00 not HTTP\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Endless:
    """The real headers, and then the same piece over and over in chunks, for ever."""

    piece: bytes = b'"1.0.0",' * 1000


Fault = (
    Pass
    | Hang
    | HangInBody
    | Drip
    | Reset
    | HalfBody
    | WrongLength
    | CutChunks
    | Delay
    | Status
    | Lie
    | Garbage
    | Endless
)


def too_many_requests(*, retry_after: str | None = "1") -> Status:
    """429; `retry_after` in seconds or as an HTTP date, None for none."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Status(429, headers, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
