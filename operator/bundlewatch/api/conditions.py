"""Conditions as kstatus reads them: `Ready` always, `Reconciling` and `Stalled` only while they are true.

https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md: a tool that knows nothing of
us must be able to tell "done", "on its way" and "stuck" apart. A person's mistake is Stalled, since time
cannot cure it; a passing fault is Reconciling with reason ProgressingWithRetry; both make Ready False. A
rollout under way makes Ready Unknown, so that an alert on Ready=False does not fire at every release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from bundlewatch.api.status import Condition, Truth
from bundlewatch.errors import BundleWatchError


class Type(StrEnum):
    """The condition types that are ours; others in the list are somebody else's and stay as they are."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason(StrEnum):
    """Reasons of ours; those of errors are in `errors`, one per class."""

    UP_TO_DATE = "UpToDate"  # Ready=True: every Application runs the best bundle there is for it
    SUSPENDED = "Suspended"  # Ready=True: spec.suspend; nothing is looked at, nothing is changed
    PROGRESSING = "Progressing"  # Ready=Unknown, Reconciling=True: Applications are on their way
    RETRYING = "ProgressingWithRetry"  # Reconciling=True: a fault that time may cure
    DEGRADED = "Degraded"  # Ready=False: Argo CD says so of an Application
    ROLLED_BACK = "RolledBack"  # Stalled=True: a release failed and was taken back; nothing newer is there
    RELEASE_FAILED = "ReleaseFailed"  # Stalled=True: a release failed and stays as it is
    NO_CANDIDATE = "NoCandidate"  # Ready=False: no tag of the repository may be taken
    NO_APPLICATION = "NoApplication"  # Ready=False: no Application to move
    CONFLICT = "Conflict"  # Stalled=True: another BundleWatch owns the Application's source


@dataclass(frozen=True, slots=True)
class State:
    """What one look at a BundleWatch came to; made by one of the class methods, which name the four ways."""

    ready: Truth
    reason: str
    message: str
    also: Type | None = None  # the second condition, which is then True
    also_reason: str = ""

    @classmethod
    def settled(cls, message: str, *, reason: str = Reason.UP_TO_DATE) -> Self:
        """All is as it should be; nothing is under way."""
        return cls("True", reason, message)

    @classmethod
    def progressing(cls, message: str, *, reason: str = Reason.PROGRESSING) -> Self:
        """Something is under way and needs only time."""
        return cls("Unknown", reason, message, Type.RECONCILING, reason)

    @classmethod
    def retrying(cls, message: str, *, reason: str) -> Self:
        """A fault that may pass; it is tried again."""
        return cls("False", reason, message, Type.RECONCILING, Reason.RETRYING)

    @classmethod
    def stalled(cls, message: str, *, reason: str) -> Self:
        """A person has to change something."""
        return cls("False", reason, message, Type.STALLED, reason)

    @classmethod
    def unready(cls, message: str, *, reason: str) -> Self:
        """Not as it should be, but there is nothing for us to retry nor a mistake in the BundleWatch."""
        return cls("False", reason, message)

    @classmethod
    def of_error(cls, error: BundleWatchError) -> Self:
        """The state that an error means; it knows its reason and whether time can cure it."""
        make = cls.retrying if error.retry else cls.stalled
        return make(error.message, reason=error.reason)


_OURS: Final = frozenset(Type)


def conditions(previous: Sequence[Condition], *, state: State, now: str, generation: int) -> tuple[Condition, ...]:
    """The conditions to write: Ready, then Reconciling or Stalled, then those of others, untouched.

    `previous` are those of the live object, `now` an RFC 3339 time, `generation` the object's. A condition
    keeps its transition time while its status does, so that the same state twice gives equal conditions.
    """
    known = {condition.type: condition for condition in previous}

    def condition(kind: Type, *, status: Truth, reason: str) -> Condition:
        before = known.get(kind)
        return Condition(
            type=kind.value,
            status=status,
            reason=str(reason),
            message=state.message,
            last_transition_time=before.last_transition_time if before and before.status == status else now,
            observed_generation=generation,
        )

    made = [condition(Type.READY, status=state.ready, reason=state.reason)]
    if state.also is not None:
        made.append(condition(state.also, status="True", reason=state.also_reason))
    return (*made, *(foreign for foreign in previous if foreign.type not in _OURS))
