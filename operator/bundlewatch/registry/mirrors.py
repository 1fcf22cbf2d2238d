"""Asks the mirrors of a registry before it, with the same questions and the same promises.

A mirror is a pull-through cache that whoever runs the operator trusts. It is asked anonymously: a credential is
for its own registry alone. One that is down, slow, refuses, breaks the protocol or lacks what is asked for is
passed over, and when all are, the registry answers, or fails in its own words. Which mirror answered makes no
difference to what is checked: listings are complete, content matches its digest. A mirror may be behind its
registry; what is asked by digest cannot be. Rule: OCI distribution specification §"Registry Proxying" (`ns`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar, overload

from bundlewatch.errors import BundleWatchError, RegistryUnavailable
from bundlewatch.registry.access import Access
from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.listing import Listing
from bundlewatch.registry.manifests import Descriptor, Manifest
from bundlewatch.registry.reference import Repository

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE_S = 60.0  # that one mirror gets for one question: its registry must still have time for it


class Registry(Protocol):
    """What `client.RegistryClient` is, and this too."""

    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]: ...

    async def listing(self, repository: Repository, *, access: Access) -> Listing: ...

    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None: ...

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest: ...

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes: ...

    async def aclose(self) -> None: ...


class MirroredRegistry:
    """A registry client that asks mirrors first. Methods, answers and errors are those of `RegistryClient`."""

    def __init__(
        self, registry: Registry, *, mirrors: Mapping[str, Sequence[Mirror]], patience_s: float = PATIENCE_S
    ) -> None:
        """`mirrors`: by host as in `Repository.host`, in the order in which they are asked."""
        self._registry = registry
        self._mirrors = {host: tuple(listed) for host, listed in mirrors.items() if listed}
        self._patience_s = patience_s
        self._down: set[tuple[str, Mirror]] = set()

    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]:
        """All tags, each once. A mirror that has none is passed over: it may not know the repository yet."""
        return (await self.listing(repository, access=access)).tags

    async def listing(self, repository: Repository, *, access: Access) -> Listing:
        async def ask(there: Repository, way: Access) -> Listing:
            return await self._registry.listing(there, access=way)

        return await self._first(repository, access, ask, serves=lambda mirror: mirror.lists, found=_has_tags)

    @overload
    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: None = None
    ) -> Descriptor: ...

    @overload
    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None: ...

    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None = None
    ) -> Descriptor | None:
        async def ask(there: Repository, way: Access) -> Descriptor | None:
            return await self._registry.head_manifest(there, reference, access=way, etag=etag)

        return await self._first(repository, access, ask)

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest:
        async def ask(there: Repository, way: Access) -> Manifest:
            return await self._registry.get_manifest(there, reference, access=way)

        return await self._first(repository, access, ask)

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes:
        async def ask(there: Repository, way: Access) -> bytes:
            return await self._registry.get_blob(there, digest, access=way, max_bytes=max_bytes)

        return await self._first(repository, access, ask)

    async def aclose(self) -> None:
        await self._registry.aclose()

    async def _first(
        self,
        repository: Repository,
        access: Access,
        ask: Callable[[Repository, Access], Awaitable[T]],
        *,
        serves: Callable[[Mirror], bool] = lambda _: True,
        found: Callable[[T], bool] = lambda _: True,
    ) -> T:
        for mirror in filter(serves, self._mirrors.get(repository.host, ())):
            way = Access(insecure=mirror.insecure, mirror_of=repository.host)
            try:
                async with asyncio.timeout(self._patience_s):
                    answer = await ask(mirror.of(repository), way)
            except TimeoutError:
                self._note(repository, mirror, down=True, why=f"took longer than {self._patience_s:.0f} s")
            except BundleWatchError as error:
                self._note(repository, mirror, down=isinstance(error, RegistryUnavailable), why=str(error))
            else:
                self._note(repository, mirror, down=False, why="")
                if found(answer):
                    return answer
        return await ask(repository, access)

    def _note(self, repository: Repository, mirror: Mirror, *, down: bool, why: str) -> None:
        """Said once when it changes, and not at each question."""
        key = repository.host, mirror
        extra = {"repository": str(repository)}
        if down and key not in self._down:
            self._down.add(key)
            logger.warning("mirror %s of %s is passed over: %s", mirror.host, repository.host, why, extra=extra)
        elif not down and key in self._down:
            self._down.discard(key)
            logger.info("mirror %s of %s answers again", mirror.host, repository.host, extra=extra)
        elif why:
            logger.debug("mirror %s of %s is passed over: %s", mirror.host, repository.host, why, extra=extra)


def _has_tags(listing: Listing) -> bool:
    return bool(listing.tags)
