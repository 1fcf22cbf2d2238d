"""One HTTP call, with a deadline and a size limit, and nothing that acts by itself.

No redirects, cookies, netrc, decompression or retries (but for the one by which aiohttp replaces a kept
connection that the server has dropped); a proxy only where `proxies` says so, nothing from the environment. The
only module that knows httpx, whose transport interface is also where tests come in; under it works aiohttp, since
httpx's own pool costs several times the CPU and is unfair under load. Knows nothing of registries. Addresses are
checked where the connection is made, after DNS: nobody reaches a metadata service, and a host that a registry
named never our own loopback. Through a proxy it is the proxy that looks names up; there only what a name itself
tells can be checked.
"""

import asyncio
import hashlib
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bundlewatch import __version__
from bundlewatch.registry import tls
from bundlewatch.registry.addresses import reach_of_host
from bundlewatch.registry.call_errors import Blame, CallError, explain, proxy_refusal
from bundlewatch.registry.proxies import Proxies, Proxy
from bundlewatch.registry.resolver import CheckingResolver, is_refused
from bundlewatch.registry.tls import ClientCertificate
from bundlewatch.registry.urls import Origin, Url
from bundlewatch.registry.wire import Connector

_USER_AGENT = f"bundlewatch/{__version__}"
_ERROR_BODY_BYTES = 64 << 10
_HEADER_BYTES = 16 << 10  # of one header
_AHEAD_BYTES = 64 << 10  # of an answer, parsed before anybody has read it
_POOLS_KEPT = 64
_URLS_KEPT = 4096
_DIRECT = Proxies()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Of one call, in seconds."""

    connect_s: float = 10.0  # DNS, TCP and TLS
    read_s: float = 15.0  # between two pieces of an answer
    call_s: float = 30.0  # all of it, however slowly it drips


@dataclass(frozen=True, slots=True)
class Answer:
    """A response read to its end; of anything but a success no more than the first 64 KiB."""

    status: int
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that (lower-case) name."""
        return next((value for known, value in self.headers if known == name), None)

    def header_lines(self, name: str) -> tuple[str, ...]:
        return tuple(value for known, value in self.headers if known == name)


@dataclass(slots=True)
class _Pool:
    """The connections of all who trust the same authorities and show the same certificate."""

    context: ssl.SSLContext | None
    doors: dict[tuple[bool, bool, Proxy | None], httpx.AsyncBaseTransport] = field(default_factory=dict)
    in_use: int = 0

    def door(self, *, guarded: bool, service: bool, proxy: Proxy | None) -> httpx.AsyncBaseTransport:
        # The proxy was named by whoever runs the operator: it may well be on our own loopback.
        key = guarded and proxy is None, service, proxy
        if key not in self.doors:
            assert self.context is not None
            self.doors[key] = _open(self.context, guarded=key[0], service=service, proxy=proxy)
        return self.doors[key]

    async def aclose(self) -> None:
        for door in set(self.doors.values()):
            await door.aclose()


