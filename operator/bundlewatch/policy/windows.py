"""When Applications may be moved: `spec.gates.windows`, compiled.

A Deny window wins over every Allow window; where there are Allow windows, one of them must be open. What a
schedule means, where the clocks change too, is said in `api.cron` and `api.spans`; what it is that has to wait,
this file does not know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from bundlewatch.api.cron import Schedule
from bundlewatch.api.gates import ALLOW, DENY, Window
from bundlewatch.api.spans import Recurrence, covers, next_change
from bundlewatch.errors import InvalidSpec

HORIZON: Final = timedelta(days=2 * 366)
"""How far ahead a change is looked for: further than a leap year's day is nobody's plan."""

_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the windows say of one moment."""

    open: bool
    because: str
    """The windows that decide, as messages call them; "" where nothing but the absence of Deny windows does."""
    until: datetime | None
    """When `open` is next something else, exactly; None: not within HORIZON, or not foreseeable."""
    zone: tzinfo = UTC
    """The time zone of the first window that decides, to show `until` in."""
    denied: bool = False
    """Closed by a Deny window, and not for want of an open Allow window."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    kind: str
    title: str
    recurrence: Recurrence


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one BundleWatch, ready to be asked."""

    _denies: tuple[_Compiled, ...]
    _allows: tuple[_Compiled, ...]

    @classmethod
    def compile(cls, windows: Sequence[Window]) -> "Windows":
        """Raises InvalidSpec naming the window's field, what is wrong with it and the cure."""
        compiled = [_compiled(window, position) for position, window in enumerate(windows)]
        return cls(
            tuple(window for window in compiled if window.kind == DENY),
            tuple(window for window in compiled if window.kind == ALLOW),
        )

    def look(self, now: datetime) -> Opening:
        """Whether Applications may be moved at `now`, why, and until when that holds."""
        deciding = [window for window in self._denies if covers(window.recurrence, now)]
        denied = bool(deciding)
        is_open = not denied
        if is_open and self._allows:
            deciding = [window for window in self._allows if covers(window.recurrence, now)]
            is_open = bool(deciding)
        named = deciding or list(self._allows)
        zones = [window.recurrence.zone for window in (*named, *self._denies)]
        return Opening(
            open=is_open,
            because=_titles([window.title for window in named]),
            until=next_change(
                [window.recurrence for window in self._denies],
                [window.recurrence for window in self._allows],
                now,
                now + HORIZON,
            ),
            zone=zones[0] if zones else UTC,
            denied=denied,
        )


def _compiled(window: Window, position: int) -> _Compiled:
    field = f"spec.gates.windows[{position}]"
    try:
        schedule = Schedule.parse(window.schedule)
    except InvalidSpec as error:
        raise InvalidSpec(f"{field}.schedule {error}") from None
    try:
        zone = ZoneInfo(window.time_zone)
    except (KeyError, ValueError, OSError):  # unknown; no name of a zone; the name of a directory of zones
        raise InvalidSpec(
            f"{field}.timeZone '{window.time_zone}' is no time zone that is known here: write its IANA name, such as "
            "Europe/Berlin or UTC; upper and lower case count"
        ) from None
    return _Compiled(window.kind, window.title, Recurrence(schedule, zone, timedelta(seconds=window.duration_s)))


def _titles(titles: Sequence[str]) -> str:
    more = len(titles) - _NAMED
    return ", ".join(titles[:_NAMED]) + (f" and {more} more" if more > 0 else "")
