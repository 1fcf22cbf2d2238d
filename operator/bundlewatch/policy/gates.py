"""Whether a bundle has to wait: approval, age and what other BundleWatches say of it; and whether everything does.

Windows hold every move, the other gates hold one bundle; so the two are asked apart. What is learned on the way
(what was approved as which digest, when which bundle was first seen) is handed back to be kept in status. How an
upstream comes to its word is said in `rollout.chain`.

No message here ticks: it names fixed times, or an idle system would write its status at every pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bundlewatch.api import gates as api
from bundlewatch.api.annotations import APPROVE, command
from bundlewatch.api.moments import moment, rfc3339, shown
from bundlewatch.api.status import APPROVED_MAX, FIRST_SEEN_MAX, Approved, FirstSeen
from bundlewatch.policy.verdict import Reason
from bundlewatch.policy.windows import HORIZON, Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What holds a bundle back, or every move."""

    reason: Reason
    message: str
    """For a person: why, since when or until when, and what to do where something can be done."""
    until: datetime | None
    """When the passing of time alone may end it; None: something has to happen, or it is not foreseeable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The bundle that may go or has to wait."""

    tag: str
    digest: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What one upstream says of a bundle."""

    met: bool
    message: str
    """Why it is, or is not yet, enough."""
    until: datetime | None = None
    """When it will be enough if it stays healthy there; None: it is, or it is not healthy there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Whether a person has approved a bundle, and what status is to remember of it."""

    granted: bool
    recorded: tuple[Approved, ...]
    """For status.approved, newest first; the same as before when there is nothing new."""
    approved_digest: str | None = None
    """Where the tag was approved, but as another bundle: the digest it had then, or that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """`spec.gates` of one BundleWatch, ready to be asked."""

    spec: api.Gates
    name: str
    namespace: str
    windows: Windows

    @classmethod
    def compile(cls, spec: api.Gates, *, name: str, namespace: str) -> "Gates":
        """Those of BundleWatch `namespace/name`. Raises InvalidSpec naming the field, what is wrong and the cure."""
        return cls(spec=spec, name=name, namespace=namespace, windows=Windows.compile(spec.windows))

    def why_not(
        self,
        bundle: Candidate,
        *,
        approval: Approval,
        first_seen: datetime | None,
        upstreams: Mapping[str, Soak],
        now: datetime,
    ) -> Waiting | None:
        """The first gate that is shut for `bundle`; None: it may go, as far as it itself is concerned.

        `approval`: of this bundle, see `approve`; `first_seen`: see `first_seen_of`, None counts from now;
        `upstreams`: by name, what each one of spec.gates.after says.
        """
        return (
            self._unapproved(bundle, approval)
            or self._too_young(bundle, first_seen, now)
            or self._unproven(bundle, upstreams)
        )

    def closed(self, now: datetime) -> Waiting | None:
        """Why nothing may be moved at `now`; None: it may."""
        opening = self.windows.look(now)
        if opening.open:
            return None
        if opening.until is None:
            ends = f"until after {HORIZON.days // 366} years or for ever: change spec.gates.windows, or set spec.pin"
        else:
            ends = f"until {shown(opening.until, opening.zone)}"
        within = "within" if opening.denied else "outside of"
        message = f"Applications are not moved {within} {opening.because}, {ends}"
        return Waiting(reason=Reason.OUTSIDE_WINDOW, message=message, until=opening.until)

    def _unapproved(self, bundle: Candidate, approval: Approval) -> Waiting | None:
        if self.spec.approval != api.MANUAL or approval.granted:
            return None
        approve_it = command(self.name, self.namespace, APPROVE, bundle.tag)
        if approval.approved_digest is None:
            message = f"{bundle.tag} waits for a person's approval: {approve_it}"
        else:
            seen = Approved(tag=bundle.tag, digest=approval.approved_digest) in approval.recorded
            why = "it was pushed anew" if seen else "it was pushed anew since, or the digest was mistyped"
            message = (
                f"{bundle.tag} was approved as {approval.approved_digest}, but is {bundle.digest} now: {why}. "
                f"To approve what it is now: {approve_it}@{bundle.digest}"
            )
        return Waiting(reason=Reason.AWAITING_APPROVAL, message=message, until=None)

    def _too_young(self, bundle: Candidate, first_seen: datetime | None, now: datetime) -> Waiting | None:
        if self.spec.min_age is None:
            return None
        until = (first_seen or now) + timedelta(seconds=self.spec.min_age_s)
        if until <= now:
            return None
        message = f"{bundle.tag} must be {self.spec.min_age} old"
        if first_seen is not None:
            message += f": it was first seen {shown(first_seen)} and may go {shown(until)}"
        return Waiting(reason=Reason.TOO_YOUNG, message=message, until=until)

    def _unproven(self, bundle: Candidate, upstreams: Mapping[str, Soak]) -> Waiting | None:
        unknown = Soak(met=False, message="has not been looked at yet")
        said = [(upstream.name, upstreams.get(upstream.name, unknown)) for upstream in self.spec.after]
        lacking = [(name, soak) for name, soak in said if not soak.met]
        if not lacking:
            return None
        ends = [soak.until for _, soak in lacking if soak.until is not None]
        messages = "; ".join(f"BundleWatch {name} {soak.message}" for name, soak in lacking)
        return Waiting(
            reason=Reason.AWAITING_UPSTREAM,
            message=f"{bundle.tag} must be healthy elsewhere first: {messages}",
            until=max(ends) if len(ends) == len(lacking) else None,
        )


