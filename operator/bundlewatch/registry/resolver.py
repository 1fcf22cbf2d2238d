"""Looks up names for the transport, and leaves out the addresses nobody may make us talk to.

The check is made on what is then connected to, so a name cannot answer differently the second time. Which
addresses those are is `addresses`' business; a host that only a registry named (guarded) may reach fewer. Each
look-up has a thread of its own, a daemon: in a pool, a few names that a dead DNS server keeps waiting would hold
up all others, and the end of the process too.
"""

import asyncio
import contextlib
import errno
import os
import socket
import threading

from aiohttp.abc import AbstractResolver, ResolveResult

from bundlewatch.registry.addresses import Reach, literal, reach_of_address


class RefusedAddressError(OSError):
    """A name leads only to addresses nobody may make us talk to."""


class CheckingResolver(AbstractResolver):
    """The operating system's resolver, filtered. aiohttp asks once per name for all who wait, and caches."""

    def __init__(self, *, guarded: bool, lenient: bool = False) -> None:
        """`lenient`: of hosts that are no registries but the cloud's own services; nothing is left out."""
        self._guarded = guarded
        self._lenient = lenient

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await _look_up(host, port, family)
        allowed = [result for result in found if self._lenient or not self._refuses(result["host"])]
        if found and not allowed:
            raise RefusedAddressError
        return allowed

    async def close(self) -> None:
        """Nothing to close: threads that still wait for an answer end by themselves."""

    def _refuses(self, text: str) -> bool:
        address = literal(text.partition("%")[0])
        return address is None or is_refused(reach_of_address(address), guarded=self._guarded)


def is_refused(reach: Reach, *, guarded: bool) -> bool:
    """Metadata services always; our own loopback when `guarded`. Private networks are where registries live."""
    return reach is Reach.METADATA or (guarded and reach is Reach.LOOPBACK)


async def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[ResolveResult]] = loop.create_future()

    def deliver(outcome: list[ResolveResult] | OSError) -> None:
        if answer.done():
            return
        if isinstance(outcome, OSError):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def ask() -> None:
        outcome = _ask_system(host, port, family)
        with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(deliver, outcome)

    try:
        threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    except RuntimeError:  # the system has no more threads for us
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
    return await answer


def _ask_system(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult] | OSError:
    try:
        found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        return error
    except UnicodeError:  # a label longer than DNS allows
        return socket.gaierror(socket.EAI_NONAME, "no such name")
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=int(address[1]),
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
    ]