class Transport:
    """`call()` is all there is; `aclose()` when done."""

    def __init__(
        self,
        *,
        timeouts: Timeouts,
        proxies: Proxies = _DIRECT,
        services: Collection[Origin] = frozenset(),
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`services`: the cloud's own, such as its metadata service; these very origins are reached wherever they
        are, and directly. `inner` stands in for the network in tests.
        """
        self._services = services
        self._timeouts = timeouts
        self._proxies = proxies
        self._inner = inner
        self._extensions = {
            "timeout": {
                "connect": timeouts.connect_s,
                "read": timeouts.read_s,
                "write": timeouts.read_s,
                "pool": timeouts.connect_s,
            }
        }
        self._url = lru_cache(_URLS_KEPT)(httpx.URL)  # the same are polled again and again; parsing one costs 40 µs
        self._pools: OrderedDict[bytes, _Pool] = OrderedDict()

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """Every spelling of the proxies' logins, which an answer that came through one may repeat."""
        return self._proxies.secret_texts

    async def call(
        self,
        method: str,
        url: Url,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        ca_pem: bytes | None = None,
        certificate: ClientCertificate | None = None,
        guarded: bool = False,
        content: bytes | None = None,
        within_s: float | None = None,
    ) -> Answer:
        """Ask once. Raises CallError, or InvalidSecret for a bad `ca_pem` or `certificate`.

        `certificate`: what the host is shown if it asks; give it for the registry's own origin alone.
        `guarded`: the host was named by a registry, not by a person; it must not lead to our loopback.
        `max_bytes`: a success that is longer fails. `within_s`: a tighter deadline than usual.
        """
        reach = reach_of_host(url.origin.host)
        service = url.origin in self._services and not guarded
        if is_refused(reach, guarded=guarded) and not service:
            raise CallError(f"is a {reach} address, where no registry may be", blame=Blame.ANSWER)
        proxy = self._proxies.proxy_for(url.origin) if not service else None
        if certificate is not None and proxy is not None and proxy.origin.scheme == "https":
            raise CallError(  # the certificate would be shown to the proxy, if that asks for one
                f"wants a client certificate, which cannot go through the proxy {proxy}",
                cure="name the registry in the operator's NO_PROXY, or an http:// proxy in HTTPS_PROXY",
                blame=Blame.TRUST,
            )
        if proxy is not None and proxy.authorization and url.origin.scheme == "http":
            headers = {**headers, "proxy-authorization": proxy.authorization}
        hurried = within_s is not None and within_s < self._timeouts.call_s
        deadline_s = within_s if within_s is not None and hurried else self._timeouts.call_s
        pool = await self._pool(ca_pem, certificate)
        try:
            async with asyncio.timeout(deadline_s):
                answer = await self._exchange(
                    pool.door(guarded=guarded, service=service, proxy=proxy) if self._inner is None else self._inner,
                    self._request(method, url, headers, content),
                    max_bytes,
                )
            if proxy is not None and answer.status == 407:  # of a plain request; of a tunnel it is an error
                raise proxy_refusal(proxy, 407)
            return answer
        except CallError:
            raise
        except TimeoutError:
            failure = CallError("took too long over its answer", blame=Blame.HURRY if hurried else Blame.OUTAGE)
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            failure = explain(error, scheme=url.origin.scheme, proxy=proxy, shown=certificate is not None)
        finally:
            pool.in_use -= 1
        raise failure  # here and not above: the caught error holds the request, and with it the credentials

    async def aclose(self) -> None:
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.aclose()
        if self._inner is not None:
            await self._inner.aclose()

    def _request(self, method: str, url: Url, headers: Mapping[str, str], content: bytes | None) -> httpx.Request:
        # Identity: a decompressor is a way to our memory that no limit on received bytes guards.
        own = {"user-agent": _USER_AGENT, "accept-encoding": "identity", "accept": "*/*"}
        return httpx.Request(
            method, self._url(str(url)), headers={**own, **headers}, content=content, extensions=self._extensions
        )

    async def _exchange(self, via: httpx.AsyncBaseTransport, request: httpx.Request, max_bytes: int) -> Answer:
        response = await via.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, AsyncIterable)
        try:
            headers = tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers.raw
            )
            answer = Answer(response.status_code, headers, b"")
            if request.method == "HEAD" or response.is_redirect:
                return answer
            body = await _read(stream, answer, max_bytes)
            return Answer(answer.status, headers, body)
        finally:
            if isinstance(stream, httpx.AsyncByteStream):
                await stream.aclose()

    async def _pool(self, ca_pem: bytes | None, certificate: ClientCertificate | None) -> _Pool:
        """One that counts as in use from now on, or another that needs room could close it meanwhile."""
        key = _identity(ca_pem, certificate)
        pool = self._pools.get(key)
        if pool is not None:
            self._pools.move_to_end(key)
            pool.in_use += 1
            return pool
        pool = _Pool(tls.context(ca_pem, certificate) if self._inner is None else None, in_use=1)
        self._pools[key] = pool
        idle = next((old for old, known in self._pools.items() if not known.in_use), None)
        if len(self._pools) > _POOLS_KEPT and idle is not None:
            try:
                await self._pools.pop(idle).aclose()
            except BaseException:
                pool.in_use -= 1
                raise
        return pool


def _identity(ca_pem: bytes | None, certificate: ClientCertificate | None) -> bytes:
    """The same for all who trust the same authorities and show the same certificate; it tells neither."""
    if ca_pem is None and certificate is None:
        return b""
    parts = (ca_pem or b"", certificate.chain_pem if certificate else b"", certificate.key_pem if certificate else b"")
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _open(context: ssl.SSLContext, *, guarded: bool, service: bool, proxy: Proxy | None) -> AiohttpTransport:
    through = None
    if proxy is not None:  # of a tunnel; a plain request carries the login itself
        login = {"proxy-authorization": proxy.authorization} if proxy.authorization else None
        through = httpx.Proxy(str(proxy), headers=login)

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=Connector(
                ssl=context,
                limit=0,  # each host has its limit in `throttle`; a common one would let hosts delay each other
                keepalive_timeout=30,
                resolver=CheckingResolver(guarded=guarded, lenient=service),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            read_bufsize=_AHEAD_BYTES,
        )

    return AiohttpTransport(verify=context, trust_env=False, client=session, proxy=through)


async def _read(stream: AsyncIterable[bytes], answer: Answer, max_bytes: int) -> bytes:
    success = answer.status < 300
    limit = max_bytes if success else _ERROR_BODY_BYTES
    if success and (answer.header("content-encoding") or "identity").lower() != "identity":
        raise CallError("compressed its answer though it was asked not to", blame=Blame.ANSWER)
    length = answer.header("content-length")
    too_long = CallError(f"answers with more than the {limit} bytes allowed here", blame=Blame.SIZE)
    if success and length is not None and length.isdigit() and int(length[:20]) > limit:
        raise too_long
    chunks: list[bytes] = []
    size = 0
    async for chunk in stream:
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            if success:
                raise too_long
            break  # of an error the beginning will do
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
