"""Listings and inspections, shared by everybody who may see the same: one per (repository, credential).

A listing is complete or an error, never partial. Watches of one repository with byte-equal credentials share
one; different credentials never do, even for a moment. What the tags turned out to be is shared likewise.
Times are seconds of the loop's monotonic clock.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

from bundlewatch.bundle.artifact import describe
from bundlewatch.bundle.chart import NotAChart
from bundlewatch.bundle.inspection import Inspected, ReadsManifests, inspect
from bundlewatch.bundle.provenance import Provenance
from bundlewatch.engine.route import Route
from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    NotInRegistry,
    NotTrusted,
    ObjectGone,
    RegistryUnavailable,
)
from bundlewatch.registry import flights
from bundlewatch.registry.client import Access
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.tls import ClientCertificate

logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Exception)

_REJECTION_HOLDS_S = 600.0  # how long a tag that was no chart is believed to be none
_DENIAL_HOLDS_S = 60.0  # how long a refused credential is not sent again at first; twice as long each time
_DENIAL_HOLDS_MOST_S = 3600.0  # or the interval, if that is longer
_ORIGIN_S = 10.0  # how long a release waits to learn where its bundle comes from
_ORIGINS_KEPT = 16
_DISTRUST_HOLDS_S = 30.0  # how long a certificate that was not trusted is not looked at again


class ReadsRegistries(ReadsManifests, Protocol):
    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]: ...


class OpensRegistries(Protocol):
    async def access(self, route: Route) -> Access: ...


class Tags(tuple[str, ...]):  # noqa: SLOT001 - a tuple cannot have slots with something in them
    """All tags of a repository, in order."""

    source: object
    """The same for all that the same credential was shown of the same repository, one listing after the other."""

    @classmethod
    def of(cls, listed: Iterable[str], *, source: object) -> Self:
        tags = cls(sorted(listed))  # registries list in any order; only another set is another listing
        tags.source = source
        return tags


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """All tags of a repository, as they were at `started`. The same tags are the same object as before."""

    tags: Tags
    started: float
    ended: float
    round: int


@dataclass(frozen=True, slots=True)
class _Key:
    repository: Repository
    insecure: bool
    credential: str
    ca_pem: bytes | None
    certificate: ClientCertificate | None
    cure: str = field(compare=False)
    """What one who uses it can do when it is refused: others may have the same credential from elsewhere."""


@dataclass(slots=True)
class _Shared:
    access: Access
    listing: Listing | None = None
    flight: asyncio.Task[Listing] | None = None
    flight_started: float = 0.0
    refused: AccessDenied | NotTrusted | None = None
    """Why nothing is asked again with this access, in the words of the first time since somebody asked."""

    refusals: int = 0
    refused_at: float = 0.0
    inspected: dict[str, tuple[Inspected | NotInRegistry, int, float]] = field(default_factory=dict)
    looking: dict[str, asyncio.Task[Inspected]] = field(default_factory=dict)
    origins: dict[str, Provenance] = field(default_factory=dict)
    """By digest, of the bundles that were moved to."""


class Listings:
    """The last complete listing of every route, and the way to a newer one."""

    def __init__(
        self,
        *,
        registry: ReadsRegistries,
        keychain: OpensRegistries,
        clock: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self._registry = registry
        self._keychain = keychain
        self._clock = clock
        self._timeout_s = timeout_s
        self._keys: dict[Route, _Key] = {}
        self._shared: dict[_Key, _Shared] = {}

    def latest(self, route: Route) -> Listing | None:
        """The last complete listing for a route; None: there was none yet."""
        key = self._keys.get(route)
        return self._shared[key].listing if key is not None else None

    async def refresh(self, route: Route, *, fresh_since: float, asked_at: float, interval_s: float) -> Listing:
        """A listing that began at `fresh_since` or later: one we have, one under way, or a new one.

        `asked_at`: when somebody last asked for one. A credential that was refused is sent again then, or when
        it changes; else after a minute, and twice as long each time, up to an hour or `interval_s`: a registry
        may lock an account that is refused too often. Whatever it answers to that, the words of the first
        refusal stand. A certificate that was not trusted is looked at again half a minute later, or as soon as
        other authorities are there. Until then this reads the credentials and asks no registry.
        Raises a Mistake or a Fault of `bundlewatch.errors`; then nothing has changed.
        """
        key = await self._reach(route)
        try:
            return await self._newer(
                route, self._shared[key], fresh_since=fresh_since, asked_at=asked_at, interval_s=interval_s
            )
        except AccessDenied as error:
            raise error.with_cure(key.cure) from None

    async def _newer(
        self, route: Route, shared: _Shared, *, fresh_since: float, asked_at: float, interval_s: float
    ) -> Listing:
        if shared.refused is not None:
            if asked_at > shared.refused_at:
                shared.refused = None
            elif self._clock() < shared.refused_at + _hold_s(shared, interval_s=interval_s):
                raise _anew(shared.refused)
        if shared.listing is not None and shared.listing.started >= fresh_since:
            return shared.listing
        if shared.flight is not None and shared.flight_started < fresh_since:
            with contextlib.suppress(Exception):
                await asyncio.shield(shared.flight)
        if shared.flight is None:
            shared.flight_started = self._clock()
            shared.flight = flights.begin(self._list(route, shared))
        return await asyncio.shield(shared.flight)

    async def inspect(self, route: Route, tag: str) -> Inspected:
        """What a tag of the latest listing is; looked at once a round, shared by all who ask.

        Raises NotInRegistry when the tag is gone, which is known for the round too, and other Faults or Mistakes
        when it cannot be told.
        """
        key = self._keys.get(route)
        if key is None:
            raise ObjectGone(f"nobody watches {route} any more")
        shared = self._shared[key]
        listing = shared.listing
        turn = listing.round if listing is not None else 0
        known = shared.inspected.get(tag)
        if known is not None:
            found, when_round, when = known
            rejected = isinstance(found, Inspected) and isinstance(found.found, NotAChart)
            if when_round == turn or (rejected and self._clock() - when < _REJECTION_HOLDS_S):
                if isinstance(found, NotInRegistry):
                    raise _anew(found)
                return found
        task = shared.looking.get(tag)
        if task is None:
            before = known[0] if known is not None and isinstance(known[0], Inspected) else None
            task = shared.looking[tag] = flights.begin(self._look(route, shared, tag, before, turn))
        try:
            return await asyncio.shield(task)
        except AccessDenied as error:
            raise error.with_cure(key.cure) from None

    async def origin(self, route: Route, digest: str) -> Provenance:
        """Where a bundle comes from, as far as it tells. Never a reason not to go on: what cannot be read tells
        nothing.
        """
        key = self._keys.get(route)
        if key is None:
            return Provenance()
        shared = self._shared[key]
        known = shared.origins.get(digest)
        if known is None:
            try:
                async with asyncio.timeout(_ORIGIN_S):
                    found = await describe(self._registry, route.repository, digest, access=shared.access)
            except (BundleWatchError, TimeoutError) as error:
                logger.info("where a bundle comes from is not known: %s", error, extra={"repository": str(route)})
                return Provenance()
            if len(shared.origins) >= _ORIGINS_KEPT:
                shared.origins.clear()
            known = shared.origins[digest] = found.provenance
        return known

    def doubt(self, route: Route) -> None:
        """Look again at everything, also at what was rejected: somebody asked."""
        key = self._keys.get(route)
        if key is not None:
            shared = self._shared[key]
            shared.inspected = {tag: (found, -1, -math.inf) for tag, (found, _, _) in shared.inspected.items()}

    def forget(self, route: Route) -> None:
        """Nobody uses the route any more."""
        key = self._keys.pop(route, None)
        if key is not None and key not in self._keys.values():
            shared = self._shared.pop(key)
            for task in (shared.flight, *shared.looking.values()):
                if task is not None:
                    task.cancel()

    async def close(self) -> None:
        for route in tuple(self._keys):
            self.forget(route)
        await asyncio.sleep(0)

    async def _reach(self, route: Route) -> _Key:
        access = await self._keychain.access(route)
        key = _Key(
            route.repository,
            route.insecure,
            access.credential.fingerprint,
            access.ca_pem,
            access.certificate,
            cure=access.credential.cure,
        )
        if self._keys.get(route) != key:
            self.forget(route)  # the credential changed: what the old one saw is not for the new one
        self._keys[route] = key
        shared = self._shared.setdefault(key, _Shared(access=access))
        shared.access = access  # the same identity, perhaps with a newer token
        return key

    async def _list(self, route: Route, shared: _Shared) -> Listing:
        started = self._clock()
        try:
            async with asyncio.timeout(self._timeout_s):
                listed = await self._registry.list_tags(route.repository, access=shared.access)
        except TimeoutError as error:
            raise RegistryUnavailable(
                f"listing the tags of {route.repository} took longer than {self._timeout_s:.0f} s"
            ) from error
        except (AccessDenied, NotTrusted) as error:
            shared.refusals, shared.refused_at = shared.refusals + 1, self._clock()
            if type(shared.refused) is not type(error):
                shared.refused = error
            assert shared.refused is not None
            raise _anew(shared.refused) from None
        finally:
            shared.flight = None
        shared.refused, shared.refusals = None, 0
        before = shared.listing
        tags = Tags.of(listed, source=before.tags.source if before is not None else object())
        if before is not None and before.tags == tags:
            tags = before.tags
        else:
            kept = set(tags)
            shared.inspected = {tag: seen for tag, seen in shared.inspected.items() if tag in kept}
        logger.debug("%d tags listed", len(tags), extra={"repository": str(route)})
        shared.listing = Listing(
            tags=tags,
            started=started,
            ended=self._clock(),
            round=before.round + 1 if before is not None else 1,
        )
        return shared.listing

    async def _look(self, route: Route, shared: _Shared, tag: str, known: Inspected | None, turn: int) -> Inspected:
        try:
            found = await inspect(self._registry, route.repository, tag, access=shared.access, known=known)
        except NotInRegistry as error:
            shared.inspected[tag] = (error, turn, self._clock())
            raise
        finally:
            shared.looking.pop(tag, None)
        shared.inspected[tag] = (found, turn, self._clock())
        return found


def _hold_s(shared: _Shared, *, interval_s: float) -> float:
    if isinstance(shared.refused, NotTrusted):
        return _DISTRUST_HOLDS_S
    return min(_DENIAL_HOLDS_S * 2.0 ** (min(shared.refusals, 20) - 1), max(_DENIAL_HOLDS_MOST_S, interval_s))


def _anew(error: E) -> E:
    """An error to be raised once more, without what it gathered on its way before."""
    error.__traceback__ = None
    return error
