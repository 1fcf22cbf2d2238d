"""Windows open and close exactly when their schedules say, whatever the clocks do, and without counting minutes."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bundlewatch.api.gates import Window
from bundlewatch.errors import InvalidSpec
from bundlewatch.policy.windows import HORIZON, Windows

MINUTE = timedelta(minutes=1)
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def window(schedule: str, duration: str, zone: str = "UTC", *, kind: str = "Allow", name: str | None = None) -> Window:
    fields: dict[str, Any] = {"kind": kind, "schedule": schedule, "duration": duration, "time_zone": zone, "name": name}
    return Window(**fields)


def deny(schedule: str, duration: str, zone: str = "UTC", name: str | None = None) -> Window:
    return window(schedule, duration, zone, kind="Deny", name=name)


def at(text: str) -> datetime:
    """A time of 2026, UTC: month-day hour:minute."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def opening_times(windows: Sequence[Window], since: str, until: str) -> list[str]:
    """When it opens between two times, found by asking again and again at the time that was foretold."""
    compiled, now, found = Windows.compile(windows), at(since), []
    while now < at(until):
        opening = compiled.look(now)
        assert opening.until is not None
        now = opening.until
        if not opening.open and now < at(until):
            found.append(f"{now:%m-%d %H:%M}")
    return found


OFFICE = window("0 9 * * 1-5", "8h", BERLIN, name="office hours")


@pytest.mark.parametrize(
    ("windows", "now", "is_open", "until"),
    [
        pytest.param([], "11-27 03:00", True, None, id="without windows always"),
        pytest.param([OFFICE], "11-27 07:59", False, "11-27 08:00", id="before it opens"),
        pytest.param([OFFICE], "11-27 08:00", True, "11-27 16:00", id="the minute it opens"),
        pytest.param([OFFICE], "11-27 15:59:59", True, "11-27 16:00", id="the last second"),
        pytest.param([OFFICE], "11-27 16:00", False, "11-30 08:00", id="over the weekend"),
        pytest.param([deny("0 9 * * 1-5", "8h")], "11-27 08:00", True, "11-27 09:00", id="a deny is to come"),
        pytest.param([deny("0 9 * * 1-5", "8h")], "11-27 09:00", False, "11-27 17:00", id="a deny has come"),
        pytest.param(
            [OFFICE, deny("0 12 * * *", "1h")], "11-27 10:00", True, "11-27 12:00", id="a deny in an allow: before"
        ),
        pytest.param(
            [OFFICE, deny("0 12 * * *", "1h")], "11-27 12:30", False, "11-27 13:00", id="a deny in an allow: within"
        ),
        pytest.param(
            [OFFICE, deny("0 12 * * *", "8h")], "11-27 12:30", False, "11-30 08:00", id="a deny outlives the allow"
        ),
        pytest.param(
            [window("0 8 * * *", "2h"), window("0 9 * * *", "2h")], "11-27 08:00", True, "11-27 11:00", id="overlapping"
        ),
        pytest.param(
            [window("0 8 * * *", "2h"), window("0 10 * * *", "2h")], "11-27 08:00", True, "11-27 12:00", id="touching"
        ),
        pytest.param(
            [deny("0 8 * * *", "2h"), deny("0 10 * * *", "2h")], "11-27 08:00", False, "11-27 12:00", id="denies touch"
        ),
        pytest.param(
            [window("0 8 * * *", "2h"), deny("0 10 * * *", "2h")], "11-27 09:00", True, "11-27 10:00", id="relieved"
        ),
        pytest.param([window("0 */6 * * *", "6h")], "11-27 03:00", True, None, id="it touches itself for ever"),
        pytest.param([window("0 0 * * *", "48h")], "11-27 03:00", True, None, id="it overlaps itself for ever"),
        pytest.param([deny("* * * * *", "8760h")], "11-27 03:00", False, None, id="always, many times over"),
        pytest.param([deny("0 0 1 1 *", "8760h")], "11-27 03:00", False, None, id="a year, from year to year"),
        pytest.param([window("0 0 1 11 *", "720h")], "11-27 03:00", True, "12-01 00:00", id="it opened weeks ago"),
    ],
)
def test_whether_it_is_open_and_until_when(
    windows: Sequence[Window],
    now: str,
    is_open: bool,  # noqa: FBT001 - of the table
    until: str | None,
) -> None:
    opening = Windows.compile(windows).look(at(now))

    assert (opening.open, opening.until) == (is_open, at(until) if until else None)


