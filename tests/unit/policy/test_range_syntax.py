"""A range that is wrong is refused with the place and the cure; one that is right is read as it was meant."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.range_syntax import LONGEST_RANGE_BYTES, Comparator, Open, parse
from bundlewatch.policy.version import RELEASE, parse_loose


def refusal(text: str) -> str:
    with pytest.raises(InvalidRange) as caught:
        parse(text)
    return str(caught.value)


def comparator(operator: str, version: str, opened: Open = Open.NOTHING) -> Comparator:
    parsed = parse_loose(version)
    assert parsed is not None
    return Comparator(operator=operator, precedence=parsed.precedence, open=opened)


LOW, HIGH = comparator(">=", "1.2.3"), comparator("<=", "2.3.4")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        pytest.param("1.2.3", [[comparator("=", "1.2.3")]], id="no operator is ="),
        pytest.param("=> 1.2.3", [[LOW]], id="=> is >="),
        pytest.param("=<2.3.4", [[HIGH]], id="=< is <="),
        pytest.param("~>1.2.3", [[comparator("~", "1.2.3")]], id="~> is ~"),
        pytest.param(">=v1.2.3", [[LOW]], id="a leading v"),
        pytest.param(">=01.02.03", [[LOW]], id="leading zeros"),
        pytest.param(">=1.2.3+b", [[LOW]], id="build metadata"),
        pytest.param(">=1.2.3 <=2.3.4", [[LOW, HIGH]], id="a space is and"),
        pytest.param(">=1.2.3,<=2.3.4", [[LOW, HIGH]], id="a comma is and"),
        pytest.param("\t>=\n1.2.3\r,\f<=  2.3.4  ", [[LOW, HIGH]], id="white space around everything"),
        pytest.param("1.2.3 - 2.3.4", [[LOW, HIGH]], id="a hyphen range"),
        pytest.param(">=1.2.3 || <=2.3.4", [[LOW], [HIGH]], id="bars are or"),
        pytest.param(">=1.2.3||<=2.3.4", [[LOW], [HIGH]], id="bars without spaces"),
        pytest.param("1.2.3 - 2.3.4 || 1.2.3 - 2.3.4", [[LOW, HIGH], [LOW, HIGH]], id="hyphen ranges and bars"),
        pytest.param(">=1.2.3, 1.2.3 - 2.3.4", [[LOW, LOW, HIGH]], id="a hyphen range behind a comma"),
        pytest.param("1.2.3 - 2.3.4 >=1.2.3", [[LOW, HIGH, LOW]], id="a condition behind a hyphen range"),
        pytest.param("1.2", [[comparator("=", "1.2.0", Open.PATCH)]], id="an open patch"),
        pytest.param("1", [[comparator("=", "1.0.0", Open.MINOR)]], id="an open minor"),
        pytest.param("1.2.X", [[comparator("=", "1.2.0", Open.PATCH)]], id="X is open"),
        pytest.param(
            "1.x.3", [[comparator("=", "1.0.0", Open.MINOR)]], id="what stands behind an open number is not read"
        ),
        pytest.param("*", [[comparator("=", "0.0.0", Open.MAJOR)]], id="* is open"),
        pytest.param(
            ">=18446744073709551615.0.0", [[comparator(">=", "18446744073709551615.0.0")]], id="the largest number"
        ),
        pytest.param("1.0.0-2.0", [[comparator("=", "1.0.0-2.0")]], id="a hyphen without spaces begins a prerelease"),
        pytest.param("^1.2-rc.1", [[comparator("^", "1.2.0-rc.1", Open.PATCH)]], id="a prerelease of an open version"),
    ],
)
def test_a_range_is_read_as_helm_reads_it(text: str, groups: list[list[Comparator]]) -> None:
    assert parse(text) == tuple(map(tuple, groups))


NO_VERSION = "is no version; write one such as 1.2.3, 1.2 or 1.x"
HYPHEN = "a hyphen range wants a space on both sides of -; write like 1.0 - 2.0"
DIRECTLY = "a hyphen range begins here and cannot follow directly; put a comma, and no operator, before it"
EMPTY = "an alternative of || is empty; write a version there, or leave the || out"
STANDS = "stands in no version; leave it out, or put a space or a comma before it"


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        pytest.param("latest", 1, f"'latest' {NO_VERSION}", id="a word"),
        pytest.param(">=1.0 || latest", 10, f"'latest' {NO_VERSION}", id="a word behind a good alternative"),
        pytest.param("1.0.0 and 2.0.0", 7, f"'and' {NO_VERSION}", id="and as a word"),
        pytest.param("v", 1, f"'v' {NO_VERSION}", id="a lone v"),
        pytest.param("V1", 1, f"'V1' {NO_VERSION}", id="a capital v"),
        pytest.param("1,,2", 3, f"',' {NO_VERSION}", id="two commas"),
        pytest.param(",1", 1, f"',' {NO_VERSION}", id="a leading comma"),
        pytest.param(
            ">=1 , ", 5, "nothing follows the comma; write a condition there, or leave it out", id="a last comma"
        ),
        pytest.param("1||", 4, EMPTY, id="a trailing or"),
        pytest.param("||1", 1, EMPTY, id="a leading or"),
        pytest.param("1 || || 2", 5, EMPTY, id="an or without anything"),
        pytest.param(">=", 3, "no version follows '>='; write one such as >=1.2.3", id="an operator alone"),
        pytest.param(">1 ^ ", 5, "no version follows '^'; write one such as ^1.2.3", id="an operator at the end"),
        pytest.param("==1.0", 1, "'==' is no operator; use one of = != > < >= <= => =< ~ ~> ^", id="=="),
        pytest.param("1 ~=1", 3, "'~=' is no operator; use one of = != > < >= <= => =< ~ ~> ^", id="~="),
        pytest.param(">1<2", 3, "'<' follows a version directly; put a space or a comma between", id="no separator"),
        pytest.param(
            "1.2.3.4", 6, "a version has three numbers; leave the rest out, or write it after + or -", id="four numbers"
        ),
        pytest.param("1.2.3_b5", 6, "'_' stands in no version; build metadata begins with + here", id="an underscore"),
        pytest.param("1.", 2, f"'.' {STANDS}", id="a trailing dot"),
        pytest.param("1.2.3-rc..1", 9, f"'.' {STANDS}", id="an empty identifier"),
        pytest.param("1.0;2.0", 4, f"';' {STANDS}", id="a semicolon"),
        pytest.param("1\v", 2, f"'\\x0b' {STANDS}", id="a vertical tab is no space to Go"),
        pytest.param("1\u00a0", 2, f"'\\xa0' {STANDS}", id="a no-break space is none to Go"),
        pytest.param("1.٣", 2, f"'.' {STANDS}", id="a digit of another script"),
        pytest.param("1|2", 1, "'1|2' is neither a number nor a wildcard; write || for alternatives", id="one bar"),
        pytest.param(
            "1.2 | 3", 5, "'|' is neither a number nor a wildcard; write || for alternatives", id="a lone bar"
        ),
        pytest.param(
            "1.2.xx", 5, "'xx' is neither a number nor a wildcard; write digits, or x or * alone", id="two wildcards"
        ),
        pytest.param(
            "1 - 2.x1",
            7,
            "'x1' is neither a number nor a wildcard; write digits, or x or * alone",
            id="in a hyphen range",
        ),
        pytest.param(
            ">2 || ~1.2.3-rc.01",
            8,
            "'1.2.3-rc.01' is no semantic version: 01 in its prerelease has a leading zero; correct it",
            id="a leading zero in the prerelease",
        ),
        pytest.param(
            "^18446744073709551616",
            2,
            "'18446744073709551616' is no version to Helm: a number in it is above 18446744073709551615; correct it",
            id="a number above 64 bits",
        ),
        pytest.param("1 -2", 3, HYPHEN, id="a hyphen with a space before it"),
        pytest.param("1- 2", 2, f"'-' {STANDS}", id="a hyphen with a space behind it"),
        pytest.param("1 - ", 3, HYPHEN, id="a hyphen range without an end"),
        pytest.param("- 1", 1, HYPHEN, id="a hyphen range without a beginning"),
        pytest.param("1 - 2 - 3", 7, HYPHEN, id="a hyphen range of three"),
        pytest.param("1 - >2", 3, HYPHEN, id="an operator in a hyphen range"),
        pytest.param(">1 1 - 2", 4, DIRECTLY, id="a hyphen range behind a condition"),
        pytest.param(">= 1 - 2", 1, DIRECTLY, id="an operator before a hyphen range"),
        pytest.param("^1 - 2", 1, DIRECTLY, id="an operator right before a hyphen range"),
        pytest.param(
            "1 - 2 ==3", 7, "'==' is no operator; use one of = != > < >= <= => =< ~ ~> ^", id="behind a hyphen range"
        ),
    ],
)
def test_a_wrong_range_is_refused_at_the_character_and_with_the_cure(text: str, position: int, problem: str) -> None:
    assert refusal(text) == f"range {text!a}, position {position}: {problem}"


@pytest.mark.parametrize("text", ["", " ", "\t\n"], ids=["empty", "space", "white space"])
def test_an_empty_range_is_refused(text: str) -> None:
    assert refusal(text) == "the range is empty; leave it out, or write * for every release"


def test_a_range_has_a_longest_length() -> None:
    longest = ">=1.0.0" + " " * (LONGEST_RANGE_BYTES - len(">=1.0.0"))
    assert parse(longest)
    assert refusal(longest + " ") == "the range is longer than 512 bytes; write a shorter one"
    assert refusal("é" * 257) == "the range is longer than 512 bytes; write a shorter one"


def test_a_range_has_a_greatest_number_of_alternatives() -> None:
    assert len(parse("||".join(["1"] * 32))) == 32
    assert refusal("||".join(["1"] * 33)) == "the range has more than 32 alternatives between ||; write fewer"


def test_a_long_wrong_range_is_quoted_in_part() -> None:
    message = refusal(">=1.0 " + "a" * 400)
    assert len(message) < 400
    assert "\\u2026" in message


def test_control_characters_are_quoted_harmlessly() -> None:
    assert refusal("\x1b[31m").isprintable()
    assert refusal("\ud800").isprintable()


@given(st.text(st.sampled_from("012.xX*-+,|~^<>=! v\trca_é"), max_size=30))
def test_any_text_is_read_or_refused_within_its_length(text: str) -> None:
    try:
        groups = parse(text)
    except InvalidRange as error:
        _, found, rest = str(error).rpartition(", position ")
        assert not found or 1 <= int(rest.partition(":")[0]) <= len(text) + 1
        return
    assert all(group for group in groups)


@pytest.mark.parametrize("piece", ["1", "1-", "1.", "x-a.", "-", "|", " ", "v1 - ", "1-a+", ">"])
def test_no_text_makes_the_reader_slow(piece: str) -> None:
    text = (piece * LONGEST_RANGE_BYTES)[: LONGEST_RANGE_BYTES - 1] + "_"
    began = time.process_time()
    refusal(text)
    assert time.process_time() - began < 0.2


def test_a_range_knows_which_condition_names_a_prerelease() -> None:
    ((first, second),) = parse(">=1.0.0-0 <2")
    assert (first.names_prerelease, second.names_prerelease) == (True, False)
    assert second.precedence[3] == RELEASE
