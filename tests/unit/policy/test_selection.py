"""The best tag that may be taken is the choice, in whatever order the tags come, and every tag has one reason."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundlewatch.errors import BundleWatchError, InvalidPattern, InvalidRange
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.ranking import Ranking
from bundlewatch.policy.selection import Candidate, Running, Selection, select
from bundlewatch.policy.verdict import Reason, Verdict
from unit.policy.listings import SIGNATURE, TAGS, orders, policies
from unit.policy.listings import tags as tags_of

V = "^v(?P<version>.+)$"


def above(floor: str | None, **order: Any) -> Running:
    """Somebody runs `floor`, of which the registry does not know any more."""
    return Running(floor=Policy.compile(**order).read(floor) if floor is not None else None)


def policy(**wanted: Any) -> Policy:
    """As `spec.tags` and `spec.pin` say it."""
    return Policy.compile(**wanted)


def selection(tags: str, *, floor: str | None = None, running: Running | None = None, **wanted: Any) -> Selection:
    order = {name: wanted[name] for name in ("order", "direction") if name in wanted}
    return select(tags.split(), policy=policy(**wanted), running=running or above(floor, **order))


def ranked(tags: str, *, floor: str | None = None, **wanted: Any) -> str:
    return " ".join(candidate.tag for candidate in selection(tags, floor=floor, **wanted).ranked)


def look(found: Selection, *, bad: int = 0) -> tuple[Candidate | None, dict[str, Verdict]]:
    """A look at manifests, the best first, of which the first `bad` are no charts: the choice, and the rejected."""
    candidates = list(found.ranked)
    rejected = {
        candidate.tag: Verdict(candidate.tag, str(candidate.reading), Reason.NOT_A_CHART, "it is an image")
        for candidate in candidates[:bad]
    }
    return (candidates[bad] if bad < len(candidates) else None), rejected


def verdict(tag: str, others: str = "", *, bad: int = 0, **wanted: Any) -> Verdict:
    """What is said of a tag that is listed with others, once the best of all was chosen."""
    found = selection(f"{tag} {others}", **wanted)
    chosen, rejected = look(found, bad=bad)
    return found.verdict_of(tag, chosen=chosen, rejected=rejected)


def nearest(found: Selection, *, bad: int = 0, count: int = 10) -> str:
    chosen, rejected = look(found, bad=bad)
    return " ".join(shown.tag for shown in found.nearest(count, chosen=chosen, rejected=rejected))


@pytest.mark.parametrize(
    ("tags", "wanted", "best_first"),
    [
        pytest.param("1.9.0 1.10.0 1.2.0", {}, "1.10.0 1.9.0 1.2.0", id="numbers are no text"),
        pytest.param("1 v1.1 1.0.1", {}, "v1.1 1.0.1 1", id="spelled as Helm takes it"),
        pytest.param("latest 1.0.0 main-1", {}, "1.0.0", id="what is no version is passed over"),
        pytest.param(f"1.0.0 {SIGNATURE} cleanup", {}, "1.0.0", id="what belongs to cosign and werf is passed over"),
        pytest.param("v1.0.0 2.0.0 v1.1.0", {"pattern": V}, "v1.1.0 v1.0.0", id="pattern"),
        pytest.param("a-2 b-10 b-9", {"pattern": "-(?P<version>[0-9]+)$"}, "b-10 b-9 a-2", id="only the group counts"),
        pytest.param("1.0.12 1.0.13 1.0.12-debug", {"exclude": ["1.0.13", "*-debug"]}, "1.0.12", id="exclusions"),
        pytest.param("1.0.0 1.0.9 1.1.0", {"range": "~1.0"}, "1.0.9 1.0.0", id="range"),
        pytest.param("1.0.0 1.0.0 1.0.0", {}, "1.0.0", id="a tag listed three times is one"),
        pytest.param("", {}, "", id="nothing from nothing"),
    ],
)
def test_the_highest_version_that_may_be_taken_comes_first(tags: str, wanted: dict[str, Any], best_first: str) -> None:
    assert ranked(tags, **wanted) == best_first


@pytest.mark.parametrize(
    ("tags", "best_first"),
    [
        pytest.param("1.0.0_a 1.0.0_c 1.0.0_b", "1.0.0_c 1.0.0_b 1.0.0_a", id="higher build metadata"),
        pytest.param("1.0.0_9 1.0.0_10 1.0.0_2", "1.0.0_10 1.0.0_9 1.0.0_2", id="numbers in it are numbers"),
        pytest.param("1.0.0 1.0.0_0", "1.0.0_0 1.0.0", id="any before none"),
        pytest.param("v1.0.0 1.0 1.0.0", "1.0.0 v1.0.0 1.0", id="strict spelling, then the last as text"),
        pytest.param("1.0.0_a v1.0.0_b", "v1.0.0_b 1.0.0_a", id="build metadata before spelling"),
    ],
)
def test_tags_of_one_version_have_an_order_too(tags: str, best_first: str) -> None:
    assert ranked(tags) == best_first


@pytest.mark.parametrize(
    ("tags", "wanted", "best_first"),
    [
        pytest.param("24.04 2024.10 20240501", {"order": "calver"}, "2024.10 20240501 24.04", id="dates"),
        pytest.param("2.4 10 9.5 1.0.0 x", {"order": "numerical"}, "10 9.5 2.4", id="numbers"),
        pytest.param(
            "2.4 10 9.5 x", {"order": "numerical", "direction": "Descending"}, "2.4 9.5 10", id="from the lowest"
        ),
        pytest.param("10 9 b B", {"order": "alphabetical"}, "b B 9 10", id="text"),
        pytest.param(
            "10 9 b", {"order": "alphabetical", "direction": "Descending"}, "10 9 b", id="from the first text"
        ),
        pytest.param("24.1 23.1", {"order": "calver", "direction": "Descending"}, "23.1 24.1", id="from the earliest"),
        pytest.param("2024.1 24.01 24.1", {"order": "calver"}, "24.1 24.01 2024.1", id="equal dates: the last as text"),
        pytest.param(
            "24.1_b 24.1 24.1_a", {"order": "calver"}, "24.1_b 24.1_a 24.1", id="equal dates: by their builds"
        ),
        pytest.param("7 07 7.0", {"order": "numerical"}, "7.0 7 07", id="equal numbers: the last as text"),
        pytest.param(
            "7 07 7.0",
            {"order": "numerical", "direction": "Descending"},
            "07 7 7.0",
            id="descending: the first as text",
        ),
        pytest.param("1_0 1 1+0", {"order": "alphabetical"}, "1_0 1+0 1", id="an underscore is one in text"),
        pytest.param("1_0 1", {"order": "numerical"}, "1", id="an underscore is in no number"),
        pytest.param(
            f"{'9' * 128} {'9' * 127}8", {"order": "numerical"}, f"{'9' * 128} {'9' * 127}8", id="longest tags"
        ),
        pytest.param("1.0 cleanup", {"order": "alphabetical"}, "1.0", id="no text is read in what belongs to werf"),
        pytest.param("0" * 56, {"order": "numerical"}, "", id="nor is a number"),
        pytest.param(
            "b7-x b10-y",
            {"order": "numerical", "pattern": "^b(?P<version>[0-9]+)"},
            "b10-y b7-x",
            id="a part is a number",
        ),
    ],
)
def test_each_order_and_direction_has_its_own_idea_of_the_newest(
    tags: str, wanted: dict[str, Any], best_first: str
) -> None:
    assert ranked(tags, **wanted) == best_first


@pytest.mark.parametrize(
    ("tag", "pattern", "meant"),
    [
        pytest.param("1.2.3_b.7", None, "1.2.3+b.7", id="the whole tag"),
        pytest.param("v1.2.3-rc.1_b", V, "1.2.3-rc.1+b", id="what the pattern catches"),
        pytest.param("1.2.3_b.7", V, "1.2.3+b.7", id="a running version that the pattern does not match"),
        pytest.param("1.2.3_a_b", None, None, id="no version has two"),
    ],
)
def test_an_underscore_in_a_tag_stands_for_the_plus_of_a_version(
    tag: str, pattern: str | None, meant: str | None
) -> None:
    found = policy(pattern=pattern).read(tag)

    assert (None if found is None else str(found)) == meant


@pytest.mark.parametrize(
    ("order", "pattern", "tag", "read"),
    [
        pytest.param("semver", V, "1.2.3", "1.2.3", id="a version is one wherever it stands"),
        pytest.param("calver", V, "2024.1", "2024.1", id="so is a date"),
        pytest.param("numerical", V, "7", None, id="a number may be anything"),
        pytest.param("alphabetical", V, "noble", None, id="so may a text"),
        pytest.param("semver", V, "latest", None, id="a word is no version anywhere"),
        pytest.param("numerical", V, "v7", "7", id="a number where the pattern says"),
        pytest.param("alphabetical", V, "vnoble", "noble", id="a text where the pattern says"),
        pytest.param("semver", "^1(?P<version>[a-z]*)", "1.2.3", None, id="no version where the pattern says"),
        pytest.param("calver", "^(?P<version>v?)2024", "2024.1", None, id="no date where the pattern says"),
        pytest.param("alphabetical", "^v(?P<version>x)?", "v1", None, id="no text where the pattern says"),
    ],
)
def test_what_the_pattern_does_not_match_is_read_only_if_it_cannot_be_mistaken(
    order: str, pattern: str, tag: str, read: str | None
) -> None:
    found = policy(order=order, pattern=pattern).read(tag)

    assert (None if found is None else str(found)) == read


@pytest.mark.parametrize(
    ("limits", "taken"),
    [
        pytest.param(None, "1.0.0", id="without a range"),
        pytest.param(">=1", "1.0.0", id="a range that names none"),
        pytest.param(">=1.0.0-0", "2.0.0-rc.1 1.1.0-rc.1 1.0.0 1.0.0-rc.1", id="a range that names one"),
        pytest.param("~1.1.0-0", "1.1.0-rc.1", id="only those within it"),
        pytest.param("~1.0 || ~2.0.0-0", "2.0.0-rc.1 1.0.0", id="only the alternative that names one"),
    ],
)
def test_a_prerelease_is_not_taken_unless_the_range_names_one(limits: str | None, taken: str) -> None:
    assert ranked("1.0.0-rc.1 1.0.0 1.1.0-rc.1 2.0.0-rc.1", range=limits) == taken


@pytest.mark.parametrize(
    ("limits", "taken"),
    [
        pytest.param(None, "2.0.0-rc.1 1.1.0-rc.1 1.0.0 1.0.0-rc.1", id="without a range"),
        pytest.param("^1", "1.1.0-rc.1 1.0.0", id="neither before its release nor of the next major"),
    ],
)
def test_with_prereleases_true_precedence_alone_decides(limits: str | None, taken: str) -> None:
    assert ranked("1.0.0-rc.1 1.0.0 1.1.0-rc.1 2.0.0-rc.1", range=limits, prereleases=True) == taken


@pytest.mark.parametrize(
    ("tag", "wanted", "reason", "message"),
    [
        pytest.param(SIGNATURE, {}, "NotABundleTag", "a signature or attestation, never a bundle", id="cosign's"),
        pytest.param("cleanup", {}, "NotABundleTag", "werf's record of its last cleanup, never a bundle", id="werf's"),
        pytest.param("1.0.0", {"pattern": V}, "PatternMismatch", f"does not match the pattern {V}", id="pattern"),
        pytest.param("1.0.13", {"exclude": ["*-x", "*.13"]}, "Excluded", "excluded by *.13", id="which glob it was"),
        pytest.param(
            "main", {}, "NotAVersion", "main is no semantic version such as 1.2.3", id="the whole tag is no version"
        ),
        pytest.param(
            "vmain", {"pattern": V}, "NotAVersion", "main is no semantic version such as 1.2.3", id="the part is none"
        ),
        pytest.param(
            "latest",
            {"pattern": "^latest$|^v(?P<version>.+)$"},
            "NotAVersion",
            "the pattern catches no version in it",
            id="the pattern catches nothing",
        ),
        pytest.param(
            "1.0.0-01",
            {},
            "NotAVersion",
            "1.0.0-01 is no semantic version: 01 in its prerelease has a leading zero",
            id="a leading zero",
        ),
        pytest.param(
            "1.0.0-rc.1_b",
            {},
            "Prerelease",
            "1.0.0-rc.1+b is a prerelease; spec.tags.prereleases: true, or a spec.tags.range that names one such as "
            ">=1.0.0-0, would allow it",
            id="a prerelease without a range",
        ),
        pytest.param(
            "1.1.0-rc.1",
            {"range": "^1"},
            "Prerelease",
            "1.1.0-rc.1 is a prerelease in the range ^1; spec.tags.prereleases: true would allow it",
            id="a prerelease in a range that names none",
        ),
        pytest.param(
            "3.1.0-rc.1",
            {"range": "~1.0.0-0 || ~3.1.0 || >3.0.0"},
            "Prerelease",
            "3.1.0-rc.1 is a prerelease in the range ~1.0.0-0 || ~3.1.0 || >3.0.0; "
            "spec.tags.prereleases: true would allow it",
            id="a prerelease in an alternative that names none",
        ),
        pytest.param(
            "2.0.0-rc.1",
            {"range": "^1"},
            "Prerelease",
            "2.0.0-rc.1 is a prerelease, and is above the range ^1",
            id="a prerelease that no setting would let into the range",
        ),
        pytest.param("2.0.0", {"range": "^1"}, "OutOfRange", "2.0.0 is above the range ^1", id="above"),
        pytest.param("v0.9", {"range": "^1"}, "OutOfRange", "0.9.0 is below the range ^1", id="below"),
        pytest.param("2.0.0", {"range": "1 || 3"}, "OutOfRange", "2.0.0 is in a gap of the range 1 || 3", id="gap"),
        pytest.param(
            "1.5.0", {"range": "^1, !=1.5.0"}, "OutOfRange", "1.5.0 is left out by the range ^1, !=1.5.0", id="a hole"
        ),
        pytest.param(
            "2.0.0-rc.1",
            {"range": "~1.0.0-0"},
            "OutOfRange",
            "2.0.0-rc.1 is above the range ~1.0.0-0",
            id="a prerelease outside a range that names one",
        ),
        pytest.param("1.0.0", {}, "Chosen", "the best that may be taken", id="chosen"),
        pytest.param("1.0.0", {"others": "0.9.0 1.0.1"}, "Superseded", "superseded by 1.0.1", id="superseded"),
        pytest.param(
            "1.0.0",
            {"others": "2.0.0", "floor": "2.0.0"},
            "Superseded",
            "superseded by 2.0.0",
            id="below what runs, where there is a choice",
        ),
        pytest.param(
            "1.0.0", {"floor": "1.0.1"}, "Downgrade", "1.0.0 is below 1.0.1, which runs", id="below what runs"
        ),
        pytest.param("1.0.1", {"others": "1.0.0", "bad": 1}, "NotAChart", "it is an image", id="rejected by a look"),
        pytest.param("1.0.0", {"pin": "1.0.0"}, "Chosen", "spec.pin asks for it", id="pinned"),
        pytest.param(
            "1.0.1",
            {"others": "1.0.0", "pin": "1.0.0"},
            "Superseded",
            "spec.pin asks for exactly 1.0.0",
            id="not pinned",
        ),
        pytest.param("1.0.0", {"pin": "1.0.0", "bad": 1}, "NotAChart", "it is an image", id="pinned and rejected"),
    ],
)
def test_a_tag_says_why_it_was_or_was_not_taken(tag: str, wanted: dict[str, Any], reason: str, message: str) -> None:
    found = verdict(tag, **wanted)

    assert (found.tag, str(found.reason), found.message) == (tag, reason, message)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({}, id="one of many"),
        pytest.param({"floor": "1.0.0"}, id="as new as what runs"),
        pytest.param({"pin": "1.0.0"}, id="the pinned one"),
    ],
)
def test_a_candidate_that_nobody_has_looked_at_says_so_where_nothing_was_chosen(wanted: dict[str, Any]) -> None:
    found = selection("1.0.0", **wanted).verdict_of("1.0.0", chosen=None, rejected={})

    assert found.reason is Reason.SUPERSEDED
    assert found.message == (
        "may go as far as its name tells, but nothing was chosen and nobody has looked at its manifest"
    )


@pytest.mark.parametrize(
    ("tag", "wanted", "reason"),
    [
        pytest.param("cleanup", {"pattern": V, "exclude": ["*"]}, Reason.NOT_A_BUNDLE_TAG, id="a service tag"),
        pytest.param("main", {"pattern": V, "exclude": ["*"]}, Reason.PATTERN_MISMATCH, id="pattern"),
        pytest.param("vmain", {"pattern": V, "exclude": ["*"]}, Reason.EXCLUDED, id="excluded"),
        pytest.param("v2.0.0-rc.1", {"pattern": V, "range": "^1"}, Reason.PRERELEASE, id="a prerelease"),
        pytest.param("2.0.0", {"range": "^1", "floor": "3.0.0"}, Reason.OUT_OF_RANGE, id="out of range"),
    ],
)
def test_of_several_reasons_the_first_counts(tag: str, wanted: dict[str, Any], reason: Reason) -> None:
    assert verdict(tag, **wanted).reason is reason


@pytest.mark.parametrize(
    ("tag", "wanted", "read"),
    [
        pytest.param("v1.0_b", {"pattern": V}, "1.0.0+b", id="without the spelling of the tag"),
        pytest.param("1.0", {"pattern": V}, "1.0.0", id="where the pattern does not match"),
        pytest.param("main", {}, None, id="none"),
        pytest.param("0" * 56, {}, None, id="a stage of werf may look like a number"),
    ],
)
def test_a_verdict_names_the_version_that_was_read(tag: str, wanted: dict[str, Any], read: str | None) -> None:
    assert verdict(tag, **wanted).version == read


@pytest.mark.parametrize(
    ("pin", "wanted"),
    [
        pytest.param("1.0.0", {"floor": "2.0.0"}, id="below what runs"),
        pytest.param("1.0.0", {"range": "^2"}, id="out of range"),
        pytest.param("1.0.0", {"exclude": ["1.*"]}, id="excluded"),
        pytest.param("1.0.0", {"pattern": V}, id="not matching"),
        pytest.param("1.0.0-rc.1", {}, id="a prerelease"),
        pytest.param("cleanup", {}, id="a service tag"),
    ],
)
def test_a_pin_is_the_only_candidate_whatever_the_rest_says(pin: str, wanted: dict[str, Any]) -> None:
    assert ranked(f"2.0.0 {pin} v3.0.0", pin=pin, **wanted) == pin


def test_a_pinned_tag_may_be_no_version() -> None:
    assert list(selection("1.0.0 main", pin="main").ranked) == [Candidate("main", None)]


def test_an_empty_pin_is_none() -> None:
    assert ranked("1.0.0 2.0.0", pin="") == "2.0.0 1.0.0"


@pytest.mark.parametrize(
    ("floor", "candidates"),
    [
        pytest.param("1.1.0", "1.2.0 1.1.0_b 1.1.0", id="as new as what runs, and newer"),
        pytest.param("1.1.0+a", "1.2.0 1.1.0_b", id="the lower build of what runs is older"),
        pytest.param("1.1.0+z", "1.2.0", id="also where a higher one has vanished"),
        pytest.param("1.1.1-rc.1", "1.2.0", id="a prerelease that runs"),
        pytest.param("9.0.0", "", id="newer than everything"),
        pytest.param(None, "1.2.0 1.1.0_b 1.1.0 1.0.0", id="nothing runs"),
    ],
)
def test_nothing_below_what_runs_is_a_candidate(floor: str | None, candidates: str) -> None:
    assert ranked("1.0.0 1.1.0 1.1.0_b 1.2.0", floor=floor) == candidates


@pytest.mark.parametrize(
    ("order", "direction", "tags", "floor", "candidates"),
    [
        pytest.param("calver", "Ascending", "23.10 24.04 24.04.1 24.10", "2024-04", "24.10 24.04.1 24.04", id="a date"),
        pytest.param("calver", "Ascending", "24.04 24.10", "24.10-rc1", "24.10", id="a date that is a prerelease"),
        pytest.param("calver", "Ascending", "24.04 24.04_b", "24.04_a", "24.04_b", id="a lower build of a date"),
        pytest.param("calver", "Descending", "23.10 24.04 24.10", "24.04", "23.10 24.04", id="dates downwards"),
        pytest.param("numerical", "Ascending", "5 7 07 8.5 10", "7.0", "10 8.5 7 07", id="a number and its equals"),
        pytest.param("numerical", "Descending", "5 7 07 8.5 10", "7.0", "5 07 7", id="numbers downwards"),
        pytest.param("numerical", "Descending", "5 7", "4", "", id="lower than all numbers"),
        pytest.param("alphabetical", "Ascending", "bionic focal jammy", "focal", "jammy focal", id="a text"),
        pytest.param("alphabetical", "Descending", "bionic focal jammy", "focal", "bionic focal", id="texts downwards"),
        pytest.param("alphabetical", "Ascending", "bionic jammy", "focal", "jammy", id="a text that has vanished"),
    ],
)
def test_nothing_older_than_what_runs_is_a_candidate_in_any_order(
    order: str, direction: str, tags: str, floor: str, candidates: str
) -> None:
    assert ranked(tags, floor=floor, order=order, direction=direction) == candidates


@pytest.mark.parametrize(
    ("order", "direction", "message"),
    [
        pytest.param("numerical", "Ascending", "6 is below 7.0, which runs", id="upwards"),
        pytest.param("numerical", "Descending", "6 is above 5.0, which runs", id="downwards"),
    ],
)
def test_what_is_older_than_what_runs_says_on_which_side_of_it(order: str, direction: str, message: str) -> None:
    found = verdict("6", order=order, direction=direction, floor="7.0" if direction == "Ascending" else "5.0")

    assert (found.reason, found.message) == (Reason.DOWNGRADE, message)


def runs(*tags: str, floor: str | None = None, **order: Any) -> Running:
    """Somebody runs these tags, of which `floor` is the oldest."""
    return Running(frozenset(tags), floor=above(floor, **order).floor)


@pytest.mark.parametrize(
    ("tag", "wanted", "reason", "message"),
    [
        pytest.param("1.0.0", {}, "Current", "runs now; superseded by 1.1.0", id="a better one is chosen"),
        pytest.param("1.1.0", {}, "Chosen", "the best that may be taken; it runs already", id="it is the choice"),
        pytest.param("1.1.0", {"bad": 1}, "NotAChart", "it is an image", id="it was rejected"),
        pytest.param(
            "1.0.0", {"exclude": ["1.0.*"]}, "Excluded", "excluded by 1.0.*", id="it may not be taken any more"
        ),
        pytest.param(
            "1.0.0", {"pin": "1.1.0"}, "Superseded", "spec.pin asks for exactly 1.1.0", id="another one is pinned"
        ),
        pytest.param("1.0.0", {"pin": "1.0.0"}, "Chosen", "spec.pin asks for it; it runs already", id="it is pinned"),
    ],
)
def test_what_runs_says_so(tag: str, wanted: dict[str, Any], reason: str, message: str) -> None:
    found = verdict(tag, "1.0.0 1.1.0", running=runs(tag, floor=tag), **wanted)

    assert (found.tag, str(found.reason), found.message) == (tag, reason, message)


@pytest.mark.parametrize(
    ("running", "wanted", "counts"),
    [
        pytest.param(
            ["1.0.0"], {}, {"Chosen": 1, "Current": 1, "Superseded": 1}, id="one that a better one supersedes"
        ),
        pytest.param(["1.0.0", "1.1.0"], {}, {"Chosen": 1, "Current": 2}, id="several, by several Applications"),
        pytest.param(["1.2.0"], {}, {"Chosen": 1, "Superseded": 2}, id="the choice"),
        pytest.param(["0.9.0"], {}, {"Chosen": 1, "Superseded": 2}, id="one that is not listed any more"),
        pytest.param(
            ["1.0.0"], {"exclude": ["1.0.*"]}, {"Chosen": 1, "Excluded": 1, "Superseded": 1}, id="one that is excluded"
        ),
        pytest.param(["1.2.0"], {"bad": 1}, {"Chosen": 1, "NotAChart": 1, "Superseded": 1}, id="one that was rejected"),
        pytest.param(["1.2.0"], {"bad": 3}, {"NotAChart": 3}, id="one of which nothing was chosen"),
        pytest.param(["1.0.0"], {"pin": "1.1.0"}, {"Chosen": 1, "Superseded": 2}, id="one that is not pinned"),
        pytest.param(["1.1.0"], {"pin": "1.1.0"}, {"Chosen": 1, "Superseded": 2}, id="the pinned one"),
    ],
)
def test_what_runs_is_counted_as_it_is_called(
    running: list[str], wanted: dict[str, Any], counts: dict[str, int]
) -> None:
    bad = wanted.pop("bad", 0)
    found = selection("1.0.0 1.1.0 1.2.0", running=runs(*running), **wanted)
    chosen, rejected = look(found, bad=bad)

    assert found.counts(chosen=chosen, rejected=rejected) == counts


@pytest.mark.parametrize(
    ("tags", "unread", "wanted", "why"),
    [
        pytest.param("7 8", "latest", {"order": "numerical"}, "is no number such as 42 or 3.14", id="no number"),
        pytest.param("1.0.0 2.0.0", "main", {}, "is no semantic version such as 1.2.3", id="no version"),
        pytest.param(
            "24.04 24.10",
            "noble",
            {"order": "calver"},
            "is no calendar version such as 2024.01.15, 24.04 or 20240115",
            id="no date",
        ),
        pytest.param(
            "v7 v8",
            "7",
            {"order": "numerical", "pattern": V},
            f"does not match the pattern {V}",
            id="a number that the pattern does not match",
        ),
        pytest.param(
            "va vb",
            "noble",
            {"order": "alphabetical", "pattern": V},
            f"does not match the pattern {V}",
            id="a text that the pattern does not match",
        ),
        pytest.param(
            "v1.0.0 v2.0.0",
            "vmain",
            {"pattern": V},
            "reads as main, which is no semantic version such as 1.2.3",
            id="the part is no version",
        ),
        pytest.param(
            "v1.0.0 v2.0.0",
            "1.0.0-01",
            {"pattern": V},
            "is no semantic version: 01 in its prerelease has a leading zero",
            id="no version, and the pattern does not match",
        ),
        pytest.param(
            "va vb",
            "1.0.0",
            {"order": "alphabetical", "pattern": "v(?P<version>.+)|^1"},
            "holds no version to the pattern",
            id="the pattern catches nothing",
        ),
    ],
)
def test_where_it_cannot_be_told_what_runs_nothing_is_a_candidate_and_the_cure_is_told(
    tags: str, unread: str, wanted: dict[str, Any], why: str
) -> None:
    found = selection(tags, running=Running(frozenset({unread}), unread=unread), **wanted)

    assert list(found.ranked) == []
    assert found.problem == (
        "none of 2 tags may be taken: "
        f"of 2 it cannot be told whether they are newer than {unread}, which runs and {why}; "
        "to take one all the same, set spec.pin to it, or spec.rollout.allowDowngrade: true"
    )


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        pytest.param(
            "1.0.0",
            "the only tag may not be taken: of 1 it cannot be told whether it is newer than main, which runs and is no "
            "semantic version such as 1.2.3; "
            "to take one all the same, set spec.pin to it, or spec.rollout.allowDowngrade: true",
            id="a single tag",
        ),
        pytest.param(
            "1.0.0 2.0.0-rc.1 latest",
            "none of 3 tags may be taken: of 1 it cannot be told whether it is newer than main, which runs and is no "
            "semantic version such as 1.2.3, 1 no version, 1 a prerelease; "
            "to take one all the same, set spec.pin to it, or spec.rollout.allowDowngrade: true",
            id="others may not be taken anyway",
        ),
        pytest.param(
            "latest",
            "the only tag may not be taken: 1 no version; publish one that fits, or correct spec.tags",
            id="none might be taken",
        ),
        pytest.param("", "the repository has no tags yet", id="no tags"),
    ],
)
def test_where_it_cannot_be_told_what_runs_the_whole_listing_is_accounted_for(tags: str, problem: str) -> None:
    assert selection(tags, running=Running(unread="main")).problem == problem


def test_where_it_cannot_be_told_what_runs_all_that_might_be_taken_says_so() -> None:
    found = selection("7 8 x", order="numerical", running=Running(unread="latest"))

    verdicts = found.nearest(10, chosen=None, rejected={})

    assert [(verdict.tag, verdict.reason, verdict.message) for verdict in verdicts] == [
        ("8", Reason.DOWNGRADE, "it cannot be told whether 8 is newer than latest, which runs"),
        ("7", Reason.DOWNGRADE, "it cannot be told whether 7 is newer than latest, which runs"),
        ("x", Reason.NOT_A_VERSION, "x is no number such as 42 or 3.14"),
    ]
    assert found.counts(chosen=None, rejected={}) == {Reason.DOWNGRADE: 2, Reason.NOT_A_VERSION: 1}


def test_a_pin_is_a_candidate_also_where_it_cannot_be_told_what_runs() -> None:
    found = selection("1.0.0 2.0.0", pin="1.0.0", running=Running(unread="main"))

    assert [candidate.tag for candidate in found.ranked] == ["1.0.0"]
    assert found.problem is None


@pytest.mark.parametrize(
    ("tags", "wanted", "problem"),
    [
        pytest.param("1.0.0", {}, None, id="there is a candidate"),
        pytest.param("1.0.0", {"floor": "1.0.0"}, None, id="what runs is one"),
        pytest.param("main", {"pin": "main"}, None, id="the pinned one is there"),
        pytest.param("", {}, "the repository has no tags yet", id="no tags"),
        pytest.param(
            "1.0.0",
            {"pin": "2.0.0"},
            "the pinned tag 2.0.0 is not in the registry; publish it or correct spec.pin",
            id="the pinned one is missing",
        ),
        pytest.param(
            "main",
            {},
            "the only tag may not be taken: 1 no version; publish one that fits, or correct spec.tags",
            id="a single tag",
        ),
        pytest.param(
            "1.0.0 1.1.0",
            {"floor": "1.2.0"},
            "none of 2 tags may be taken: 2 older than 1.2.0, which runs; to go back to an older one, set spec.pin to "
            "it, or spec.rollout.allowDowngrade: true",
            id="all below what runs",
        ),
        pytest.param(
            f"v1.0.0 v1.1.0 v3.0.0 v4.0.0 v5.0.0 1.0.0 v2.0.0 vmain v9.0.0-rc {SIGNATURE} cleanup",
            {"pattern": V, "range": "<=3", "exclude": ["v2.*"], "floor": "9.0.0"},
            "none of 11 tags may be taken: 3 older than 9.0.0, which runs, 2 of werf's or cosign's own, "
            "2 out of range, 1 excluded, 1 no version, 1 not matching the pattern, 1 a prerelease; "
            "to go back to an older one, set spec.pin to it, or spec.rollout.allowDowngrade: true",
            id="something of everything, the most first",
        ),
    ],
)
def test_without_a_candidate_the_whole_listing_is_accounted_for(
    tags: str, wanted: dict[str, Any], problem: str | None
) -> None:
    assert selection(tags, **wanted).problem == problem


def test_those_who_run_different_versions_share_a_judgement_and_not_a_choice() -> None:
    ranking = Ranking(policy(), ["1.0.0", "2.0.0"])

    behind, ahead = (Selection(ranking, above(floor)) for floor in ("1.0.0", "3.0.0"))

    assert [candidate.tag for candidate in behind.ranked] == ["2.0.0", "1.0.0"]
    assert list(ahead.ranked) == []


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        pytest.param({"pattern": "("}, InvalidPattern, "spec.tags.pattern '(': ", id="pattern"),
        pytest.param({"exclude": ["[b-a]"]}, InvalidPattern, "spec.tags.exclude '[b-a]': ", id="exclude"),
        pytest.param({"range": "1 2 %"}, InvalidRange, "spec.tags.range: range '1 2 %', position 5: ", id="range"),
        pytest.param({"range": " "}, InvalidRange, "spec.tags.range: the range is empty; leave it out", id="no range"),
        pytest.param({"range": ">2 <1"}, InvalidRange, "spec.tags.range: range '>2 <1' can never match", id="nothing"),
        pytest.param(
            {"range": ">1.0.0 <1.0.1"},
            InvalidRange,
            "spec.tags.range: range '>1.0.0 <1.0.1' can never match a release, only prereleases; "
            "widen it, or set spec.tags.prereleases: true",
            id="only prereleases, which are not taken",
        ),
    ],
)
def test_a_policy_that_is_wrong_names_the_field_and_the_place(
    wanted: dict[str, Any], error: type[BundleWatchError], message: str
) -> None:
    with pytest.raises(error) as caught:
        policy(**wanted)

    assert caught.value.message.startswith(message)


def test_a_range_of_prereleases_alone_is_fine_where_they_are_taken() -> None:
    assert ranked("1.0.0 1.0.1-rc.1", range=">1.0.0 <1.0.1", prereleases=True) == "1.0.1-rc.1"


def releases(count: int) -> str:
    return " ".join(f"1.0.{patch}" for patch in range(count))


def test_the_nearest_are_the_choice_and_then_the_newest_first() -> None:
    found = selection("0.9.0 1.0.0 1.0.1 2.0.0 3.0.0-rc.1 main latest", range="~1.0")

    assert nearest(found) == "1.0.1 3.0.0-rc.1 2.0.0 1.0.0 0.9.0 latest main"


def test_the_nearest_go_up_where_the_lowest_is_the_newest() -> None:
    found = selection("10 9 8 1 0 x", order="numerical", direction="Descending", exclude=["0"])

    assert nearest(found) == "1 0 8 9 10 x"
    assert nearest(found, bad=1) == "8 0 1 9 10 x"


def test_what_belongs_to_werf_and_cosign_is_not_shown() -> None:
    assert nearest(selection(f"cleanup 1.0.0 {SIGNATURE}")) == "1.0.0"


def test_of_many_that_may_not_be_taken_the_newest_are_shown() -> None:
    assert nearest(selection(releases(40), range=">=2"), count=5) == "1.0.39 1.0.38 1.0.37 1.0.36 1.0.35"


def test_what_may_not_be_taken_leaves_room_for_what_the_choice_superseded() -> None:
    newer = " ".join(f"2.0.{patch}" for patch in range(9))

    assert nearest(selection(f"{newer} {releases(9)}", range="^1"), count=6) == "1.0.8 2.0.8 2.0.7 2.0.6 1.0.7 1.0.6"


def test_what_a_look_rejected_takes_up_to_half_of_what_is_shown() -> None:
    shown = nearest(selection(releases(40)), bad=30, count=6)

    assert shown == "1.0.9 1.0.39 1.0.38 1.0.37 1.0.8 1.0.7"


def test_where_nothing_else_is_left_the_rejected_fill_what_is_shown() -> None:
    assert nearest(selection(releases(9)), bad=9, count=6) == "1.0.8 1.0.7 1.0.6 1.0.5 1.0.4 1.0.3"


@dataclass(frozen=True)
class Situation:
    policy: Policy
    tags: list[str]
    running: Running
    bad: int
    """How many of the best candidates are no charts."""

    @property
    def selection(self) -> Selection:
        return select(self.tags, policy=self.policy, running=self.running)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    order = draw(orders)
    wanted, tags = draw(policies(order)), draw(st.lists(tags_of(order), max_size=16))
    runs = draw(st.lists(st.sampled_from(tags) if tags else TAGS[order], max_size=2)) + draw(
        st.lists(TAGS[order], max_size=1)
    )
    running = draw(
        st.sampled_from(
            [
                Running(),
                Running(frozenset(runs)),
                *(Running(frozenset(runs), floor=floor) for tag in runs if (floor := wanted.read(tag)) is not None),
                *(Running(frozenset(runs), unread=tag) for tag in runs[:1]),
            ]
        )
    )
    return Situation(wanted, tags, running, bad=draw(st.integers(min_value=0, max_value=4)))


@given(situations(), st.data())
def test_the_same_tags_in_any_order_and_on_any_pages_are_ranked_the_same(
    situation: Situation, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(situation.tags), max_size=4)) if situation.tags else []
    shuffled = data.draw(st.permutations([*situation.tags, *again]))

    one, two = situation.selection, replace(situation, tags=shuffled).selection

    assert list(one.ranked) == list(two.ranked)
    assert (one.total, one.problem, nearest(one)) == (two.total, two.problem, nearest(two))


@given(situations())
def test_the_candidates_go_down_from_the_newest_to_what_runs(situation: Situation) -> None:
    readings = [candidate.reading for candidate in situation.selection.ranked]

    if situation.policy.pin is None:
        found = [reading for reading in readings if reading is not None]
        assert found == readings
        assert not any(reading.is_older(following) for reading, following in pairwise(found))
        floor = situation.running.floor
        assert floor is None or not any(reading.is_older(floor) for reading in found)
        assert situation.running.unread is None or not found


@given(situations())
def test_whatever_is_no_candidate_may_not_be_taken_or_is_older_than_what_runs(situation: Situation) -> None:
    wanted, floor = situation.policy, situation.running.floor
    candidates = {candidate.tag for candidate in situation.selection.ranked}

    if wanted.pin is None and situation.running.unread is None:
        for tag in set(situation.tags).difference(candidates):
            reading = wanted.read(tag)
            older = floor is not None and reading is not None and reading.is_older(floor)
            assert older or wanted.judge(tag)[0] is not None


@given(situations(), st.data())
def test_one_more_tag_never_changes_the_choice_among_the_rest(situation: Situation, data: st.DataObject) -> None:
    more = data.draw(tags_of(situation.policy.order.name))

    without, beside = situation.selection.ranked, replace(situation, tags=[*situation.tags, more]).selection.ranked

    assert [found for found in beside if found.tag != more] == [found for found in without if found.tag != more]


@given(situations())
def test_every_tag_gets_one_verdict_and_they_add_up(situation: Situation) -> None:
    found = situation.selection
    chosen, rejected = look(found, bad=situation.bad)

    verdicts = [found.verdict_of(tag, chosen=chosen, rejected=rejected) for tag in sorted(set(situation.tags))]

    assert found.counts(chosen=chosen, rejected=rejected) == Counter(verdict.reason for verdict in verdicts)
    assert found.total == len(verdicts)
    assert all(verdict.message for verdict in verdicts)


@given(situations())
def test_before_anybody_has_looked_the_verdicts_add_up_too(situation: Situation) -> None:
    found = situation.selection

    verdicts = [found.verdict_of(tag, chosen=None, rejected={}) for tag in sorted(set(situation.tags))]

    assert found.counts(chosen=None, rejected={}) == Counter(verdict.reason for verdict in verdicts)


@settings(max_examples=150)
@given(situations(), st.integers(min_value=1, max_value=6))
def test_the_nearest_never_repeat_a_tag_and_the_choice_is_their_first(situation: Situation, count: int) -> None:
    found = situation.selection
    chosen, rejected = look(found, bad=situation.bad)

    shown = found.nearest(count, chosen=chosen, rejected=rejected)

    assert len({verdict.tag for verdict in shown}) == len(shown) <= count
    assert chosen is None or (shown[0].tag, shown[0].reason) == (chosen.tag, Reason.CHOSEN)
    assert list(shown) == [found.verdict_of(verdict.tag, chosen=chosen, rejected=rejected) for verdict in shown]


@given(situations())
def test_there_is_a_problem_exactly_where_there_is_no_candidate(situation: Situation) -> None:
    found = situation.selection

    assert (found.problem is None) == any(True for _ in found.ranked)


def test_a_pattern_whose_group_lacks_the_name_is_hinted_at_where_nothing_fits() -> None:
    hint = "spec.tags.pattern has no group named version, (?P<version>...), so whole tags are read"
    found = selection("v1.0.3-prod", pattern="^v(.+)-prod$")

    assert found.problem is not None
    assert found.problem.endswith(hint)
    assert found.verdict_of("v1.0.3-prod", chosen=None, rejected={}).message.endswith(hint)
