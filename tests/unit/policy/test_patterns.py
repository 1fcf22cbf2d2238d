"""A pattern finds the version in a tag, a glob leaves tags out, and neither can be made slow or be misread."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import InvalidPattern
from bundlewatch.policy import patterns
from bundlewatch.policy.patterns import Exclusions, TagPattern


@pytest.mark.parametrize(
    ("pattern", "tag", "version"),
    [
        pytest.param("^v(?P<version>.+)$", "v1.2.3", "1.2.3", id="the group is the version"),
        pytest.param("^v(?<version>.+)$", "v1.2.3", "1.2.3", id="the newer spelling of a group"),
        pytest.param("^v(?P<version>.+)$", "1.2.3", None, id="no match"),
        pytest.param("^v.+$", "v1.2.3", "v1.2.3", id="without a group the whole tag"),
        pytest.param("^(release|rc)-(?P<version>.+)$", "rc-1.2.3", "1.2.3", id="other groups do not matter"),
        pytest.param("^(?P<Version>v).+$", "v1.2.3", "v1.2.3", id="the group's name is lower case"),
        pytest.param("1.2", "v1.2.3", "v1.2.3", id="searched for anywhere"),
        pytest.param("(?P<version>[0-9.]+)", "app-1.2.3-amd64", "1.2.3", id="a group found in the middle"),
        pytest.param("(?P<version>[0-9.]+)", "1.2.3-4.5", "1.2.3", id="of several places the first"),
        pytest.param("^(?P<version>[0-9]+\\.[0-9]+)", "1.2.3", "1.2", id="anchored to the beginning"),
        pytest.param("(?P<version>[0-9]+)$", "1.2.3", "3", id="anchored to the end"),
        pytest.param("^1.2$", "1.2\n", None, id="the end is the end, also before a line end"),
        pytest.param("^latest$|^v(?P<version>.+)$", "latest", "", id="a group that takes no part"),
        pytest.param("^v(?P<version>.*)$", "v", "", id="a group that is empty"),
        pytest.param("(?i)^V(?P<version>.+)$", "v1", "1", id="flags"),
        pytest.param("^V(?P<version>.+)$", "v1", None, id="case matters"),
        pytest.param("^[[:digit:]]+$", "20240105", "20240105", id="classes of POSIX"),
        pytest.param("^é-(?P<version>ü.)$", "é-ü1", "ü1", id="characters of several bytes"),
        pytest.param("é(?P<version>\\C)", "éü", "\N{REPLACEMENT CHARACTER}", id="half a character"),
        pytest.param("^.$", "\ud800", "\ud800", id="half a surrogate pair is no error"),
        pytest.param("", "anything", "anything", id="an empty pattern is in every tag"),
    ],
)
def test_a_pattern_finds_the_version(pattern: str, tag: str, version: str | None) -> None:
    assert TagPattern.compile(pattern).version_text(tag) == version


SYNTAX = "see https://github.com/google/re2/wiki/Syntax"
BACK = "RE2 has no back-references; write the text again"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        pytest.param(
            "^v(?!0)",
            "invalid perl operator '(?!' at position 3; RE2 has no look-ahead; leave tags out by spec.tags.exclude",
            id="negative look-ahead",
        ),
        pytest.param(
            "^(?P<version>1)(?=-rc)",
            "invalid perl operator '(?=' at position 16; RE2 has no look-ahead; "
            "write what follows as it is, and the version as (?P<version>...)",
            id="look-ahead",
        ),
        pytest.param(
            "(?<!v)1",
            "invalid perl operator '(?<!' at position 1; RE2 has no look-behind; leave tags out by spec.tags.exclude",
            id="negative look-behind",
        ),
        pytest.param(
            "(?<=v)1",
            "invalid perl operator '(?<=' at position 1; RE2 has no look-behind; "
            "write what comes before as it is, and the version as (?P<version>...)",
            id="look-behind",
        ),
        pytest.param(
            "(?>a)",
            "invalid perl operator '(?>' at position 1; "
            "RE2 never tries twice and needs no atomic groups; write (?:...)",
            id="atomic group",
        ),
        pytest.param("(a)\\1", f"invalid escape sequence '\\\\1' at position 4; {BACK}", id="back-reference"),
        pytest.param("(?P<a>x)(?P=a)", f"invalid perl operator '(?P' at position 9; {BACK}", id="named back-reference"),
        pytest.param(
            "^1\\Z", "invalid escape sequence '\\\\Z' at position 3; the end of the tag is $", id="Python's end"
        ),
        pytest.param(
            "^v(?P<version>.+$",
            "( is never closed at position 3; close it with ), or write \\( for the character itself",
            id="open group",
        ),
        pytest.param(
            "([(])(\\((a(b)",
            "( is never closed at position 9; close it with ), or write \\( for the character itself",
            id="the innermost of the open groups",
        ),
        pytest.param(
            "[)]\\)(a)b)",
            ") closes nothing at position 10; leave it out, or write \\) for the character itself",
            id="too many )",
        ),
        pytest.param(
            "^[0-9",
            "missing ] '[0-9' at position 2; close it with ], or write \\[ for the character itself",
            id="open class",
        ),
        pytest.param("1\\", "trailing \\; leave it out; a tag never holds one", id="trailing backslash"),
        pytest.param(
            "*-debug",
            "no argument for repetition operator '*' at position 1; put before it what is repeated; "
            "what is * in a glob is .* here",
            id="a glob",
        ),
        pytest.param(
            "[**]+*", "bad repetition operator '+*' at position 5; write one of * + ? {n,m} only", id="possessive"
        ),
        pytest.param(
            "[**]**", "bad repetition operator '**' at position 5; write one of * + ? {n,m} only", id="not in the class"
        ),
        pytest.param(
            "a{1001}",
            "invalid repetition size '{1001}' at position 2; RE2 repeats up to 1000 times, nested ones multiplied",
            id="too many times",
        ),
        pytest.param("[z-a]", f"invalid character class range 'z-a' at position 2; {SYNTAX}", id="class upside down"),
        pytest.param("(?P<a-b>x)", f"invalid named capture group '(?P<a-b>' at position 1; {SYNTAX}", id="group name"),
    ],
)
def test_a_wrong_pattern_is_refused_at_the_place_and_with_the_cure(pattern: str, problem: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        TagPattern.compile(pattern)
    assert str(caught.value) == f"spec.tags.pattern {pattern!a}: {problem}"


def test_two_groups_named_version_are_refused_because_one_of_them_would_be_ignored() -> None:
    with pytest.raises(InvalidPattern, match="has several groups named version; write one") as caught:
        TagPattern.compile("^v(?P<version>.+)$|^release-(?P<version>.+)$")
    assert "^(?:v|release-)(?P<version>.+)$" in str(caught.value)


def test_a_long_wrong_pattern_is_quoted_in_part() -> None:
    with pytest.raises(InvalidPattern) as caught:
        TagPattern.compile("(?P<" + "a" * 5000 + ">")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("pattern", ["(" * 3000 + "a" + ")" * 3000, "x{99999999999999}", "[[:foo:]-[x]", "\x1b[("])
def test_a_pattern_is_taken_or_refused_whatever_it_is(pattern: str) -> None:
    try:
        TagPattern.compile(pattern)
    except InvalidPattern as error:
        assert str(error).isprintable()


@given(st.text("ab01()[]{}*+?|^$\\.-,:<>=!PQEé", max_size=12))
def test_every_text_is_a_pattern_or_is_refused_in_one_line(pattern: str) -> None:
    try:
        TagPattern.compile(pattern).version_text("1.0.0")
    except InvalidPattern as error:
        assert str(error).startswith(f"spec.tags.pattern {pattern!a}")
        assert str(error).isprintable()


def test_a_catastrophic_pattern_is_fast() -> None:
    # Each of these keeps an engine that backtracks busy for years.
    patterns = ["^(a+)+$", "^(a|aa)+$", "^(a*)*b$", "(.*a){20}$", "^([a-z]+[0-9]*)*(?P<version>![0-9])$"]
    tag = "a" * 127 + "!"
    began = time.process_time()
    for pattern in patterns:
        compiled = TagPattern.compile(pattern)
        for _ in range(20):
            assert compiled.version_text(tag) is None
    assert time.process_time() - began < 2


@dataclass(frozen=True)
class OtherRelease:
    """RE2's Python side as far as it is documented: there is no way past it."""

    _compiled: Any

    @property
    def groups(self) -> int:
        found: int = self._compiled.groups
        return found

    def search(self, text: bytes) -> Any:
        return self._compiled.search(text)


