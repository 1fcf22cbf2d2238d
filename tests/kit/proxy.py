"""A misbehaving network in front of a real registry (or any server that speaks plain HTTP).

    with Proxy.start(registry.host) as proxy:
        proxy.fault(faults.Hang(), when=lambda request: request.path.endswith("/tags/list"))
        ...                     # clients use proxy.host instead of registry.host
        proxy.fault(faults.too_many_requests(), times=3)      # the next three requests
        proxy.refuse()          # nobody listens any more; proxy.accept() listens again
        proxy.clear()           # as if there were no proxy

The fault given last that fits a request is done to it. `requests` is what came, with what was done;
`peak` is how many were under way at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from kit.background import Background
from kit.faults import (
    CutChunks,
    Delay,
    Drip,
    Endless,
    Fault,
    Garbage,
    HalfBody,
    Hang,
    HangInBody,
    Lie,
    Pass,
    Reset,
    Response,
    Status,
    WrongLength,
)
from kit.ports import free_port
from kit.tcp_proxy import reset

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te"})


PASS = Pass()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    fault: Fault = PASS


@dataclass(slots=True)
class _Rule:
    fault: Fault
    when: Callable[[Request], bool]
    times: int | None  # how often it may still be done; None: always


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        self.url = f"http://{self.host}"
        self.requests: list[Request] = []
        self.peak = 0
        self._upstream = upstream
        self._rules: list[_Rule] = []
        self._under_way = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._background = Background("proxy")

    @classmethod
    def start(cls, upstream: str) -> Self:
        """`upstream` is host:port."""
        proxy = cls(upstream)
        proxy._background.run(proxy._open())
        return proxy

    def stop(self) -> None:
        self._background.run(self._close())
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fault(
        self, fault: Fault, *, when: Callable[[Request], bool] = lambda _: True, times: int | None = None
    ) -> None:
        """From now on, for requests that `when` is true of, at most `times` of them."""
        self._rules.insert(0, _Rule(fault, when, times))

    def clear(self) -> None:
        """No faults; listening. What hangs already goes on hanging."""
        self._rules.clear()
        self.accept()

    def refuse(self) -> None:
        """Cuts every connection and listens no more: connection refused."""
        self._background.run(self._stop_listening())

    def accept(self) -> None:
        """Listens again, on the same port."""
        self._background.run(self._listen())

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        await self._listen()

    async def _close(self) -> None:
        await self._stop_listening()
        await self._session.close()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await _read_request(reader)) is not None:
                self._under_way += 1
                self.peak = max(self.peak, self._under_way)
                try:
                    fault = self._fault_for(request)
                    self.requests.append(replace(request, fault=fault))
                    goes_on = await self._answer(request, fault, reader, writer)
                finally:
                    self._under_way -= 1
                if not goes_on:
                    break
        self._writers.discard(writer)
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    def _fault_for(self, request: Request) -> Fault:
        for rule in tuple(self._rules):
            if rule.times != 0 and rule.when(request):
                if rule.times is not None:
                    rule.times -= 1
                return rule.fault
        return PASS

    async def _answer(
        self, request: Request, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection may be used for another request."""
        match fault:
            case Hang():
                await reader.read()  # until the client has had enough
                return False
            case Garbage(data=data):
                writer.write(data)
                await writer.drain()
                return False
            case Status(status=status, headers=headers, body=body):
                response = Response(status, headers, body)
            case _:
                if isinstance(fault, Delay):
                    await asyncio.sleep(fault.seconds)
                response = await self._ask_upstream(request)
        if isinstance(fault, Lie):
            response = fault.change(response)
        return await self._send(request, response, fault, reader, writer)

    async def _ask_upstream(self, request: Request) -> Response:
        target = f"http://{self._upstream}{request.path}{'?' if request.query else ''}{request.query}"
        async with self._session.request(
            request.method,
            URL(target, encoded=True),
            data=request.body or None,
            headers={name: value for name, value in request.headers.items() if name not in HOP_BY_HOP},
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            allow_redirects=False,
        ) as response:
            return Response(response.status, dict(response.headers), await response.read())

    async def _send(
        self,
        request: Request,
        response: Response,
        fault: Fault,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        length: int | None = len(response.body)
        if request.method == "HEAD":
            length = int(dict(response.headers).get("Content-Length", "0"))
        if isinstance(fault, WrongLength):
            assert length is not None
            length += fault.by_bytes
        if isinstance(fault, CutChunks | Endless):
            length = None
        writer.write(_head(response, length))
        whole = await _deliver(response.body, fault, reader, writer)
        await writer.drain()
        return whole and request.headers.get("connection", "").lower() != "close"


async def _deliver(body: bytes, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether all of the body was sent as it should be."""
    match fault:
        case HangInBody(after_bytes=count):
            writer.write(body[:count])
            await reader.read()  # until the client has had enough
        case Drip(bytes_at_once=count, every_s=every_s):
            for start in range(0, len(body), count):
                writer.write(body[start : start + count])
                await writer.drain()
                await asyncio.sleep(every_s)
            return True
        case Reset(at_byte=count):
            writer.write(body[:count])
            await writer.drain()
            await asyncio.sleep(0.02)  # a reset overtakes what was not read yet
            reset(writer)
        case HalfBody():
            writer.write(body[: len(body) // 2])
        case CutChunks():
            half = body[: len(body) // 2]
            writer.write(b"%x\r\n%s\r\n" % (len(half), half))
        case Endless(piece=piece):
            while True:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
        case WrongLength():
            writer.write(body)
        case _:
            writer.write(body)
            return True
    return False


def _head(response: Response, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {'OK' if response.status < 300 else 'So it is'}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP]
    if length is None:
        lines.append("Transfer-Encoding: chunked")
    elif response.status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None  # the client closed the connection between two requests
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif length := int(headers.get("content-length", "0")):
        body = await reader.readexactly(length)
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body)
