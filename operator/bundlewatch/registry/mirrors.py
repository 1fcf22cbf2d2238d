"""Asks the mirrors of a registry before it, with the same questions and the same promises.

A mirror is a pull-through cache that whoever runs the operator trusts. It is asked anonymously: a credential is
for its own registry alone. One that is down, slow, refuses, breaks the protocol or lacks what is asked for is
passed over, and when all are, the registry answers, or fails in its own words. Which mirror answered makes no
difference to what is checked: listings are complete, content matches its digest. A mirror may be behind its
registry; what is asked by digest cannot be. Rule: OCI distribution specification §"Registry Proxying" (`ns`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TypeVar, overload

from bundlewatch.errors import AccessDenied, BundleWatchError, RegistryUnavailable
from bundlewatch.registry.access import Access
from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.listing import Listing
from bundlewatch.registry.manifests import Descriptor, Manifest
from bundlewatch.registry.mirror_states import MirrorStates
from bundlewatch.registry.quotas import Quota
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.registry import Registry

T = TypeVar("T")

PATIENCE_S = 60.0  # that one mirror gets for one question, at most


class MirroredRegistry(Registry):
    """A registry client that asks mirrors first. Methods, answers and errors are those of `RegistryClient`."""

    def __init__(
        self,
        registry: Registry,
        *,
        mirrors: Mapping[str, Sequence[Mirror]],
        budget_s: float = 2 * PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`mirrors`: by host as in `Repository.host`, in the order in which they are asked.

        `budget_s`: what all mirrors of a registry get together for one question; it is shared out evenly among those
        that are left, and what is over when they have failed is the registry's.
        """
        self._registry = registry
        self._mirrors = {host: tuple(listed) for host, listed in mirrors.items() if listed}
        self._budget_s = budget_s
        self._states = MirrorStates(clock=clock)

    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]:
        """All tags, each once. A mirror that has none is passed over: it may not know the repository yet."""
        return (await self.listing(repository, access=access)).tags

    async def listing(
        self, repository: Repository, *, access: Access, progress: Callable[[int], None] = lambda _: None
    ) -> Listing:
        """`progress` begins anew where a mirror fails in the middle and the next one is asked."""

        async def ask(there: Repository, way: Access) -> Listing:
            return await self._registry.listing(there, access=way, progress=progress)

        return await self._first(repository, access, ask, serves=lambda mirror: mirror.lists, found=_has_tags)

    async def tags(self, repository: Repository, *, access: Access) -> AsyncGenerator[list[str], None]:
        """As `RegistryClient.tags`. A mirror that fails once it has given something out cannot be passed over: that
        ends in its error, and the next time it is.
        """
        for mirror, way, patience_s in self._to_ask(repository, serves=lambda mirror: mirror.lists):
            given = False
            try:
                async with aclosing(self._registry.tags(mirror.of(repository), access=way)) as pages:
                    async with asyncio.timeout(patience_s):
                        first = await anext(pages, None)
                    if not first:
                        self._states.answered(repository, mirror)
                        continue
                    given = True
                    yield first
                    async for names in pages:
                        yield names
            except TimeoutError:
                self._states.down(repository, mirror, f"took longer than {patience_s:.0f} s")
            except BundleWatchError as error:
                if given:
                    self._states.down(repository, mirror, str(error))
                    raise
                self._failed(repository, mirror, error)
            else:
                self._states.answered(repository, mirror)
                return
        async with aclosing(self._registry.tags(repository, access=access)) as pages:
            async for names in pages:
                yield names

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

    def quotas(self) -> Mapping[str, Quota]:
        """Of registries and of mirrors."""
        return self._registry.quotas()

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
        for mirror, way, patience_s in self._to_ask(repository, serves=serves):
            try:
                async with asyncio.timeout(patience_s):
                    answer = await ask(mirror.of(repository), way)
            except TimeoutError:
                self._states.down(repository, mirror, f"took longer than {patience_s:.0f} s")
            except BundleWatchError as error:
                self._failed(repository, mirror, error)
            else:
                self._states.answered(repository, mirror)
                if found(answer):
                    return answer
        return await ask(repository, access)

    def _to_ask(
        self, repository: Repository, *, serves: Callable[[Mirror], bool]
    ) -> Iterator[tuple[Mirror, Access, float]]:
        """The mirrors worth asking, and how long each may take, found out one by one as time passes."""
        left = [mirror for mirror in self._mirrors.get(repository.host, ()) if serves(mirror)]
        loop = asyncio.get_running_loop()
        until = loop.time() + self._budget_s
        while left:
            mirror = left.pop(0)
            if not self._states.may_be_asked(repository, mirror):
                continue
            patience_s = min(PATIENCE_S, max(0.0, until - loop.time()) / (len(left) + 1))
            yield mirror, Access(insecure=mirror.insecure, mirror_of=repository.host), patience_s

    def _failed(self, repository: Repository, mirror: Mirror, error: BundleWatchError) -> None:
        match error:
            case RegistryUnavailable():
                self._states.down(repository, mirror, str(error))
            case AccessDenied():
                self._states.refuses(repository, mirror, str(error))
            case _:
                self._states.answered(repository, mirror, why=str(error))


def _has_tags(listing: Listing) -> bool:
    return bool(listing.tags)
