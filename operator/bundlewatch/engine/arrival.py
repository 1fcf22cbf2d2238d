"""Whether one bundle has arrived on every Application of a BundleWatch: the answer of `bundlewatch wait`.

Pure: it judges one status at a time, and rests on nothing but what the operator tells there. Right after a push that
status is still about the bundle before, so bad news counts only once the operator has looked again.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from bundlewatch.api import conditions
from bundlewatch.api.conditions import Type
from bundlewatch.api.moments import moment
from bundlewatch.api.rollout import IGNORE
from bundlewatch.api.v1alpha1 import ApplicationStatus, BundleWatch, Condition, Identity, Quarantined, Status, Verdict
from bundlewatch.argocd.assessment import Phase
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.errors import InvalidPattern, InvalidRange, InvalidReference, InvalidSpec
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.verdict import Reason
from bundlewatch.rollout.phases import BLOCKED, HELD, ILL, REVERTED

NOT_LOOKED: Final = "NotLooked"
NOT_LISTED: Final = "NotListed"
SUSPENDED: Final = "Suspended"
NO_APPLICATION: Final = "NoApplication"
PINNED: Final = "Pinned"

UNHEARD: Final = "check that the operator runs and serves the namespace, and that the registry answers"
"""What to do where no look at the registry was heard of in time."""

_NEVER: Final = frozenset(
    {
        *(Reason.NOT_A_BUNDLE_TAG, Reason.PATTERN_MISMATCH, Reason.EXCLUDED, Reason.NOT_A_VERSION, Reason.PRERELEASE),
        *(Reason.OUT_OF_RANGE, Reason.DOWNGRADE, Reason.NOT_A_CHART, Reason.CHART_NAME_MISMATCH),
        *(Reason.NOT_DEPLOYABLE, Reason.IMAGES_MISSING, Reason.UNVERIFIED),
    }
)
"""Verdicts that no waiting changes."""

_NOT_NOW: Final = frozenset(
    {
        *(Reason.TOO_YOUNG, Reason.OUTSIDE_WINDOW, Reason.AWAITING_APPROVAL, Reason.AWAITING_UPSTREAM),
        *(Reason.HELD, Reason.VANISHED),
    }
)
_BY_TIME: Final = frozenset({Reason.TOO_YOUNG, Reason.OUTSIDE_WINDOW, Reason.AWAITING_UPSTREAM})

_STUCK: Final = frozenset(
    {"Conflict", "NoMatchingSource", "SeveralMatchingSources", "UnsupportedApplication", "TooManyApplications"}
)
"""Phases that only a change of the BundleWatch or the Application ends, whatever the bundle."""

_SPEC_MISTAKES: Final = frozenset(
    error.reason for error in (InvalidSpec, InvalidReference, InvalidPattern, InvalidRange)
)
"""Reasons of Stalled that only a change of a spec ends. What a Secret or the registry is to blame for may heal."""

_OF_RELEASES: Final = frozenset(
    {conditions.Reason.ROLLED_BACK, conditions.Reason.RELEASE_FAILED, conditions.Reason.NO_CANDIDATE}
    | {HELD, REVERTED, BLOCKED, *ILL}
)
"""Reasons of Ready that were found from a whole list of the tags."""

_SHOWN: Final = 3


class Ending(StrEnum):
    """How waiting ends."""

    HEALTHY = "Healthy"
    FAILED = "Failed"
    """It failed, or can never go."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is to be told of one Application, or, without one, of the bundle; told again when it changes."""

    application: str | None
    phase: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What one status says. Without an ending, `reason` and `message` are what is waited for."""

    lines: tuple[Line, ...]
    reason: str
    message: str
    ending: Ending | None = None


def answered(watch: Identity, asked: AbstractSet[str]) -> bool:
    """Whether the operator has looked at the registry, and at this spec, since it was asked to.

    `asked`: the tokens of our requests. A later request of somebody else replaces ours, and its answer will do.
    """
    status = watch.status
    handled = status.last_handled_reconcile_at
    current = status.observed_generation == watch.generation
    return current and handled is not None and handled in {*asked, watch.reconcile_requested}


def mistake(watch: Identity) -> tuple[str, str] | None:
    """The mistake that the operator has found in this spec, a word and a sentence; None: it tells of none."""
    if watch.status.observed_generation != watch.generation:
        return None
    for found in watch.status.conditions:
        if found.type == Type.STALLED and found.status == "True" and found.reason in _SPEC_MISTAKES:
            return found.reason, found.message
    return None


def news(before: Status, after: Status) -> bool:
    """Whether something was found out between two statuses about which bundle may go."""
    return (before.candidate, before.verdicts, before.quarantine) != (after.candidate, after.verdicts, after.quarantine)


def judge(
    watch: BundleWatch,
    tag: str,
    *,
    policy: Policy,
    now: datetime,
    looked: bool | None = True,
    or_newer: bool = False,
) -> Progress:
    """How far `tag` is on the Applications of `watch`.

    `policy`: the compiled one of the spec. `looked`: whether status is from after the push; None: that cannot be told,
    so only good news counts. `or_newer`: a newer bundle that is healthy everywhere will do.
    """
    case = _Case(watch, tag_of(tag), policy, now, or_newer)
    lines = tuple(_line(entry, watch.status.applications) for entry in watch.status.applications)
    if watch.spec.suspend:
        message = f"spec.suspend is true: nothing is moved until `bundlewatch resume {watch.name} -n {watch.namespace}`"
        return _waiting(lines, SUSPENDED, message)
    if (found := mistake(watch)) is not None:
        return _waiting(lines, *found)
    if looked is False or watch.status.observed_generation != watch.generation:
        return _waiting(lines, NOT_LOOKED, case.not_looked())
    arrived = case.arrived()
    if arrived is not None:
        return Progress(lines, str(Ending.HEALTHY), arrived, Ending.HEALTHY)
    never = case.never() if looked else None
    if never is not None:
        return Progress(lines, *never, Ending.FAILED)
    reason, message = case.waits_for()
    if case.is_under_way():  # the lines of the Applications say as much
        return Progress(lines, reason, message)
    return _waiting(lines, reason, message)


def _waiting(lines: tuple[Line, ...], reason: str, message: str) -> Progress:
    return Progress((Line(None, reason, message), *lines), reason, message)


def _line(entry: ApplicationStatus, entries: Sequence[ApplicationStatus]) -> Line:
    several = sum(other.name == entry.name for other in entries) > 1
    name = f"{entry.name}[{entry.source}]" if several else entry.name
    settling = "healthy, but not for long enough yet" if entry.phase == Phase.HEALTHY and entry.deadline else None
    said = (entry.target or entry.current, settling or entry.message)
    return Line(name, entry.phase or "", ": ".join(filter(None, said)))


@dataclass(frozen=True, slots=True)
class _Case:
    """One status, and what is asked of it."""

    watch: BundleWatch
    tag: str
    policy: Policy
    now: datetime
    or_newer: bool

    @property
    def status(self) -> Status:
        return self.watch.status

    @property
    def chosen(self) -> str | None:
        return self.status.candidate.tag if self.status.candidate is not None else None

    @property
    def followed(self) -> str:
        """The tag that is followed: a newer one where it was chosen instead and will do."""
        return self.chosen if self.chosen is not None and self.or_newer and self.is_newer(self.chosen) else self.tag

    def is_newer(self, tag: str) -> bool:
        ours, other = self.policy.read(self.tag), self.policy.read(tag)
        return ours is not None and other is not None and ours.is_older(other)

    def verdict(self) -> Verdict | None:
        return next((found for found in self.status.verdicts if found.tag == self.followed), None)

    def ready(self) -> Condition | None:
        return next((found for found in self.status.conditions if found.type == "Ready"), None)

    def not_looked(self) -> str:
        ready = self.ready()
        if ready is None:
            return f"the operator has said nothing of it yet: {UNHEARD}"
        said = f"; so far it says {self._in_short(ready)}" if ready.status == "False" else ""
        return f"the operator has yet to look at the registry{said}"

    def _in_short(self, ready: Condition) -> str:
        """Its reason and message; of another bundle's release only the first clause."""
        ours = ready.reason not in _OF_RELEASES or self.tag in ready.message.split()
        return f"{ready.reason}: {ready.message if ours else ready.message.partition('; ')[0]}"

    def arrived(self) -> str | None:
        """That it is healthy everywhere, in words; None: it is not."""
        found = [tag_of(entry.target) for entry in self.status.applications if entry.target and _settled(entry)]
        if not found or len(found) < len(self.status.applications):
            return None
        newer = sorted({tag for tag in found if tag != self.tag})
        if newer and not (self.or_newer and all(map(self.is_newer, newer))):
            return None
        went = f"{', '.join(newer)}, which is newer than {self.tag}," if newer else self.tag
        where = "its Application" if len(found) == 1 else f"all {len(found)} Applications"
        return f"{went} is healthy on {where}{self._pushed_anew()}"

    def _pushed_anew(self) -> str:
        """A caution: of a Helm source nobody can tell which digest it deployed under a tag that has moved."""
        moved, chosen = next(iter(self.status.history), None), self.status.candidate
        if moved is None or chosen is None or not moved.tag == chosen.tag == self.tag:
            return ""
        if None in {moved.digest, chosen.digest} or moved.digest == chosen.digest:
            return ""
        return (
            f"; but {self.tag} has been pushed anew since it was set, as {chosen.digest} instead of {moved.digest}: "
            "Argo CD deploys that for an oci:// source only, so publish each bundle under a tag of its own"
        )

    def never(self) -> tuple[str, str] | None:
        """Why it failed or cannot go any more: a word and a sentence; None: it still may."""
        if self.followed == self.tag:
            found = self._quarantined() or self._passed_over() or self._refused() or self._out_of_time()
            if found is not None:
                return found
        for entry in self.status.applications:
            if entry.phase in _STUCK or (entry.phase == BLOCKED and self.chosen == self.followed):
                return entry.phase, f"{entry.name}: {entry.message or 'it cannot be moved'}"
        return None

    def waits_for(self) -> tuple[str, str]:
        """What it waits for: a word and a sentence."""
        verdict, ready = self.verdict(), self.ready()
        if verdict is not None and self._has_to_wait():
            timed = verdict.reason in _BY_TIME and self.status.next_transition is not None
            when = f"; looked at again at {self.status.next_transition}" if timed else ""
            return verdict.reason, f"{self.followed}: {verdict.message or verdict.reason}{when}"
        if self.is_under_way():
            pending = [entry for entry in self.status.applications if not self._done(entry)]
            more = f" (and {len(pending) - _SHOWN} more)" if len(pending) > _SHOWN else ""
            told = "; ".join(_told(entry) for entry in pending[:_SHOWN])
            return pending[0].phase or str(Phase.WAITING), f"{self.followed} waits for {told}{more}"
        if ready is not None and ready.status == "False":
            if ready.reason in _OF_RELEASES and not self._is_known():
                return NOT_LISTED, f"{self._not_listed()}; besides, {self._in_short(ready)}"
            return ready.reason, ready.message
        if not self.status.applications:
            return NO_APPLICATION, "there is no Application to move; check spec.applications"
        if verdict is not None:
            return verdict.reason, f"{self.followed}: {verdict.message or verdict.reason}"
        return NOT_LISTED, self._not_listed()

    def _is_known(self) -> bool:
        """Whether status tells anything of the bundle."""
        told = {found.tag for found in self.status.verdicts} | {found.tag for found in self.status.quarantine}
        return self.followed in {*told, self.chosen} or self.policy.pin == self.tag

    def _not_listed(self) -> str:
        instead = f"; of what it lists, {self.chosen} is chosen" if self.chosen is not None else ""
        return f"the registry does not list {self.tag} yet, or far behind others{instead}"

    def is_under_way(self) -> bool:
        """Whether it is only the Applications that are waited for."""
        pending = any(not self._done(entry) for entry in self.status.applications)
        return pending and self.chosen == self.followed and not self._has_to_wait()

    def _has_to_wait(self) -> bool:
        verdict = self.verdict()
        return verdict is not None and verdict.reason in _NOT_NOW

    def _done(self, entry: ApplicationStatus) -> bool:
        return _settled(entry) and tag_of(entry.target or "") == self.followed

    def _quarantined(self) -> tuple[str, str] | None:
        entry = next(filter(self._is_ours, self.status.quarantine), None)
        if entry is None or self.policy.pin == self.tag:  # what is pinned goes past a quarantine
            return None
        runs = sorted({f"{found.name} {found.target}" for found in self.status.applications if found.target})
        back = f"; now set: {', '.join(runs[:_SHOWN])}{' …' if len(runs) > _SHOWN else ''}" if runs else ""
        again = f"bundlewatch retry {self.watch.name} -n {self.watch.namespace} {self.tag}"
        return entry.reason, (
            f"{self.tag} failed and is quarantined: {entry.message or entry.reason}{back}; "
            f"publish something newer, or have it tried again: {again}"
        )

    def _is_ours(self, entry: Quarantined) -> bool:
        """Whether it speaks of the bundle that has the tag now, as far as that can be told."""
        chosen = self.status.candidate
        now = chosen.digest if chosen is not None and chosen.tag == self.tag else None
        return entry.tag == self.tag and (None in {now, entry.digest} or now == entry.digest)

    def _passed_over(self) -> tuple[str, str] | None:
        pin = self.policy.pin
        if pin is not None and pin != self.tag:
            return PINNED, f"spec.pin asks for exactly {pin}"
        if self.chosen is not None and self.is_newer(self.chosen):
            message = f"{self.chosen}, which is newer, is chosen instead of {self.tag}; to follow that one: --or-newer"
            return str(Reason.SUPERSEDED), message
        verdict = self.verdict()
        failed = next((entry.tag for entry in self.status.quarantine if self.is_newer(entry.tag)), None)
        if verdict is not None and verdict.reason == Reason.SUPERSEDED and failed is not None:
            message = f"{failed}, which is newer than {self.tag}, failed; only something newer goes, or what is pinned"
            return str(Reason.SUPERSEDED), message
        if self.chosen != self.tag or self.or_newer:
            return None
        for entry in self.status.applications:
            if _settled(entry) and entry.target and self.is_newer(tag_of(entry.target)):
                return str(Reason.SUPERSEDED), f"{entry.name} stays at {entry.target}, which is newer than {self.tag}"
        return None

    def _refused(self) -> tuple[str, str] | None:
        if self.policy.pin is None:
            reason, _ = self.policy.judge(self.tag)
            if reason in _NEVER:
                return str(reason), f"{self.tag}: {self.policy.why(self.tag, reason)}"
        verdict = self.verdict()
        if verdict is not None and verdict.reason in _NEVER:
            return verdict.reason, f"{self.tag}: {verdict.message or verdict.reason}"
        return None

    def _out_of_time(self) -> tuple[str, str] | None:
        """Nothing follows the failure of what is pinned, nor where failures are ignored: only its time runs out."""
        if self.policy.pin is None and self.watch.spec.rollout.on_failure != IGNORE:
            return None
        for entry in self.status.applications:
            until = moment(entry.deadline)
            ours = entry.phase in ILL and tag_of(entry.target or "") == self.tag
            if ours and until is not None and until <= self.now:
                then = "publish something newer" if self.policy.pin is None else "set spec.pin to another tag"
                return entry.phase or "", f"{_told(entry)}; its time was up at {entry.deadline}; {then}"
        return None


def _settled(entry: ApplicationStatus) -> bool:
    return entry.phase == Phase.HEALTHY and entry.deadline is None


def _told(entry: ApplicationStatus) -> str:
    target = f" with {entry.target}" if entry.target else ""
    return f"{entry.name}, {entry.phase or Phase.WAITING}{target}" + (f": {entry.message}" if entry.message else "")
