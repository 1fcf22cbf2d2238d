"""Whoever else sets a target revision is respected, set again, or fought no longer; and named."""

from datetime import timedelta
from typing import Any

import pytest

from bundlewatch.api.moments import rfc3339
from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.policy.policy import Policy
from bundlewatch.rollout.holding import Contest, Hold, intrusion, rolled_back
from bundlewatch.rollout.phases import HELD, REVERTED
from bundlewatch.rollout.targets import Target
from unit.rollout.aims import NOW, record, target

BY_A_SET = {"ownerReferences": [{"kind": "ApplicationSet", "name": "shops", "controller": True}]}


def found(aim: Target, remembered: ApplicationStatus, *, override: bool = False) -> Hold | Contest | None:
    read = Policy.compile().read
    return intrusion(aim, remembered, watch="shop", override=override, read=read, now=NOW)


def wanted(**different: Any) -> ApplicationStatus:
    """We had moved it from 1.0.0 to 1.0.1."""
    return record("1.0.1", **{"phase": "Healthy", "previous": "1.0.0"} | different)


def minutes_ago(*minutes: float) -> tuple[str, ...]:
    return tuple(rfc3339(NOW - timedelta(minutes=number)) for number in minutes)


def test_what_is_as_we_set_it_is_nobodys() -> None:
    assert found(target("1.0.1"), wanted()) is None


def test_our_own_move_that_no_status_tells_of_is_nobodys() -> None:
    assert found(target("1.0.2"), wanted()) is None


def test_a_persons_change_is_held_and_they_are_named_with_the_way_to_go_on() -> None:
    hold = found(target("1.0.7", manager="kubectl-edit"), wanted())

    assert isinstance(hold, Hold)
    assert hold.phase == HELD
    assert "kubectl-edit set targetRevision to 1.0.7 after BundleWatch had set 1.0.1" in hold.message
    assert "bundlewatch.dev/resume" in hold.message


def test_a_person_who_goes_back_to_what_was_before_is_no_controller() -> None:
    assert isinstance(found(target("1.0.0", manager="kubectl-edit"), wanted()), Hold)


def test_with_override_it_is_set_again() -> None:
    why = "kubectl-edit had set 1.0.7; rollout.onExternalChange is Override"

    assert found(target("1.0.7", manager="kubectl-edit"), wanted(), override=True) == Contest((NOW,), why)


def test_what_a_maker_puts_back_is_set_again() -> None:
    aim = target("1.0.0", manager="argocd-applicationset-controller", **BY_A_SET)

    why = "argocd-applicationset-controller had set 1.0.0; that is what its maker puts back"

    assert found(aim, wanted()) == Contest((NOW,), why)


def test_a_person_may_change_what_a_set_has_made() -> None:
    assert isinstance(found(target("1.0.7", manager="kubectl-edit", **BY_A_SET), wanted()), Hold)


def test_the_fourth_time_within_ten_minutes_it_is_left_alone_and_the_rule_to_add_is_told() -> None:
    aim = target("1.0.0", manager="argocd-applicationset-controller", **BY_A_SET)

    hold = found(aim, wanted(reverts=minutes_ago(9, 5, 1)))

    assert isinstance(hold, Hold)
    assert hold.phase == REVERTED
    assert "argocd-applicationset-controller" in hold.message
    assert "4 times within ten minutes" in hold.message
    assert "ignoreApplicationDifferences" in hold.message


def test_what_was_long_ago_does_not_count() -> None:
    aim = target("1.0.0", manager="argocd-applicationset-controller", **BY_A_SET)

    assert isinstance(found(aim, wanted(reverts=minutes_ago(15, 11, 1))), Contest)


@pytest.mark.parametrize("phase", [HELD, REVERTED])
def test_what_is_left_alone_stays_so(phase: str) -> None:
    hold = found(target("1.0.7", manager="kubectl-edit"), wanted(phase=phase), override=True)

    assert isinstance(hold, Hold)
    assert hold.phase == phase


def operated(
    *, of: str = "1.0.0", began: str = "2026-11-24T11:59:00Z", phase: str = "Succeeded", **operation: Any
) -> dict[str, Any]:
    """What Argo CD writes of an operation that a person asked for, with a source of its own."""
    source = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": of}
    asked = {"sync": {"source": source, "revision": of}, "initiatedBy": {"username": "alice"}} | operation
    return {"phase": phase, "startedAt": began, "operation": asked}


def after(
    state: dict[str, Any],
    *,
    phase: str = "Healthy",
    since: str = "2026-11-24T11:00:00Z",
    moved_at: str = "2026-11-24T10:00:00Z",
    automated: bool = False,
) -> Hold | None:
    aim = target("1.0.1", automated=automated, status={"operationState": state})
    return rolled_back(aim, wanted(phase=phase, since=since, moved_at=moved_at), watch="shop")


def test_a_rollback_in_argo_cd_is_respected_and_who_did_it_is_named() -> None:
    hold = after(operated())

    assert hold is not None
    assert hold.phase == HELD
    assert "alice rolled the Application back to 1.0.0 in Argo CD, while targetRevision is 1.0.1" in hold.message
    assert "bundlewatch.dev/resume" in hold.message


@pytest.mark.parametrize("phase", ["Syncing", "Waiting", "Progressing"])
def test_what_it_shows_while_the_rollback_runs_is_not_later_than_the_rollback(phase: str) -> None:
    assert after(operated(), phase=phase, since="2026-11-24T11:59:02Z") is not None
    assert after(operated(), phase=phase, since="2026-11-24T11:59:02Z", moved_at="2026-11-24T11:59:01Z") is None


def test_it_stays_respected() -> None:
    assert after(operated(), phase=HELD, since="2026-11-24T11:59:30Z") is not None


@pytest.mark.parametrize(
    ("state", "different"),
    [
        pytest.param(operated(of="1.0.1"), {}, id="a sync of what is set"),
        pytest.param(operated(), {"since": "2026-11-24T11:59:01Z"}, id="before we looked last, or a person said go on"),
        pytest.param(operated(phase="Failed"), {}, id="it did not come to anything"),
        pytest.param(operated(), {"automated": True}, id="an automatic sync, which names its source too"),
        pytest.param(operated(sync={"source": {}, "dryRun": True}), {}, id="a dry run"),
        pytest.param(operated(sync={}), {}, id="the source of the spec"),
    ],
)
def test_nothing_else_is_a_rollback(state: dict[str, Any], different: dict[str, Any]) -> None:
    assert after(state, **different) is None
