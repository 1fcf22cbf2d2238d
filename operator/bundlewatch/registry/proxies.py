"""Which proxy, if any, stands between us and a registry: the variables everybody knows, read as Go reads them.

`HTTPS_PROXY` for https, `HTTP_PROXY` for http, `NO_PROXY` for what is reached directly, each also in lower case.
Argo CD, Helm and kubelet are Go programs, so a cluster's settings mean here what they mean there. Decides and
knows nothing of connections; the environment is handed in. Rule: Go's golang.org/x/net/http/httpproxy.
"""

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, TypeAlias
from urllib.parse import quote, unquote

from bundlewatch.registry.addresses import Address, literal
from bundlewatch.registry.urls import Origin, Url

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CURE = "write http://host:port, or http://user:password@host:port with anything special in them percent-encoded"

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyError(ValueError):
    """A variable names no proxy we could use. The message names the variable and repeats nothing of its value."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `str()` shows it without its login."""

    origin: Origin
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def authorization(self) -> str:
        """The value of a `Proxy-Authorization` header; empty: none is needed."""
        if not (self.username or self.password):
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """Every spelling of the login that an answer could echo; for hiding it."""
        plain = [text for text in (self.password, self.username) if text]
        return (*plain, *(quote(text, safe="") for text in plain), *filter(None, [self.authorization[len("Basic ") :]]))

    def __str__(self) -> str:
        return str(self.origin)


@dataclass(frozen=True, slots=True)
class _Exception:
    """One entry of NO_PROXY."""

    network: _Network | None = None
    domain: str = ""  # with its leading dot
    itself: bool = False  # the domain, and not only what is below it
    port: int | None = None
    everything: bool = False

    def covers(self, host: str, port: int, address: Address | None) -> bool:
        if self.everything:
            return True
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        return host.endswith(self.domain) or (self.itself and host == self.domain[1:])


@dataclass(frozen=True, slots=True)
class Proxies:
    """`proxy_for()` decides; without arguments: everything is reached directly."""

    http: Proxy | None = None
    https: Proxy | None = None
    exceptions: tuple[_Exception, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """What the variables say; of two spellings the one in capitals goes first, and an empty one counts for none.

        Raises ProxyError.
        """
        return cls(
            http=_proxy("HTTP_PROXY", _value(environment, "HTTP_PROXY")),
            https=_proxy("HTTPS_PROXY", _value(environment, "HTTPS_PROXY")),
            exceptions=_exceptions(_value(environment, "NO_PROXY")),
        )

    @property
    def secret_texts(self) -> tuple[str, ...]:
        return tuple(text for proxy in (self.http, self.https) if proxy is not None for text in proxy.secret_texts)

    def proxy_for(self, origin: Origin) -> Proxy | None:
        """The proxy through which an origin is reached; None: directly. Loopback never goes through one."""
        proxy = self.https if origin.scheme == "https" else self.http
        if proxy is None or origin.host == "localhost":
            return None
        address = _plain(literal(origin.host))
        if address is not None and address.is_loopback:
            return None
        if any(known.covers(origin.host, origin.port, address) for known in self.exceptions):
            return None
        return proxy


def _value(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.lower()) or "").strip()


def _proxy(variable: str, text: str) -> Proxy | None:
    if not text:
        return None
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1].lower() not in {"http", "https"}:
        raise ProxyError(f"{variable} names a kind of proxy other than http and https: {_CURE}")
    rest = text if scheme is not None else f"http://{text}"
    start = rest.index("://") + 3
    authority = re.split(r"[/?#]", rest[start:], maxsplit=1)[0]
    login, at, place = authority.rpartition("@")
    url = Url.parse(rest[:start] + place)
    if url is None:
        raise ProxyError(f"{variable} is no URL of a proxy: {_CURE}")
    name, _, password = login.partition(":") if at else ("", "", "")
    username, password = unquote(name), unquote(password)
    if ":" in username or not (username + password).isprintable():
        raise ProxyError(f"{variable} has a login that cannot be sent: {_CURE}")
    return Proxy(url.origin, username, password)


def _exceptions(text: str) -> tuple[_Exception, ...]:
    """What makes no sense is left out, as in Go: the variable is shared with programs that read it otherwise."""
    found = []
    for entry in text.split(","):
        written = entry.strip().lower()
        if written == "*":
            return (_Exception(everything=True),)
        exception = _exception(written) if written else None
        if exception is not None:
            found.append(exception)
    return tuple(found)


def _exception(written: str) -> _Exception | None:
    if "/" in written:
        try:
            return _Exception(network=_network(written))
        except ValueError:
            pass  # a name then, which no host has
    host, port_text = _split(written)
    if port_text and not (port_text.isascii() and port_text.isdigit() and len(port_text) <= 5):
        return None
    port = int(port_text) if port_text else None
    try:
        address = _plain(ipaddress.ip_address(host))
    except ValueError:
        address = None
    if address is not None:
        return _Exception(network=ipaddress.ip_network(address), port=port)
    name = host[1:] if host.startswith("*.") else host
    bare = name.lstrip(".")
    if not bare:
        return None
    return _Exception(domain=f".{_ascii(bare)}", itself=not name.startswith("."), port=port)


def _network(written: str) -> _Network:
    network = ipaddress.ip_network(written, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _split(written: str) -> tuple[str, str]:
    """Host and port; of an IPv6 address without brackets all of it is the host."""
    if written.startswith("["):
        host, _, rest = written[1:].partition("]")
        return host, rest.removeprefix(":")
    if written.count(":") == 1:
        host, _, port = written.partition(":")
        return host, port
    return written, ""


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _plain(address: Address | None) -> Address | None:
    """An IPv4 address that is written as an IPv6 one is an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
