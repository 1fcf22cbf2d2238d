"""Each order of tags from a push to the Application, and never back unless it is asked for."""

from typing import Any

import pytest

from kit.objects import native_source
from kit.scene import Scene
from kit.waiting import never

pytestmark = [pytest.mark.cluster, pytest.mark.registry]


def deploy(scene: Scene, runs: str, *published: str, **watch: Any) -> None:
    """An Application with a native source, which takes any tag, runs `runs`; a BundleWatch follows."""
    for tag in published:
        scene.publish("1.0.0", tag=tag)
    scene.create_application("shop", "", native_source(scene.repository, runs))
    scene.create_watch(**watch)


@pytest.mark.parametrize(
    ("tags", "runs", "published", "newest"),
    [
        pytest.param({"order": "calver"}, "2024.01.15", ["2024.01.15", "20240116", "v24.1.9"], "20240116", id="calver"),
        pytest.param({"order": "numerical"}, "9", ["9", "10", "9.5"], "10", id="numerical"),
        pytest.param(
            {"order": "numerical", "direction": "Descending"}, "9", ["9", "10", "8"], "8", id="numerical, descending"
        ),
        pytest.param({"order": "alphabetical"}, "jammy", ["focal", "jammy", "noble"], "noble", id="alphabetical"),
    ],
)
def test_the_newest_of_its_order_reaches_the_application(
    scene: Scene, tags: dict[str, str], runs: str, published: list[str], newest: str
) -> None:
    deploy(scene, runs, *published, tags=tags)

    scene.until_revision(newest)


@pytest.mark.parametrize(
    ("tags", "runs", "published"),
    [
        pytest.param({"order": "calver"}, "2024.02", ["2024.01", "20240115"], id="calver"),
        pytest.param({"order": "numerical"}, "10.5", ["10", "9"], id="numerical"),
        pytest.param({"order": "numerical", "direction": "Descending"}, "5", ["7", "9"], id="numerical, descending"),
        pytest.param({"order": "alphabetical"}, "noble", ["focal", "jammy"], id="alphabetical"),
    ],
)
def test_what_runs_is_never_replaced_by_something_older_also_where_it_is_gone_from_the_registry(
    scene: Scene, tags: dict[str, str], runs: str, published: list[str]
) -> None:
    deploy(scene, runs, *published, tags=tags)

    scene.until_ready("False", reason="NoCandidate")
    never(lambda: scene.revision() != runs, for_s=2)
    assert set(scene.verdicts().values()) == {"Downgrade"}


def test_where_nobody_can_tell_what_runs_nothing_moves_and_it_says_how_to_go_on(scene: Scene) -> None:
    deploy(scene, "latest", "1.0.0")

    blocked = scene.until_ready("False", reason="Blocked")

    assert "targetRevision 'latest' is no version that spec.tags reads" in blocked["message"]
    assert "spec.rollout.allowDowngrade to true" in blocked["message"]
    assert scene.revision() == "latest"
    assert scene.verdicts() == {"1.0.0": "Downgrade"}
    scene.patch_watch({"spec": {"rollout": {"allowDowngrade": True}}})
    scene.until_revision("1.0.0")


def test_a_narrower_range_goes_back_only_where_a_downgrade_is_allowed(scene: Scene) -> None:
    for version in ("1.0.0", "1.0.1", "2.0.0"):
        scene.publish(version)
    scene.create_application(revision="2.0.0")
    scene.create_watch(tags={"range": "^1"})
    scene.until_ready("False", reason="NoCandidate")
    assert scene.revision() == "2.0.0"

    scene.patch_watch({"spec": {"rollout": {"allowDowngrade": True}}})

    scene.until_revision("1.0.1")
    scene.until(lambda: scene.verdicts().get("1.0.1") == "Chosen")
