"""Text becomes a version exactly as SemVer and Helm say, and of two versions the newer one is SemVer's."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.policy.version import Version, from_tag, parse_loose, parse_strict, sort_key, why_not

LARGEST = 2**64 - 1

# The expression that semver.org suggests, section "Is there a suggested regular expression".
SEMVER_ORG = re.compile(
    r"^(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?:-(?P<prerelease>(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+(?P<build>[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?\Z",
    re.ASCII,
)

words = st.text("019aZ-", min_size=1, max_size=4)
dotted = st.lists(words, min_size=1, max_size=3).map(".".join)
numbers = st.integers(0, 3).map(str)
nearly_versions = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "v", "V", " "]),
    st.lists(st.one_of(numbers, st.sampled_from(["01", "", "x", "٣"])), min_size=1, max_size=4).map(".".join),
    st.one_of(st.just(""), dotted.map("-{}".format), st.just("-")),
    st.one_of(st.just(""), dotted.map("+{}".format), st.just("+"), st.just("\n")),
)


def loose(text: str) -> Version:
    version = parse_loose(text)
    assert version is not None, text
    return version


versions = nearly_versions.map(parse_loose).filter(lambda version: version is not None)


def test_the_chain_of_section_11_ascends() -> None:
    chain = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    ordered = [loose(f"1.0.0-{prerelease}") for prerelease in chain] + [loose("1.0.0")]
    assert all(lower < higher for lower, higher in pairwise(ordered))


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        pytest.param("1.9.0", "1.10.0", id="numbers are not text"),
        pytest.param("1.0.0", "2.0.0-0", id="any prerelease of a higher version is higher"),
        pytest.param("1.0.0-0", "1.0.0-00a", id="what has a letter is text, and above every number"),
        pytest.param("1.0.0-99999", "1.0.0--", id="a hyphen is text too"),
        pytest.param("1.0.0-A", "1.0.0-a", id="text is compared in ASCII order"),
        pytest.param("1.0.0-rc", "1.0.0-rc.0", id="more identifiers win"),
        pytest.param("1.0.0-rc.9", "1.0.0-rc.10", id="numeric identifiers are numbers"),
        pytest.param("1.0.0-rc-10", "1.0.0-rc-9", id="a number behind a hyphen is not"),
        pytest.param(f"1.0.0-{LARGEST + 1}", f"1.0.0-{10 * LARGEST}", id="numbers past 64 bits stay numbers"),
        pytest.param(f"1.0.0-{10**30}", "1.0.0-1a", id="numbers past 64 bits stay below text"),
    ],
)
def test_precedence_is_of_section_11(lower: str, higher: str) -> None:
    assert loose(lower) < loose(higher)
    assert not loose(higher) < loose(lower)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("1.0.0+a", "1.0.0+b", id="build metadata"),
        pytest.param("1.0.0", "1.0.0+b", id="build metadata and none"),
        pytest.param("v1.0.0", "1.0.0", id="a leading v"),
        pytest.param("1", "1.0.0", id="missing numbers"),
        pytest.param("01.2.03", "1.2.3", id="leading zeros"),
    ],
)
def test_what_says_nothing_of_precedence_makes_no_difference(one: str, other: str) -> None:
    assert loose(one) == loose(other)
    assert hash(loose(one)) == hash(loose(other))
    assert not loose(one) < loose(other)
    assert not loose(other) < loose(one)


@given(versions, versions, versions)
def test_precedence_is_a_total_order(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (one == two) + (two < one) == 1
    assert not (one < two < three) or one < three


@given(nearly_versions)
def test_strict_is_what_semver_org_says(text: str) -> None:
    expected = SEMVER_ORG.match(text)
    version = parse_strict(text)
    assert (version is None) == (expected is None)
    if version is not None and expected is not None:
        assert str(version) == text
        assert version.prerelease == (expected["prerelease"] or "")
        assert version.build == (expected["build"] or "")


@given(nearly_versions)
def test_loose_takes_all_that_strict_takes_and_means_the_same(text: str) -> None:
    strict = parse_strict(text)
    assert strict is None or (parse_loose(text), str(parse_loose(text))) == (strict, text)


@given(versions)
def test_a_version_is_written_as_a_strict_version_of_the_same_meaning(version: Version) -> None:
    again = parse_strict(str(version))
    assert again is not None
    assert (again, again.prerelease, again.build) == (version, version.prerelease, version.build)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("v1.2.3", "1.2.3"),
        ("1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("1.2-rc.1+b", "1.2.0-rc.1+b"),
        ("12-abc", "12.0.0-abc"),
        ("01.002.0003", "1.2.3"),
        ("20240105", "20240105.0.0"),
        ("2024.01.05", "2024.1.5"),
        (f"{LARGEST}.{LARGEST}.{LARGEST}", f"{LARGEST}.{LARGEST}.{LARGEST}"),
    ],
)
def test_loose_reads_what_helm_reads(text: str, written: str) -> None:
    version = loose(text)
    assert str(version) == written
    assert (version.major, version.minor, version.patch) == tuple(
        map(int, written.partition("-")[0].partition("+")[0].split("."))
    )


NO_VERSIONS = [
    pytest.param("", id="nothing"),
    pytest.param("latest", id="a word"),
    pytest.param("v", id="a lone v"),
    pytest.param("V1.2.3", id="a capital V"),
    pytest.param("vv1.2.3", id="two v"),
    pytest.param("1.2.3.4", id="four numbers"),
    pytest.param("1..3", id="an empty number"),
    pytest.param("1.x", id="a wildcard"),
    pytest.param("-1.2.3", id="a sign"),
    pytest.param("1.2.3-", id="an empty prerelease"),
    pytest.param("1.2.3-rc..1", id="an empty prerelease identifier"),
    pytest.param("1.2.3-rc.01", id="a leading zero in the prerelease"),
    pytest.param("1.2.3+", id="empty build metadata"),
    pytest.param("1.2.3+a+b", id="two build metadata"),
    pytest.param("1.2.3_b5", id="an underscore"),
    pytest.param("1.2.3\n", id="a trailing line end"),
    pytest.param("\n1.2.3", id="a leading line end"),
    pytest.param(" 1.2.3", id="a leading space"),
    pytest.param("1.2.3\0", id="a zero byte"),
    pytest.param("١.٢.٣", id="Arabic digits"),
    pytest.param("１.2.3", id="full-width digits"),
    pytest.param("1.2.3-²", id="a superscript"),
    pytest.param("1.2.3-é", id="a letter outside ASCII"),
    pytest.param("1.2.3-ſ", id="a letter that folds to ASCII"),
    pytest.param(f"{LARGEST + 1}.0.0", id="major above 64 bits"),
    pytest.param(f"0.{LARGEST + 1}.0", id="minor above 64 bits"),
    pytest.param(f"0.0.{LARGEST + 1}", id="patch above 64 bits"),
    pytest.param("1.2.3-" + "a" * 251, id="257 characters"),
    pytest.param("1" * 5000, id="more digits than Python would convert"),
]


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_what_is_no_version_is_none_to_everybody(text: str) -> None:
    assert parse_strict(text) is None
    assert parse_loose(text) is None
    assert sort_key(text) is None


def test_256_characters_are_a_version() -> None:
    assert str(loose("1.2.3-" + "a" * 250)) == "1.2.3-" + "a" * 250


@pytest.mark.parametrize("text", ["v1.2.3", "1.2", "1", "01.2.3", "1.02.3", "1.2.03", "1.2-rc"])
def test_strict_refuses_what_only_helm_takes(text: str) -> None:
    assert parse_strict(text) is None
    assert parse_loose(text) is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("latest", "is no semantic version such as 1.2.3"),
        ("1.2.3.4", "is no semantic version such as 1.2.3"),
        ("1.2.3-rc.01.x", "is no semantic version: 01 in its prerelease has a leading zero"),
        ("v1-007", "is no semantic version: 007 in its prerelease has a leading zero"),
        ("1.2.3-rc.01a..b", "is no semantic version such as 1.2.3"),
        (f"1.{LARGEST + 1}", f"is no version to Helm: a number in it is above {LARGEST}"),
        ("1" * 300, "is no version: longer than 256 characters"),
    ],
)
def test_a_text_that_is_no_version_is_told_why(text: str, why: str) -> None:
    assert parse_loose(text) is None
    assert why_not(text) == why


@pytest.mark.parametrize(("tag", "text"), [("1.2.3_b5", "1.2.3+b5"), ("v1.0.0-rc_1", "v1.0.0-rc+1"), ("1.0", "1.0")])
def test_an_underscore_of_a_tag_is_the_plus_of_its_version(tag: str, text: str) -> None:
    assert from_tag(tag) == text


@given(nearly_versions, nearly_versions)
def test_tags_sort_as_their_versions_do(one: str, two: str) -> None:
    left, right = parse_loose(one), parse_loose(two)
    if left is None or right is None or left == right:
        return
    keys = sort_key(one), sort_key(two)
    assert keys[0] is not None
    assert keys[1] is not None
    assert (keys[0] < keys[1]) == (left < right)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        pytest.param("1.0.0", "1.0.0+0", id="build metadata beats none"),
        pytest.param("1.0.0+b9", "1.0.0+c1", id="build metadata as text"),
        pytest.param("1.0.0+b.9", "1.0.0+b.10", id="build metadata as numbers"),
        pytest.param("1.0.0+9", "1.0.0+a", id="text beats numbers"),
        pytest.param("1.0.0+a", "1.0.0+a.0", id="more build metadata beats less"),
        pytest.param("v1.0.0", "1.0.0", id="strict beats loose"),
        pytest.param("1.0.0", "v1.0.0+b", id="build metadata beats strictness"),
        pytest.param("1.0.0+b", "1.0.1-0", id="precedence beats build metadata"),
    ],
)
def test_a_tie_of_precedence_is_broken(lower: str, higher: str) -> None:
    keys = sort_key(lower), sort_key(higher)
    assert keys[0] is not None
    assert keys[1] is not None
    assert keys[0] < keys[1]
