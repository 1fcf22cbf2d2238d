"""Collects the pages of a tag listing into one that is complete, or says why there is none.

A pure state machine: the client hands in each answer and asks what to fetch next. It trusts no order, counts
what is no tag, drops repetitions, and refuses loops, floods and everything that does not parse; partial data
is no data. Of a million tags it keeps the texts and one list, no set beside it: repetitions are dropped by
sorting at the end, and pages that were there before are told by what they hash to. Rules: OCI distribution
specification §"Listing Tags" and the habits of the servers in use.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from bundlewatch.registry.documents import FRONT, DocumentError, load
from bundlewatch.registry.links import LinkError, next_query
from bundlewatch.registry.reference import tags_among

PAGE_SIZE: Final = 1000  # Amazon ECR refuses more
_BARREN_PAGES = 10  # pages in a row that promise more and bring nothing new
_OTHER_COMMAS = 100  # of a page, beside those between its tags
_TIDYINGS = 16  # how often more tags than are allowed may turn out to be repetitions


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

    tags: tuple[str, ...]  # each once, sorted as text
    skipped: int  # entries passed over because they are no tags by the specification's grammar, repetitions counted
    pages: int


class PageError(ValueError):
    """A page breaks the protocol or a limit; the message says how, as what the registry does."""


class Pages:
    """`query` is what to ask for next, None when the listing is complete; `add()` takes the answer.

    Keeps no tags: `add()` gives back what the page had, and a tag may come twice.
    """

    def __init__(self, limits: ListingLimits) -> None:
        self._limits = limits
        self._sized = True
        self._restarted = False
        self._pages = self._bytes = self._barren = self._skipped = 0
        self._linked = False
        self._query: str | None = None
        self._asked: set[int] = set()
        self._seen: set[int] = set()
        self._start()

    @property
    def query(self) -> str | None:
        return self._query

    @property
    def pages(self) -> int:
        return self._pages

    @property
    def skipped(self) -> int:
        return self._skipped

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

    def add(self, body: bytes, *, link: tuple[str, ...]) -> list[str]:
        """Take one page; raises PageError, after which nothing of this listing may be used."""
        self._pages += 1
        self._bytes += len(body)
        if self._bytes > self._limits.total_bytes:
            raise PageError(f"sends a list of tags that is longer than {self._limits.total_bytes >> 20} MiB")
        if max(body.count(b",") - _OTHER_COMMAS, 0) > self._limits.tags:  # before a parser makes objects of them
            raise self.too_many()
        names = parse_page(body, commas=self._limits.tags + _OTHER_COMMAS)
        tags = tags_among(names)
        self._skipped += len(names) - len(tags)
        if self._skipped > self._limits.tags:
            raise self.too_many()
        content = hash((len(names), sum(map(hash, names))))  # in whatever order
        self._barren = self._barren + 1 if content in self._seen or not names else 0
        self._seen.add(content)
        self._query = self._following(names, link)
        if self._query is not None:
            self._check_progress(self._query)
        return tags

    def too_many(self) -> PageError:
        return PageError(f"lists more than {self._limits.tags} tags")

    def _start(self) -> None:
        self._pages = self._bytes = self._barren = self._skipped = 0
        first = f"n={PAGE_SIZE}" if self._sized else ""
        self._query, self._asked = first, {hash(first)}
        self._seen.clear()
        self._linked = False

    def _following(self, names: list[str], link: tuple[str, ...]) -> str | None:
        try:
            query = next_query(link)
        except LinkError as error:
            raise PageError(f"sends a list of tags whose {error}") from None
        self._linked = self._linked or query is not None
        if self._linked or not self._sized or len(names) != PAGE_SIZE or self._barren:
            return query
        # A full page, and never a Link: some servers page without saying so. One more request tells.
        return f"n={PAGE_SIZE}&last={quote(names[-1], safe='', errors='replace')}"

    def _check_progress(self, query: str) -> None:
        if hash(query) in self._asked:
            raise PageError("sends a list of tags that runs in a circle: a page leads back to an earlier one")
        if self._barren >= _BARREN_PAGES:
            raise PageError("sends a list of tags without an end: page after page brings nothing new")
        if self._pages >= self._limits.pages:
            raise PageError(f"sends a list of tags that has more than {self._limits.pages} pages")
        self._asked.add(hash(query))


class Collection:
    """The tags of all pages, each once in the end."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._tags: list[str] = []
        self._tidied = 0

    def __len__(self) -> int:
        return len(self._tags)

    def clear(self) -> None:
        self._tags.clear()

    def add(self, tags: list[str]) -> bool:
        """False: there are too many."""
        self._tags += tags
        if len(self._tags) <= self._limit:
            return True
        self._tidied += 1
        self._tidy()
        return len(self._tags) <= self._limit and self._tidied <= _TIDYINGS

    def result(self) -> tuple[str, ...]:
        self._tidy()
        return tuple(self._tags)

    def _tidy(self) -> None:
        """Sort, and keep each once, in place; sorting what is sorted already costs next to nothing."""
        tags = self._tags
        tags.sort()
        kept = 0
        for tag in tags:
            if not kept or tags[kept - 1] != tag:
                tags[kept] = tag
                kept += 1
        del tags[kept:]


def is_empty_answer(body: bytes) -> bool:
    """Whether the body of a 404 says that the repository is there and has no tags, as some old servers put it."""
    try:
        document = load(body)
    except DocumentError:
        return False
    return (
        isinstance(document, dict)
        and isinstance(document.get("name"), str)
        and document.get("tags", "") in (None, [])
        and not document.get("errors")
    )


def parse_page(body: bytes, *, commas: int) -> list[str]:
    """The tags of one page, unchecked; `null` is an empty list. Raises PageError."""
    try:
        document = load(body, commas=commas)
    except DocumentError as error:
        raise PageError(f"sends a list of tags that {error.with_cure}") from None
    if not isinstance(document, dict) or "tags" not in document:
        raise PageError(f'sends a list of tags that is no object with "tags"; {FRONT}')
    names = document["tags"]
    if names is None:
        return []
    if not isinstance(names, list) or not set(map(type, names)) <= {str}:
        raise PageError("sends a list of tags that holds something that is not text")
    return names
