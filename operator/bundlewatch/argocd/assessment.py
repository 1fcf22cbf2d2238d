"""The words for where an Application stands, for people (phase, message) and for machines (cause).

Phases and messages stand in status. A phase is a promise: a word is added, never given another meaning. Causes
are shown nowhere; they tell apart what shares a phase. How long a phase lasts is not part of them; whoever records
them knows since when.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    WAITING = "Waiting"
    """Argo CD has yet to look, or to look again."""
    SYNCING = "Syncing"
    """An operation is at work, or waits to be tried again."""
    PROGRESSING = "Progressing"
    """Applied; the resources are on their way."""
    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    FAILED = "Failed"
    """It cannot be rendered, is not permitted, or its sync has failed for good."""
    SUSPENDED = "Suspended"
    """Someone has paused it: a rollout, or Argo CD itself."""
    OUT_OF_SYNC = "OutOfSync"
    """Not applied, or not all of it, and nobody is at work on it."""


class Cause(StrEnum):
    """Why it is in its phase: for machines, who must not read messages."""

    DELETING = "Deleting"
    TARGET_REVISION_DIFFERS = "TargetRevisionDiffers"
    SKIP_RECONCILE = "SkipReconcile"
    NOT_PERMITTED = "NotPermitted"
    INTERNAL_ERROR = "InternalError"
    NOT_OBSERVED = "NotObserved"
    CANNOT_RENDER = "CannotRender"
    TAG_MOVED = "TagMoved"
    OTHER_OPERATION = "OtherOperation"
    RETRYING = "Retrying"
    SYNCING = "Syncing"
    SYNC_FAILED = "SyncFailed"
    HEALTH_STALE = "HealthStale"
    DRIFT = "Drift"
    STUCK_OPERATION = "StuckOperation"
    MANUAL_SYNC = "ManualSync"
    AUTO_SYNC_EXPECTED = "AutoSyncExpected"
    AUTO_SYNC_HELD = "AutoSyncHeld"
    OPERATION_HELD = "OperationHeld"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    HEALTH_UNKNOWN = "HealthUnknown"
    SUSPENDED = "Suspended"
    DEGRADED = "Degraded"
    HEALTHY = "Healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    phase: Phase
    cause: Cause
    message: str
    """One sentence, at most 300 characters, with Argo CD's own words where it said any."""
    recheck_at: datetime | None = None
    """When time alone may change the answer; None: only the Application can."""
