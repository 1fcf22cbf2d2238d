"""Five cron fields come on the days and at the minutes that Debian's cron would choose, or say what is wrong."""

from datetime import date, timedelta

import pytest

from bundlewatch.api.cron import Schedule
from bundlewatch.errors import InvalidSpec


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        pytest.param("0 9 * * *", (540,), id="one time"),
        pytest.param("*/30 8,10 * * *", (480, 510, 600, 630), id="steps and a list"),
        pytest.param("58-59 0-1 * * *", (58, 59, 118, 119), id="ranges"),
        pytest.param("50/5 23 * * *", (1430, 1435), id="steps from a number on"),
    ],
)
def test_the_minutes_of_a_day(text: str, minutes: tuple[int, ...]) -> None:
    assert Schedule.parse(text).minutes == minutes


@pytest.mark.parametrize(
    ("text", "days"),
    [  # of February 2028, which begins on a Tuesday and has 29 days
        pytest.param("0 9 * * 1", [7, 14, 21, 28], id="a day of the week"),
        pytest.param("0 9 * * sat,SUN", [5, 6, 12, 13, 19, 20, 26, 27], id="by name, in any case"),
        pytest.param("0 9 * * 7", [6, 13, 20, 27], id="7 is Sunday"),
        pytest.param("0 9 29 2 *", [29], id="a leap day"),
        pytest.param("0 9 L * *", [29], id="the last day"),
        pytest.param("0 9 * * 1#2", [14], id="the second Monday"),
        pytest.param("0 9 1 * 1", [1, 7, 14, 21, 28], id="either, where both are named"),
        pytest.param("0 9 1-7 * */7", [6], id="both, where one begins with a star"),
        pytest.param("0 9 * MAR *", [], id="another month"),
    ],
)
def test_the_days_of_a_month(text: str, days: list[int]) -> None:
    found = Schedule.parse(text).days(date(2028, 2, 1), date(2028, 2, 29))

    assert [day.day for day in found] == days


def test_a_month_that_is_left_out_is_left_out_over_the_turn_of_a_year() -> None:
    found = list(Schedule.parse("0 0 1 2,12 *").days(date(2026, 1, 31), date(2028, 1, 1)))

    assert found == [date(2026, 2, 1), date(2026, 12, 1), date(2027, 2, 1), date(2027, 12, 1)]


def test_a_range_of_days_has_both_its_ends() -> None:
    today = date(2026, 11, 27)

    assert list(Schedule.parse("0 0 * * *").days(today, today + timedelta(days=1))) == [today, date(2026, 11, 28)]


@pytest.mark.parametrize(
    ("text", "fixed"), [("30 2 * * *", True), ("*/30 2 * * *", False), ("30 * * * *", False), ("30 */2 * * *", False)]
)
def test_a_schedule_that_names_its_times_is_told_from_one_that_does_not(text: str, fixed: bool) -> None:  # noqa: FBT001 - of the table
    assert Schedule.parse(text).fixed is fixed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("60 9 * * *", "'60 9 * * *' has '60' as its minute: write 0 to 59", id="minute"),
        pytest.param("0 24 * * *", "has '24' as its hour: write 0 to 23", id="hour"),
        pytest.param("0 0 32 * *", "has '32' as its day of the month: write 1 to 31", id="day of the month"),
        pytest.param("0 0 * FOO *", "has 'FOO' as its month: write 1 to 12, or JAN to DEC", id="month"),
        pytest.param("0 0 * * 8", "has '8' as its day of the week: write 0 to 7", id="day of the week"),
        pytest.param("0 0 * * 5-1", "has '5-1' as its day of the week", id="a range that runs down"),
        pytest.param("*/0 0 * * *", "has '*/0' as its minute", id="no step"),
        pytest.param("0 9 * *", "has 4 fields: write five", id="too few fields"),
        pytest.param("0 0 9 * * *", "has 6 fields: write five", id="seconds"),
        pytest.param("0 0 30 2 *", "'0 0 30 2 *' never comes: no month that it names has such a day", id="30 February"),
        pytest.param("0 0 31 4,6,9,11 *", "never comes", id="the 31st of the short months"),
        pytest.param("0 0 30 2 */2", "never comes", id="30 February on certain days of the week"),
        pytest.param("", "has 0 fields", id="nothing"),
    ],
)
def test_what_is_wrong_is_said_with_the_cure(text: str, said: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        Schedule.parse(text)

    assert said in caught.value.message


def test_the_thirtieth_of_february_or_a_monday_is_a_monday() -> None:
    assert next(Schedule.parse("0 0 30 2 1").days(date(2026, 1, 1), date(2026, 12, 31))) == date(2026, 2, 2)
