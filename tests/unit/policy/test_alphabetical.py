"""Text is compared as it stands, character by character, in the order of ASCII."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.alphabetical import ALPHABETICAL
from bundlewatch.policy.order import Key


def key(text: str) -> Key:
    found = ALPHABETICAL.key(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize(
    "ascending",
    [
        pytest.param("- . 0 9 A Z _ a z", id="all that a tag may hold"),
        pytest.param("1 10 2 9", id="digits are text"),
        pytest.param("Zebra apple", id="upper case before lower case"),
        pytest.param("a aa ab b", id="what is longer comes after its own beginning"),
        pytest.param("release-A release-B", id="the first difference counts"),
        pytest.param("bionic focal jammy noble", id="Ubuntu's names"),
        pytest.param("2024-01-15 2024-01-16 2024-02-01", id="dates that are padded"),
        pytest.param("1+b 1_b", id="an underscore is no plus"),
        pytest.param(f"{'a' * 127}a {'a' * 127}b", id="128 characters"),
    ],
)
def test_text_is_in_the_order_of_ascii(ascending: str) -> None:
    ordered = [key(text) for text in ascending.split()]

    assert all(lower < higher for lower, higher in pairwise(ordered))


tags = st.text("-._09AZaz\0\n\x1bé", min_size=1, max_size=6) | st.text(min_size=1)


@given(tags, tags)
def test_a_text_is_equal_to_itself_alone(one: str, two: str) -> None:
    left, right = key(one), key(two)

    assert (left == right) == (one == two)
    assert (left < right) + (left == right) + (right < left) == 1


@given(tags)
def test_a_text_is_said_as_it_is_written(text: str) -> None:
    assert ALPHABETICAL.read(text) == (text, key(text))


def test_only_no_text_does_not_read() -> None:
    assert ALPHABETICAL.key("") is None
    assert ALPHABETICAL.read("") is None
    assert ALPHABETICAL.why_not("") == "is empty"


def test_a_text_is_neither_in_a_range_nor_a_prerelease() -> None:
    assert ALPHABETICAL.precedence(key("1.0.0-rc.1")) is None
    with pytest.raises(InvalidRange, match="order alphabetical knows no ranges; remove it, or use order semver"):
        ALPHABETICAL.limits(">=a")
