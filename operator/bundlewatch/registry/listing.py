"""Collects the pages of a tag listing into one that is complete, or says why there is none.

A pure state machine: the client hands in each answer and asks what to fetch next. It trusts no order, counts
what is no tag, drops repetitions, and refuses loops, floods and everything that does not parse; partial data
is no data. Rules: OCI distribution specification §"Listing Tags" and the habits of the servers in use.
"""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from bundlewatch.registry.links import LinkError, next_query
from bundlewatch.registry.reference import is_tag

PAGE_SIZE: Final = 1000  # Amazon ECR refuses more
_BARREN_PAGES = 10  # pages in a row that promise more and bring nothing new


@dataclass(frozen=True, slots=True)
class ListingLimits:
    """What one listing may cost; beyond it a registry is taken for hostile or broken."""

    page_bytes: int = 16 << 20  # old servers answer with everything in one page
    total_bytes: int = 64 << 20
    tags: int = 1_000_000
    pages: int = 20_000  # a million tags in the smallest pages met, with room
    wire_s: float = 300.0  # spent on all pages together, waiting for our own limits not counted


@dataclass(frozen=True, slots=True)
class Listing:
    """All tags of a repository."""

    tags: tuple[str, ...]  # in the registry's order, which means nothing
    skipped: int  # entries that are no tags by the specification's grammar
    pages: int


class PageError(ValueError):
    """A page breaks the protocol or a limit; the message says how, as what the registry does."""


class PageCollector:
    """`query` is what to ask for next, None when the listing is complete; `add()` takes the answer."""

    def __init__(self, limits: ListingLimits) -> None:
        self._limits = limits
        self._sized = True
        self._restarted = False
        self._tags: dict[str, None] = {}  # ordered, and each once: pushes happen while we list
        self._rejected: set[int] = set()
        self._pages = 0
        self._bytes = 0
        self._barren = 0
        self._query: str | None = None
        self._asked: set[str] = set()
        self._start()

    @property
    def query(self) -> str | None:
        return self._query

    @property
    def pages(self) -> int:
        return self._pages

    def without_size(self) -> bool:
        """The registry refused the first page because of `n`: ask again without; False if that was done."""
        if not self._sized or self._pages:
            return False
        self._sized = False
        self._start()
        return True

    def restart(self) -> bool:
        """The page to continue from is gone (its last tag was deleted, zot says 404): once from the start."""
        if self._restarted or not self._pages:
            return False
        self._restarted = True
        self._start()
        return True

    def add(self, body: bytes, *, link: tuple[str, ...]) -> None:
        """Take one page; raises PageError, after which nothing collected here may be used."""
        self._pages += 1
        self._bytes += len(body)
        if self._bytes > self._limits.total_bytes:
            raise PageError(f"sends a list of tags that is longer than {self._limits.total_bytes >> 20} MiB")
        if max(body.count(b",") - 100, 0) > self._limits.tags:  # before a parser makes objects of them
            raise PageError(f"lists more than {self._limits.tags} tags")
        names = parse_page(body)
        before = len(self._tags) + len(self._rejected)
        for name in names:
            if is_tag(name):
                self._tags[name] = None
            else:
                self._rejected.add(hash(name))
        known = len(self._tags) + len(self._rejected)
        if known > self._limits.tags:
            raise PageError(f"lists more than {self._limits.tags} tags")
        self._barren = 0 if known > before else self._barren + 1
        self._query = self._following(names, link)
        if self._query is not None:
            self._check_progress(self._query)

    def listing(self) -> Listing:
        """The complete listing; only once `query` is None."""
        if self._query is not None:
            raise AssertionError("a listing was taken before its last page")
        return Listing(tags=tuple(self._tags), skipped=len(self._rejected), pages=self._pages)

    def _start(self) -> None:
        self._tags.clear()
        self._rejected.clear()
        self._pages = self._bytes = self._barren = 0
        first = f"n={PAGE_SIZE}" if self._sized else ""
        self._query, self._asked = first, {first}

    def _following(self, names: list[str], link: tuple[str, ...]) -> str | None:
        try:
            query = next_query(link)
        except LinkError as error:
            raise PageError(f"sends a list of tags whose {error}") from None
        if query is not None or not self._sized or len(names) != PAGE_SIZE or self._barren:
            return query
        # A full page without a Link: some servers page without saying so. One more request tells.
        return f"n={PAGE_SIZE}&last={quote(names[-1], safe='', errors='replace')}"

    def _check_progress(self, query: str) -> None:
        if query in self._asked:
            raise PageError("sends a list of tags that runs in a circle: a page leads back to an earlier one")
        if self._barren >= _BARREN_PAGES:
            raise PageError("sends a list of tags without an end: page after page brings nothing new")
        if self._pages >= self._limits.pages:
            raise PageError(f"sends a list of tags that has more than {self._limits.pages} pages")
        self._asked.add(query)


def parse_page(body: bytes) -> list[str]:
    """The tags of one page, unchecked; `null` is an empty list. Raises PageError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise PageError("sends a list of tags that is no JSON") from None
    if not isinstance(document, dict) or "tags" not in document:
        raise PageError('sends a list of tags that is no object with "tags"')
    names = document["tags"]
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PageError("sends a list of tags that holds something that is not text")
    return names
