"""Whenever it is stopped, and started anew with only what the cluster holds, a rollout comes to the same end."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from bundlewatch.argocd.provenance import TAKEN_BACK
from unit.engine.mishaps import (
    Act,
    Cluster,
    Killed,
    Mishap,
    Process,
    Repository,
    healthy_application,
    source_of,
    watch_of,
)
from unit.engine.world import Json

WRITES_MOST = 80  # no story has more


@dataclass(slots=True)
class Play:
    """A cluster, and an operator of which one process after the other may be stopped."""

    wishes: list[Json] = field(default_factory=lambda: [{"name": "shop"}])
    rollout: Json = field(default_factory=dict)
    cluster: Cluster = field(default_factory=Cluster)
    repository: Repository = field(default_factory=Repository)
    taken_back: list[str] = field(default_factory=list)
    other: Process | None = None
    """A second leader, that acts by what it has heard up to now."""

    stopped: bool = False
    _process: Process | None = None

    def __post_init__(self) -> None:
        self.repository.publish("1.0.0")
        self.cluster.moved = self._moved
        for wish in self.wishes:
            self.cluster.put_application(healthy_application(wish["name"], "1.0.0", now=self.cluster.now))
        rollout = {"timeout": "5m", "degradedFor": "1m", **self.rollout}
        self.cluster.put_watch(watch_of({"applications": self.wishes, "rollout": rollout}))
        self._process = Process(self.cluster, self.repository)

    def works(self) -> None:
        """Until nothing is left to be done now; whoever is stopped is started anew."""
        for _ in range(20):
            try:
                if self._one_pass():
                    return
            except Killed:
                self.stopped = True
                self._process = Process(self.cluster, self.repository)
        raise AssertionError("it goes on for ever")

    def _one_pass(self) -> bool:
        """Whether it was the last."""
        process, patched = self._process, len(self.cluster.patched)
        assert process is not None
        process.hear()
        then = process.work()
        return not then.at_once and not then.failed and len(self.cluster.patched) == patched

    def argocd(self, act: Act, *names: str) -> None:
        for name in names or [wish["name"] for wish in self.wishes]:
            self.cluster.argocd(name, act)

    def releases(self, tag: str) -> None:
        """A bundle is published, and noticed."""
        self.repository.publish(tag)
        self.works()

    def later(self, seconds: int) -> None:
        """Time passes, and it is looked at now and then."""
        for _ in range(2):
            self.cluster.now += timedelta(seconds=seconds / 2)
            self.works()

    def ends(self) -> Json:
        """What came of it, as far as it must not depend on who was stopped when."""
        status = self.cluster.status()
        conditions = {found["type"]: (found["status"], found["reason"]) for found in status["conditions"]}
        return {
            "revisions": {name: self.cluster.revision(name) for name in self.cluster.applications},
            "quarantine": [found["tag"] for found in status.get("quarantine", ())],
            "taken back": sorted(self.taken_back),
            "Ready": conditions["Ready"],
            "phases": {entry["name"]: entry["phase"] for entry in status["applications"]},
            "under way": [entry["name"] for entry in status["applications"] if "deadline" in entry],
        }

    def _moved(self, before: Json, after: Json) -> None:
        mark = after["metadata"].get("annotations", {}).get(TAKEN_BACK, "")
        if mark.partition("@")[0] == source_of(before)["targetRevision"]:
            self.taken_back.append(f"{after['metadata']['name']} from {mark.partition('@')[0]}")


def good_release() -> Iterator[Play]:
    play = Play()
    yield play
    play.works()
    play.releases("1.0.1")
    play.argocd(Act.PROGRESSING)
    play.works()
    play.argocd(Act.HEALTHY)
    play.later(60)


def bad_release() -> Iterator[Play]:
    play = Play()
    yield play
    play.works()
    play.releases("1.0.1")
    play.argocd(Act.DEGRADED)
    play.works()
    play.later(200)
    play.argocd(Act.HEALTHY)
    play.later(600)


def waves() -> Iterator[Play]:
    play = Play(wishes=[{"name": "canary"}, {"name": "shop", "wave": 1}])
    yield play
    play.works()
    play.releases("1.0.1")
    play.argocd(Act.HEALTHY)
    play.later(60)
    play.argocd(Act.HEALTHY)
    play.later(60)
    play.releases("1.0.2")
    play.argocd(Act.SYNC_FAILED, "canary")
    play.later(60)
    play.argocd(Act.HEALTHY)
    play.later(600)


def reverted_by_an_application_set() -> Iterator[Play]:
    play = Play()
    body = copy.deepcopy(play.cluster.applications["shop"])
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "shops", "controller": True}
    body["metadata"]["ownerReferences"] = [owner]
    play.cluster.put_application(body)
    yield play
    play.works()
    play.releases("1.0.1")
    for _ in range(5):
        if play.cluster.revision() == "1.0.1":
            play.cluster.set_revision("shop", "1.0.0", manager="argocd-applicationset-controller")
        play.argocd(Act.HEALTHY)
        play.later(20)


def requested_sync() -> Iterator[Play]:
    play = Play(rollout={"sync": "Request"})
    body = copy.deepcopy(play.cluster.applications["shop"])
    body["spec"]["syncPolicy"] = {}
    play.cluster.put_application(body)
    yield play
    play.works()
    play.releases("1.0.1")
    assert "operation" in play.cluster.applications["shop"]
    play.argocd(Act.HEALTHY)
    play.later(60)


def retry() -> Iterator[Play]:
    play = Play()
    yield play
    play.works()
    play.releases("1.0.1")
    play.argocd(Act.SYNC_FAILED)
    play.later(60)
    play.argocd(Act.HEALTHY)
    play.later(60)
    play.cluster.edit_watch(annotations={"bundlewatch.dev/retry": "1.0.1 please"})
    play.works()
    play.argocd(Act.HEALTHY)
    play.later(60)


def stopped_by_hand() -> Iterator[Play]:
    play = Play()
    yield play
    play.works()
    play.releases("1.0.1")
    play.argocd(Act.HEALTHY)
    play.later(60)
    play.cluster.set_revision("shop", "1.0.0", manager="kubectl-edit")
    play.argocd(Act.HEALTHY)
    play.works()
    play.repository.publish("1.0.2")
    play.later(600)


Story = Callable[[], Iterator[Play]]
STORIES: tuple[Story, ...] = (
    good_release,
    bad_release,
    waves,
    reverted_by_an_application_set,
    requested_sync,
    retry,
    stopped_by_hand,
)


def played(story: Story, prepare: Callable[[Play], object] = lambda _: None) -> Play:
    telling = story()
    play = next(telling)
    prepare(play)
    assert next(telling, None) is None
    return play


@pytest.mark.parametrize(
    ("story", "ends"),
    [
        pytest.param(good_release, ("1.0.1", [], ("True", "UpToDate"), []), id="good"),
        pytest.param(bad_release, ("1.0.0", ["1.0.1"], ("False", "RolledBack"), ["shop from 1.0.1"]), id="bad"),
        pytest.param(waves, ("1.0.1", ["1.0.2"], ("False", "RolledBack"), ["canary from 1.0.2"]), id="waves"),
        pytest.param(reverted_by_an_application_set, ("1.0.0", [], ("False", "Reverted"), []), id="reverted"),
        pytest.param(requested_sync, ("1.0.1", [], ("True", "UpToDate"), []), id="requested"),
        pytest.param(retry, ("1.0.1", [], ("True", "UpToDate"), ["shop from 1.0.1"]), id="retry"),
        pytest.param(stopped_by_hand, ("1.0.0", [], ("False", "Held"), []), id="held"),
    ],
)
def test_undisturbed_a_story_ends_as_it_should(story: Story, ends: tuple[Any, ...]) -> None:
    came = played(story).ends()

    assert (came["revisions"]["shop"], came["quarantine"], came["Ready"], came["taken back"]) == ends


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("story", STORIES)
def test_whenever_it_is_killed_the_story_ends_alike(story: Story, after: bool) -> None:  # noqa: FBT001
    undisturbed = played(story).ends()

    for number in range(1, WRITES_MOST):
        killed = played(story, lambda play, at=number: kill(play, at, after=after))  # type: ignore[misc]
        if not killed.stopped:
            break
        assert killed.ends() == undisturbed, f"killed at write {number}"
    assert 5 < number < WRITES_MOST - 1, "it was killed at every write there is"


@pytest.mark.parametrize("story", STORIES)
def test_whenever_another_leader_comes_in_between_the_story_ends_alike(story: Story) -> None:
    undisturbed = played(story).ends()

    for number in range(1, WRITES_MOST):
        overlapped = played(story, lambda play, at=number: overlap(play, at))  # type: ignore[misc]
        if overlapped.other is None:
            break
        assert overlapped.ends() == undisturbed, f"overlapped at write {number}"
    assert 5 < number < WRITES_MOST - 1, "another came in before every write there is"


def kill(play: Play, at: int, *, after: bool) -> None:
    play.cluster.mishap = Mishap(at, Killed(), after=after)


def overlap(play: Play, at: int) -> None:
    """Another leader that has heard of everything up to this write, and works once more some writes later."""

    def begins() -> None:
        play.other = Process(play.cluster, play.repository)
        play.other.work()
        play.cluster.meanwhile = [lambda: None, works_again]

    def works_again() -> None:
        assert play.other is not None
        play.other.work()

    play.cluster.meanwhile = [*[lambda: None] * (at - 1), begins]
