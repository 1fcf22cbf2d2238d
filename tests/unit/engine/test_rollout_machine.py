"""Whatever happens, in whatever order: what no rollout may ever do, and that it comes to rest."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bundlewatch.api.v1alpha1 import Status
from bundlewatch.argocd.provenance import TAKEN_BACK
from bundlewatch.engine.passes import Next
from bundlewatch.errors import ClusterUnavailable
from unit.engine.mishaps import (
    Act,
    Cluster,
    Killed,
    Mishap,
    Process,
    Repository,
    argocd_says,
    healthy_application,
    source_of,
    watch_of,
)
from unit.engine.world import Json

NAMES = ("canary", "east", "west")
TAGS = ("0.9.0", "1.0.0", "1.0.1", "1.0.2", "1.0.3")
NIGHT = {"windows": [{"kind": "Allow", "schedule": "0 1 * * *", "duration": "1h"}]}
GATES: tuple[Json, ...] = ({}, {"minAge": "5m"}, {"approval": "Manual"}, NIGHT)
WAVES = ((0, 0, 0), (0, 1, 1), (0, 1, 2))
ROLLOUT = {"timeout": "5m", "degradedFor": "1m"}
AT_REST = frozenset({"Healthy", "Held", "Reverted", "Blocked", "Queued"})

names = st.sampled_from(NAMES)
tags = st.sampled_from(TAGS)


def version(tag: str) -> tuple[int, ...]:
    return tuple(int(number) for number in tag.split("."))


@dataclass(slots=True)
class Truth:
    """What has really happened to one Application, whatever the operator remembers."""

    healthy: set[str] = field(default_factory=lambda: {"1.0.0"})
    """What Argo CD has called healthy there."""

    ours: str | None = None
    """What we have set, as long as nobody else has set anything since."""

    foreign: str | None = None
    """What somebody else has set after us, as long as they have not let us go on."""

    digests: dict[str, str | None] = field(default_factory=dict)
    """What a tag was when we moved to it."""

    taken_back: Counter[tuple[str, str | None]] = field(default_factory=Counter)


class Rollouts(RuleBasedStateMachine):
    """One BundleWatch, three Applications (one of them with several sources), one operator process or two."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster, self.repository = Cluster(), Repository()
        self.cluster.moved = self.judged
        self.repository.publish("1.0.0")
        self.truths = {name: Truth() for name in NAMES}
        self.rollout: Json = dict(ROLLOUT)
        self.requests = 0
        self.wrong: AssertionError | None = None

    @initialize(waves=st.sampled_from(WAVES))
    def begin(self, waves: tuple[int, ...]) -> None:
        for name in NAMES:
            self.cluster.put_application(
                healthy_application(name, "1.0.0", now=self.cluster.now, several=name == "west")
            )
        self.cluster.put_watch(watch_of({"applications": wishes(waves), "rollout": self.rollout}))
        self.leader = self.acting = Process(self.cluster, self.repository)
        self.other = Process(self.cluster, self.repository)

    # What the world does.

    @rule(tag=tags, image=st.sampled_from((False, False, False, True)))
    def ci_publishes(self, tag: str, image: bool) -> None:  # noqa: FBT001
        self.repository.publish(tag, image=image)

    @rule(tag=tags)
    def somebody_deletes_a_tag(self, tag: str) -> None:
        self.repository.delete(tag)

    @rule()
    def the_registry_goes_down_or_comes_back(self) -> None:
        self.repository.down = not self.repository.down

    @rule(name=names, act=st.sampled_from(Act))
    def argocd_writes(self, name: str, act: Act) -> None:
        self.cluster.argocd(name, act)
        if act is Act.HEALTHY:
            self.truths[name].healthy.add(self.cluster.revision(name))

    @rule(act=st.sampled_from((Act.HEALTHY, Act.HEALTHY, Act.DEGRADED, Act.SYNC_FAILED)))
    def argocd_treats_all_alike(self, act: Act) -> None:
        for name in NAMES:
            self.argocd_writes(name, act)

    @rule(seconds=st.sampled_from((3, 15, 61, 130, 400, 50_000)))
    def time_passes(self, seconds: int) -> None:
        self.cluster.now += timedelta(seconds=seconds)

    # What people do.

    @rule(name=names, tag=tags)
    def somebody_sets_the_target_revision(self, name: str, tag: str) -> None:
        truth = self.truths[name]
        told = self.entry(name).get("target") == truth.ours
        if truth.foreign is not None or (truth.ours is not None and told and not self.resume_is_new()):
            truth.foreign = tag if tag != self.entry(name).get("target") else None
        truth.ours = None
        self.cluster.set_revision(name, tag, manager="kubectl-edit")

    @rule(what=st.sampled_from(("retry", "approve", "resume")), tag=tags)
    def somebody_asks(self, what: str, tag: str) -> None:
        self.requests += 1
        value = {"retry": f"{tag} {self.requests}", "approve": tag, "resume": str(self.requests)}[what]
        self.cluster.edit_watch(annotations={f"bundlewatch.dev/{what}": value})
        for truth in self.truths.values():
            if what == "resume":
                truth.foreign = None
            elif what == "retry":
                self.forgive(truth, tag)

    @rule(tag=st.sampled_from(("", "", *TAGS)))
    def somebody_pins(self, tag: str) -> None:
        self.cluster.edit_watch(pin=tag)
        for truth in self.truths.values():
            self.forgive(truth, tag)

    @rule()
    def somebody_suspends_or_goes_on(self) -> None:
        self.cluster.edit_watch(suspend=not self.cluster.watches["shop"]["spec"].get("suspend", False))

    @rule(
        change=st.sampled_from(
            (
                {"onFailure": "Rollback"},
                {"onFailure": "Hold"},
                {"onFailure": "Ignore"},
                {"onExternalChange": "Hold"},
                {"onExternalChange": "Override"},
                {"allowDowngrade": True},
                {"allowDowngrade": False},
                {"sync": "Request"},
                {"sync": "Auto"},
            )
        )
    )
    def somebody_changes_the_rollout(self, change: Json) -> None:
        self.rollout = {**self.rollout, **change}
        self.cluster.edit_watch(rollout=self.rollout)

    @rule(gates=st.sampled_from(GATES))
    def somebody_changes_the_gates(self, gates: Json) -> None:
        self.cluster.edit_watch(gates=gates)

    @rule(waves=st.sampled_from(WAVES))
    def somebody_changes_the_waves(self, waves: tuple[int, ...]) -> None:
        self.cluster.edit_watch(applications=wishes(waves))

    @rule(name=names)
    def somebody_turns_automatic_syncs_on_or_off(self, name: str) -> None:
        body = self.cluster.applications[name]
        policy = {} if "automated" in body["spec"]["syncPolicy"] else {"automated": {}}
        self.cluster.put_application({**body, "spec": {**body["spec"], "syncPolicy": policy}})

    @rule()
    def somebody_loses_the_status(self) -> None:
        self.cluster.lose_status()
        for truth in self.truths.values():
            truth.foreign = truth.ours = None

    # What the operator does.

    @rule(looks=st.sampled_from((True, True, True, False)))
    def the_operator_works(self, looks: bool) -> None:  # noqa: FBT001
        """As far as it gets by itself; then it has nothing more to write."""
        if self.goes_on(looks=looks).failed:
            return
        written = self.cluster.writes
        self.leader.hear()
        self.work(self.leader, looks=looks)
        assert self.cluster.writes == written, "an idle pass writes"

    @rule(tag=tags, acts=st.lists(st.sampled_from(Act), min_size=3, max_size=3), seconds=st.sampled_from((0, 61, 400)))
    def a_release_goes_out(self, tag: str, acts: list[Act], seconds: int) -> None:
        self.repository.publish(tag)
        self.goes_on()
        for name, act in zip(NAMES, acts, strict=True):
            self.argocd_writes(name, act)
        self.goes_on()
        self.cluster.now += timedelta(seconds=seconds)

    @rule(tag=tags)
    def a_release_fails(self, tag: str) -> None:
        self.a_release_goes_out(tag, [Act.DEGRADED] * 3, 61)
        self.the_operator_works(looks=True)

    @rule()
    def the_operator_does_one_pass(self) -> None:
        self.leader.hear()
        self.work(self.leader)

    @rule(at_write=st.integers(1, 6), after=st.booleans())
    def the_operator_is_killed_at_a_write(self, at_write: int, after: bool) -> None:  # noqa: FBT001
        self.with_mishap(Mishap(at_write, Killed(), after=after))
        self.leader = Process(self.cluster, self.repository)

    @rule()
    def another_leader_hears(self) -> None:
        self.other.hear()

    @rule()
    def another_leader_works(self) -> None:
        """By what it has heard some time ago."""
        self.excused()
        self.work(self.other)

    @rule(before=st.integers(1, 6))
    def two_leaders_work_at_the_same_time(self, before: int) -> None:
        self.excused()
        self.leader.hear()
        self.cluster.meanwhile = [*[lambda: None] * (before - 1), lambda: self.work(self.other)]
        self.work(self.leader)
        self.cluster.meanwhile = []

    @rule(at_write=st.integers(1, 6), after=st.booleans())
    def the_api_server_does_not_answer_a_write(self, at_write: int, after: bool) -> None:  # noqa: FBT001
        self.with_mishap(Mishap(at_write, ClusterUnavailable("the Kubernetes API did not answer"), after=after))

    # What holds.

    def judged(self, before: Json, after: Json) -> None:
        """Remembered, since whoever does the pass takes it for a defect and goes on."""
        try:
            self.moved(before, after)
        except AssertionError as wrong:
            self.wrong = wrong

    def moved(self, before: Json, after: Json) -> None:
        """We have set a target revision."""
        name, watch = after["metadata"]["name"], self.acting.watch()
        old, new, truth = source_of(before)["targetRevision"], source_of(after)["targetRevision"], self.truths[name]
        spec, digest = watch.spec, self.repository.digests.get(new)
        marker = after["metadata"].get("annotations", {}).get(TAKEN_BACK, "")
        assert not spec.suspend, "it was suspended"
        if marker.partition("@")[0] == old:
            bundle = (old, truth.digests.get(old))
            truth.taken_back[bundle] += 1
            assert spec.pin is None, f"{name} was taken back from what is pinned"
            assert spec.rollout.on_failure in {None, "Rollback"}, "it was to stay as it is"
            assert new in truth.healthy, f"{name} was taken back to {new}, which was never healthy there"
            assert truth.taken_back[bundle] == 1, f"{name} was taken back from {old} again"
        elif spec.pin is not None:
            assert new == spec.pin
        else:
            assert spec.rollout.allow_downgrade or version(new) >= version(old), f"{name} fell from {old} to {new}"
            self.assert_not_quarantined(name, new, digest)
            self.assert_approved(new, digest)
            self.assert_lower_waves_are_healthy(name, new)
        if truth.foreign is not None:
            asked = spec.pin is not None or spec.rollout.on_external_change == "Override"
            assert asked, f"{name} was set to {truth.foreign} by somebody else, and is overwritten with {new}"
        truth.ours, truth.foreign, truth.digests[new] = new, None, digest
        if self.acting is self.other:
            truth.ours = None  # what it has to tell comes too late, and nobody waits for it
        if spec.rollout.allow_downgrade:
            self.forgive(truth, new)

    def assert_not_quarantined(self, name: str, tag: str, digest: str | None) -> None:
        watch = self.acting.watch()
        asked = watch.retry_requested
        if asked is not None and asked.partition(" ")[0] == tag and asked != watch.status.last_handled_retry_at:
            return
        failed = {(entry.tag, entry.digest) for entry in watch.status.quarantine}
        if self.acting is self.other:  # who has not heard of it is stopped by what the Application itself tells
            failed |= set(self.truths[name].taken_back)
        elif not self.cluster.meanwhile:
            failed |= {(entry.tag, entry.digest) for entry in Status.parse(self.cluster.status()).quarantine}
        assert not failed & {(tag, digest), (tag, None)}, f"{tag} is quarantined"

    def assert_approved(self, tag: str, digest: str | None) -> None:
        watch = self.acting.watch()
        if watch.spec.gates.approval == "Manual" and self.cluster.revision("canary") != tag:
            known = {(entry.tag, entry.digest) for entry in watch.status.approved}
            assert (tag, digest) in known or watch.approval == tag, f"{tag} is not approved"

    def assert_lower_waves_are_healthy(self, name: str, tag: str) -> None:
        if self.acting is self.other or self.cluster.meanwhile:
            return  # it is healthy as far as they have heard
        waves = {wish.name: wish.wave for wish in self.acting.watch().spec.applications}
        for lower in (other for other in NAMES if waves[other] < waves[name]):
            body = self.cluster.applications[lower]
            there = source_of(body)["targetRevision"]
            assert version(there) >= version(tag), f"{name} is moved to {tag} and {lower} is still at {there}"
            says = argocd_says(body, Act.HEALTHY, now=self.cluster.now)["status"]
            live = body["status"]
            same = all(says[part] == live[part] for part in ("sync", "health"))
            assert same, f"{name} is moved to {tag}, and {lower} is not healthy"

    @invariant()
    def the_status_is_valid(self) -> None:
        status = self.cluster.status()
        assert Status.parse(status).to_dict() == status
        for entry in (*status.get("applications", ()), *status.get("history", ())):
            assert not [field for field, value in entry.items() if value == ""], entry

    @invariant()
    def what_is_at_our_target_again_is_nobody_elses(self) -> None:
        candidate = self.cluster.status().get("candidate", {}).get("tag")
        for name, truth in self.truths.items():
            entry = self.entry(name)
            if truth.foreign is not None and truth.foreign == entry.get("target") == candidate:
                truth.foreign = None

    def teardown(self) -> None:
        if sys.exc_info()[0] is None and hasattr(self, "leader"):
            self.comes_to_rest()

    def comes_to_rest(self) -> None:
        """Once all goes well again, it ends, and stops to write."""
        self.repository.down, quiet, rounds = False, 0, 0
        while quiet < 3:
            rounds += 1
            assert rounds < 60, f"it does not come to rest: {self.cluster.status()}"
            written, before = self.cluster.writes, {name: self.cluster.applications[name] for name in NAMES}
            self.leader.hear()
            then = self.work(self.leader)
            for name in NAMES:
                self.argocd_writes(name, Act.HEALTHY)
            if self.cluster.writes == written and before == self.cluster.applications and not then.at_once:
                quiet += 1
                self.cluster.now += timedelta(seconds=min(then.after_s or 600, 7200))
            else:
                quiet = 0
        status = self.cluster.status()
        if status["conditions"][0]["reason"] == "Suspended":
            return
        for entry in status["applications"]:
            assert entry["phase"] in AT_REST, entry
            assert entry["phase"] != "Healthy" or "deadline" not in entry, entry
        self.everything_was_told()

    def everything_was_told(self) -> None:
        told = " ".join(event["message"] for event in self.cluster.events)
        told += self.cluster.status()["conditions"][0]["message"]
        history = {entry["tag"] for entry in self.cluster.status().get("history", ())}
        for name, truth in self.truths.items():
            if truth.ours is not None:
                assert truth.ours in history or f"to {truth.ours}" in told, f"nobody was told of {name} {truth.ours}"

    # How it is done.

    def work(self, process: Process, *, looks: bool = True) -> Next:
        before, self.acting = self.acting, process
        try:
            return process.work(looks=looks)
        finally:
            self.acting = before
            if self.wrong is not None:
                raise self.wrong

    def goes_on(self, *, looks: bool = True) -> Next:
        """Passes, as long as there is something to be done at once, or an Application has changed by the last one."""
        for _ in range(12):
            self.leader.hear()
            patched = len(self.cluster.patched)
            then = self.work(self.leader, looks=looks)
            self.what_is_at_our_target_again_is_nobody_elses()
            if not then.at_once and len(self.cluster.patched) == patched:
                return then
        raise AssertionError("it goes on for ever")

    def with_mishap(self, mishap: Mishap) -> None:
        self.cluster.mishap = mishap
        self.leader.hear()
        try:
            for _ in range(12):
                if not self.work(self.leader).at_once:
                    break
            else:
                raise AssertionError("it goes on for ever")
        except Killed:
            pass
        self.cluster.mishap = None

    def excused(self) -> None:
        """Who has heard neither of our move nor of a person's cannot tell the one from the other."""
        for truth in self.truths.values():
            truth.foreign = None

    def entry(self, name: str) -> Json:
        entries = self.cluster.status().get("applications", ())
        return next((entry for entry in entries if entry["name"] == name), {})

    def resume_is_new(self) -> bool:
        asked = self.cluster.watches["shop"]["metadata"].get("annotations", {}).get("bundlewatch.dev/resume")
        return asked is not None and asked != self.cluster.status().get("lastHandledResumeAt")

    @staticmethod
    def forgive(truth: Truth, tag: str) -> None:
        """A person wants it tried again, whatever it failed by."""
        for bundle in [bundle for bundle in truth.taken_back if bundle[0] == tag]:
            del truth.taken_back[bundle]


