"""Absolute http(s) URLs that a registry names to us: a token realm, a redirect's target.

Stricter than RFC 3986 on purpose: two parsers that read one URL differently are how filters are fooled, so
what is not plain (userinfo, backslashes, control or non-ASCII characters, percent-escapes in the host) is no
URL here, and what is sent is put together from the parts that were checked.
"""

import re
from dataclasses import dataclass
from typing import Self

_MAX_LENGTH = 8192
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]*)?(?:\?(?P<query>[!$%&'()*+,./0-9:;=?@A-Z_a-z~|\[\]{}^-]*))?(?:#.*)?",
    re.ASCII | re.IGNORECASE,
)
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes: the part of a URL that decides who may see a credential."""

    scheme: str
    host: str  # lower-case, an IPv6 address without its brackets
    port: int

    @property
    def authority(self) -> str:
        """`host` or `host:port`, as it stands in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Url:
    origin: Origin
    path: str
    query: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None: not an absolute http(s) URL in its plain form."""
        match = _URL.fullmatch(text) if len(text) <= _MAX_LENGTH else None
        if match is None:
            return None
        scheme = match["scheme"].lower()
        port = int(match["port"] or DEFAULT_PORTS[scheme])
        if not 0 < port < 65536:
            return None
        host = match["host"].lower().strip("[]").rstrip(".")
        if not host:
            return None
        return cls(Origin(scheme, host, port), match["path"] or "/", match["query"] or "")

    def join(self, location: str) -> Self | None:
        """The target of a `Location` seen at this URL: absolute, `//host/path`, or an absolute path."""
        if location.startswith("//"):
            location = f"{self.origin.scheme}:{location}"
        elif location.startswith("/"):
            location = f"{self.origin}{location}"
        return type(self).parse(location)

    def __str__(self) -> str:
        return f"{self.origin}{self.path}?{self.query}" if self.query else f"{self.origin}{self.path}"