def test_a_leap_year_is_not_beyond_the_horizon_but_what_comes_later_is() -> None:
    leap_day = Windows.compile([window("0 0 29 2 *", "1h")])

    assert leap_day.look(at("11-27 00:00")).until == datetime(2028, 2, 29, tzinfo=UTC)
    assert leap_day.look(at("02-01 00:00")).until is None


@pytest.mark.parametrize(
    ("windows", "since", "until", "opens"),
    [  # in 2026 Berlin leaves 02:00 to 03:00 out on 29 March and has it twice on 25 October
        pytest.param(
            [window("30 2 * * *", "5m", BERLIN)],
            "03-28 00:00",
            "03-31 00:00",
            ["03-28 01:30", "03-29 01:00", "03-30 00:30"],
            id="a time that is left out: after the gap",
        ),
        pytest.param(
            [window("0,20,40 2 * * *", "5m", BERLIN)],
            "03-28 12:00",
            "03-29 12:00",
            ["03-29 01:00"],
            id="several that are left out: once",
        ),
        pytest.param(
            [window("30 2 * * *", "5m", BERLIN)],
            "10-24 00:00",
            "10-27 00:00",
            ["10-24 00:30", "10-25 00:30", "10-26 01:30"],
            id="a time that comes twice: the first",
        ),
        pytest.param(
            [window("*/30 2 * * *", "5m", BERLIN)],
            "10-24 12:00",
            "10-25 12:00",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30"],
            id="by the clock on the wall: twice",
        ),
        pytest.param(
            [window("*/30 2 * * *", "5m", BERLIN)], "03-28 12:00", "03-30 00:00", [], id="by the clock: not at all"
        ),
        pytest.param(
            [window("30 2 * * *", "5m", NEW_YORK)],
            "03-07 12:00",
            "03-09 12:00",
            ["03-08 07:00", "03-09 06:30"],
            id="New York in spring",
        ),
        pytest.param(
            [window("30 1 * * *", "5m", NEW_YORK)],
            "10-31 12:00",
            "11-02 12:00",
            ["11-01 05:30", "11-02 06:30"],
            id="New York in autumn",
        ),
        pytest.param(
            [window("15 2 * * *", "5m", LORD_HOWE)],
            "10-02 20:00",
            "10-05 00:00",
            ["10-03 15:30", "10-04 15:15"],
            id="half an hour is left out",
        ),
        pytest.param(
            [window("45 1 * * *", "5m", LORD_HOWE)],
            "04-03 20:00",
            "04-06 00:00",
            ["04-04 14:45", "04-05 15:15"],
            id="half an hour comes twice",
        ),
        pytest.param(
            [window("*/15 1-2 * * *", "5m", LORD_HOWE)],
            "04-04 13:55",
            "04-04 16:20",
            [f"04-04 {hour}:{minute}" for hour in (14, 15) for minute in ("00", "15", "30", "45")]
            + ["04-04 16:00", "04-04 16:15"],
            id="half an hour comes twice, by the clock",
        ),
    ],
)
def test_when_it_opens_where_clocks_change(windows: list[Window], since: str, until: str, opens: list[str]) -> None:
    if not opens:
        assert not Windows.compile(windows).look(at(since)).open
        opens_next = Windows.compile(windows).look(at(since)).until
        assert opens_next is not None
        assert opens_next >= at(until)
        return
    assert opening_times(windows, since, until) == opens


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("03-28 22:00", "03-29 05:00", id="the short night ends at 7 by the clock"),
        pytest.param("10-24 21:00", "10-25 04:00", id="the long one at 5"),
    ],
)
def test_it_lasts_as_long_as_it_says_whatever_the_clocks_do(now: str, until: str) -> None:
    night = Windows.compile([window("0 22 * * *", "8h", BERLIN)])

    assert night.look(at(now)).until == at(until)


