"""A range admits what a person who knows Helm expects, says where a version lies, and is never one of nothing."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.version import Version, parse_loose, sort_key


def version(text: str) -> Version:
    parsed = parse_loose(text)
    assert parsed is not None, text
    return parsed


def admitted(text: str, versions: str, *, prereleases: bool) -> str:
    limits = Range.parse(text)
    return " ".join(word for word in versions.split() if limits.admits(version(word), prereleases=prereleases))


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.2.3", "1.2.3 1.2.3+b", "1.2.2 1.2.4"),
        ("=1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.x", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("1.2.*", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("*", "0.0.0 9.9.9", ""),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~1.2", "1.2.0 1.2.9", "1.1.9 1.3.0"),
        ("~1", "1.0.0 1.9.9", "0.9.9 2.0.0"),
        ("~0.0", "0.0.0 0.0.1234", "0.1.0"),
        ("~ 0.0", "0.0.0 0.0.1234", "0.1.0"),
        ("^1.2.3", "1.2.3 1.9.9", "1.2.2 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.0 0.9.9", "1.0.0"),
        (">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.2"),
        (">1.2", "1.3.0 2.0.0", "1.2.0 1.2.9"),
        (">1", "2.0.0", "1.0.0 1.9.9"),
        (">=1.2", "1.2.0 2.0.0", "1.1.9"),
        ("<1.2", "1.1.9 0.0.0", "1.2.0"),
        ("<=1.2", "1.2.0 1.2.9 0.0.0", "1.3.0"),
        ("<=1", "1.9.9", "2.0.0"),
        ("!=1.2.3", "1.2.2 1.2.4", "1.2.3 1.2.3+b"),
        ("!=1.2", "1.1.9 1.3.0", "1.2.0 1.2.9"),
        ("!=1", "0.9.9 2.0.0", "1.0.0 1.9.9"),
        ("1.2 - 2.3", "1.2.0 2.3.9", "1.1.9 2.4.0"),
        ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"),
        (">=1, <2, !=1.5.0", "1.0.0 1.5.1", "0.9.9 1.5.0 2.0.0"),
        ("~1.2 || ~1.4", "1.2.9 1.4.0", "1.3.0 1.5.0"),
        ("<1 || >=3", "0.9.9 3.0.0", "1.0.0 2.9.9"),
    ],
)
def test_a_range_admits_the_releases_within(text: str, inside: str, outside: str) -> None:
    for prereleases in (False, True):
        assert admitted(text, f"{inside} {outside}", prereleases=prereleases) == inside


@pytest.mark.parametrize(
    ("text", "versions", "by_helms_rule", "by_precedence"),
    [
        pytest.param("*", "1.0.0-rc 1.0.0", "1.0.0", "1.0.0-rc 1.0.0", id="without a prerelease in it"),
        pytest.param(
            ">=1.0.0-0", "1.0.0-rc 1.1.0-rc 0.9.0-rc", "1.0.0-rc 1.1.0-rc", "1.0.0-rc 1.1.0-rc", id="with one"
        ),
        pytest.param(">=1.0.0 <3.0.0-0", "2.0.0-rc 3.0.0-rc", "2.0.0-rc", "2.0.0-rc", id="with one at the end"),
        pytest.param(
            ">=1 || ~0.1.0-0", "1.1.0-rc 0.1.0-rc", "0.1.0-rc", "1.1.0-rc 0.1.0-rc", id="with one in one alternative"
        ),
        pytest.param("^1.2", "1.2.0-rc 1.3.0-rc 2.0.0-rc", "", "1.3.0-rc", id="caret: from its release, to its major"),
        pytest.param("~1.2.3-rc.1", "1.2.3-rc.0 1.2.3-rc.2 1.3.0-rc", "1.2.3-rc.2", "1.2.3-rc.2", id="tilde"),
        pytest.param("1.2.3-rc.1", "1.2.3-rc.1+b 1.2.3-rc.1.0 1.2.3", "1.2.3-rc.1+b", "1.2.3-rc.1+b", id="exactly one"),
        pytest.param("!=1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.2", "1.2.3-rc.2", "1.2.3-rc.2", id="all but one"),
        pytest.param("<2.0.0", "2.0.0-rc", "", "2.0.0-rc", id="below a release are its own prereleases"),
        pytest.param(">1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.1.0", "1.2.3-rc.1.0", "1.2.3-rc.1.0", id="above one"),
    ],
)
def test_prereleases_are_admitted_by_helms_rule_or_by_precedence(
    text: str, versions: str, by_helms_rule: str, by_precedence: str
) -> None:
    assert admitted(text, versions, prereleases=False) == by_helms_rule
    assert admitted(text, versions, prereleases=True) == by_precedence


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^*", "0.0.0", "0.0.1 1.0.0"),
        ("!=*", "0.0.1 1.0.0", "0.0.0"),
        ("<=*", "0.0.0 0.0.9", "0.1.0"),
        (">*", "0.0.1 1.0.0", "0.0.0"),
        ("~0.0.0", "0.0.0 9.9.9", ""),
        ("*.2.3", "0.0.0 9.9.9", ""),
        ("1||2 - 3", "1.0.0 9.9.9", "0.9.9"),
    ],
)
def test_the_librarys_odd_corners_are_ours(text: str, inside: str, outside: str) -> None:
    assert admitted(text, f"{inside} {outside}", prereleases=False) == inside


def test_a_longer_key_is_judged_by_the_precedence_it_begins_with() -> None:
    limits = Range.parse(">=1.0.0, <2.0.0, !=1.5.0")
    for text in ("1.0.0+b", "v1.0.0", "1.5.0+b", "2.0.0+b", "2.0.0", "1.9.9_b"):
        key = sort_key(text.replace("_", "+"))
        assert key is not None
        read = version(text.replace("_", "+"))
        assert limits.admits_key(key, prereleases=False) == limits.admits(read, prereleases=False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<1 >2", "nothing is at least 3.0.0-0 and below 1.0.0"),
        (">=1.2 <1.2", "nothing is at least 1.2.0 and below 1.2.0"),
        ("1.2.3 - 1.2.2", "nothing is at least 1.2.3 and below 1.2.3-0"),
        (">1.2.3 <1.2.4-0", "nothing is at least 1.2.4-0 and below 1.2.4-0"),
        (">1.0.0-rc.1 <1.0.0-rc.1.0", "nothing is at least 1.0.0-rc.1.0 and below 1.0.0-rc.1.0"),
        ("<0.0.0-0", "nothing is at least 0.0.0-0 and below 0.0.0-0"),
        ("=1 =2 || 3 4", "nothing is at least 2.0.0 and below 2.0.0-0"),
        ("1.2.3 !=1.2.3", "!= leaves out everything from 1.2.3 on that the rest admits"),
        ("~1 !=1", "!= leaves out everything from 1.0.0 on that the rest admits"),
    ],
)
def test_a_range_that_can_never_match_is_refused_with_the_contradiction(text: str, why: str) -> None:
    with pytest.raises(InvalidRange) as caught:
        Range.parse(text)
    assert str(caught.value) == f"range '{text}' can never match: {why}"


@pytest.mark.parametrize(
    "text",
    ["<1 >2 || 1", ">1.2.3 <1.2.4", "1.2.3-rc !=1.2.3", "^1 !=1.2", "1.2 !=1.2", "<0.0.0"],
    ids=[
        "one good alternative",
        "only prereleases",
        "a hole elsewhere",
        "a hole within",
        "prereleases of a hole",
        "down",
    ],
)
def test_a_range_that_may_match_something_is_accepted(text: str) -> None:
    assert Range.parse(text).text == text


@pytest.mark.parametrize(
    ("text", "releases", "anything"),
    [
        pytest.param(">1.2.3 <1.2.4", True, False, id="only prereleases lie within"),
        pytest.param("1.2 !=1.2", True, False, id="!= of a minor leaves its prereleases"),
        pytest.param(">1.2.3 <1.2.4-rc", False, False, id="one that names a prerelease admits it"),
        pytest.param("^1", False, False, id="an ordinary one"),
    ],
)
def test_a_range_knows_whether_any_release_can_match(text: str, *, releases: bool, anything: bool) -> None:
    limits = Range.parse(text)
    assert limits.is_empty(prereleases=False) is releases
    assert limits.is_empty(prereleases=True) is anything


@pytest.mark.parametrize(
    ("text", "read", "place"),
    [
        ("~1.3", "1.4.2", "is above the range"),
        ("~1.3", "1.2.9", "is below the range"),
        (">=1.3", "1.3.0-rc", "is below the range"),
        ("~1.3 || ~1.5", "1.4.0", "is in a gap of the range"),
        ("~1.3 || ~1.5", "1.6.0", "is above the range"),
        ("~1.3 || ~1.5", "1.2.0", "is below the range"),
        (">5 <3 || ~1", "2.0.0", "is above the range"),
        (">5 <3 || ~4", "3.5.0", "is below the range"),
        (">=1 !=1.3.5", "1.3.5", "is left out by the range"),
        ("~1.3", "1.3.1-rc", "is left out by the range"),
    ],
)
def test_a_version_outside_is_told_where_it_lies(text: str, read: str, place: str) -> None:
    limits = Range.parse(text)
    assert not limits.admits(version(read), prereleases=False)
    assert limits.place_of(version(read).precedence) == place


# A small world in which all that a range of up to four small conditions can tell apart has a member.
_TAILS = ("-0", "-0.0", "-0.0.0", "-0.0.0.0", "-a", "-a.0", "-a.0.0", "-a.0.0.0", "")
WORLD = [
    version(f"{major}.{minor}.{patch}{tail}")
    for major, minor, patch, tail in product(range(5), range(5), range(5), _TAILS)
]
small_versions = st.builds(
    "{}{}".format,
    st.lists(st.integers(0, 2).map(str), min_size=1, max_size=3).map(".".join),
    st.sampled_from(["", "", "-0", "-a"]),
)
small_conditions = st.builds(
    "{}{}".format, st.sampled_from(["", "!=", "!=", ">", "<", ">=", "<=", "~", "^"]), small_versions
)
small_ranges = st.lists(small_conditions, min_size=1, max_size=4).map(", ".join)


@settings(max_examples=150)
@given(small_ranges)
def test_a_range_is_refused_exactly_if_no_version_satisfies_it(text: str) -> None:
    # Each condition is asked alone: alone none but `<0.0.0-0` is empty.
    conditions = [condition for condition in text.split(", ") if condition not in {"<0.0.0-0", "<0-0", "<0.0-0"}]
    parts = [Range.parse(condition) for condition in conditions]
    satisfied = len(parts) == text.count(",") + 1 and any(
        all(part.admits(member, prereleases=True) for part in parts) for member in WORLD
    )
    try:
        Range.parse(text)
    except InvalidRange as error:
        assert "can never match" in str(error)
        assert not satisfied
    else:
        assert satisfied


@settings(max_examples=150)
@given(small_ranges)
def test_a_range_without_any_release_admits_none_and_every_other_admits_one(text: str) -> None:
    try:
        limits = Range.parse(text)
    except InvalidRange:
        return
    assert limits.is_empty(prereleases=False) != any(limits.admits(member, prereleases=False) for member in WORLD)


@given(one=small_ranges, two=small_ranges, member=st.sampled_from(WORLD), prereleases=st.booleans())
def test_alternatives_admit_what_one_of_them_admits(*, one: str, two: str, member: Version, prereleases: bool) -> None:
    try:
        parts = [Range.parse(one), Range.parse(two)]
    except InvalidRange:
        return
    expected = any(part.admits(member, prereleases=prereleases) for part in parts)
    assert Range.parse(f"{one} || {two}").admits(member, prereleases=prereleases) == expected


@given(small_ranges, st.sampled_from(WORLD))
def test_by_precedence_alone_at_least_as_much_is_admitted(text: str, member: Version) -> None:
    try:
        limits = Range.parse(text)
    except InvalidRange:
        return
    if limits.admits(member, prereleases=False):
        assert limits.admits(member, prereleases=True)
