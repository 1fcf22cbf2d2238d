"""People first: what follows when somebody else has set a target revision after we had set it.

A person's change is respected: the target is left alone until they say otherwise. Whoever *made* the Application
(an ApplicationSet, a parent Application) does not decide anything by putting back what its template says; that is
set again, as is any change where the spec says so. But nobody wins a fight between controllers: after three times
within ten minutes it is left alone as well, and the writer is named.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bundlewatch.api.annotations import RESUME, command
from bundlewatch.api.moments import moment
from bundlewatch.api.status import REVERTS_MAX
from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.assessment import Phase
from bundlewatch.argocd.ownership import maker_of, warning
from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.policy.order import Reader
from bundlewatch.rollout.phases import HELD, REVERTED
from bundlewatch.rollout.targets import Target

_BY_AN_OPERATION = frozenset({Phase.SYNCING, Phase.WAITING, Phase.PROGRESSING})
_FIGHT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a target is left alone: a phase, and the sentence for people."""

    phase: str
    message: str


@dataclass(frozen=True, slots=True)
class Contest:
    """It was put back, and is set again; `reverts`: when that happened of late, this time included."""

    reverts: tuple[datetime, ...]
    message: str
    """Who had set it to what, and why that does not stand."""


def intrusion(
    target: Target, record: ApplicationStatus, *, watch: str, override: bool, read: Reader, now: datetime
) -> Hold | Contest | None:
    """What follows from a change by somebody else; None: there was none.

    `override`: the spec says that whatever somebody else sets is set again.
    """
    writer = _overruled_by(target, record, watch=watch, read=read)
    if writer is None:
        return None
    maker = maker_of(target.application)
    by_maker = maker is not None and target.live == (record.previous or "")
    if record.phase not in {HELD, REVERTED} and (override or by_maker):
        reverts = lately(record, now=now)
        if len(reverts) < REVERTS_MAX:
            why = "rollout.onExternalChange is Override" if override else "that is what its maker puts back"
            return Contest((*reverts, now), f"{writer or 'somebody'} had set {target.live or 'nothing'}; {why}")
        return Hold(REVERTED, _fought(writer, target, record.target or "", watch))
    if record.phase == REVERTED:
        return Hold(REVERTED, _fought(writer, target, record.target or "", watch))
    return Hold(HELD, _held(writer, target, record.target or "", watch))


def rolled_back(target: Target, record: ApplicationStatus, *, watch: str) -> Hold | None:
    """What follows from a person's rollback in Argo CD, which applies an older version and leaves the spec as it is;
    None: there was none since we last looked.

    Argo CD refuses it while syncs are automatic, and only a rollback is given a source of its own.
    """
    application, state = target.application, target.application.operation_state
    live = target.live
    if application.automated or state is None or state.partial or record.target != live or state.info:
        return None
    index = target.source.index
    to = state.sources[index].target_revision if index < len(state.sources) else ""
    if to in {"", live} or state.phase in {"Failed", "Error"}:
        return None
    # What it shows while the rollback runs began after it; what we set last is then the last word before it.
    since = moment(record.moved_at if record.phase in _BY_AN_OPERATION else record.since)
    if record.phase != HELD and (state.started_at is None or since is None or state.started_at < since):
        return None
    who = state.initiated_by or "somebody"
    return Hold(
        HELD,
        f"{who} rolled the Application back to {to} in Argo CD, while targetRevision is {live}, so it is left alone; "
        f"to go on: {_resume(target, watch)}",
    )


def lately(record: ApplicationStatus | None, *, now: datetime) -> tuple[datetime, ...]:
    """The reverts that still count."""
    times = [moment(text) for text in record.reverts] if record is not None else []
    return tuple(found for found in times if found is not None and now - found < _FIGHT)


def _overruled_by(target: Target, record: ApplicationStatus, *, watch: str, read: Reader) -> str | None:
    """Who set the target to something else after we had set it, "" where nobody can be named; None: nobody did.

    Something else that is ours is a move that no status tells of. Of a list of sources the API server remembers
    only who wrote the list last, so there our own name proves nothing: what was held stays so; where another
    BundleWatch, of a source beside, wrote last, a person may have been there before it; and what is older than what we
    had set was not set by us, unless it is what we go back to.
    """
    live = target.live
    if not record.target or live == record.target:
        return None
    manager = target.writer(asked_by=f"{target.application.namespace}/{watch}")
    if manager is None or manager.name != FIELD_MANAGER:
        return manager.name if manager is not None else ""
    if record.phase in {HELD, REVERTED}:
        return ""
    if target.application.multi_source and live != record.fallback:
        now, before = read(tag_of(live)), read(tag_of(record.target))
        return "" if now is None or before is None or now.is_older(before) else None
    return None


def _held(writer: str, target: Target, wanted: str, watch: str) -> str:
    live = target.source.target_revision or "nothing"
    held = (
        f"{writer or 'somebody'} set targetRevision to {live} after BundleWatch had set {wanted}, so it is left alone"
    )
    return f"{held}{_cause(target)}; to go on: {_resume(target, watch)}"


def _fought(writer: str, target: Target, wanted: str, watch: str) -> str:
    live = target.source.target_revision or "nothing"
    fought = (
        f"{writer or 'somebody'} set targetRevision back to {live} {REVERTS_MAX + 1} times within ten minutes after "
        f"BundleWatch had set {wanted}, so it is left alone"
    )
    return f"{fought}{_cause(target)}; to try again: {_resume(target, watch)}"


def _cause(target: Target) -> str:
    maker = maker_of(target.application)
    return f"; {warning(target.application, target.source, maker=maker)}" if maker is not None else ""


def _resume(target: Target, watch: str) -> str:
    return command(watch, target.application.namespace, RESUME, '"$(date)"')
