"""Sync windows of an AppProject: when Argo CD itself would sync an Application, and when somebody may ask it to.

Read from Argo CD's SyncWindows (Matches, Active, InactiveAllows, CanSync), whose rules differ from those of a
BundleWatch's own windows:

- robfig's cron and no zone: the schedule is compared with the time of day that the zone's offset of *this moment*
  makes, so that a window which is on while clocks change is moved by the change, and no time is left out or
  comes twice.
- A schedule that never comes is always on; one that Argo CD cannot read lets nothing through.
- `*/2` as a day field counts as a named day, not as a star: a day then need fit only one of the two day fields.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import re2

from bundlewatch.api import duration
from bundlewatch.api.cron import NeverComes, Schedule
from bundlewatch.api.moments import shown
from bundlewatch.api.spans import Recurrence, change_of_offset, covers, is_open, next_change
from bundlewatch.api.text import clean
from bundlewatch.argocd import body
from bundlewatch.argocd.application import Application
from bundlewatch.errors import InvalidSpec

HORIZON: Final = timedelta(days=2 * 366)

_ALLOW = "allow"
_DENY = "deny"
_WINDOWS_LIMIT = 256
_GLOBS_LIMIT = 256
_SHOWN_LIMIT = 64
# robfig's cron knows no L, W and #, and of Sunday only 0.
_ROBFIG = re.compile(
    r"([0-9*/,?-]+) +([0-9*/,?-]+) +([0-9*/,?-]+) +([0-9A-Za-z*/,?-]+) +((?:[0-68-9A-Za-z*,?-]|/\d+)+)"
)
_STEPPED = re.compile(r"(?:(?<=,)|^)\*(?=/0*(?:[2-9]|1\d))")
_OFFSETS_LIMIT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """What the sync windows of its AppProject let an Application do at one moment."""

    may_auto: bool
    may_manual: bool
    """Whether a sync that does not say `automated` would pass: a person's, or one that a BundleWatch asks for."""
    window: str
    """The window that decides, in words; "" where none applies to the Application."""
    until: datetime | None
    """When `may_auto` is next something else; None: not within HORIZON, or not foreseeable."""

    @property
    def message(self) -> str:
        """For a person; fixed times only."""
        if not self.window:
            return "no sync window applies"
        until = f" until {shown(self.until)}" if self.until is not None else ""
        if self.may_auto:
            return f"{self.window} lets syncs through{until}"
        how = "automatic syncs" if self.may_manual else "every sync"
        return f"{self.window} holds {how} back{until}"


@dataclass(frozen=True, slots=True)
class _Window:
    kind: str
    words: str
    manual: bool
    """Syncs that are not automatic pass it all the same."""
    schedule: Schedule | None
    """None: Argo CD cannot read it."""
    lasts: timedelta
    zone: tzinfo
    applications: tuple[str, ...]
    namespaces: tuple[str, ...]
    clusters: tuple[str, ...]
    all_of_them: bool
    """An Application has to be meant by each of the three lists that is there, and not by one of them."""

    def applies_to(self, application: Application) -> bool:
        destination = application.destination
        answers = [
            any(_matches(glob, name) for glob in globs for name in names if name or names == (application.name,))
            for globs, names in (
                (self.applications, (application.name,)),
                (self.clusters, (destination.name, destination.server)),
                (self.namespaces, (destination.namespace,)),
            )
            if globs
        ]
        return bool(answers) and (all(answers) if self.all_of_them else any(answers))

    def at(self, now: datetime) -> Recurrence:
        """As it is reckoned at `now`: by the offset that its zone has then, also for what lies before and after."""
        assert self.schedule is not None
        offset = now.astimezone(self.zone).utcoffset()
        return Recurrence(self.schedule, timezone(offset or timedelta()), self.lasts)


@dataclass(frozen=True, slots=True)
class SyncWindows:
    """The sync windows of one AppProject; two are equal when they let the same syncs through."""

    _windows: tuple[_Window, ...] = ()

    @classmethod
    def parse(cls, live: Mapping[str, object]) -> "SyncWindows":
        """Those in the body of a live AppProject. Never fails: what has the wrong shape reads as absent."""
        project = body.text(body.mapping(live.get("metadata")).get("name"))
        entries = body.sequence(body.mapping(live.get("spec")).get("syncWindows"))[:_WINDOWS_LIMIT]
        read = [_window(body.mapping(entry), project=project) for entry in entries]
        return cls(tuple(window for window in read if window.kind in {_ALLOW, _DENY}))

    def look(self, application: Application, now: datetime) -> Sync:
        """What they let `application`, which must be of this project, do at `now`."""
        windows = [window for window in self._windows if window.applies_to(application)]
        if not windows:
            return Sync(may_auto=True, may_manual=True, window="", until=None)
        unreadable = next((window for window in windows if window.schedule is None), None)
        if unreadable is not None:
            words = f"{unreadable.words}, which cannot be read,"
            return Sync(may_auto=False, may_manual=False, window=words, until=None)
        denies, allows = ([window for window in windows if window.kind == kind] for kind in (_DENY, _ALLOW))
        until = _until(denies, allows, now)
        shut = [window for window in denies if covers(window.at(now), now)]
        free = [window for window in allows if covers(window.at(now), now)]
        if shut or (allows and not free):
            holding = shut or allows
            strictest = next((window for window in holding if not window.manual), None)
            deciding = strictest or holding[0]
            return Sync(may_auto=False, may_manual=strictest is None, window=deciding.words, until=until)
        return Sync(may_auto=True, may_manual=True, window=(free or denies)[0].words, until=until)