def wishes(waves: tuple[int, ...]) -> list[Json]:
    return [{"name": name, "wave": wave} for name, wave in zip(NAMES, waves, strict=True)]


TestRollouts = pytest.mark.timeout(3600)(Rollouts.TestCase)  # what is found is made small, which takes its time
TestRollouts.settings = settings(
    max_examples=70 if settings.default.derandomize else settings.default.max_examples,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


def made(*steps: tuple[str, Json]) -> Rollouts:
    """The same, step by step, and to its end."""
    machine = Rollouts()
    machine.begin(waves=WAVES[0])
    for step, how in steps:
        getattr(machine, step)(**how)
        machine.the_status_is_valid()
    machine.comes_to_rest()
    return machine


FAILS = "a_release_fails", {"tag": "1.0.1"}
WORKS = "the_operator_works", {"looks": True}
ONE_PASS = "the_operator_does_one_pass", {}
GOES = "a_release_goes_out", {"tag": "1.0.1", "acts": [Act.HEALTHY, Act.HEALTHY, Act.PROGRESSING], "seconds": 400}
GOOD = "a_release_goes_out", {"tag": "1.0.1", "acts": [Act.HEALTHY] * 3, "seconds": 61}
FAILS_NEXT = "a_release_fails", {"tag": "1.0.2"}
WAVES_OF_THREE = "somebody_changes_the_waves", {"waves": WAVES[2]}
WAVES_OF_TWO = "somebody_changes_the_waves", {"waves": WAVES[1]}
DOWN = "the_registry_goes_down_or_comes_back", {}
LOST = "somebody_loses_the_status", {}
UNHEARD = "the_api_server_does_not_answer_a_write", {"at_write": 1, "after": True}
OLDER = "somebody_sets_the_target_revision", {"name": "canary", "tag": "0.9.0"}
HOLDS = "somebody_changes_the_rollout", {"change": {"onFailure": "Hold"}}
YOUNG = "somebody_changes_the_gates", {"gates": GATES[1]}
CLOSED = "somebody_changes_the_gates", {"gates": NIGHT}
KILLED_AFTER_A_MOVE = "the_operator_is_killed_at_a_write", {"at_write": 1, "after": True}
OTHER_WORKS = "another_leader_works", {}
PUSHED = "ci_publishes", {"tag": "1.0.1", "image": False}


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((OLDER, YOUNG, WORKS), id="what is seen for the first time is said once"),
        pytest.param((PUSHED, UNHEARD, LOST, ONE_PASS), id="a move from nobody knows where"),
        pytest.param((OLDER, WORKS, LOST, DOWN, ONE_PASS), id="a move that is not told of, and no registry"),
        pytest.param((PUSHED, WORKS, PUSHED, LOST, WORKS), id="pushed anew, and all is forgotten"),
        pytest.param((WAVES_OF_TWO, HOLDS, FAILS, PUSHED, WORKS), id="pushed anew where it failed and stays"),
        pytest.param((GOES, PUSHED, WORKS), id="pushed anew where it runs elsewhere"),
        pytest.param((FAILS, OTHER_WORKS), id="a leader that has not heard that it was taken back"),
        pytest.param(
            (GOOD, WORKS, ("another_leader_hears", {}), FAILS_NEXT, OTHER_WORKS),
            id="the same where it had been told of the release before",
        ),
        pytest.param(
            (OLDER, KILLED_AFTER_A_MOVE, CLOSED, ("a_release_fails", {"tag": "1.0.3"})),
            id="a move that nothing tells of, and the next has to wait",
        ),
        pytest.param(
            (
                FAILS,
                ("ci_publishes", {"tag": "0.9.0", "image": False}),
                ("somebody_pins", {"tag": "0.9.0"}),
                ("two_leaders_work_at_the_same_time", {"before": 2}),
            ),
            id="a leader that knows of no failure, while what failed is left by a pin",
        ),
        pytest.param(
            (OTHER_WORKS, FAILS, OTHER_WORKS, OTHER_WORKS),
            id="a leader that has not heard of a failure and looks again",
        ),
        pytest.param(
            (PUSHED, ("somebody_pins", {"tag": "0.9.0"}), ("two_leaders_work_at_the_same_time", {"before": 1}), WORKS),
            id="a move that nothing tells of, of a bundle that nobody knows",
        ),
        pytest.param(
            (GOOD, WAVES_OF_THREE, PUSHED, LOST, ("the_operator_works", {"looks": False}), WORKS),
            id="pushed anew, and all is forgotten, while the registry is asked",
        ),
    ],
)
def test_what_was_found_once_does_not_come_back(steps: tuple[tuple[str, Json], ...]) -> None:
    made(*steps)


def test_what_is_queued_behind_another_is_taken_back_in_time() -> None:
    machine = made(
        ("a_release_goes_out", {"tag": "1.0.1", "acts": [Act.DEGRADED] * 3, "seconds": 0}),
        ("somebody_changes_the_gates", {"gates": NIGHT}),
        ("ci_publishes", {"tag": "1.0.2", "image": False}),
        WORKS,
        ("time_passes", {"seconds": 61}),
        WORKS,
    )

    assert [sum(truth.taken_back.values()) for truth in machine.truths.values()] == [1, 1, 1]


def test_a_bundle_that_heals_where_it_is_and_is_kept_from_elsewhere_is_not_said_to_be_taken_back() -> None:
    machine = made(
        ("argocd_treats_all_alike", {"act": Act.DEGRADED}),  # nothing is known to go back to
        ("somebody_changes_the_rollout", {"change": {"onExternalChange": "Override"}}),
        FAILS_NEXT,
        ("somebody_sets_the_target_revision", {"name": "west", "tag": "1.0.1"}),
    )

    ready = machine.cluster.status()["conditions"][0]
    assert ready["reason"] == "ReleaseFailed"
    assert "it stays on canary (+1);" in ready["message"]