pieces = st.recursive(
    st.sampled_from(["a", "1", ".", "[0-9]+", "[^a]", "é", "", "^", "$", "\\C", "\\x00", "\\b"]),
    lambda inner: (
        st.builds("{}{}".format, inner, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("({}){}".format, inner, st.sampled_from(["", "*", "?", "*?", "{0}"]))
    ),
    max_leaves=6,
)
expressions = pieces | st.builds("{}(?P<version>{}){}".format, pieces, pieces, st.sampled_from(["", "?", "*", "$|a"]))
searched = st.text("aa11.é\0\n", max_size=10) | st.text(max_size=6)


@given(expressions, searched)
def test_a_pattern_finds_the_same_where_its_engine_lets_nobody_past_its_python_side(pattern: str, tag: str) -> None:
    direct = TagPattern.compile(pattern)
    documented = patterns._spans_of(OtherRelease(re2.compile(pattern.encode())))

    def spans(of: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]] | None:
        return None if of[0][0] < 0 else list(of)

    assert spans(documented(tag.encode())) == spans(direct._spans(tag.encode()))
    assert replace(direct, _spans=documented).version_text(tag) == direct.version_text(tag)


def excludes(glob: str, tag: str) -> bool:
    compiled = Exclusions.compile([glob])
    assert compiled is not None
    return compiled.excludes(tag)


