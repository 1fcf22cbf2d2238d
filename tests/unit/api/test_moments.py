"""Times read and written as Kubernetes does, and shown as fixed times in the zone that matters."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bundlewatch.api.moments import moment, rfc3339, shown


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-27T08:00:00Z", datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("2026-11-27T09:00:00+01:00", datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("2026-11-27T08:00:00", datetime(2026, 11, 27, 8, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_of_a_status_is_read(text: str | None, time: datetime | None) -> None:
    assert moment(text) == time


def test_a_time_is_written_in_utc_to_the_second() -> None:
    assert rfc3339(datetime(2026, 11, 27, 9, 0, 1, 5, tzinfo=ZoneInfo("Europe/Berlin"))) == "2026-11-27T08:00:01Z"


@pytest.mark.parametrize(
    ("hour", "zone", "text"),
    [
        pytest.param(8, "UTC", "2026-11-27 08:00 UTC", id="UTC once"),
        pytest.param(8, "Europe/Berlin", "2026-11-27 08:00 UTC (09:00 Europe/Berlin)", id="the same day"),
        pytest.param(
            23, "Europe/Berlin", "2026-11-27 23:00 UTC (2026-11-28 00:00 Europe/Berlin)", id="already the next day"
        ),
    ],
)
def test_a_time_is_shown_in_utc_and_in_its_zone(hour: int, zone: str, text: str) -> None:
    assert shown(datetime(2026, 11, 27, hour, tzinfo=UTC), ZoneInfo(zone)) == text


def test_seconds_are_shown_where_there_are_some() -> None:
    assert shown(datetime(2026, 11, 27, 8, 0, 5, tzinfo=UTC)) == "2026-11-27 08:00:05 UTC"
