"""A forward proxy, as companies put between their network and the world: CONNECT for https, whole URLs for http.

    with ForwardProxy.start(username="us", password="s3cret") as proxy:
        ...                              # clients are told HTTPS_PROXY=proxy.url
        proxy.requests                   # what it was asked for: "CONNECT host:port", "GET http://…"

`names` says where a host really is, so that tests may ask for names that no resolver knows. `refusal` is a status
for everybody from now on.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from kit.background import Background
from kit.certificates import Certificates
from kit.ports import free_port

CHUNK_BYTES = 65_536


class ForwardProxy:
    def __init__(
        self,
        *,
        username: str = "",
        password: str = "",
        names: Mapping[str, str] | None = None,
        tls: Certificates | None,
    ) -> None:
        self.port = free_port()
        self.url = f"{'http' if tls is None else 'https'}://localhost:{self.port}"
        self.requests: list[str] = []
        self.logins: list[str] = []
        self.refusal: int | None = None
        self._wanted = f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}" if username else ""
        self._names = dict(names or {})
        self._tls = tls
        self._background = Background("forward-proxy")

    @classmethod
    def start(
        cls,
        *,
        username: str = "",
        password: str = "",
        names: Mapping[str, str] | None = None,
        tls: Certificates | None = None,
    ) -> Self:
        """`names`: host or host:port to the host:port where it is."""
        proxy = cls(username=username, password=password, names=names, tls=tls)
        proxy._background.run(proxy._listen())
        return proxy

    def stop(self) -> None:
        self._background.run(self._stop_listening())
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _listen(self) -> None:
        context = None
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls.certificate, self._tls.key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)

    async def _stop_listening(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._answer(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        self.requests.append(f"{method} {target}")
        headers = [line for line in lines if line]
        login = next((line.partition(":")[2].strip() for line in headers if _named(line, "proxy-authorization")), "")
        self.logins.append(login)
        refusal = self.refusal or (407 if login != self._wanted else None)
        if refusal is not None:
            writer.write(f"HTTP/1.1 {refusal} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        if method == "CONNECT":
            there = await self._connect(target)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            url = urlsplit(target)
            there = await self._connect(url.netloc if ":" in url.netloc else f"{url.netloc}:80")
            path = url.path + (f"?{url.query}" if url.query else "")
            kept = [
                line for line in headers if not _named(line, "proxy-authorization") and not _named(line, "connection")
            ]
            there[1].write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode())
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))

    async def _connect(self, authority: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        place = self._names.get(authority) or self._names.get(authority.rpartition(":")[0]) or authority
        host, _, port = place.rpartition(":")
        return await asyncio.open_connection("127.0.0.1" if host == "localhost" else host, int(port))


def _named(line: str, name: str) -> bool:
    return line.partition(":")[0].strip().lower() == name


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
