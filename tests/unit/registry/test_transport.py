"""One call: bounded in size and time, and errors that carry nothing of the request."""

import asyncio
import socket
import ssl
import threading

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.call_errors import CallError, explain
from bundlewatch.registry.resolver import CheckingResolver, RefusedAddressError
from bundlewatch.registry.tls import context
from bundlewatch.registry.transport import Timeouts, Transport
from bundlewatch.registry.urls import Url

KEY = ConnectionKey("registry.example.com", 443, True, True, None, None, None)


def wrapped(error: Exception) -> Exception:
    """As httpx-aiohttp hands it on."""
    outer = httpx.ConnectTimeout("misnamed")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "words", "cure"),
    [
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "refused")), "refused the connection", "runs"),
        (aiohttp.ClientConnectorError(KEY, OSError(113, "x")), "No route to host", "host and port"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "x")), "cannot be resolved", "spelling"),
        (aiohttp.ClientConnectorDNSError(KEY, RefusedAddressError()), "where no registry may be", ""),
        (aiohttp.ConnectionTimeoutError(), "could not be connected to in time", "runs"),
        (aiohttp.SocketTimeoutError(), "stopped sending", ""),
        (aiohttp.ServerDisconnectedError(), "closed the connection without an answer", ""),
        (aiohttp.ClientOSError(104, "reset"), "closed the connection without an answer", ""),
        (aiohttp.ClientPayloadError(), "broke off in the middle", ""),
        (KeyError("odd"), "could not be asked (KeyError)", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_failure_has_plain_words(error: Exception, words: str, cure: str) -> None:
    for given in (error, wrapped(error)):
        explained = explain(given, scheme="https")
        assert words in explained.cause
        assert cure in explained.cure


@pytest.mark.parametrize("guarded", [False, True])
async def test_a_name_that_leads_inside_is_seen_after_dns(*, guarded: bool) -> None:
    resolver = CheckingResolver(guarded=guarded)
    try:
        if guarded:
            with pytest.raises(RefusedAddressError):
                await resolver.resolve("localhost", 443)
        else:
            assert await resolver.resolve("localhost", 443)
    finally:
        await resolver.close()


async def test_names_that_never_resolve_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_system, gate = socket.getaddrinfo, threading.Event()

    def dead_dns(host: str, *arguments: object, **options: object) -> object:
        if host.startswith("dead-"):
            gate.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "timed out")
        return ask_system(host, *arguments, **options)  # type: ignore[arg-type] # handed on

    monkeypatch.setattr(socket, "getaddrinfo", dead_dns)
    resolver = CheckingResolver(guarded=False)
    waiting = [asyncio.create_task(resolver.resolve(f"dead-{number}.example")) for number in range(50)]
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        assert await resolver.resolve("localhost")
    gate.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(outcome, socket.gaierror) for outcome in outcomes)


async def test_where_no_thread_can_be_had_a_name_cannot_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", exhausted)
    with pytest.raises(OSError, match="temporarily unavailable"):
        await CheckingResolver(guarded=False).resolve("registry.example.com")


async def test_a_label_longer_than_dns_allows_is_an_unknown_name() -> None:
    with pytest.raises(socket.gaierror):
        await CheckingResolver(guarded=False).resolve("a" * 64 + ".example")


async def test_a_guarded_call_does_not_go_to_loopback() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    transport = Transport(timeouts=Timeouts(), inner=httpx.MockTransport(handler))
    url = Url.parse("https://127.0.0.1:9/x")
    assert url is not None
    with pytest.raises(CallError, match="loopback address"):
        await transport.call("GET", url, headers={}, max_bytes=9, guarded=True)
    assert asked == []
    assert (await transport.call("GET", url, headers={}, max_bytes=9)).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "x"])
async def test_a_compressed_answer_is_refused(encoding: str) -> None:
    answer = httpx.Response(200, headers={"content-encoding": encoding}, stream=httpx.ByteStream(b"bomb"))
    transport = Transport(timeouts=Timeouts(), inner=httpx.MockTransport(lambda _: answer))
    url = Url.parse("https://registry.example.com/x")
    assert url is not None
    with pytest.raises(CallError, match="compressed"):
        await transport.call("GET", url, headers={}, max_bytes=9)


async def test_of_an_error_only_the_beginning_is_read() -> None:
    answer = httpx.Response(500, stream=httpx.ByteStream(b"x" * 1_000_000))
    transport = Transport(timeouts=Timeouts(), inner=httpx.MockTransport(lambda _: answer))
    url = Url.parse("https://registry.example.com/x")
    assert url is not None
    assert (await transport.call("GET", url, headers={}, max_bytes=9)).status == 500


@pytest.mark.parametrize(
    "pem", [b"", b"junk", b"\xff", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"]
)
def test_a_ca_bundle_without_a_certificate_is_a_bad_secret(pem: bytes) -> None:
    with pytest.raises(InvalidSecret, match=r"ca\.crt .*caSecretRef"):
        context(pem)


def test_tls_is_always_verified_and_never_old() -> None:
    made = context(None)
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_whoever_makes_room_closes_nothing_that_is_about_to_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, closed = list[httpx.AsyncBaseTransport](), list[httpx.AsyncBaseTransport]()

    class Door(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert self not in closed
            await asyncio.sleep(0)
            return httpx.Response(200, content=b"")

        async def aclose(self) -> None:
            closed.append(self)
            await asyncio.sleep(0)

    def open_door(*_: object, **__: object) -> Door:
        opened.append(door := Door())
        return door

    monkeypatch.setattr("bundlewatch.registry.transport._open", open_door)
    monkeypatch.setattr("bundlewatch.registry.transport._POOLS_KEPT", 2)
    monkeypatch.setattr("bundlewatch.registry.tls.context", lambda *_: ssl.create_default_context())
    url = Url.parse("https://registry.example.com/v2/")
    assert url is not None
    transport = Transport(timeouts=Timeouts())
    for some in (range(3), range(3, 15)):  # more than there is room to be made by closing what is idle
        pems = [b"%d" % number for number in some]
        calls = [transport.call("GET", url, headers={}, max_bytes=9, ca_pem=pem) for pem in pems]
        assert {answer.status for answer in await asyncio.gather(*calls)} == {200}
    assert closed
    await transport.aclose()
    assert set(opened) == set(closed)