def _until(denies: Sequence[_Window], allows: Sequence[_Window], now: datetime) -> datetime | None:
    """Offset by offset: windows are reckoned anew whenever the clocks of one of their zones change."""
    zones = {window.zone for window in (*denies, *allows)}
    before, at = now + HORIZON, now
    answer: bool | None = None
    for _ in range(_OFFSETS_LIMIT):
        shutting, freeing = ([window.at(at) for window in windows] for windows in (denies, allows))
        now_open = is_open(shutting, freeing, at)
        if answer is not None and now_open != answer:
            return at
        answer = now_open
        found = next_change(shutting, freeing, at, before)
        changes = [change_of_offset(zone, at, found or before) for zone in zones]
        first = min((change for change in changes if change is not None), default=None)
        if first is None or first >= before:
            return found
        at = first
    return None


def _window(entry: Mapping[str, object], *, project: str) -> _Window:
    kind, schedule, lasts = (body.text(entry.get(key)) for key in ("kind", "schedule", "duration"))
    zone = body.text(entry.get("timeZone")) or "UTC"
    shown_ones = [clean(text, max_length=_SHOWN_LIMIT) for text in (kind, schedule, lasts, zone, project)]
    read = _recurring(schedule, lasts)
    applications, namespaces, clusters = (
        tuple(body.word(glob) for glob in body.sequence(entry.get(key))[:_GLOBS_LIMIT])
        for key in ("applications", "namespaces", "clusters")
    )
    return _Window(
        kind=body.word(kind),
        words="sync window {} '{}' for {} ({}) of AppProject {}".format(*shown_ones),
        manual=entry.get("manualSync") is True,
        schedule=read[0] if read else None,
        lasts=read[1] if read else timedelta(),
        zone=_zone(zone),
        applications=applications,
        namespaces=namespaces,
        clusters=clusters,
        all_of_them=entry.get("andOperator") is True,
    )


def _recurring(schedule: str, lasts: str) -> tuple[Schedule, timedelta] | None:
    fields = _ROBFIG.fullmatch(schedule.strip())
    try:
        length = timedelta(seconds=duration.seconds(lasts))
    except ValueError:
        return None
    if fields is None:
        return None
    minute, hour, day, month, weekday = (text.replace("?", "*") for text in fields.groups())
    day, weekday = _STEPPED.sub("1-31", day), _STEPPED.sub("0-6", weekday)
    try:
        return Schedule.parse(f"{minute} {hour} {day} {month} {weekday}"), length
    except NeverComes:  # its next time is then the zero time, which is in the past: it is on
        return Schedule.parse("* * * * *"), timedelta(days=365)
    except InvalidSpec:
        return None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # Argo CD warns in its log, and takes UTC
        return UTC


def _matches(glob: str, text: str) -> bool:
    """As github.com/gobwas/glob does without separators; a glob that is none matches nothing."""
    if glob in {"*", text}:
        return True
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.fullmatch(_expression(glob), text, options) is not None
    except re2.error:
        return False


_PART: Final = re.compile(r"\\(?P<escaped>.)|\[(?P<negated>!?)(?P<set>[^\]]+)\]|(?P<other>.)", re.DOTALL)
_MEANING: Final[Mapping[str, str]] = MappingProxyType({"*": ".*", "?": "."})


def _expression(glob: str) -> str:
    depth, written = 0, []
    for part in _PART.finditer(glob):
        escaped, negated, chosen, other = part["escaped"], part["negated"], part["set"], part["other"]
        if escaped is not None:
            written.append(re2.escape(escaped))
        elif chosen is not None:
            inner = "".join(each if each == "-" else re2.escape(each) for each in chosen)
            written.append(f"[{'^' if negated else ''}{inner}]")
        elif other == "{":
            depth += 1
            written.append("(?:")
        elif other == "}" and depth:
            depth -= 1
            written.append(")")
        elif other == "," and depth:
            written.append("|")
        else:
            written.append(_MEANING.get(other) or re2.escape(other))
    return "".join(written)
