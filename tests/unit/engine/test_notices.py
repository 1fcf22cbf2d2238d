"""Which Events lie between two statuses."""

from collections.abc import Sequence
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import Status
from bundlewatch.cluster.events import Notice
from bundlewatch.cluster.status import merge_patch
from bundlewatch.engine.notices import notices
from bundlewatch.engine.outcome import status_of
from bundlewatch.errors import AccessDenied, BundleWatchError, ClusterUnavailable, RegistryUnavailable
from unit.engine.world import IMAGE, Empty, Shelf, Stage, at, shelf, watch

DOWN = RegistryUnavailable("registry.example.com does not answer")
EVERYBODY: list[dict[str, Any]] = [{"selector": {}}]
BEST = shelf("1.0.0", "1.0.1")


async def passed(
    stage: Stage,
    status: Status,
    tags: Shelf | Empty = BEST,
    *,
    trouble: BundleWatchError | None = None,
    **spec: Any,
) -> tuple[Status, list[Notice]]:
    """The status after one more pass, and what is told of the way there."""
    about = watch(status=status, **spec)
    outcome = await stage.reconcile(about, tags, trouble=trouble)
    after = status_of(about, outcome, now=at(), looked=True)
    return after, list(notices(about, status, after, outcome, now=at()))


def told(found: Sequence[Notice]) -> list[tuple[str, str, str]]:
    return [(notice.type, notice.subject.kind, notice.reason) for notice in found]


def stage(*names: str, revision: str = "1.0.0", health: str = "Healthy", manager: str = "kubectl") -> Stage:
    made = Stage()
    for name in names or ("shop",):
        made.server.create_application(name, revision, health=health, manager=manager)
    return made


async def test_a_move_is_told_to_whoever_looks_at_either_object() -> None:
    _, found = await passed(stage(), Status())

    assert told(found) == [
        ("Normal", "BundleWatch", "Moved"),
        ("Normal", "Application", "TargetRevisionChanged"),
    ]
    assert [notice.message for notice in found] == [
        "moved Application shop from 1.0.0 to 1.0.1",
        "BundleWatch shop moved targetRevision from 1.0.0 to 1.0.1",
    ]
    assert [notice.subject.uid for notice in found] == ["uid-of-shop", "uid-of-application-shop"]


async def test_a_pass_that_changed_nothing_tells_nothing() -> None:
    settled, _ = await passed(stage(revision="1.0.1"), Status())

    after, found = await passed(stage(revision="1.0.1"), settled)

    assert merge_patch(settled.to_dict(), after.to_dict()) == {}
    assert found == []


@pytest.mark.parametrize(
    ("world", "arguments", "expected"),
    [
        pytest.param(stage(revision="1.0.1"), {}, ("Normal", "UpToDate"), id="up to date"),
        pytest.param(stage(revision="1.0.1"), {"suspend": True}, ("Normal", "Suspended"), id="suspended"),
        pytest.param(stage(revision="1.0.1", health="Degraded"), {}, ("Warning", "Degraded"), id="degraded"),
        pytest.param(stage(), {"trouble": DOWN}, ("Warning", "RegistryUnavailable"), id="the registry is down"),
        pytest.param(stage(), {"tags": shelf(but={"1.0.1": IMAGE})}, ("Warning", "NoCandidate"), id="no chart"),
        pytest.param(stage("other"), {}, ("Warning", "ApplicationNotFound"), id="no such Application"),
        pytest.param(stage(revision="main"), {}, ("Warning", "Blocked"), id="blocked"),
    ],
)
async def test_what_it_came_to_is_told_once(world: Stage, arguments: dict[str, Any], expected: tuple[str, str]) -> None:
    first, found = await passed(world, Status(), **arguments)
    _, later = await passed(world, first, **arguments)

    assert [(notice.type, notice.reason) for notice in found] == [expected]
    assert [notice.message for notice in found] == [first.conditions[0].message]
    assert later == []


async def test_the_same_trouble_in_other_words_is_no_transition() -> None:
    first, _ = await passed(stage(), Status(), trouble=DOWN)

    _, found = await passed(stage(), first, trouble=RegistryUnavailable("a connection was reset"))

    assert found == []


async def test_one_trouble_after_another_is_told() -> None:
    first, _ = await passed(stage(), Status(), trouble=DOWN)

    _, found = await passed(stage(), first, trouble=AccessDenied("access denied"))

    assert [notice.reason for notice in found] == ["AccessDenied"]


async def test_recovery_is_told() -> None:
    first, _ = await passed(stage(revision="1.0.1"), Status(), trouble=DOWN)

    _, found = await passed(stage(revision="1.0.1"), first)

    assert [(notice.type, notice.reason) for notice in found] == [("Normal", "UpToDate")]


async def test_being_on_the_way_is_no_event_of_its_own() -> None:
    _, found = await passed(stage(), Status(), Empty())

    assert found == []


async def test_what_was_moved_is_told_although_the_next_write_failed() -> None:
    world = stage("a", "b")
    world.server.refusing["b"] = ClusterUnavailable("the Kubernetes API did not answer")

    _, found = await passed(world, Status(), applications=EVERYBODY)

    assert [notice.message for notice in found if notice.reason == "Moved"] == [
        "moved Application a from 1.0.0 to 1.0.1"
    ]
    assert [notice.type for notice in found if notice.reason == "ClusterUnavailable"] == ["Warning"]


async def test_a_move_whose_status_could_not_be_written_is_told_by_the_pass_that_can() -> None:
    before, _ = await passed(stage(), Status(), shelf("1.0.0"))
    world = stage(revision="1.0.1", manager="bundlewatch")

    after, found = await passed(world, before)
    _, later = await passed(world, after)

    assert [notice.message for notice in found if notice.reason == "Moved"] == [
        "moved Application shop from 1.0.0 to 1.0.1"
    ]
    assert [notice for notice in later if notice.reason == "Moved"] == []


async def test_pods_that_restart_are_no_release() -> None:
    cluster = stage(revision="1.0.1")
    status, _ = await passed(cluster, Status())
    found = []
    for health in ("Progressing", "Healthy", "Progressing", "Healthy"):
        cluster.server.sync(health=health)
        status, more = await passed(cluster, status)
        found += more

    assert found == []
    assert [condition.status for condition in status.conditions] == ["True"]
