"""One HTTP call, with a deadline and a size limit, and nothing that acts by itself.

No redirects, cookies, proxies from the environment, netrc, decompression or retries (but for the one by which
aiohttp replaces a kept connection that the server has dropped). The only module that knows httpx, whose
transport interface is also where tests come in; under it works aiohttp, since httpx's own pool costs several
times the CPU and is unfair under load. Knows nothing of registries. Addresses are checked where the connection
is made, after DNS: nobody reaches a metadata service, and a host that a registry named never our own loopback.
"""

import asyncio
import hashlib
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bundlewatch import __version__
from bundlewatch.registry import tls
from bundlewatch.registry.addresses import reach_of_host
from bundlewatch.registry.call_errors import Blame, CallError, explain
from bundlewatch.registry.resolver import CheckingResolver, is_refused
from bundlewatch.registry.urls import Url

_USER_AGENT = f"bundlewatch/{__version__}"
_ERROR_BODY_BYTES = 64 << 10
_HEADER_BYTES = 16 << 10  # of one header
_POOLS_KEPT = 64
_URLS_KEPT = 4096


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
    """The connections of all who trust the same authorities."""

    plain: httpx.AsyncBaseTransport
    guarded: httpx.AsyncBaseTransport
    in_use: int = 0


class Transport:
    """`call()` is all there is; `aclose()` when done."""

    def __init__(self, *, timeouts: Timeouts, inner: httpx.AsyncBaseTransport | None = None) -> None:
        """`inner` stands in for the network in tests."""
        self._timeouts = timeouts
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

    async def call(
        self,
        method: str,
        url: Url,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        ca_pem: bytes | None = None,
        guarded: bool = False,
        content: bytes | None = None,
        within_s: float | None = None,
    ) -> Answer:
        """Ask once. Raises CallError, or InvalidSecret for a bad `ca_pem`.

        `guarded`: the host was named by a registry, not by a person; it must not lead to our loopback.
        `max_bytes`: a success that is longer fails. `within_s`: a tighter deadline than usual.
        """
        reach = reach_of_host(url.origin.host)
        if is_refused(reach, guarded=guarded):
            raise CallError(f"is a {reach} address, where no registry may be", blame=Blame.ANSWER)
        pool = await self._pool(ca_pem)
        pool.in_use += 1
        deadline_s = min(self._timeouts.call_s, within_s if within_s is not None else self._timeouts.call_s)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._exchange(
                    pool.guarded if guarded else pool.plain,
                    self._request(method, url, headers, content),
                    max_bytes,
                )
        except CallError:
            raise
        except TimeoutError:
            failure = CallError("took too long over its answer")
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError) as error:
            failure = explain(error, scheme=url.origin.scheme)
        finally:
            pool.in_use -= 1
        raise failure  # here and not above: the caught error holds the request, and with it the credentials

    async def aclose(self) -> None:
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await _close(pool)

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

    async def _pool(self, ca_pem: bytes | None) -> _Pool:
        key = hashlib.sha256(ca_pem).digest() if ca_pem is not None else b""
        pool = self._pools.get(key)
        if pool is not None:
            self._pools.move_to_end(key)
            return pool
        if self._inner is not None:
            pool = _Pool(self._inner, self._inner)
        else:
            context = tls.context(ca_pem)
            pool = _Pool(_open(context, guarded=False), _open(context, guarded=True))
        self._pools[key] = pool
        idle = next((old for old, known in self._pools.items() if not known.in_use), key)
        if len(self._pools) > _POOLS_KEPT and idle != key:
            await _close(self._pools.pop(idle))
        return pool


async def _close(pool: _Pool) -> None:
    await pool.plain.aclose()
    if pool.guarded is not pool.plain:
        await pool.guarded.aclose()


def _open(context: ssl.SSLContext, *, guarded: bool) -> AiohttpTransport:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=context,
                limit=0,  # each host has its limit in `throttle`; a common one would let hosts delay each other
                keepalive_timeout=30,
                resolver=CheckingResolver(guarded=guarded),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )

    return AiohttpTransport(verify=context, trust_env=False, client=session)


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
