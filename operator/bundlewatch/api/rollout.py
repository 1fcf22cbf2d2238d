"""How Applications are moved, and what follows when a release fails: the model of `spec.rollout`."""

from typing import Annotated, Final, Literal

from pydantic.dataclasses import dataclass

from bundlewatch.api import duration, grammar
from bundlewatch.api.fields import lasting
from bundlewatch.api.model import config

_Timeout = Annotated[str, lasting(grammar.INTERVAL, grammar.TIMEOUT_FLOOR, grammar.TIMEOUT_CEILING)]
_Grace = Annotated[str, lasting(grammar.INTERVAL, grammar.TIMEOUT_CEILING)]

AUTO: Final = "Auto"
REQUEST: Final = "Request"
ROLLBACK: Final = "Rollback"
HOLD: Final = "Hold"
IGNORE: Final = "Ignore"
OVERRIDE: Final = "Override"


@dataclass(frozen=True, slots=True, kw_only=True, config=config())
class Rollout:
    """How Applications are moved."""

    sync: Literal["Auto", "Request"] = "Auto"
    """
    Who has Argo CD apply what was set. Auto: Argo CD's automatic sync, or whoever syncs the Application by hand.
    Request: BundleWatch asks Argo CD to sync, never over a running operation and never against a sync window
    unless the AppProject lets manual syncs through. Default: Auto
    """

    timeout: _Timeout = "10m"
    """
    How long an Application may take to become Synced and Healthy with a bundle before the release has failed;
    time that it is paused, waits for a person or for a sync window does not count. From 10s to 24h. Default: 10m
    """

    degraded_for: _Grace = "2m"
    """
    How long an Application must be Degraded without a break before the release has failed; at most 24h. Pods that
    restart a few times at the start are Degraded for a while, too. Default: 2m
    """

    on_failure: Literal["Rollback", "Hold", "Ignore"] | None = None
    """
    What follows when a release fails. Rollback: the Application goes back, once, to the last target revision that
    this BundleWatch has seen healthy there, and the bundle is quarantined. Hold: the bundle is quarantined and
    goes nowhere else, the Application stays as it is. Ignore: nothing. A newer bundle goes out in any case. Left
    out: Rollback where syncs are automatic or requested, else Hold.
    """

    on_external_change: Literal["Hold", "Override"] = "Hold"
    """
    What follows when somebody else sets the target revision of an Application. Hold: it is left alone until the
    annotation bundlewatch.dev/resume has a new value, or pin asks for something else. Override: it is set again;
    whoever goes on changing it three times within ten minutes has it left alone, too. Default: Hold
    """

    allow_downgrade: bool = False
    """
    true: what `tags` chooses is set also where something newer runs, or something of which that cannot be
    told. Meant for going back by a narrower range; to go back to one certain tag, use pin. Default: false
    """

    @property
    def timeout_s(self) -> float:
        return duration.seconds(self.timeout)

    @property
    def degraded_for_s(self) -> float:
        return duration.seconds(self.degraded_for)
