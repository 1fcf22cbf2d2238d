"""Spans of a window that comes again and again: joined where they touch, and found without walking there."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from bundlewatch.api.cron import Schedule
from bundlewatch.api.spans import Recurrence, Span, change_of_offset, covers, is_open, next_change

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """A time of 2026, UTC: month-day hour:minute."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def every(schedule: str, duration: timedelta, zone: tzinfo = UTC) -> Recurrence:
    return Recurrence(Schedule.parse(schedule), zone, duration)


def test_spans_come_in_order_and_those_that_touch_or_overlap_are_one() -> None:
    found = list(every("0,30 9,12 * * *", HOUR / 2).spans(at("11-27 09:10"), at("11-28 00:00")))

    assert found[:3] == [
        Span(at("11-27 09:00"), at("11-27 10:00")),
        Span(at("11-27 12:00"), at("11-27 13:00")),
        Span(at("11-28 09:00"), at("11-28 10:00")),
    ]


def test_spans_that_touch_at_midnight_are_one() -> None:
    found = list(every("0 0,12 * * 5,6", HOUR * 12).spans(at("11-27 09:00"), at("11-30 00:00")))

    assert found == [Span(at("11-27 00:00"), at("11-29 00:00"))]


def test_a_span_that_is_over_is_not_given() -> None:
    assert next(every("0 9 * * *", HOUR).spans(at("11-27 10:00"), at("11-28 00:00"))).start == at("11-28 09:00")


@pytest.mark.parametrize(
    ("now", "covered"),
    [("11-27 08:59:59", False), ("11-27 09:00", True), ("11-27 09:59:59", True), ("11-27 10:00", False)],
)
def test_a_span_has_its_beginning_and_not_its_end(now: str, covered: bool) -> None:  # noqa: FBT001 - of the table
    assert covers(every("0 9 * * *", HOUR), at(now)) is covered


@pytest.mark.parametrize(
    ("zone", "after", "until", "change"),
    [
        pytest.param("Europe/Berlin", "01-01 00:00", "12-31 00:00", "03-29 01:00", id="the first of two"),
        pytest.param("Europe/Berlin", "03-29 01:00", "12-31 00:00", "10-25 01:00", id="from one on, the next"),
        pytest.param("Europe/Berlin", "01-01 00:00", "03-29 01:00", "03-29 01:00", id="the end is included"),
        pytest.param("Europe/Berlin", "01-01 00:00", "03-29 00:59:59", None, id="too late"),
        pytest.param("Europe/Berlin", "03-29 00:59:59", "03-29 01:00", "03-29 01:00", id="within a second"),
        pytest.param("Australia/Lord_Howe", "05-01 00:00", "12-31 00:00", "10-03 15:30", id="half an hour"),
        pytest.param("UTC", "01-01 00:00", "12-31 00:00", None, id="never"),
    ],
)
def test_when_clocks_change(zone: str, after: str, until: str, change: str | None) -> None:
    assert change_of_offset(ZoneInfo(zone), at(after), at(until)) == (at(change) if change else None)


def test_a_change_at_the_bound_is_beyond_it() -> None:
    morning = [every("0 9 * * *", HOUR)]

    assert not is_open([], morning, at("11-27 08:00"))
    assert next_change([], morning, at("11-27 08:00"), at("11-27 09:00")) is None
    assert next_change([], morning, at("11-27 08:00"), at("11-27 09:01")) == at("11-27 09:00")


def test_windows_that_relieve_each_other_too_often_foretell_nothing() -> None:
    now = at("11-25 00:00")
    evens, odds = every("*/2 * 25-26 11 *", HOUR / 60), every("1-59/2 * 25-26 11 *", HOUR / 60)

    # Both are over after 2,880 minutes; within the last 2,000 of them that is foretold.
    assert next_change([evens, odds], [], now, now + 72 * HOUR) is None
    assert next_change([evens, odds], [], now + 20 * HOUR, now + 72 * HOUR) == at("11-27 00:00")
