"""What five cron fields mean: on which days, and at which minutes of such a day.

`cronsim` reads them, as Debian's cron does: where neither day field begins with a star a day need fit only one of
the two, else both. Names (MON, JAN), steps, `L`, `LW` and `1#2` are understood. We ask it about days and not for
one time after the other: `* * * * *` comes 500,000 times a year, and a year has 365 days. It knows no time zone;
what becomes of a minute that a zone leaves out or repeats is said in `spans`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from bundlewatch.api.text import clean
from bundlewatch.errors import InvalidSpec

_ANY_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - cron fields have no time zone
_DAY: Final = timedelta(days=1)
_FIELDS: Final = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, or L for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of the week", "0 to 7, where 0 and 7 are Sunday, or SUN to SAT"),
)


class NeverComes(InvalidSpec):
    """Each field can be, but there is no such day."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Five cron fields that were read, and come at least once."""

    text: str
    minutes: tuple[int, ...]
    """Of each day on which it comes, counted from midnight, in order."""
    fixed: bool
    """It names its times: neither minute nor hour begins with a star. Cron's rules for summer time differ by that."""
    _simulated: CronSim = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Raises InvalidSpec, which says what is wrong with `text` and the cure, but not in which field it stands."""
        parts = text.split()
        if len(parts) != len(_FIELDS):
            raise InvalidSpec(
                f"{_shown(text)} has {len(parts)} fields: write five, minute hour day-of-month month day-of-week, "
                "such as '0 9 * * 1-5'"
            )
        try:
            simulated = CronSim(text, _ANY_DAY)
            next(simulated)  # of a calendar that repeats itself after 28 years it looks at 50
        except CronSimError:
            raise _fault(text, parts) from None
        except StopIteration:
            raise _never(text) from None
        return cls(
            text=text,
            minutes=tuple(
                hour * 60 + minute for hour in sorted(simulated.hours) for minute in sorted(simulated.minutes)
            ),
            fixed=not parts[0].startswith("*") and not parts[1].startswith("*"),
            _simulated=simulated,
        )

    def days(self, first: date, last: date) -> Iterator[date]:
        """The days on which it comes, in order, both ends included."""
        day = first
        while day <= last:
            if day.month not in self._simulated.months:
                day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
                continue
            if self._simulated.match_day(day):
                yield day
            day += _DAY


def _fault(text: str, parts: list[str]) -> InvalidSpec:
    """Which field is wrong, found by trying each one alone; when none is, it is the day and the month together."""
    for position, (name, allowed) in enumerate(_FIELDS):
        alone = ["*"] * len(_FIELDS)
        alone[position] = parts[position]
        try:
            CronSim(" ".join(alone), _ANY_DAY)
        except CronSimError:
            return InvalidSpec(
                f"{_shown(text)} has {_shown(parts[position])} as its {name}: write {allowed}, with - for a range "
                "that runs upwards, / for steps and commas between several, or * for all"
            )
    return _never(text)


def _never(text: str) -> NeverComes:
    return NeverComes(f"{_shown(text)} never comes: no month that it names has such a day; change the day or the month")


def _shown(text: str) -> str:
    return f"'{clean(text, max_length=128)}'"
