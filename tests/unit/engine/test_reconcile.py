"""One pass, from the tags of a listing to what stands in the Application, in a cluster kept in memory."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import ApplicationStatus, Status
from bundlewatch.bundle.chart import Chart, NotAChart
from bundlewatch.cluster.client import Forbidden
from bundlewatch.engine.found import Outcome
from bundlewatch.engine.outcome import status_of
from bundlewatch.errors import (
    BundleWatchError,
    ClusterUnavailable,
    NotInRegistry,
    ObjectChanged,
    ObjectGone,
    RegistryUnavailable,
)
from bundlewatch.rollout.plan import Action
from unit.engine.world import IMAGE, Empty, Stage, at, chart, shelf, watch

DOWN = RegistryUnavailable("registry.example.com does not answer")
EVERYBODY: list[dict[str, Any]] = [{"selector": {}}]


def stage(revision: str = "1.0.0", **different: Any) -> Stage:
    """A cluster in which the Application `shop` runs."""
    made = Stage()
    made.server.create_application(revision=revision, **different)
    return made


def recorded(target: str, *, phase: str = "Healthy", message: str | None = None, **different: Any) -> Status:
    """What an earlier pass has written of `shop`."""
    entry = ApplicationStatus(
        name="shop", source=0, current=target, target=target, phase=phase, message=message, since=at(-60)
    )
    return Status(observed_generation=1, applications=(entry,), **different)


def actions(outcome: Outcome) -> dict[str, Action]:
    return {seen.step.target.application.name: seen.step.action for seen in outcome.seen}


async def test_the_best_chart_is_written_into_the_application() -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(), shelf("1.0.0", "1.0.2", "1.0.1"))

    assert world.server.revision() == "1.0.2"
    assert [seen.moved_from for seen in outcome.seen] == ["1.0.0"]
    assert outcome.chosen is not None
    assert outcome.chosen.candidate.tag == "1.0.2"
    assert not outcome.again


async def test_an_application_that_runs_the_best_is_not_written_to() -> None:
    world = stage("1.0.2")

    await world.reconcile(watch(), shelf("1.0.0", "1.0.2"))

    assert world.server.patched == []


async def test_only_what_is_better_than_the_choice_is_looked_at() -> None:
    world, tags = stage("1.0.0"), shelf("1.0.0", "1.0.1", but={"1.0.2": IMAGE})

    await world.reconcile(watch(), tags)

    assert tags.looked_at == ["1.0.2", "1.0.1"]


@pytest.mark.parametrize(
    ("found", "reason", "says"),
    [
        pytest.param(IMAGE, "NotAChart", "container image", id="an image"),
        pytest.param(NotInRegistry("9.9.9 is not there any more"), "Vanished", "not there", id="vanished"),
        pytest.param(chart("9.9.9", name="other"), "ChartNameMismatch", "'other'", id="a chart of another name"),
    ],
)
async def test_what_cannot_be_deployed_gets_a_verdict_and_the_next_best_is_taken(
    found: Chart | NotAChart | BundleWatchError, reason: str, says: str
) -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(), shelf("1.0.1", but={"9.9.9": found}))

    assert world.server.revision() == "1.0.1"
    assert outcome.rejected["9.9.9"].reason == reason
    assert says in outcome.rejected["9.9.9"].message


async def test_without_a_chart_nothing_is_moved() -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(), shelf(but={"1.0.1": IMAGE, "1.0.2": IMAGE}))

    assert world.server.patched == []
    assert outcome.chosen is None
    assert sorted(outcome.rejected) == ["1.0.1", "1.0.2"]


async def test_a_repository_full_of_images_is_not_looked_at_for_ever() -> None:
    world, tags = stage("1.0.0"), shelf("1.0.0", but={f"2.0.{number}": IMAGE for number in range(100)})

    await world.reconcile(watch(), tags)

    assert world.server.revision() == "1.0.0"
    assert len(tags.looked_at) == 64


async def test_a_tag_that_cannot_be_inspected_ends_the_pass_and_nothing_lower_is_taken() -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(), shelf("1.0.1", but={"1.0.2": DOWN}))

    assert world.server.patched == []
    assert outcome.problem is DOWN
    assert outcome.again


async def test_after_a_failed_listing_nothing_is_moved_and_what_runs_is_still_observed() -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(), shelf("1.0.1"), trouble=DOWN)

    assert world.server.patched == []
    assert outcome.problem is DOWN
    assert [seen.assessment.phase for seen in outcome.seen] == ["Healthy"]


async def test_before_the_first_listing_nothing_is_moved_and_nothing_is_called_wrong() -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(), Empty())

    assert world.server.patched == []
    assert outcome.pending
    assert outcome.problem is None


async def test_a_suspended_watch_looks_at_nothing() -> None:
    world, tags = stage("1.0.0"), shelf("1.0.1")

    outcome = await world.reconcile(watch(suspend=True), tags)

    assert outcome == Outcome(suspended=True)
    assert tags.looked_at == []
    assert world.server.patched == []


async def test_a_pin_takes_exactly_that_tag_also_backwards() -> None:
    world = stage("1.0.2")

    await world.reconcile(watch(pin="1.0.1"), shelf("1.0.0", "1.0.1", "1.0.2"))

    assert world.server.revision() == "1.0.1"


async def test_a_pinned_image_is_not_deployed_and_no_other_tag_takes_its_place() -> None:
    world = stage("1.0.0")

    outcome = await world.reconcile(watch(pin="1.0.1"), shelf("1.0.2", but={"1.0.1": IMAGE}))

    assert world.server.patched == []
    assert outcome.chosen is None


async def test_a_write_that_met_another_change_is_decided_anew_and_done() -> None:
    world = stage("1.0.0")
    world.server.before_patch = [lambda: world.server.edit_application(revision="1.0.1")]

    outcome = await world.reconcile(watch(), shelf("1.0.2"))

    assert world.server.revision() == "1.0.2"
    assert [seen.moved_from for seen in outcome.seen] == ["1.0.1"]


@pytest.mark.parametrize(
    ("persons", "action"),
    [
        pytest.param("0.9.0", Action.HOLD, id="back, after we had set it"),
        pytest.param("1.0.2", Action.KEEP, id="to where we wanted it"),
        pytest.param("1.5.0", Action.HOLD, id="further"),
    ],
)
async def test_what_a_person_sets_between_our_look_and_our_write_is_kept(persons: str, action: Action) -> None:
    world = stage("1.0.0", manager="bundlewatch")
    world.server.before_patch = [lambda: world.server.edit_application(revision=persons)]

    outcome = await world.reconcile(watch(status=recorded("1.0.0")), shelf("1.0.2"))

    assert world.server.revision() == persons
    assert actions(outcome) == {"shop": action}
    assert [seen.moved_from for seen in outcome.seen] == [None]
    assert not outcome.again


async def test_a_person_who_is_faster_four_times_is_let_be_and_it_is_tried_again_later() -> None:
    world = stage("1.0.0")
    edits = [f"0.{number}.0" for number in range(10)]
    world.server.before_patch = [partial(world.server.edit_application, revision=revision) for revision in edits]

    outcome = await world.reconcile(watch(), shelf("1.0.2"))

    assert world.server.revision() == "0.3.0"
    assert world.server.patched == ["shop"] * 4
    (seen,) = outcome.seen
    assert outcome.again
    assert "somebody else" in str(seen.problem)


async def test_a_change_that_the_api_server_does_not_allow_is_told_in_its_own_words() -> None:
    """An admission policy refuses with the same code as a failed test does."""
    world = stage("1.0.0")
    world.server.refusing["shop"] = ObjectChanged("ValidatingAdmissionPolicy 'freeze' denied request")

    outcome = await world.reconcile(watch(), shelf("1.0.2"))

    assert "ValidatingAdmissionPolicy 'freeze' denied request" in str(outcome.seen[0].problem)


async def test_a_hold_that_the_last_look_found_is_a_hold_and_no_failed_write() -> None:
    world = stage("1.0.0", manager="bundlewatch")
    setters: list[Callable[[], object]] = [
        lambda: world.server.edit_application(revision="1.0.0+a", manager="bundlewatch"),
        lambda: world.server.edit_application(revision="1.0.0+b", manager="bundlewatch"),
        lambda: world.server.edit_application(revision="1.0.0+c", manager="bundlewatch"),
        lambda: world.server.edit_application(revision="0.9.0", manager="kubectl-edit"),
    ]
    world.server.before_patch = setters

    outcome = await world.reconcile(watch(status=recorded("1.0.0")), shelf("1.0.2"))

    assert actions(outcome) == {"shop": Action.HOLD}
    assert not outcome.again


async def test_an_application_deleted_before_the_write_is_said_to_be_missing() -> None:
    world = stage("1.0.0")
    world.server.before_patch = [world.server.delete_application]

    outcome = await world.reconcile(watch(), shelf("1.0.1"))

    assert outcome.seen == ()
    assert [(unmet.application, unmet.reason) for unmet in outcome.unmet] == [("shop", "ApplicationNotFound")]


async def test_an_application_made_anew_before_the_write_is_another_one_and_is_decided_anew() -> None:
    world = stage("1.0.0")

    def replaced() -> None:
        world.server.delete_application()
        world.server.create_application(revision="2.0.0", metadata={"uid": "uid-of-the-successor"})

    world.server.before_patch = [replaced]

    outcome = await world.reconcile(watch(), shelf("1.0.1"))

    assert world.server.revision() == "2.0.0"
    assert actions(outcome) == {"shop": Action.KEEP}


async def test_an_application_that_became_an_older_watchs_before_the_write_is_left_to_it() -> None:
    world = stage("1.0.0", metadata={"labels": {}})
    older = watch(
        "older",
        metadata={"creationTimestamp": at(-9000)},
        applications=[{"selector": {"matchLabels": {"team": "web"}}}],
    )

    def labelled() -> None:
        world.server.delete_application()
        world.server.create_application(metadata={"labels": {"team": "web"}, "uid": "uid-of-the-successor"})

    world.server.before_patch = [labelled]

    outcome = await world.reconcile(watch(), shelf("1.0.1"), rivals=[older])

    assert world.server.revision() == "1.0.0"
    assert [unmet.reason for unmet in outcome.unmet] == ["Conflict"]


async def test_one_application_that_may_not_be_written_stops_no_other() -> None:
    world = Stage()
    for name in ("a", "b", "c"):
        world.server.create_application(name)
    world.server.refusing["b"] = Forbidden("the Kubernetes API refused PATCH b: policy says no")

    outcome = await world.reconcile(watch(applications=EVERYBODY), shelf("1.0.1"))

    assert {name: world.server.revision(name) for name in "abc"} == {"a": "1.0.1", "b": "1.0.0", "c": "1.0.1"}
    assert [seen.moved_from for seen in outcome.seen] == ["1.0.0", None, "1.0.0"]
    assert "policy says no" in str(outcome.seen[1].problem)
    assert outcome.again


async def test_when_the_api_server_goes_silent_what_was_moved_before_is_not_forgotten() -> None:
    world = Stage()
    for name in ("a", "b", "c"):
        world.server.create_application(name)
    world.server.refusing["b"] = ClusterUnavailable("the Kubernetes API did not answer")

    outcome = await world.reconcile(watch(applications=EVERYBODY), shelf("1.0.1"))

    assert [seen.moved_from for seen in outcome.seen] == ["1.0.0", None, None]
    assert [seen.problem is None for seen in outcome.seen] == [True, False, False]
    assert world.server.patched == ["a", "b"]  # the rest does not wait for the same deadline again
    assert outcome.again


async def test_a_repository_that_was_left_during_the_pass_ends_the_pass_without_a_word() -> None:
    world = stage("1.0.0")

    with pytest.raises(ObjectGone):
        await world.reconcile(watch(), shelf("1.0.1", but={"1.0.2": ObjectGone("nobody watches it any more")}))

    assert world.server.patched == []


@pytest.mark.parametrize(
    "obstacle",
    [
        pytest.param(Forbidden("the Kubernetes API refused it"), id="forbidden"),
        pytest.param(ClusterUnavailable("the Kubernetes API did not answer"), id="no answer"),
        pytest.param(ObjectChanged("the server rejected our request"), id="somebody else was faster"),
    ],
)
async def test_a_revision_that_we_failed_to_set_is_later_not_taken_for_one_that_a_person_took_back(
    obstacle: BundleWatchError,
) -> None:
    world = stage("1.0.0", manager="kubectl")
    world.server.refusing["shop"] = obstacle
    first = watch()
    status = status_of(first, await world.reconcile(first, shelf("1.0.1")), now=at(), looked=True)
    world.server.refusing.clear()

    outcome = await world.reconcile(watch(status=status), shelf("1.0.1"))

    assert actions(outcome) == {"shop": Action.MOVE}
    assert world.server.revision() == "1.0.1"


async def test_following_the_cure_for_an_unreadable_revision_does_not_end_in_a_hold() -> None:
    world = stage("main")
    first = watch()
    outcome = await world.reconcile(first, shelf("1.0.1"))
    assert actions(outcome) == {"shop": Action.REFUSE}
    assert "set targetRevision to a version once" in outcome.seen[0].step.message
    status = status_of(first, outcome, now=at(), looked=True)

    world.server.edit_application(revision="1.0.0")
    await world.reconcile(watch(status=status), shelf("1.0.1"))

    assert world.server.revision() == "1.0.1"


@pytest.mark.parametrize("meanwhile", ["the registry is down", "nothing is listed yet", "no tag may be taken"])
@pytest.mark.parametrize("held_before", [True, False], ids=["held before", "changed meanwhile"])
async def test_a_persons_choice_outlives_a_time_in_which_nothing_can_be_decided(
    meanwhile: str,
    held_before: bool,  # noqa: FBT001
) -> None:
    world, best = stage("1.0.1", manager="bundlewatch"), shelf("1.0.1")
    status = recorded("1.0.1")
    world.server.edit_application(revision="1.0.0")
    if held_before:
        about = watch(status=status)
        status = status_of(about, await world.reconcile(about, best), now=at(), looked=True)
        assert [entry.phase for entry in status.applications] == ["Held"]

    about = watch(status=status)
    undecided: Callable[[], Awaitable[Outcome]] = {
        "the registry is down": lambda: world.reconcile(about, best, trouble=DOWN),
        "nothing is listed yet": lambda: world.reconcile(about, Empty()),
        "no tag may be taken": lambda: world.reconcile(about, shelf()),
    }[meanwhile]
    status = status_of(about, await undecided(), now=at(), looked=True)
    outcome = await world.reconcile(watch(status=status), best)

    assert world.server.revision() == "1.0.0"
    assert actions(outcome) == {"shop": Action.HOLD}


async def test_a_change_of_the_spec_that_has_nothing_to_do_with_it_ends_no_hold() -> None:
    world = stage("1.0.0", manager="kubectl-edit")
    changed = watch(status=recorded("1.0.1"), metadata={"generation": 2}, interval="5m")

    outcome = await world.reconcile(changed, shelf("1.0.1", "1.0.2"))

    assert world.server.revision() == "1.0.0"
    assert actions(outcome) == {"shop": Action.HOLD}


async def test_a_pin_set_after_a_hold_is_the_later_word() -> None:
    world = stage("1.0.0", manager="kubectl-edit")

    await world.reconcile(watch(status=recorded("1.0.1"), pin="1.0.2"), shelf("1.0.1", "1.0.2"))

    assert world.server.revision() == "1.0.2"


async def test_an_application_made_anew_under_its_old_name_is_not_held_for_what_the_old_one_ran() -> None:
    world = stage("1.0.0", manager="argocd-controller")
    before = recorded("1.0.1")
    old = replace(before, applications=(replace(before.applications[0], uid="uid-of-the-old-one"),))

    await world.reconcile(watch(status=old), shelf("1.0.1"))

    assert world.server.revision() == "1.0.1"


async def test_while_nothing_can_be_decided_a_held_application_is_still_said_to_be_held() -> None:
    world = stage("1.0.0", manager="kubectl-edit")
    about = watch(status=recorded("1.0.1", phase="Held", message="kubectl-edit set targetRevision to 1.0.0"))

    status = status_of(about, await world.reconcile(about, shelf("1.0.1"), trouble=DOWN), now=at(), looked=True)

    (entry,) = status.applications
    assert (entry.phase, entry.since) == ("Held", at(-60))
    assert entry.message is not None
    assert entry.message.startswith("kubectl-edit set targetRevision to 1.0.0 after BundleWatch had set 1.0.1")


async def test_a_person_who_went_beyond_what_may_be_taken_is_named_and_so_is_the_way_on() -> None:
    world = stage("1.0.1", manager="bundlewatch")
    world.server.edit_application(revision="3.0.0")
    about = watch(status=recorded("1.0.1"), tags={"range": "~1.0"})

    status = status_of(about, await world.reconcile(about, shelf("1.0.0", "1.0.1")), now=at(), looked=True)

    assert [condition.reason for condition in status.conditions] == ["Held", "Held"]
    assert "kubectl-edit set targetRevision to 3.0.0" in status.conditions[0].message
    assert "bundlewatch.dev/resume" in status.conditions[0].message


async def test_a_hold_that_is_ended_while_the_registry_is_down_is_ended() -> None:
    world = stage("1.0.0", manager="kubectl-edit")
    asked = {"annotations": {"bundlewatch.dev/resume": "please"}}
    about = watch(status=recorded("1.0.1", phase="Held"), metadata=asked)
    status = status_of(about, await world.reconcile(about, shelf("1.0.1"), trouble=DOWN), now=at(), looked=True)

    await world.reconcile(watch(status=status, metadata=asked), shelf("1.0.1"))

    assert world.server.revision() == "1.0.1"


async def test_a_move_whose_status_was_never_written_is_recognised_by_the_next_pass() -> None:
    world = stage("1.0.1", manager="bundlewatch")

    outcome = await world.reconcile(watch(status=recorded("1.0.0")), shelf("1.0.1"))

    assert [seen.moved_from for seen in outcome.seen] == ["1.0.0"]


async def test_a_first_move_whose_answer_was_lost_is_recognised_by_the_next_pass() -> None:
    world = stage("1.0.0")
    world.server.edit_application(revision="1.0.1", manager="bundlewatch")

    outcome = await world.reconcile(watch(), shelf("1.0.1"))

    assert [seen.moved_from for seen in outcome.seen] == [""]


async def test_what_was_moved_before_the_watch_was_made_is_not_its_move() -> None:
    world = stage("1.0.1", manager="bundlewatch")

    outcome = await world.reconcile(watch(), shelf("1.0.1"))

    assert [seen.moved_from for seen in outcome.seen] == [None]


async def test_an_application_of_another_repository_is_never_written_to() -> None:
    world = Stage()
    world.server.create_application()
    world.server.applications["shop"]["spec"]["source"]["chart"] = "other"

    outcome = await world.reconcile(watch(), shelf("9.9.9"))

    assert world.server.patched == []
    assert [unmet.reason for unmet in outcome.unmet] == ["NoMatchingSource"]