def approve(recorded: Sequence[Approved], annotation: str | None, *, tag: str, digest: str) -> Approval:
    """Whether `digest`, which `tag` has now, is approved by the annotation or was before.

    `annotation`: `TAG` or `TAG@DIGEST`. A tag alone approves the bundle that it names when that is first seen; who
    has approved 1.0.3 has not approved what somebody pushes as 1.0.3 later.
    """
    known = tuple(recorded[:APPROVED_MAX])
    as_digests = [each.digest for each in known if each.tag == tag]
    if digest in as_digests:
        return Approval(granted=True, recorded=known)
    asked_tag, at, asked_digest = (annotation or "").partition("@")
    if asked_tag == tag and (asked_digest == digest if at else not as_digests):
        newest = Approved(tag=tag, digest=digest)
        return Approval(granted=True, recorded=(newest, *known)[:APPROVED_MAX])
    other = asked_digest if asked_tag == tag and asked_digest else next(iter(as_digests), None)
    return Approval(granted=False, recorded=known, approved_digest=other)


def note_first_seen(
    recorded: Sequence[FirstSeen], seen: Iterable[tuple[str, str]], now: datetime
) -> tuple[FirstSeen, ...]:
    """For status.first_seen: the oldest time of each digest, in the order of `seen`, then what is seen no more.

    `seen`: tag and digest of what may be taken, best first. What is not among it goes first when there is no room;
    a digest whose time is not known counts from `now`.
    """
    oldest: dict[str, FirstSeen] = {}
    for entry in recorded:
        before = oldest.get(entry.digest)
        if moment(entry.time) is not None and (before is None or _time(entry) < _time(before)):
            oldest[entry.digest] = entry
    kept: dict[str, FirstSeen] = {}
    for tag, digest in seen:
        if digest not in kept:
            kept[digest] = oldest.get(digest) or FirstSeen(digest=digest, tag=tag, time=rfc3339(now))
    for digest, entry in oldest.items():
        kept.setdefault(digest, entry)
    return tuple(kept.values())[:FIRST_SEEN_MAX]


def first_seen_of(recorded: Iterable[FirstSeen], digest: str) -> datetime | None:
    """When `digest` was first seen, under whatever tag; None: not yet, or nobody knows any more."""
    times = [moment(entry.time) for entry in recorded if entry.digest == digest]
    return min((time for time in times if time is not None), default=None)


def _time(entry: FirstSeen) -> datetime:
    found = moment(entry.time)
    assert found is not None
    return found
