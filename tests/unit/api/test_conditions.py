"""Conditions by the rules of kstatus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch import errors
from bundlewatch.api.conditions import Reason, State, Type, conditions
from bundlewatch.api.status import Condition

THEN, NOW, LATER = "2026-11-24T04:00:00Z", "2026-11-24T05:00:00Z", "2026-11-24T06:00:00Z"

STATES = {
    "settled": State.settled("shop runs 1.0.3"),
    "suspended": State.settled("suspended", reason=Reason.SUSPENDED),
    "progressing": State.progressing("shop goes to 1.0.4"),
    "retrying": State.retrying("the registry does not answer", reason="RegistryUnavailable"),
    "stalled": State.stalled("spec.tags.range has no end", reason="InvalidRange"),
    "unready": State.unready("shop is Degraded", reason=Reason.DEGRADED),
}
ANY_STATE = st.sampled_from(list(STATES.values()))


def shown(made: tuple[Condition, ...]) -> list[tuple[str, str, str]]:
    return [(condition.type, condition.status, condition.reason) for condition in made]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("settled", [("Ready", "True", "UpToDate")]),
        ("suspended", [("Ready", "True", "Suspended")]),
        ("progressing", [("Ready", "Unknown", "Progressing"), ("Reconciling", "True", "Progressing")]),
        (
            "retrying",
            [("Ready", "False", "RegistryUnavailable"), ("Reconciling", "True", "ProgressingWithRetry")],
        ),
        ("stalled", [("Ready", "False", "InvalidRange"), ("Stalled", "True", "InvalidRange")]),
        ("unready", [("Ready", "False", "Degraded")]),
    ],
)
def test_a_state_shows_as_kstatus_expects(name: str, expected: list[tuple[str, str, str]]) -> None:
    made = conditions((), state=STATES[name], now=NOW, generation=3)

    assert shown(made) == expected
    assert {condition.message for condition in made} == {STATES[name].message}
    assert {condition.observed_generation for condition in made} == {3}
    assert {condition.last_transition_time for condition in made} == {NOW}


@given(st.lists(ANY_STATE, min_size=1, max_size=6))
def test_ready_is_always_there_and_the_others_never_together(states: list[State]) -> None:
    made: tuple[Condition, ...] = ()
    for generation, state in enumerate(states):
        made = conditions(made, state=state, now=NOW, generation=generation)
        types = [condition.type for condition in made]

        assert types.count("Ready") == 1
        assert len(types) == len(set(types))
        assert not {"Reconciling", "Stalled"} <= set(types)
        assert all(condition.status == "True" for condition in made if condition.type != "Ready")


@given(ANY_STATE)
def test_the_same_state_again_changes_nothing(state: State) -> None:
    made = conditions((), state=state, now=THEN, generation=3)

    assert conditions(made, state=state, now=NOW, generation=3) == made


def test_the_transition_time_moves_with_the_status_and_not_with_reason_or_generation() -> None:
    ready = conditions((), state=State.settled("on 1.0.3"), now=THEN, generation=1)
    still = conditions(ready, state=State.settled("on 1.0.4"), now=NOW, generation=2)
    broken = conditions(still, state=STATES["retrying"], now=LATER, generation=2)

    assert still[0].last_transition_time == THEN
    assert (still[0].message, still[0].observed_generation) == ("on 1.0.4", 2)
    assert broken[0].last_transition_time == LATER


def test_a_condition_that_came_back_starts_anew() -> None:
    first = conditions((), state=STATES["retrying"], now=THEN, generation=1)
    gone = conditions(first, state=STATES["settled"], now=NOW, generation=1)
    again = conditions(gone, state=STATES["retrying"], now=LATER, generation=1)

    assert [condition.last_transition_time for condition in again] == [LATER, LATER]


def test_conditions_of_others_stay_as_they_are() -> None:
    foreign = Condition(
        type="example.com/Audited", status="True", reason="Yes", message="by hand", last_transition_time=THEN
    )

    made = conditions((foreign,), state=STATES["stalled"], now=NOW, generation=1)

    assert [condition.type for condition in made] == ["Ready", "Stalled", "example.com/Audited"]
    assert made[2] == foreign


def error_classes() -> list[type[errors.BundleWatchError]]:
    found = [errors.BundleWatchError]
    for error in found:
        found.extend(error.__subclasses__())
    return found


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_every_error_shows_as_stalled_or_as_retrying_with_its_own_reason(
    error: type[errors.BundleWatchError],
) -> None:
    made = conditions((), state=State.of_error(error("what is wrong")), now=NOW, generation=1)

    assert made[0].reason == error.reason
    assert made[0].message == "what is wrong"
    assert made[1].type == (Type.RECONCILING if error.retry else Type.STALLED)


@pytest.mark.parametrize("reason", [*Reason, *sorted({error.reason for error in error_classes()})])
def test_a_reason_is_one_camel_case_word(reason: str) -> None:
    assert reason.isalpha()
    assert reason[0].isupper()
