"""What an order of tags is: how a text reads in it, and which of two readings is the newer.

One file an order: `semver`, `calver`, `numerical`, `alphabetical`; `orders` picks one by name. An order knows
texts; which part of a tag is the text, and which tags may be taken at all, it does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from bundlewatch.policy.ranges import Range
from bundlewatch.policy.version import Precedence

Key = tuple[Any, ...]
"""What sorts texts of one order by Python's own tuple order, the highest last."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says in an order. Compares only with readings of the same order and direction."""

    text: str
    """As a person would write it, without the spelling of the tag."""

    key: Key
    descending: bool = False
    """Whether the lower key is the newer."""

    def is_older(self, other: "Reading") -> bool:
        """Whether going from the other to this one is a step back."""
        return other.key < self.key if self.descending else self.key < other.key

    def __lt__(self, other: "Reading") -> bool:
        return self.is_older(other)

    def __str__(self) -> str:
        return self.text


Reader = Callable[[str], Reading | None]
"""How a tag reads under a BundleWatch's pattern and order; None: it does not."""


class Order(Protocol):
    """How texts are read and compared. Reading must be pure: the same text, the same key."""

    @property
    def name(self) -> str:
        """As `spec.tags.order` names it."""
        ...

    @property
    def recognises(self) -> bool:
        """Whether a text that reads at all was surely meant to be read so: 1.2.3 is a version wherever it stands,
        but every text has a place in the alphabet.
        """
        ...

    def key(self, text: str) -> Key | None:
        """Where the text stands; None: it does not read. Lists of 100,000 tags go through here.

        It begins with the key that `read` gives; what comes after that breaks ties of equal readings.
        """
        ...

    def read(self, text: str) -> tuple[str, Key] | None:
        """What the text says, as a person would write it, and its key; None: it does not read."""
        ...

    def why_not(self, text: str) -> str:
        """Why `text` does not read: the end of a sentence that begins with it."""
        ...

    def precedence(self, key: Key) -> Precedence | Key | None:
        """The precedence in a key, for ranges and prereleases; None: the order knows neither."""
        ...

    def limits(self, text: str) -> Range:
        """The range that `text` means in this order. Raises InvalidRange."""
        ...
