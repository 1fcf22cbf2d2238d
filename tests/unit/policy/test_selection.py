"""The best tag that may be taken is the choice, in whatever order the tags come, and every tag has one reason."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundlewatch.errors import BundleWatchError, InvalidPattern, InvalidRange
from bundlewatch.policy.selection import Candidate, Policy, Ranking, Selection, select
from bundlewatch.policy.verdict import Reason, Verdict
from bundlewatch.policy.version import Version, from_tag, parse_loose

SIGNATURE = f"sha256-{'0123456789abcdef' * 4}.sig"
V = "^v(?P<version>.+)$"


def version(text: str | None) -> Version | None:
    return parse_loose(text) if text is not None else None


def policy(**wanted: Any) -> Policy:
    """As `spec.tags` and `spec.pin` say it."""
    nothing = {"pattern": None, "exclude": (), "range": None, "prereleases": False, "pin": None}
    return Policy.compile(**{**nothing, **wanted})


def selection(tags: str, *, floor: str | None = None, **wanted: Any) -> Selection:
    return select(tags.split(), policy=policy(**wanted), floor=version(floor))


def ranked(tags: str, *, floor: str | None = None, **wanted: Any) -> str:
    return " ".join(candidate.tag for candidate in selection(tags, floor=floor, **wanted).ranked)


def look(found: Selection, *, bad: int = 0) -> tuple[Candidate | None, dict[str, Verdict]]:
    """A look at manifests, the best first, of which the first `bad` are no charts: the choice, and the rejected."""
    candidates = list(found.ranked)
    rejected = {
        candidate.tag: Verdict(candidate.tag, str(candidate.version), Reason.NOT_A_CHART, "it is an image")
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
            "none of 2 tags may be taken: 2 older than 1.2.0, which runs; to go back to an older one, set spec.pin",
            id="all below what runs",
        ),
        pytest.param(
            f"v1.0.0 v1.1.0 v3.0.0 v4.0.0 v5.0.0 1.0.0 v2.0.0 vmain v9.0.0-rc {SIGNATURE} cleanup",
            {"pattern": V, "range": "<=3", "exclude": ["v2.*"], "floor": "9.0.0"},
            "none of 11 tags may be taken: 3 older than 9.0.0, which runs, 2 of werf's or cosign's own, "
            "2 out of range, 1 excluded, 1 no version, 1 not matching the pattern, 1 a prerelease; "
            "to go back to an older one, set spec.pin",
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

    behind, ahead = (ranking.select(floor=version(floor)) for floor in ("1.0.0", "3.0.0"))

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

    assert nearest(found) == "1.0.1 3.0.0-rc.1 2.0.0 1.0.0 0.9.0 main latest"


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


numbers = st.integers(min_value=0, max_value=3)
versions = st.builds(
    "{}{}.{}{}{}".format,
    st.sampled_from(["", "", "v"]),
    numbers,
    numbers,
    st.sampled_from(["", "", ".0", ".1", "-rc.1", "-rc.2", ".1-0"]),
    st.sampled_from(["", "", "_1", "_10", "_b"]),
)
any_tag = versions | st.sampled_from([SIGNATURE, "cleanup", "latest", "v", "1.0.0-01"]) | st.text(max_size=8)
listings = st.lists(any_tag, max_size=16)
policies = st.builds(
    policy,
    pattern=st.sampled_from([None, None, V, "(?P<version>[0-9.]+)"]),
    exclude=st.sampled_from([(), ("*_b",), ("v*", "1.0.0")]),
    range=st.sampled_from([None, "^1", ">=1.0.0-0", "1 || >2.1, !=2.2"]),
    prereleases=st.booleans(),
    pin=st.sampled_from([None, None, None, "1.0.0", "latest"]),
)
floors = st.none() | versions.map(lambda tag: parse_loose(from_tag(tag)))


@given(policies, st.data())
def test_the_same_tags_in_any_order_are_ranked_the_same(wanted: Policy, data: st.DataObject) -> None:
    tags = data.draw(listings)
    shuffled = data.draw(st.permutations(tags))

    one, two = (select(order, policy=wanted, floor=None) for order in (tags, shuffled))

    assert list(one.ranked) == list(two.ranked)
    assert (one.problem, nearest(one)) == (two.problem, nearest(two))


@given(listings, policies, floors)
def test_the_candidates_go_down_from_the_highest_to_what_runs(
    tags: list[str], wanted: Policy, floor: Version | None
) -> None:
    ranks = [candidate.version for candidate in select(tags, policy=wanted, floor=floor).ranked]

    if wanted.pin is None:
        found = [rank for rank in ranks if rank is not None]
        assert found == ranks
        assert found == sorted(found, reverse=True)
        assert floor is None or all(rank >= floor for rank in found)


@given(listings, st.text(max_size=8), policies, floors)
def test_one_more_tag_never_changes_the_choice_among_the_rest(
    tags: list[str], more: str, wanted: Policy, floor: Version | None
) -> None:
    without, beside = (select(listed, policy=wanted, floor=floor).ranked for listed in (tags, [*tags, more]))

    assert [found for found in beside if found.tag != more] == [found for found in without if found.tag != more]


@given(listings, policies, floors, st.integers(min_value=0, max_value=4))
def test_every_tag_gets_one_verdict_and_they_add_up(
    tags: list[str], wanted: Policy, floor: Version | None, bad: int
) -> None:
    found = select(tags, policy=wanted, floor=floor)
    chosen, rejected = look(found, bad=bad)

    verdicts = [found.verdict_of(tag, chosen=chosen, rejected=rejected) for tag in sorted(set(tags))]

    assert found.counts(chosen=chosen, rejected=rejected) == Counter(verdict.reason for verdict in verdicts)
    assert all(verdict.message for verdict in verdicts)


@settings(max_examples=150)
@given(listings, policies, floors, st.integers(min_value=0, max_value=4), st.integers(min_value=1, max_value=6))
def test_the_nearest_never_repeat_a_tag_and_the_choice_is_their_first(
    tags: list[str], wanted: Policy, floor: Version | None, bad: int, count: int
) -> None:
    found = select(tags, policy=wanted, floor=floor)
    chosen, rejected = look(found, bad=bad)

    shown = found.nearest(count, chosen=chosen, rejected=rejected)

    assert len({verdict.tag for verdict in shown}) == len(shown) <= count
    assert chosen is None or (shown[0].tag, shown[0].reason) == (chosen.tag, Reason.CHOSEN)
    assert list(shown) == [found.verdict_of(verdict.tag, chosen=chosen, rejected=rejected) for verdict in shown]


@given(listings, policies, floors)
def test_there_is_a_problem_exactly_where_there_is_no_candidate(
    tags: list[str], wanted: Policy, floor: Version | None
) -> None:
    found = select(tags, policy=wanted, floor=floor)

    assert (found.problem is None) == any(True for _ in found.ranked)


def test_a_pattern_whose_group_lacks_the_name_is_hinted_at_where_nothing_fits() -> None:
    hint = "spec.tags.pattern has no group named version, (?P<version>...), so whole tags are read"
    found = selection("v1.0.3-prod", pattern="^v(.+)-prod$")

    assert found.problem is not None
    assert found.problem.endswith(hint)
    assert found.verdict_of("v1.0.3-prod", chosen=None, rejected={}).message.endswith(hint)