@pytest.mark.parametrize(
    ("glob", "excluded", "left"),
    [
        pytest.param(
            "1.0.13", ["1.0.13"], ["1.0.130", "v1.0.13", "1.0.1", "1x0x13"], id="the whole tag, and a dot is one"
        ),
        pytest.param("*-debug", ["1.0-debug", "-debug"], ["1.0-debug2", "debug"], id="any characters"),
        pytest.param("1.?", ["1.0", "1.x"], ["1.", "1.10"], id="one character"),
        pytest.param("*", ["", "latest"], [], id="everything"),
        pytest.param("1.[02-4]", ["1.0", "1.3"], ["1.1", "1.5", "1.-"], id="one of these"),
        pytest.param("1.[!02-4]", ["1.1", "1.-"], ["1.0", "1.3", "1."], id="one but these"),
        pytest.param("1.[^02-4]", ["1.1"], ["1.0"], id="one but these, as Go writes it"),
        pytest.param("1.[a^]", ["1.^", "1.a"], ["1.b"], id="a circumflex inside"),
        pytest.param("1.[]a]", ["1.]", "1.a"], ["1.[", "1."], id="a bracket that comes first is meant"),
        pytest.param("1.[!]a]", ["1.b"], ["1.]", "1.a"], id="a bracket that comes first behind !"),
        pytest.param("1.[a-]", ["1.-", "1.a"], ["1.b"], id="a hyphen that comes last is meant"),
        pytest.param("1.[\\d]", ["1.d", "1.\\"], ["1.0"], id="a backslash inside is one"),
        pytest.param("1.[[:alpha:]]", ["1.a]", "1.:]"], ["1.b"], id="there are no named classes"),
        pytest.param("1.[0", ["1.[0"], ["1.0"], id="a bracket that is never closed is one"),
        pytest.param("1.[", ["1.["], ["1."], id="a bracket at the end"),
        pytest.param("1.[]", ["1.[]"], ["1."], id="brackets around nothing"),
        pytest.param("1.[!]", ["1.[!]"], ["1.!"], id="brackets around not"),
        pytest.param("a+b(c)|{2}^$\\d", ["a+b(c)|{2}^$\\d"], ["aab", "a"], id="nothing else means anything"),
        pytest.param("V*", ["V1"], ["v1"], id="case matters"),
        pytest.param("é?", ["éü"], ["é", "éüü"], id="characters of several bytes are one"),
        pytest.param("1*", ["1.0\n2"], ["2\n1.0"], id="a line end is a character"),
    ],
)
def test_a_glob_leaves_out(glob: str, excluded: list[str], left: list[str]) -> None:
    assert [tag for tag in excluded + left if excludes(glob, tag)] == excluded


# Leaves out `^`, which means `!` here too, and `-`: a range upside down is a mistake here.
@given(st.text("ab1.]!*?[", min_size=1, max_size=8), st.text("ab1.[]!", max_size=6))
def test_globs_mean_what_they_mean_to_everybody(glob: str, tag: str) -> None:
    assert excludes(glob, tag) == fnmatchcase(tag, glob)


def test_the_first_glob_that_leaves_a_tag_out_is_named() -> None:
    compiled = Exclusions.compile(["2.*", "*-debug", "1.*", "1.0-*"])
    assert compiled is not None
    assert compiled.excluding("1.0-debug") == "*-debug"
    assert compiled.excluding("1.0-x") == "1.*"
    assert compiled.excluding("3.0") is None
    assert not compiled.excludes("3.0")


def test_no_globs_are_no_exclusions() -> None:
    assert Exclusions.compile([]) is None


def test_a_wrong_glob_is_refused_by_name_with_the_cure() -> None:
    with pytest.raises(InvalidPattern) as caught:
        Exclusions.compile(["*-debug", "1.[z-a]"])
    assert str(caught.value) == (
        "spec.tags.exclude '1.[z-a]': invalid character class range; "
        "in [] a range runs upwards, and - comes last to mean itself"
    )


def test_globs_full_of_stars_are_still_right_and_fast() -> None:
    globs = ["*" + f"{letter}*" * 20 + "!" for letter in "abcdefgh"]
    compiled = Exclusions.compile(globs)
    assert compiled is not None
    began = time.process_time()
    assert not compiled.excludes("abcdefgh" * 16)
    assert compiled.excludes("abcdefgh" * 20 + "!")
    assert compiled.excluding("h" * 30 + "!") == globs[-1]
    assert time.process_time() - began < 1
