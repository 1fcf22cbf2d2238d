"""What goes back after a failure, and whereto: the target revision that was seen healthy there, once."""

from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import ApplicationStatus, Quarantined, Rollout
from bundlewatch.rollout.plan import Action
from bundlewatch.rollout.quarantine import Quarantine
from bundlewatch.rollout.take_back import on_failure, take_backs
from unit.rollout.aims import SOON, record, records, target

FAILED = Quarantine((Quarantined(tag="1.0.1", digest="sha256:" + "a" * 64, reason="Degraded"),))


def released(**different: Any) -> ApplicationStatus:
    """What status remembers of a release to 1.0.1 that is under way."""
    return record("1.0.1", **{"deadline": SOON, "fallback": "1.0.0", "last_healthy": "1.0.0"} | different)


def whereto(
    remembered: ApplicationStatus,
    *,
    live: str = "1.0.1",
    quarantine: Quarantine = FAILED,
    rollout: Rollout | None = None,
    automated: bool = True,
) -> str | None:
    aims = [target(live, automated=automated)]
    steps = take_backs(aims, records=records(remembered), quarantine=quarantine, rollout=rollout or Rollout())
    assert all(step.action is Action.TAKE_BACK for step in steps)
    return steps[0].desired if steps else None


def test_a_failed_release_goes_back_to_what_was_healthy_before() -> None:
    assert whereto(released()) == "1.0.0"


@pytest.mark.parametrize(
    "remembered",
    [
        pytest.param(released(fallback=None), id="nothing is known to have been healthy"),
        pytest.param(released(deadline=None), id="it was seen healthy there with it"),
        pytest.param(record("1.0.0", last_healthy="1.0.0"), id="it is back already"),
        pytest.param(released(fallback="1.0.1"), id="there is no way back to where it is"),
    ],
)
def test_otherwise_it_stays(remembered: ApplicationStatus) -> None:
    assert whereto(remembered) is None


def test_what_somebody_else_has_set_is_not_taken_back() -> None:
    assert whereto(released(), live="1.0.7") is None


def test_what_has_not_failed_is_not_taken_back() -> None:
    assert whereto(released(), quarantine=Quarantine()) is None


def test_nothing_goes_back_to_what_has_failed_too() -> None:
    both = FAILED.add(Quarantined(tag="1.0.0", reason="Degraded"))

    assert whereto(released(), quarantine=both) is None


@pytest.mark.parametrize(
    ("rollout", "automated", "expected"),
    [
        pytest.param(Rollout(), True, "Rollback", id="syncs are automatic"),
        pytest.param(Rollout(), False, "Hold", id="nobody would apply what was taken back"),
        pytest.param(Rollout(sync="Request"), False, "Rollback", id="we ask for syncs"),
        pytest.param(Rollout(on_failure="Rollback"), False, "Rollback", id="asked for all the same"),
        pytest.param(Rollout(on_failure="Hold"), True, "Hold", id="asked to hold"),
        pytest.param(Rollout(on_failure="Ignore"), True, "Ignore", id="asked to ignore"),
    ],
)
def test_what_follows_a_failure(*, rollout: Rollout, automated: bool, expected: str) -> None:
    assert on_failure(rollout, target("1.0.1", automated=automated).application) == expected
    assert (whereto(released(), rollout=rollout, automated=automated) is not None) == (expected == "Rollback")
