"""Looks up names for the transport, and leaves out the addresses nobody may make us talk to.

The check is made on what is then connected to, so a name cannot answer differently the second time. Which
addresses those are is `addresses`' business; a host that only a registry named (guarded) may reach fewer.
"""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bundlewatch.registry.addresses import Reach, literal, reach_of_address


class RefusedAddressError(OSError):
    """A name leads only to addresses nobody may make us talk to."""


class CheckingResolver(AbstractResolver):
    """aiohttp's own resolver, filtered."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if not self._refuses(result["host"])]
        if found and not allowed:
            raise RefusedAddressError
        return allowed

    async def close(self) -> None:
        await self._inner.close()

    def _refuses(self, text: str) -> bool:
        address = literal(text.partition("%")[0])
        return address is None or is_refused(reach_of_address(address), guarded=self._guarded)


def is_refused(reach: Reach, *, guarded: bool) -> bool:
    """Metadata services always; our own loopback when `guarded`. Private networks are where registries live."""
    return reach is Reach.METADATA or (guarded and reach is Reach.LOOPBACK)
