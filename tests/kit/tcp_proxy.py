"""A network cable that can be cut, in front of a server whatever it speaks: the API server above all.

    with TcpProxy.start(cluster.port) as cable:
        kubeconfig = cluster.kubeconfig_through(cable.port)
        cable.cut()        # every connection is reset; new ones are fine
        cable.freeze()     # connections stay and say nothing more, as behind a dead NAT; cable.thaw() ends it
        cable.refuse()     # cut, and nobody listens; cable.accept() listens again

It carries TLS without looking into it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

from kit.background import Background
from kit.ports import free_port

CHUNK_BYTES = 65_536


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as a crash does: the other side gets RST, not an orderly end."""
    with contextlib.suppress(OSError):  # it ended by itself
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


class TcpProxy:
    def __init__(self, upstream_port: int) -> None:
        self.port = free_port()
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._background = Background("tcp-proxy")
        self._flowing = asyncio.Event()
        self._flowing.set()

    @classmethod
    def start(cls, upstream_port: int) -> Self:
        proxy = cls(upstream_port)
        proxy.accept()
        return proxy

    def stop(self) -> None:
        self.refuse()
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._writers) // 2

    def cut(self) -> None:
        self._background.run(self._cut())

    def freeze(self) -> None:
        self._background.loop.call_soon_threadsafe(self._flowing.clear)

    def thaw(self) -> None:
        self._background.loop.call_soon_threadsafe(self._flowing.set)

    def refuse(self) -> None:
        self._background.run(self._stop_listening())

    def accept(self) -> None:
        self._background.run(self._listen())

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for writer in tuple(self._writers):
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, upstream_writer}
        self._writers |= ends
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(self._pump(reader, upstream_writer)),
                    asyncio.create_task(self._pump(upstream_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
