"""The registry client: lists tags, looks up and fetches manifests, fetches blobs. Read-only.

Every method answers completely or raises an error of `bundlewatch.errors`; each error says what was asked, of
whom, what came back and what to do. Nothing is retried here but what the protocol asks for: when to try again
is the caller's business. Knows nothing of charts, Applications or Kubernetes. Rule: OCI distribution
specification 1.1.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import overload

from bundlewatch.errors import InvalidReference, UnusableContent
from bundlewatch.registry import failures, manifests, media_types
from bundlewatch.registry.access import Access, Errand, Journal
from bundlewatch.registry.asking import Asker, misbehaved
from bundlewatch.registry.listing import Collection, Listing, ListingLimits, PageError, Pages, is_empty_answer
from bundlewatch.registry.manifests import MANIFEST_LIMIT_BYTES, ContentError, Descriptor, MalformedError, Manifest
from bundlewatch.registry.proxies import Proxies
from bundlewatch.registry.quotas import Quota
from bundlewatch.registry.reference import Repository, is_digest, is_tag
from bundlewatch.registry.registry import Registry
from bundlewatch.registry.throttle import HostLimits, Timing
from bundlewatch.registry.transport import Answer, Timeouts, Transport
from bundlewatch.registry.untrusted import clean

__all__ = ["Access", "Descriptor", "HostLimits", "Listing", "ListingLimits", "Manifest", "RegistryClient", "Timeouts"]

logger = logging.getLogger(__name__)

_LONG_PAGE_BYTES = 256 << 10  # what is longer is read beside the event loop, or one host could hold all others up
_CALLS_PER_ERRAND = 4  # a refused try, a token, the try itself and a redirect may all take their time


class RegistryClient(Registry):
    """One for the whole process: connections, tokens and limits are shared by all who use it."""

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        host_limits: HostLimits | None = None,
        limits_by_host: Mapping[str, HostLimits] | None = None,
        listing_limits: ListingLimits | None = None,
        proxies: Proxies | None = None,
        transport: Transport | None = None,
        timing: Timing | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`limits_by_host` go before `host_limits`, by host as in `Repository.host`. `proxies`: left out, every host
        is reached directly, whatever the environment says (`Proxies.from_environment`).

        `transport`, `timing` and `now` are for tests: no network, and time that can be turned.
        """
        self._timeouts = timeouts or Timeouts()
        self._listing_limits = listing_limits or ListingLimits()
        self._reading = asyncio.Lock()
        self._asker = Asker(
            transport or Transport(timeouts=self._timeouts, proxies=proxies or Proxies()),
            host_limits=host_limits or HostLimits(),
            limits_by_host=limits_by_host or {},
            timing=timing,
            now=now,
        )

    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]:
        """All tags, each once, in an order that means nothing. Complete, or an error."""
        return (await self.listing(repository, access=access)).tags

    async def listing(
        self, repository: Repository, *, access: Access, progress: Callable[[int], None] = lambda _: None
    ) -> Listing:
        """All tags, sorted as text, and how many entries were none. Complete, or an error.

        `progress` is told after every page how many tags there are so far, repetitions among them. Raises
        RepositoryNotFound, AccessDenied and the Faults.
        """
        errand = self._listing_errand(repository, access)
        pages, collection = Pages(self._listing_limits), Collection(limit=self._listing_limits.tags)
        async for tags in self._pages(errand, pages, begun_anew=collection.clear):
            if not collection.add(tags):
                raise misbehaved(errand, str(pages.too_many()))
            progress(len(collection))
        if pages.skipped:
            logger.debug("%d entries are no tags", pages.skipped, extra={"repository": str(repository)})
        return Listing(tags=collection.result(), skipped=pages.skipped, pages=pages.pages)

    async def tags(self, repository: Repository, *, access: Access) -> AsyncGenerator[list[str], None]:
        """The tags page by page, for a repository of which not everything is to be held in memory at once.

        Completeness is known only at the end: the iterator ends when the last page was given out, and raises,
        as `listing` does, when it cannot get there. Whatever was given out before an error must not be used; where
        `listing` would begin anew, RegistryMisbehaved leaves that to you. Pages come in the registry's order; a tag
        may come twice. Close it (`contextlib.aclosing`) when you leave it early.
        """
        errand = self._listing_errand(repository, access)
        async for tags in self._pages(errand, Pages(self._listing_limits)):
            yield tags

    async def _pages(
        self, errand: Errand, pages: Pages, *, begun_anew: Callable[[], None] | None = None
    ) -> AsyncIterator[list[str]]:
        """The tags of one page after the other.

        `begun_anew`: called when those given out so far count no more; without it, they are never taken back.
        """
        while (query := pages.query) is not None:
            url = errand.url("tags/list", query)
            answer = await self._asker.ask(errand, "GET", url, max_bytes=self._listing_limits.page_bytes)
            if answer.status == 404 and begun_anew is not None and pages.restart():
                begun_anew()
                continue
            if answer.status in {400, 405} and pages.without_size():
                continue
            if answer.status == 404 and pages.pages:
                raise misbehaved(errand, "cannot continue its own list; try again, tags may just be deleted there")
            if answer.status == 404 and is_empty_answer(answer.body):
                return
            if answer.status != 200:
                raise failures.of_answer(errand, answer)
            try:
                tags = await self._read(pages, answer)
            except PageError as error:
                raise misbehaved(errand, str(error)) from None
            del answer  # the next page need not find this one in memory
            yield tags

    async def _read(self, pages: Pages, answer: Answer) -> list[str]:
        link = answer.header_lines("link")
        if len(answer.body) <= _LONG_PAGE_BYTES:
            return pages.add(answer.body, link=link)
        async with self._reading:  # a page of many tags takes ten times its size in memory while it is read
            return await asyncio.to_thread(pages.add, answer.body, link=link)

    def _listing_errand(self, repository: Repository, access: Access) -> Errand:
        return Errand(repository, access, Journal(self._listing_limits.wire_s))

    def quotas(self) -> Mapping[str, Quota]:
        """What each registry host last said is left of a quota, by host (`registry-1.docker.io`); of several that
        are counted apart the one of which least is left. Hosts that say nothing are left out.
        """
        return self._asker.quotas()

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
        """What a tag (or digest) points at, without fetching it; cheap, and no pull in anybody's statistics.

        `etag` is the digest seen last time: None comes back when it is still that one. Raises NotInRegistry,
        RepositoryNotFound, AccessDenied and the Faults.
        """
        errand = self._errand_for(reference, repository, access)
        headers = {"accept": media_types.ACCEPT}
        if etag is not None:
            headers["if-none-match"] = f'"{etag}"'
        url = errand.url(f"manifests/{reference}")
        answer = await self._asker.ask(errand, "HEAD", url, headers=headers, max_bytes=0)
        if answer.status == 304 and etag is not None:
            return None
        found = self._described(errand, answer, reference) if answer.status == 200 else None
        if found is None:
            if answer.status not in {200, 400, 405, 501}:
                raise failures.of_answer(errand, answer)
            manifest = await self.get_manifest(repository, reference, access=access)
            found = Descriptor(manifest.media_type, manifest.digest, len(manifest.raw))
        return None if found.digest == etag else found

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest:
        """A manifest by tag or digest, its digest computed from what was received.

        Raises NotInRegistry, RepositoryNotFound, AccessDenied and the Faults; UnusableContent when it came whole
        and is no manifest.
        """
        errand = self._errand_for(reference, repository, access)
        url = errand.url(f"manifests/{reference}")
        answer = await self._asker.ask(
            errand, "GET", url, headers={"accept": media_types.ACCEPT}, max_bytes=MANIFEST_LIMIT_BYTES
        )
        if answer.status != 200:
            raise failures.of_answer(errand, answer)
        try:
            return manifests.read(answer, digest=reference if is_digest(reference) else None)
        except MalformedError as error:
            raise UnusableContent(f"{errand}: {errand.origin.authority} {error}") from None
        except ContentError as error:
            raise misbehaved(errand, str(error)) from None

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes:
        """A small blob, its digest checked. Raises as `get_manifest` does."""
        if not is_digest(digest):
            raise InvalidReference(f"{clean(digest, 80)!r} is no digest: sha256: and 64 lower-case hex digits")
        errand = self._errand_for(digest, repository, access)
        url = errand.url(f"blobs/{digest}")
        answer = await self._asker.ask(errand, "GET", url, max_bytes=max_bytes, may_leave=True)
        if answer.status != 200:
            raise failures.of_answer(errand, answer)
        try:
            manifests.verify(answer.body, digest=digest)
        except ContentError as error:
            raise misbehaved(errand, str(error)) from None
        return answer.body

    async def aclose(self) -> None:
        """End what is under way and close all connections."""
        await self._asker.aclose()

    def _errand_for(self, reference: str, repository: Repository, access: Access) -> Errand:
        if not is_tag(reference) and not is_digest(reference):
            raise InvalidReference(f"{clean(reference, 140)!r} is neither a tag nor a digest of {repository}")
        journal = Journal(_CALLS_PER_ERRAND * self._timeouts.call_s)
        return Errand(repository, access, journal, reference)

    def _described(self, errand: Errand, answer: Answer, reference: str) -> Descriptor | None:
        """None: the registry leaves out what a HEAD is for, so the manifest itself has to tell."""
        digest = (answer.header("docker-content-digest") or "").strip()
        length = answer.header("content-length") or ""
        if not is_digest(digest) or not (length.isascii() and length.isdigit()):
            return None
        if is_digest(reference) and digest != reference:
            raise misbehaved(errand, "answers for another digest than the one it was asked for")
        return Descriptor(media_types.bare(answer.header("content-type") or ""), digest, int(length[:18]))
