"""A higher wave starts when everything below it is healthy with the bundle, and says what it waits for."""

from dataclasses import replace

import pytest

from bundlewatch.rollout.plan import Action, Step
from bundlewatch.rollout.progress import Progress
from bundlewatch.rollout.targets import Unmet
from bundlewatch.rollout.waves import hurdle, queued
from unit.rollout.aims import NOW, target

SETTLED = Progress("Healthy", NOW, None, "1.0.1")
ROLLING = replace(SETTLED, phase="Progressing", deadline=NOW)


def steps(low: Action, *, high: Action = Action.MOVE) -> list[Step]:
    return [
        Step(target("1.0.0", name="canary"), low, "1.0.1"),
        Step(target("1.0.0", name="shop", wave=5), high, "1.0.1"),
    ]


def after(found: list[Step], low: Progress, *unmet: Unmet) -> dict[str, Step]:
    progress = {("canary", 0): low, ("shop", 0): SETTLED}
    planned = queued(found, hurdle=hurdle("1.0.1", found, unmet, progress=progress))
    return {step.target.application.name: step for step in planned}


def test_a_higher_wave_starts_when_the_lower_one_is_healthy() -> None:
    assert after(steps(Action.KEEP), SETTLED)["shop"].action is Action.MOVE


@pytest.mark.parametrize(
    ("low", "progress", "says"),
    [
        pytest.param(Action.MOVE, SETTLED, "not healthy with 1.0.1 yet", id="it is only being moved"),
        pytest.param(Action.KEEP, ROLLING, "not healthy with 1.0.1 yet", id="it is on its way"),
        pytest.param(Action.KEEP, replace(ROLLING, phase="Healthy"), "not healthy with", id="healthy only just now"),
        pytest.param(Action.HOLD, SETTLED, "held back", id="a person holds it"),
        pytest.param(Action.REFUSE, SETTLED, "must not be moved", id="it cannot be moved"),
        pytest.param(Action.TAKE_BACK, SETTLED, "taken back", id="it is being taken back"),
    ],
)
def test_until_then_it_waits_and_says_for_whom(low: Action, progress: Progress, says: str) -> None:
    planned = after(steps(low), progress)["shop"]

    assert planned.action is Action.QUEUE
    assert "wave 0: canary" in planned.message
    assert says in planned.message


def test_the_lowest_wave_waits_for_nobody() -> None:
    assert after(steps(Action.MOVE), SETTLED)["canary"].action is Action.MOVE


def test_a_wish_that_leads_nowhere_holds_the_higher_waves_back() -> None:
    missing = Unmet("blue", None, "ApplicationNotFound", True, "there is no Application blue")

    planned = after(steps(Action.KEEP), SETTLED, missing)["shop"]

    assert planned.action is Action.QUEUE
    assert "blue" in planned.message


def test_what_is_there_already_is_not_turned_back() -> None:
    assert after(steps(Action.MOVE, high=Action.KEEP), SETTLED)["shop"].action is Action.KEEP
