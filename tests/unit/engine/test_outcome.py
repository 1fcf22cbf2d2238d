"""What the object says after a pass: the one sentence, the conditions, and the memory for the next pass."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api.v1alpha1 import ApplicationStatus, BundleWatch, Condition, HistoryEntry, Status
from bundlewatch.bundle.chart import Chart, NotAChart
from bundlewatch.cluster.client import Forbidden
from bundlewatch.engine.found import Outcome
from bundlewatch.engine.outcome import status_of, status_of_mistake
from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    ClusterUnavailable,
    InvalidRange,
    NotInRegistry,
    RegistryUnavailable,
)
from unit.engine.world import IMAGE, NOW, Empty, Shelf, Stage, at, chart, digest_of, shelf, watch

LATER = at(30)
DOWN = RegistryUnavailable("registry.example.com does not answer: connection refused")
DENIED = AccessDenied("registry.example.com/team/shop: access denied without credentials")


@dataclass(slots=True)
class Case:
    """A world, and what one pass over it is told."""

    revision: str | None = "1.0.0"
    health: str = "Healthy"
    manager: str = "kubectl"
    tags: Shelf | Empty = field(default_factory=lambda: shelf("1.0.0", "1.0.1"))
    trouble: BundleWatchError | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    record: str | None = None
    refusing: BundleWatchError | None = None
    rival: bool = False

    def status(self) -> Status | None:
        if self.record is None:
            return None
        entry = ApplicationStatus(name="shop", source=0, target=self.record, current=self.record)
        return Status(observed_generation=1, applications=(entry,))

    def stage(self) -> Stage:
        stage = Stage()
        if self.revision is not None:
            stage.server.create_application(revision=self.revision, health=self.health, manager=self.manager)
        if self.refusing is not None:
            stage.server.refusing["shop"] = self.refusing
        return stage

    async def outcome(
        self, after: Status | None = None, *, stage: Stage | None = None, now: datetime = NOW
    ) -> tuple[BundleWatch, Outcome]:
        """`after`: the status that the pass finds; `stage`: the cluster that earlier passes have left."""
        about = watch(status=after or self.status(), **self.spec)
        rivals = [watch("older", metadata={"creationTimestamp": at(-9999)})] if self.rival else []
        stage = stage or self.stage()
        return about, await stage.reconcile(about, self.tags, trouble=self.trouble, rivals=rivals, now=now)


async def said(case: Case) -> Status:
    about, outcome = await case.outcome()
    return status_of(about, outcome, now=at(), looked=True)


def shown(status: Status) -> list[tuple[str, str, str]]:
    return [(condition.type, condition.status, condition.reason) for condition in status.conditions]


def again(about: BundleWatch, status: Status) -> BundleWatch:
    """The object as the next pass reads it from the API server."""
    return replace(about, status=Status.parse(status.to_dict()))


SETTLED = [("Ready", "True", "UpToDate")]
PROGRESSING = [("Ready", "Unknown", "Progressing"), ("Reconciling", "True", "Progressing")]


def retrying(reason: str) -> list[tuple[str, str, str]]:
    return [("Ready", "False", reason), ("Reconciling", "True", "ProgressingWithRetry")]


def stalled(reason: str) -> list[tuple[str, str, str]]:
    return [("Ready", "False", reason), ("Stalled", "True", reason)]


CASES = {
    "runs the best": (Case("1.0.1"), SETTLED, "shop runs 1.0.1, Synced and Healthy"),
    "suspended": (Case(spec={"suspend": True}), [("Ready", "True", "Suspended")], "set spec.suspend to false"),
    "just moved": (Case("1.0.0"), PROGRESSING, "shop moves from 1.0.0 to 1.0.1, Waiting: Argo CD has not looked at"),
    "its resources come up": (Case("1.0.1", health="Progressing"), PROGRESSING, "shop runs 1.0.1, Progressing"),
    "before the first listing": (Case(tags=Empty()), PROGRESSING, "listing the tags of registry.example.com/team/shop"),
    "the registry is down": (
        Case(trouble=DOWN),
        retrying("RegistryUnavailable"),
        "registry.example.com does not answer: connection refused; shop stays at 1.0.0",
    ),
    "the registry refuses": (Case(trouble=DENIED), stalled("AccessDenied"), "access denied without credentials"),
    "no tags": (Case(tags=shelf()), retrying("NoCandidate"), "the repository has no tags yet; shop stays at 1.0.0"),
    "no chart": (
        Case(tags=shelf(but={"1.0.1": IMAGE})),
        retrying("NoCandidate"),
        "1.0.1 cannot be taken: it is a container image, not a chart; shop stays at 1.0.0",
    ),
    "a missing Application": (
        Case(None),
        retrying("ApplicationNotFound"),
        "there is no Application argocd/shop; create it, or correct the name in spec.applications",
    ),
    "no Application by label": (
        Case(None, spec={"applications": [{"selector": {}}]}),
        retrying("NoApplication"),
        "no Application in namespace argocd carries the labels of spec.applications",
    ),
    "another source is meant": (
        Case(spec={"applications": [{"name": "shop", "source": "back"}]}),
        stalled("NoMatchingSource"),
        "that source of Application argocd/shop does not exist",
    ),
    "an older watch owns it": (Case(rival=True), stalled("Conflict"), "already moved by BundleWatch older"),
    "a person's choice": (
        Case("0.9.0", manager="kubectl-edit", record="1.0.0"),
        stalled("Held"),
        "shop: kubectl-edit set targetRevision to 0.9.0 after BundleWatch had set 1.0.0, so it is left alone; to go",
    ),
    "no version to tell by": (Case("main"), stalled("Blocked"), "set targetRevision to a version once"),
    "degraded": (
        Case("1.0.1", health="Degraded"),
        [("Ready", "False", "Degraded")],
        "shop is Degraded with 1.0.1: 1.0.1 is applied, and Argo CD calls its resources degraded",
    ),
    "the API server is silent": (
        Case(refusing=ClusterUnavailable("the Kubernetes API did not answer PATCH shop")),
        retrying("ClusterUnavailable"),
        "shop could not be moved from 1.0.0 to 1.0.1: the Kubernetes API did not answer PATCH shop",
    ),
    "a write is forbidden": (
        Case(
            refusing=Forbidden(
                "the Kubernetes API refused PATCH shop; check the RBAC of who asks (of the operator: deploy/)"
            )
        ),
        retrying("ClusterUnavailable"),
        "check the RBAC of who asks",
    ),
}


@pytest.mark.parametrize(("case", "expected", "message"), CASES.values(), ids=CASES.keys())
async def test_what_a_pass_came_to_is_told_in_kstatus_terms_and_in_words_for_people(
    case: Case, expected: list[tuple[str, str, str]], message: str
) -> None:
    status = await said(case)

    assert shown(status) == expected
    assert message in status.conditions[0].message
    assert status.summary is not None
    assert status.conditions[0].message.startswith(status.summary.removesuffix("…"))
    assert len(status.summary) <= 160  # it is a column of `kubectl get`
    assert status.observed_generation == 1


def test_an_object_that_cannot_be_read_says_so_and_forgets_nothing() -> None:
    before = Status(applications=(ApplicationStatus(name="shop", source=0, current="1.0.0"),), summary="all is well")
    about = watch(status=before)

    status = status_of_mistake(about, InvalidRange("spec.tags.range: '>>1' is no range"), now=at())

    assert shown(status) == stalled("InvalidRange")
    assert status.summary == "spec.tags.range: '>>1' is no range"
    assert status.applications == before.applications


VERSIONS = st.sampled_from(["1.0.0", "1.0.1", "1.0.2", "main", ""])
FOUND: st.SearchStrategy[Chart | NotAChart | BundleWatchError] = st.sampled_from(
    [chart("1.0.1"), chart("1.0.2", name="other"), IMAGE, NotInRegistry("gone"), DOWN]
)
ANY_CASE = st.builds(
    Case,
    revision=st.none() | VERSIONS,
    health=st.sampled_from(["Healthy", "Progressing", "Degraded", "Missing", "Suspended"]),
    manager=st.sampled_from(["kubectl", "bundlewatch"]),
    tags=st.builds(Empty) | st.builds(Shelf, st.dictionaries(VERSIONS.filter(bool), FOUND)),
    trouble=st.none() | st.sampled_from([DOWN, DENIED]),
    spec=st.sampled_from([{}, {"suspend": True}, {"pin": "1.0.1"}, {"applications": [{"selector": {}}]}]),
    record=st.none() | VERSIONS,
    refusing=st.none() | st.sampled_from([ClusterUnavailable("no answer"), Forbidden("no")]),
    rival=st.booleans(),
)


@given(ANY_CASE)
def test_the_same_outcome_told_twice_is_one_status_so_nothing_is_written(case: Case) -> None:
    about, outcome = asyncio.run(case.outcome())
    first = status_of(about, outcome, now=at(), looked=True)

    assert status_of(again(about, first), outcome, now=LATER, looked=True) == first


@given(st.lists(ANY_CASE, min_size=1, max_size=4))
def test_reconciling_and_stalled_are_never_both_and_ready_is_always_there(cases: list[Case]) -> None:
    status = Status()
    for case in cases:
        about, outcome = asyncio.run(case.outcome())
        status = status_of(again(about, status), outcome, now=at(), looked=True)
        types = [condition.type for condition in status.conditions]

        assert types.count("Ready") == 1
        assert not {"Reconciling", "Stalled"} <= set(types)


@given(ANY_CASE)
def test_a_second_pass_over_an_unchanged_world_says_the_same(case: Case) -> None:
    """Not the outcome twice but the world twice: what an idle system does every minute."""

    async def passes() -> list[Status]:
        stage, told = case.stage(), list[Status]()
        for now in (at(), at(1), LATER):
            about, outcome = await case.outcome(told[-1] if told else None, stage=stage)
            told.append(status_of(about, outcome, now=now, looked=True))
        return told

    _, before, after = asyncio.run(passes())  # the first moves, the second finds it moved

    assert after == before


async def test_times_are_those_of_changes_and_stay_while_nothing_changes() -> None:
    about, outcome = await Case("1.0.1", health="Progressing").outcome()
    first = status_of(about, outcome, now=at(), looked=True)
    about, healthy = await Case("1.0.1").outcome(first, now=NOW + timedelta(seconds=30))
    second = status_of(about, healthy, now=LATER, looked=True)

    assert first.applications[0].since == at()
    assert second.applications[0].since == LATER
    assert second.conditions[0].last_transition_time == LATER


async def test_a_move_is_history_with_its_bundle_and_where_it_came_from() -> None:
    status = await said(Case("1.0.0"))

    assert status.history == (
        HistoryEntry(
            tag="1.0.1", digest=digest_of("1.0.1"), version="1.0.1", time=at(), message="moved shop from 1.0.0"
        ),
    )


async def test_what_ran_before_anything_was_moved_is_in_history_without_a_time() -> None:
    (ran,) = (await said(Case("1.0.1"))).history

    assert (ran.tag, ran.time, ran.healthy_since, ran.healthy_until) == ("1.0.1", None, at(), None)


async def test_more_applications_moved_to_the_same_bundle_are_one_entry_that_says_when_it_began() -> None:
    about, outcome = await Case("1.0.0").outcome()
    first = status_of(about, outcome, now=at(), looked=True)
    about, another = await Case("0.9.0").outcome(replace(first, applications=()))

    assert status_of(about, another, now=LATER, looked=True).history == first.history


async def test_history_keeps_the_ten_newest_moves() -> None:
    old = tuple(HistoryEntry(tag=f"0.{number}.0", time=at(-60)) for number in range(10))
    about, outcome = await Case("1.0.0").outcome()

    history = status_of(again(about, Status(history=old)), outcome, now=at(), looked=True).history

    assert [entry.tag for entry in history] == ["1.0.1", *(f"0.{number}.0" for number in range(9))]


async def test_until_argo_cd_has_deployed_the_new_revision_the_old_one_is_called_current() -> None:
    status = await said(Case("1.0.0"))

    (entry,) = status.applications
    assert (entry.current, entry.previous, entry.target, entry.phase) == ("1.0.0", "1.0.0", "1.0.1", "Waiting")
    assert status.current is not None
    assert status.current.tag == "1.0.0"
    assert status.candidate is not None
    assert status.candidate.tag == "1.0.1"


async def test_once_deployed_the_new_revision_is_current_and_the_old_one_previous() -> None:
    stage, tags, about = Stage(), shelf("1.0.0", "1.0.1"), watch()
    stage.server.create_application()
    moved = status_of(about, await stage.reconcile(about, tags), now=at(), looked=True)
    stage.server.sync()
    about = again(about, moved)
    status = status_of(about, await stage.reconcile(about, tags), now=LATER, looked=True)

    (entry,) = status.applications
    assert (entry.current, entry.previous, entry.target, entry.phase) == ("1.0.1", "1.0.0", "1.0.1", "Healthy")
    assert status.current == status.candidate


async def test_of_several_applications_the_oldest_bundle_is_the_current_one() -> None:
    stage, about = Stage(), watch(applications=[{"selector": {}}])
    for name, revision in (("a", "1.0.2"), ("b", "1.0.10"), ("c", "1.0.3")):
        stage.server.create_application(name, revision)

    status = status_of(about, await stage.reconcile(about, shelf("1.0.0")), now=at(), looked=True)

    assert status.current is not None
    assert status.current.tag == "1.0.2"
    assert status.target == "a (+2)"


async def test_what_was_moved_is_recorded_although_the_next_write_failed() -> None:
    stage, about = Stage(), watch(applications=[{"selector": {}}])
    for name in ("a", "b"):
        stage.server.create_application(name)
    stage.server.refusing["b"] = ClusterUnavailable("the Kubernetes API did not answer")

    status = status_of(about, await stage.reconcile(about, shelf("1.0.1")), now=at(), looked=True)

    assert [(entry.name, entry.target, entry.phase) for entry in status.applications] == [
        ("a", "1.0.1", "Waiting"),
        ("b", None, "Waiting"),
    ]
    assert [entry.message for entry in status.history] == ["moved a from 1.0.0"]
    assert "b could not be moved" in str(status.summary)


@pytest.mark.parametrize("looked", [True, False])
async def test_a_request_to_look_counts_as_handled_only_once_the_listing_is_as_new_as_the_request(
    looked: bool,  # noqa: FBT001
) -> None:
    about, outcome = await Case(spec={"metadata": {"annotations": {"bundlewatch.dev/reconcile": "now"}}}).outcome()

    status = status_of(about, outcome, now=at(), looked=looked)

    assert status.last_handled_reconcile_at == ("now" if looked else None)


async def test_without_a_request_the_last_answer_stays() -> None:
    about, outcome = await Case().outcome()

    status = status_of(again(about, Status(last_handled_reconcile_at="then")), outcome, now=at(), looked=True)

    assert status.last_handled_reconcile_at == "then"


async def test_a_resume_is_noted_so_that_it_ends_one_hold_and_not_the_next() -> None:
    status = await said(Case(spec={"metadata": {"annotations": {"bundlewatch.dev/resume": "go"}}}))

    assert status.last_handled_resume_at == "go"


@pytest.mark.parametrize("why", ["suspended", "a spec that cannot be read"])
async def test_a_resume_that_nobody_could_act_on_is_kept_for_later(why: str) -> None:
    asked = {"metadata": {"annotations": {"bundlewatch.dev/resume": "go"}}}
    about, outcome = await Case(spec={**asked, "suspend": why == "suspended"}).outcome()

    if why == "suspended":
        status = status_of(about, outcome, now=at(), looked=True)
    else:
        status = status_of_mistake(about, InvalidRange("spec.tags.range: nonsense"), now=at())

    assert status.last_handled_resume_at is None


async def test_more_rejected_tags_than_are_looked_at_ask_for_a_narrower_pattern() -> None:
    versions = [f"1.0.{number}" for number in range(1, 100)]
    status = await said(Case(tags=shelf(*versions, but=dict.fromkeys(versions, IMAGE))))

    message = status.conditions[0].message
    assert "(63 more rejected); no more than 64 are looked at: narrow spec.tags" in message


async def test_conditions_of_others_are_kept() -> None:
    foreign = Condition(
        type="example.com/Audited", status="True", reason="Seen", message="fine", last_transition_time=at(-900)
    )
    about, outcome = await Case("1.0.1").outcome()

    status = status_of(again(about, Status(conditions=(foreign,))), outcome, now=at(), looked=True)

    assert foreign in status.conditions
    assert [condition.type for condition in status.conditions] == ["Ready", "example.com/Audited"]


async def test_without_a_complete_listing_candidate_and_verdicts_stand() -> None:
    about, outcome = await Case("1.0.1").outcome()
    before = status_of(about, outcome, now=at(), looked=True)
    about, failed = await Case("1.0.1", trouble=DOWN).outcome(before)

    after = status_of(about, failed, now=LATER, looked=True)

    assert after.candidate == before.candidate is not None
    assert after.verdicts == before.verdicts != ()


async def test_a_complete_listing_without_a_choice_takes_the_candidate_away() -> None:
    about, outcome = await Case("1.0.1").outcome()
    before = status_of(about, outcome, now=at(), looked=True)
    about, nothing = await Case("1.0.1", tags=shelf(but={"1.0.1": IMAGE})).outcome(before)

    assert status_of(about, nothing, now=LATER, looked=True).candidate is None


async def test_after_a_restart_what_was_said_stands_until_the_first_listing() -> None:
    about, outcome = await Case("1.0.1").outcome()
    before = status_of(about, outcome, now=at(), looked=True)
    about, pending = await Case("1.0.1", tags=Empty()).outcome(before)

    assert status_of(about, pending, now=LATER, looked=False) == before


async def test_a_suspended_watch_still_shows_what_was_known() -> None:
    about, outcome = await Case("1.0.1").outcome()
    before = status_of(about, outcome, now=at(), looked=True)

    after = status_of(again(about, before), Outcome(suspended=True), now=LATER, looked=True)

    assert shown(after) == [("Ready", "True", "Suspended")]
    assert (after.current, after.applications) == (before.current, before.applications)


async def test_an_application_that_is_gone_runs_nothing() -> None:
    status = await said(Case(None, record="1.0.0"))

    assert status.current is None
    assert [entry.current for entry in status.applications] == [None]


async def test_a_suspended_watch_answers_no_request_to_look() -> None:
    asked = {"metadata": {"annotations": {"bundlewatch.dev/reconcile": "now"}}}

    assert (await said(Case(spec={**asked, "suspend": True}))).last_handled_reconcile_at is None


async def test_a_failed_release_says_the_way_back() -> None:
    record = ApplicationStatus(name="shop", source=0, target="1.0.1", current="1.0.1", previous="1.0.0")
    case = Case("1.0.1", health="Degraded")
    about, outcome = await case.outcome(Status(observed_generation=1, applications=(record,)))

    status = status_of(about, outcome, now=at(), looked=True)

    assert status.conditions[0].message.endswith("; to go back, set spec.pin to 1.0.0")
