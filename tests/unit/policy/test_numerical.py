"""A number is what its digits say, however many there are, and the greater one is the higher."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.numerical import NUMERICAL
from bundlewatch.policy.order import Key


def key(text: str) -> Key:
    found = NUMERICAL.key(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    "ascending",
    [
        pytest.param("0 1 9 10 11 100", id="integers are no text"),
        pytest.param("0.1 0.9 1 1.05 1.10 1.5 2", id="decimals are no versions"),
        pytest.param("20240115 20240116 202401150", id="stamps"),
        pytest.param(f"{10**40 - 1} {10**40} {10**40 + 1}", id="neighbours of 41 digits"),
        pytest.param(f"{10**40}.1 {10**40}.2 {10**40 + 1}", id="neighbours with a fraction"),
        pytest.param(f"0.{'3' * 100} 0.{'3' * 100}1 0.{'3' * 99}4", id="100 decimals"),
        pytest.param(f"{2**53} {2**53 + 1} {2**64} {2**64 + 1}", id="past what a machine's number holds"),
        pytest.param("9" * 127 + " 1" + "0" * 127, id="128 digits"),
    ],
)
def test_the_greater_number_is_the_higher(ascending: str) -> None:
    ordered = [key(text) for text in ascending.split()]

    assert all(lower < higher for lower, higher in pairwise(ordered))


@pytest.mark.parametrize(
    "equals",
    [
        pytest.param("7 007 7.0 07.00", id="leading zeros, and those behind the point"),
        pytest.param("0.1 0.10 00.1", id="a fraction"),
        pytest.param("0 00 0.0", id="nothing"),
        pytest.param(f"{10**40} {10**40}.{'0' * 80}", id="a long one"),
        pytest.param(f"0.{'3' * 100} 0.{'3' * 100}0", id="100 decimals"),
    ],
)
def test_spelling_makes_no_difference(equals: str) -> None:
    assert len({key(text) for text in equals.split()}) == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("v1", id="a leading v"),
        pytest.param("1e5", id="an exponent"),
        pytest.param("0x10", id="hexadecimal"),
        pytest.param("-1", id="a minus"),
        pytest.param("+1", id="a plus"),
        pytest.param("1.", id="nothing behind the point"),
        pytest.param(".5", id="nothing before the point"),
        pytest.param(".", id="a lone point"),
        pytest.param("1.2.3", id="a version"),
        pytest.param("1,5", id="a comma"),
        pytest.param("1_000", id="an underscore, which Python's numbers may have"),
        pytest.param("inf", id="infinity"),
        pytest.param("NaN", id="no number, as Python writes it"),
        pytest.param("sNaN", id="one that Python refuses to compare"),
        pytest.param(" 1", id="a leading space"),
        pytest.param("1 ", id="a trailing space"),
        pytest.param("1\n", id="a trailing line end"),
        pytest.param("1\0", id="a zero byte"),
        pytest.param("١", id="an Arabic digit"),
        pytest.param("１", id="a full-width digit"),
        pytest.param("²", id="a superscript"),
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert NUMERICAL.key(text) is None
    assert NUMERICAL.read(text) is None


# One denominator for both, so that an integer of Python says what is right.
@given(st.integers(0, 10**60), st.integers(0, 10**60), st.integers(0, 40))
def test_numbers_of_any_size_are_compared_exactly(one: int, two: int, decimals: int) -> None:
    texts = [f"{number // 10**decimals}.{number % 10**decimals:0{decimals}}" for number in (one, two)]
    left, right = (key(text if decimals else text.partition(".")[0]) for text in texts)

    assert (left < right, left == right) == (one < two, one == two)


@given(st.text("0123456789.", max_size=12) | st.text(max_size=6))
def test_a_number_is_said_as_it_is_written(text: str) -> None:
    found = NUMERICAL.read(text)

    assert found is None or found == (text, (Decimal(text),)) == (text, NUMERICAL.key(text))


def test_a_number_is_neither_in_a_range_nor_a_prerelease() -> None:
    assert NUMERICAL.precedence(key("1.5")) is None
    with pytest.raises(InvalidRange, match="order numerical knows no ranges; remove it, or use order semver or calver"):
        NUMERICAL.limits(">=1")


def test_a_text_that_is_no_number_is_told_what_one_is() -> None:
    assert NUMERICAL.why_not("1e5") == "is no number such as 42 or 3.14"
