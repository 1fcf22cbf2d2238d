"""Connections that give up on a server which keeps us busy: endless interim answers, or chunks of a byte each.

Parsing is done as bytes arrive, for all hosts in one thread, so that such a server would delay all others. What
arrives is handed to aiohttp in small pieces, and after each it is looked at what came of it. Knows aiohttp's client
protocol, and nothing of what was asked.
"""

import asyncio
from functools import partial
from typing import Any, Final, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

_PIECE_BYTES: Final = 16 << 10
_INTERIM_ANSWERS: Final = 8  # before the one that counts
_WASTE_BYTES: Final = 64 << 10  # of what is sent to frame a body; besides, an eighth of the body


class WastefulError(aiohttp.ClientPayloadError):
    """The server sends next to nothing in as many pieces as it can."""


class Connector(aiohttp.TCPConnector):
    """aiohttp's, with connections that give up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(_Connection, loop=self._loop))


class _Connection(ResponseHandler):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._kept = b""  # while aiohttp has more than it wants; it would keep it too, and we could not see how much
        self._last_payload: object = None
        self._interim = self._waste = 0

    @property
    def should_close(self) -> bool:
        return bool(self._kept) or super().should_close

    def set_response_params(self, **params: Any) -> None:
        """Another request begins."""
        self._last_payload = self._payload
        self._interim = self._waste = 0
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """An answer begins: aiohttp passes over interim ones by itself, however many there are."""
        self._interim += 100 <= data[0].code < 200
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; or none, where those that were kept are wanted now."""
        data, self._kept = self._kept + data, b""
        for start in range(0, max(1, len(data)), _PIECE_BYTES):
            if start and self._reading_paused:
                self._kept = data[start:]
                return
            self._take(data[start : start + _PIECE_BYTES])
            if isinstance(self._exception, WastefulError):
                return

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._kept:
            data, self._kept = self._kept, b""
            super().data_received(data)
        super().connection_lost(exc)

    def _take(self, data: bytes) -> None:
        payload = self._payload
        before = payload.total_bytes if payload is not None else 0
        super().data_received(data)
        if payload is not None and payload is self._payload is not self._last_payload:
            self._waste += len(data) - (payload.total_bytes - before)
            if self._waste > _WASTE_BYTES + payload.total_bytes // 8:
                self._give_up("sends its answer in too many pieces, with next to nothing in each")
        if self._interim > _INTERIM_ANSWERS:
            self._give_up(f"announces its answer more than {_INTERIM_ANSWERS} times")

    def _give_up(self, why: str) -> None:
        error, payload = WastefulError(why), self._payload
        if self.transport is not None:
            self.transport.abort()
        self._buffer.clear()
        self.set_exception(error)
        if payload is not None:
            payload.set_exception(error)
