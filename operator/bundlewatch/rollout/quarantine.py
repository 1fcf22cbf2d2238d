"""Bundles that failed and go nowhere any more: by tag and digest, until one of the two is another, or a person says so.

A quarantine is written before anything is taken back because of it: whoever is stopped in between finds it there
and goes on, and nobody tries the same bundle twice.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bundlewatch.api.status import QUARANTINE_MAX
from bundlewatch.api.v1alpha1 import Quarantined

TAKEN_BACK = "TakenBack"
"""The reason where nothing is remembered but that it was taken back."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The entries, newest first."""

    entries: tuple[Quarantined, ...] = ()

    def has(self, tag: str) -> bool:
        """Whether a bundle of that tag is in it; of which digest is not asked."""
        return any(entry.tag == tag for entry in self.entries)

    def entry(self, *, tag: str, digest: str) -> Quarantined | None:
        """The entry that keeps this bundle from going; None: nothing does. Under whatever tag it is one bundle."""
        return next(
            (entry for entry in self.entries if entry.digest == digest or (entry.tag == tag and entry.digest is None)),
            None,
        )

    def add(self, entry: Quarantined) -> "Quarantine":
        """With one more; a bundle that is in it stays as it was entered first."""
        if any((known.tag, known.digest) == (entry.tag, entry.digest) for known in self.entries):
            return self
        return Quarantine((entry, *self.entries)[:QUARANTINE_MAX])

    def without(self, lifted: Iterable[Quarantined]) -> "Quarantine":
        gone = set(lifted)
        return Quarantine(tuple(entry for entry in self.entries if entry not in gone)) if gone else self

    def retried(self, tag: str) -> "Quarantine":
        """As a person wants it who has `tag` tried again, whatever it failed by."""
        return self.without(entry for entry in self.entries if entry.tag == tag)

    def seen(self, *, tag: str, digest: str) -> "Quarantine":
        """As it is once `tag` is seen to have this digest: what had the tag before is no bundle any more."""
        return self.without(entry for entry in self.entries if entry.tag == tag and entry.digest not in {None, digest})

    def of_released(self, digest_of: Callable[[str], str | None]) -> "Quarantine":
        """What of it failed as the very bundle that was released under its tag last: `digest_of` says which that is.

        A tag that was pushed anew and released once more is to be judged anew.
        """
        return self.without(
            entry
            for entry in self.entries
            if entry.digest is not None and digest_of(entry.tag) not in {None, entry.digest}
        )

    def outlived(self, older: Sequence[str]) -> "Quarantine":
        """As it is once something newer than these tags is healthy everywhere."""
        return self.without(entry for entry in self.entries if entry.tag in older)


def of_marker(text: str, *, application: str, now: str) -> Quarantined | None:
    """What such a marker tells whoever remembers nothing; None: it is no marker."""
    tag, _, digest = text.partition("@")
    if not tag:
        return None
    return Quarantined(
        tag=tag,
        digest=digest or None,
        reason=TAKEN_BACK,
        message=f"{application}: it was taken back before; nothing else is remembered of it",
        since=now,
    )
