"""When a window that comes again and again covers a time: the arithmetic under every kind of window.

A window opens at each time of its schedule in its time zone and lasts a duration of elapsed time. Spans that
overlap or touch are one. Where clocks change, cron's rule holds, as cronsim has it from Debian:

- A schedule that names its times (neither minute nor hour begins with a star) opens once for each of them. A time
  that is left out opens at the moment after the gap; of one that comes twice the first opens.
- Any other goes by the clock on the wall: a time that is left out does not open, one that comes twice opens twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from bundlewatch.api.cron import Schedule

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_SECOND: Final = timedelta(seconds=1)
_STEPS: Final = 2000


class Span(NamedTuple):
    """From `start` until just before `end`, both UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A schedule in its time zone, and how long it lasts each time."""

    schedule: Schedule
    zone: tzinfo
    duration: timedelta
    _ordinary: tuple[tuple[timedelta, timedelta], ...] = field(init=False, repr=False, compare=False)
    """The spans of a day without a change of clocks, counted from its midnight."""

    def __post_init__(self) -> None:
        openings = [timedelta(minutes=minute) for minute in self.schedule.minutes]
        object.__setattr__(self, "_ordinary", tuple(_joined(openings, self.duration)))

    def spans(self, since: datetime, before: datetime) -> Iterator[Span]:
        """Spans that end after `since`, in order, of all that begin by `before`; the last may go on after that.

        The first one may have begun earlier than it says. Cost: one step a day between `since` less the duration
        and `before`, and only as far as they are asked for.
        """
        first = (since - self.duration).astimezone(self.zone).date() - _DAY
        last = before.astimezone(self.zone).date() + _DAY
        current: Span | None = None
        for day in self.schedule.days(first, last):
            for start, end in self._of(day):
                if current is not None and start <= current.end:
                    current = Span(current.start, max(current.end, end))
                    continue
                if current is not None and current.end > since:
                    yield current
                current = Span(start, end)
        if current is not None and current.end > since:
            yield current

    def _of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        midnight, next_one = (datetime.combine(each, time(), tzinfo=self.zone) for each in (day, day + _DAY))
        if midnight.utcoffset() == next_one.utcoffset():
            begins = midnight.astimezone(UTC)
            return ((begins + start, begins + end) for start, end in self._ordinary)
        naive = midnight.replace(tzinfo=None)
        openings = {
            opening for minute in self.schedule.minutes for opening in self._openings(naive + timedelta(minutes=minute))
        }
        return _joined(sorted(openings), self.duration)

    def _openings(self, wall: datetime) -> tuple[datetime, ...]:
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first == second:
            return (first,)
        if first < second:
            return (first,) if self.schedule.fixed else (first, second)
        after_the_gap = change_of_offset(self.zone, second, first)
        return (after_the_gap,) if self.schedule.fixed and after_the_gap is not None else ()


def change_of_offset(zone: tzinfo, after: datetime, until: datetime) -> datetime | None:
    """The first moment after `after`, and not later than `until`, at which the clocks of `zone` change; UTC.

    Two changes within one week that cancel each other would be missed; no zone has such.
    """
    low = after.astimezone(UTC).replace(microsecond=0)
    offset = low.astimezone(zone).utcoffset()
    until = until.astimezone(UTC)
    while low < until:
        high = min(low + _WEEK, until)
        if high.astimezone(zone).utcoffset() != offset:
            while high - low > _SECOND:
                middle = low + (high - low) // _SECOND // 2 * _SECOND
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
            return high
        low = high
    return None


def is_open(denies: Sequence[Recurrence], allows: Sequence[Recurrence], now: datetime) -> bool:
    """No deny covers `now`, and one of the allows does where there are any."""
    return not any(covers(each, now) for each in denies) and (not allows or any(covers(each, now) for each in allows))


def covers(recurrence: Recurrence, now: datetime) -> bool:
    found = next(recurrence.spans(now, now), None)
    return found is not None and found.start <= now


def next_change(
    denies: Sequence[Recurrence], allows: Sequence[Recurrence], now: datetime, before: datetime
) -> datetime | None:
    """The first moment after `now` at which `is_open` gives another answer; None: none before `before`.

    It leaps from one moment that can matter to the next. Windows that relieve each other two thousand times
    without a change are given up: None, which is no later a change but only an unknown one, and the same at each
    look, where a moment half-way would be another one each time.
    """
    closing = [_Track(each, before) for each in denies]
    opening = [_Track(each, before) for each in allows]
    at, answer = now, is_open(denies, allows, now)
    for _ in range(_STEPS):
        shut = [span.end for track in closing if (span := track.covering(at))]
        free = [span.end for track in opening if (span := track.covering(at))]
        if (not shut and (bool(free) or not opening)) != answer:
            return at
        if shut:
            leap = max(shut)
        elif answer:
            starts = [span.start for track in closing if (span := track.after(at))]
            leap = min([*starts, *([max(free)] if opening else [])], default=before)
        else:
            leap = min((span.start for track in opening if (span := track.after(at))), default=before)
        if leap >= before:
            return None
        at = leap
    return None


class _Track:
    """The spans of one recurrence, walked along in time."""

    def __init__(self, recurrence: Recurrence, before: datetime) -> None:
        self._recurrence = recurrence
        self._before = before
        self._spans: Iterator[Span] | None = None
        self._current: Span | None = None

    def covering(self, at: datetime) -> Span | None:
        """The span that covers `at`, which never goes back."""
        found = self.after(at)
        return found if found is not None and found.start <= at else None

    def after(self, at: datetime) -> Span | None:
        """The first span that ends after `at`, covering it or not."""
        far = self._current is not None and at - self._current.end > self._recurrence.duration + 2 * _DAY
        if self._spans is None or far:  # looking anew is cheaper than to walk there
            self._spans = self._recurrence.spans(at, self._before)
            self._current = next(self._spans, None)
        while self._current is not None and self._current.end <= at:
            self._current = next(self._spans, None)
        return self._current


_Moment = TypeVar("_Moment", datetime, timedelta)


def _joined(openings: Sequence[_Moment], duration: timedelta) -> Iterator[tuple[_Moment, _Moment]]:
    """Spans of `duration` from each of the openings, which are in order; those that touch are one."""
    if not openings:
        return
    start = openings[0]
    for one, following in pairwise(openings):
        if following - one > duration:
            yield start, one + duration
            start = following
    yield start, openings[-1] + duration
