"""Durations are read as Go reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1m", 60),
        ("1m30s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("2m2ms", 120.002),
        ("1s1h1s", 3602),
        ("0s", 0),
        ("62.1ms9937.9ms", 10),
        ("0.001ms", 0.000001),
    ],
)
def test_a_duration_is_exactly_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert duration.seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "-5s", "+5s", "5 s", "1d", "1us", "٣s", "5s\n", "1.s", ".5s", "1h" * 11, "9999999s"],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 30s, 5m or 1h30m"):
        duration.seconds(text)


@given(st.integers(0, 999_999), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_come_back_exactly(hours: int, minutes: int, seconds: int) -> None:
    assert duration.seconds(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