@pytest.mark.parametrize(
    ("windows", "now", "because"),
    [
        pytest.param([], "11-27 03:00", "", id="nothing"),
        pytest.param([OFFICE], "11-27 03:00", "window office hours", id="it is shut"),
        pytest.param([OFFICE], "11-27 09:00", "window office hours", id="it is open"),
        pytest.param([OFFICE, deny("0 0 * * *", "24h")], "11-27 09:00", "window '0 0 * * *'", id="the deny decides"),
        pytest.param([deny("0 12 * * *", "1h")], "11-27 09:00", "", id="no deny is on"),
        pytest.param(
            [window(f"0 {hour} * * *", "1m", name=f"w{hour}") for hour in range(5)],
            "11-27 09:00",
            "window w0, window w1, window w2 and 2 more",
            id="many",
        ),
    ],
)
def test_the_windows_that_decide_are_named(windows: list[Window], now: str, because: str) -> None:
    assert Windows.compile(windows).look(at(now)).because == because


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (window("0 25 * * *", "1h"), "spec.gates.windows[1].schedule '0 25 * * *' has '25' as its hour"),
        (window("0 0 30 2 *", "1h"), "spec.gates.windows[1].schedule '0 0 30 2 *' never comes"),
        (
            window("0 0 * * *", "1h", "Europe/Berln"),
            "spec.gates.windows[1].timeZone 'Europe/Berln' is no time zone that is known here: write its IANA name",
        ),
        (window("0 0 * * *", "1h", "Europe"), "spec.gates.windows[1].timeZone 'Europe' is no time zone"),
    ],
    ids=["hour", "never", "no zone", "a directory of zones"],
)
def test_a_window_that_cannot_be_names_its_field_and_the_cure(wrong: Window, said: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        Windows.compile([OFFICE, wrong])

    assert caught.value.message.startswith(said)


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param([deny("* * * * *", "8760h", BERLIN)], id="always, many times over"),
        pytest.param([deny("* * * * *", "1m", BERLIN)], id="always, minute by minute"),
        pytest.param([deny("*/2 * * * *", "1m"), deny("1-59/2 * * * *", "1m")], id="two take turns"),
        pytest.param([deny("*/2 * * * *", "1m"), window("*/2 * * * *", "1m")], id="never open, with many changes"),
        pytest.param([deny("0 0 1 1 *", "8760h"), window("*/2 * * * *", "1m")], id="many changes behind a deny"),
    ],
)
def test_no_set_of_windows_takes_long_or_makes_up_a_change(windows: list[Window]) -> None:
    compiled = Windows.compile(windows)
    begun = time.process_time()

    opening = compiled.look(at("11-27 03:00"))

    assert (opening.open, opening.until) == (False, None)
    assert time.process_time() - begun < 1


# The same, minute by minute, by somebody who knows nothing of spans.


def fits(field: str, value: int) -> bool:
    for term in field.split(","):
        span, _, step = term.partition("/")
        low, _, high = span.partition("-")
        if low == "*":
            first, last = 0, 99
        else:
            first, last = int(low), int(high or low)
        if first <= value <= last and (value - (0 if low == "*" else first)) % int(step or 1) == 0:
            return True
    return False


def comes(schedule: str, wall: datetime) -> bool:
    minute, hour, day, month, weekday = schedule.split()
    days = [day == "*" or fits(day, wall.day), weekday == "*" or fits(weekday, wall.isoweekday() % 7)]
    on_day = all(days) if "*" in (day, weekday) else any(days)
    return on_day and fits(minute, wall.minute) and fits(hour, wall.hour) and fits(month, wall.month)


