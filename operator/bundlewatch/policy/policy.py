"""What a BundleWatch says of tags, compiled: which may be taken as far as their names tell, and why others may not.

The checks, in this order; the first that hits is the tag's reason: a service tag, the pattern, the exclusions, no
version in this order, a prerelease, out of range. Which of those that pass is the best is not decided here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.order import Key, Order, Reading
from bundlewatch.policy.orders import ORDERS
from bundlewatch.policy.patterns import Exclusions, TagPattern
from bundlewatch.policy.range_syntax import shown
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.service_tags import service_tag
from bundlewatch.policy.verdict import Reason
from bundlewatch.policy.version import RELEASE


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be taken. `descending`: the lowest is the newest. `pin`: exactly this tag, whatever the rest says."""

    pattern: TagPattern | None
    exclude: Exclusions | None
    order: Order
    descending: bool
    range: Range | None
    prereleases: bool
    pin: str | None

    @classmethod
    def compile(
        cls,
        *,
        pattern: str | None = None,
        exclude: Sequence[str] = (),
        order: str = "semver",
        direction: str = "Ascending",
        range: str | None = None,  # noqa: A002 - the field's name
        prereleases: bool = False,
        pin: str | None = None,
    ) -> "Policy":
        """Raises InvalidPattern or InvalidRange, which name the field, what is wrong and the cure."""
        return cls(
            pattern=TagPattern.compile(pattern) if pattern else None,
            exclude=Exclusions.compile(exclude),
            order=ORDERS[order],
            descending=direction == "Descending",
            range=_range(range, order=ORDERS[order], prereleases=prereleases) if range else None,
            prereleases=prereleases,
            pin=pin or None,
        )

    def read(self, tag: str) -> Reading | None:
        """How a tag reads: what the pattern catches of it.

        Of one that the pattern does not match, the whole, but only if it cannot be mistaken: it may run, from
        before the pattern was written, and what is newer than it can then still be told.
        """
        text: str | None = tag
        if self.pattern is not None:
            text = self.pattern.version_text(tag)
            if text is None and self.order.recognises:
                text = tag
        found = self.order.read(text) if text is not None else None
        return Reading(*found, descending=self.descending) if found is not None else None

    def judge(self, tag: str) -> tuple[Reason | None, Key | None]:
        """The first check that hits (None: none does), and where the tag stands if it reads at all."""
        (judged,) = self.judge_all((tag,))
        return judged[0], judged[1]

    def judge_all(self, tags: Iterable[str]) -> Iterator[tuple[Reason | None, Key | None, str]]:
        """The same of many, each with its tag. One loop, since a repository may hold a million tags."""
        order, exclude = self.order, self.exclude
        key_of, judge_key = order.key, self._judge_of_keys()
        text_of = self.pattern.version_text if self.pattern is not None else None
        for tag in tags:
            if service_tag(tag) is not None:
                yield Reason.NOT_A_BUNDLE_TAG, None, tag
                continue
            text: str | None = tag
            if text_of is not None:
                text = text_of(tag)
                if text is None:
                    yield Reason.PATTERN_MISMATCH, key_of(tag) if order.recognises else None, tag
                    continue
            assert text is not None
            key = key_of(text)
            if exclude is not None and exclude.excludes(tag):
                yield Reason.EXCLUDED, key, tag
            elif key is None:
                yield Reason.NOT_A_VERSION, None, tag
            else:
                yield judge_key(key) if judge_key is not None else None, key, tag

    def why(self, tag: str, reason: Reason) -> str:
        """The reason of a tag in words, with the fact that decided."""
        match reason:
            case Reason.NOT_A_BUNDLE_TAG:
                return f"{service_tag(tag)}, never a bundle"
            case Reason.PATTERN_MISMATCH:
                return f"does not match the pattern {self.pattern.text if self.pattern else ''}"
            case Reason.EXCLUDED:
                return f"excluded by {self.exclude.excluding(tag) if self.exclude else ''}"
            case Reason.NOT_A_VERSION:
                text = self.pattern.version_text(tag) if self.pattern is not None else tag
                said = f"{text} {self.order.why_not(text)}" if text else "the pattern catches no version in it"
                return f"{said}{self.hint}"
            case _:
                return self._why_not_admitted(tag, reason)

    def why_unread(self, tag: str) -> str:
        """Why `read` says None to `tag`: the end of a sentence that begins with it."""
        text = self.pattern.version_text(tag) if self.pattern is not None else tag
        if text is None and not self.order.recognises:
            return f"does not match the pattern {self.pattern.text if self.pattern else ''}"
        if text in {None, tag}:
            return self.order.why_not(tag)
        return f"reads as {text}, which {self.order.why_not(text)}" if text else "holds no version to the pattern"

    @property
    def hint(self) -> str:
        """What a person may have meant where nothing reads, as the end of a sentence."""
        if self.pattern is None or not self.pattern.has_unnamed_groups:
            return ""
        return "; spec.tags.pattern has no group named version, (?P<version>...), so whole tags are read"

    def _judge_of_keys(self) -> Callable[[Key], Reason | None] | None:
        """What ranges and prereleases make of a key; None: nothing, whatever the key."""
        precedence_of, limits, prereleases = self.order.precedence, self.range, self.prereleases

        def judge(key: Key) -> Reason | None:
            precedence = precedence_of(key)
            if precedence is None:
                return None
            if limits is None:
                return Reason.PRERELEASE if precedence[3] != RELEASE and not prereleases else None
            if limits.admits_key(precedence, prereleases=prereleases):
                return None
            if precedence[3] != RELEASE and not prereleases:
                only_for_that = limits.admits_key(precedence, prereleases=True)
                return Reason.PRERELEASE if only_for_that or not limits.names_prerelease else Reason.OUT_OF_RANGE
            return Reason.OUT_OF_RANGE

        return None if limits is None and prereleases else judge

    def _why_not_admitted(self, tag: str, reason: Reason) -> str:
        reading, limits = self.read(tag), self.range
        assert reading is not None
        precedence = self.order.precedence(reading.key)
        assert precedence is not None
        if limits is None:
            wanted = "spec.tags.prereleases: true, or a spec.tags.range that names one such as >=1.0.0-0,"
            return f"{reading} is a prerelease; {wanted} would allow it{self.hint}"
        if reason is Reason.OUT_OF_RANGE:
            return f"{reading} {limits.place_of(precedence)} {limits.text}"
        if limits.admits_key(precedence, prereleases=True):
            return f"{reading} is a prerelease in the range {limits.text}; spec.tags.prereleases: true would allow it"
        return f"{reading} is a prerelease, and {limits.place_of(precedence)} {limits.text}"


def _range(text: str, *, order: Order, prereleases: bool) -> Range:
    try:
        found = order.limits(text)
    except InvalidRange as error:
        raise InvalidRange(f"spec.tags.range: {error}") from None
    if found.is_empty(prereleases=prereleases):
        raise InvalidRange(
            f"spec.tags.range: range {shown(text)} can never match a release, only prereleases; "
            "widen it, or set spec.tags.prereleases: true"
        )
    return found