def opens(each: Window, minute: datetime) -> bool:
    zone = ZoneInfo(each.time_zone)
    here, before = minute.astimezone(zone), (minute - MINUTE).astimezone(zone)
    fixed = "*" not in each.schedule.split()[0] + each.schedule.split()[1]
    if comes(each.schedule, here.replace(tzinfo=None)) and not (fixed and here.fold):
        return True
    skipped = here.replace(tzinfo=None) - before.replace(tzinfo=None) - MINUTE
    left_out = [before.replace(tzinfo=None) + MINUTE * number for number in range(1, skipped // MINUTE + 1)]
    return fixed and any(comes(each.schedule, wall) for wall in left_out)


def oracle(windows: Sequence[Window], first: datetime, minutes: int) -> list[bool]:
    """Whether it is open, for each of so many minutes from `first` on."""
    covered: list[list[bool]] = []
    for each in windows:
        lasts = int(each.duration_s // 60)
        left, found = 0, []
        for number in range(-lasts, minutes):
            left = lasts if opens(each, first + MINUTE * number) else left - 1
            if number >= 0:
                found.append(left > 0)
        covered.append(found)
    answers = []
    for number in range(minutes):
        denied = any(covered[i][number] for i, each in enumerate(windows) if each.kind == "Deny")
        allowed = [covered[i][number] for i, each in enumerate(windows) if each.kind == "Allow"]
        answers.append(not denied and (not allowed or any(allowed)))
    return answers


FIRST = {
    "UTC": ["02-28 20:00", "12-31 12:00"],
    BERLIN: ["03-28 20:00", "10-24 20:00", "07-01 00:00"],
    NEW_YORK: ["03-08 02:00", "11-01 01:00"],
    LORD_HOWE: ["10-03 10:00", "04-04 10:00"],
    "Africa/Cairo": ["04-23 20:00", "10-29 18:00"],  # where midnight itself is left out
}
SCHEDULES = st.builds(
    "{} {} {} * {}".format,
    st.sampled_from(["*", "*/15", "0", "30", "0,45", "10-20", "1-59/2"]),
    st.sampled_from(["*", "*/2", "0", "1", "2", "1-3", "23", "0-22", "9,17"]),
    st.sampled_from(["*", "*", "*", "25", "1,29"]),
    st.sampled_from(["*", "*", "*", "0", "1-5", "6"]),
)
WINDOWS = st.builds(
    lambda kind, schedule, lasts, zone: window(schedule, f"{lasts}m", zone, kind=kind),
    st.sampled_from(["Allow", "Deny"]),
    SCHEDULES,
    st.sampled_from([1, 2, 15, 30, 59, 60, 61, 90, 300]),
    st.sampled_from([*FIRST]),
)


@settings(max_examples=50)  # counting minutes takes as long as it does
@given(st.lists(WINDOWS, min_size=1, max_size=3), st.sampled_from([start for each in FIRST.values() for start in each]))
@example([window("*/15 0 * * *", "1m", "Africa/Cairo")], "04-23 20:00")
@example([window("30 2 * * *", "1500m", BERLIN), deny("0 1-3 * * *", "1440m", BERLIN)], "10-24 20:00")
@example([window("*/15 2 * * *", "1m", LORD_HOWE)], "04-04 10:00")
def test_every_minute_is_what_counting_minutes_says(windows: list[Window], start: str) -> None:
    first, minutes = at(start), 10 * 60
    expected = oracle(windows, first, minutes)
    compiled = Windows.compile(windows)

    number = 0
    while number < minutes:
        opening = compiled.look(first + MINUTE * number)
        changes = next((later for later in range(number, minutes) if expected[later] != expected[number]), None)
        assert opening.open is expected[number]
        if changes is None:
            assert opening.until is None or opening.until >= first + MINUTE * minutes
            break
        assert opening.until == first + MINUTE * changes
        number = changes


@given(st.lists(WINDOWS, min_size=1, max_size=3), st.integers(0, 366 * 24 * 60))
def test_what_is_foretold_does_not_depend_on_when_one_asks(windows: list[Window], minute: int) -> None:
    now = at("01-01 00:00") + MINUTE * minute
    compiled = Windows.compile(windows)
    opening = compiled.look(now)

    if opening.until is not None:
        just_before = compiled.look(opening.until - timedelta(seconds=1))
        assert (just_before.open, just_before.until) == (opening.open, opening.until)
        assert compiled.look(opening.until).open is not opening.open
        assert now < opening.until < now + HORIZON
