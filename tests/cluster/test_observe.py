"""What status says while Argo CD is at work: played from what the real one was recorded to write."""

from collections.abc import Iterator

import pytest

from kit.argocd import Standin
from kit.objects import helm_source, native_source
from kit.operator import OperatorProcess
from kit.scene import Scene
from kit.waiting import never

pytestmark = [pytest.mark.cluster, pytest.mark.registry]


@pytest.fixture
def argocd(stage: Scene) -> Iterator[Standin]:
    with Standin(stage.cluster, namespace=stage.namespace, speed=0.3) as playing:
        yield playing


@pytest.fixture
def scene(stage: Scene, argocd: Standin, shared_operator: OperatorProcess) -> Scene:
    shared_operator.wait_ready()
    return stage


def deployed(scene: Scene) -> None:
    """1.0.0 runs and is healthy, and BundleWatch watches."""
    scene.publish("1.0.0")
    scene.create_application(revision="1.0.0")
    scene.until(lambda: scene.application().get("status", {}).get("health", {}).get("status") == "Healthy")
    scene.create_watch(interval="1h")
    scene.until_ready("True")


def release(scene: Scene, version: str) -> None:
    scene.publish(version)
    scene.annotate(reconcile=version)
    scene.until_revision(version)


def phase(scene: Scene) -> tuple[str, str]:
    """Phase and current target revision of the one Application."""
    (entry,) = scene.status().get("applications") or [{}]
    return entry.get("phase", ""), entry.get("current", "")


def test_a_release_is_followed_until_it_is_synced_and_healthy(scene: Scene) -> None:
    deployed(scene)
    release(scene, "1.0.1")

    scene.until(lambda: phase(scene) == ("Healthy", "1.0.1"))
    scene.until_ready("True", reason="UpToDate")
    assert scene.status()["current"]["tag"] == "1.0.1"
    assert scene.status()["applications"][0]["previous"] == "1.0.0"


def test_kubectl_wait_returns_when_the_release_is_healthy(scene: Scene) -> None:
    deployed(scene)
    release(scene, "1.0.1")
    scene.until(lambda: scene.condition()["status"] != "True" or phase(scene)[1] == "1.0.1")

    scene.cluster.kubectl("wait", "--for=condition=Ready", "bw/shop", "--timeout=30s", "-n", scene.namespace)
    assert phase(scene) == ("Healthy", "1.0.1")


def test_a_degraded_release_is_said_to_be_degraded(scene: Scene, argocd: Standin) -> None:
    deployed(scene)
    argocd.script(scene.namespace, "shop", "03", version="1.0.1")
    release(scene, "1.0.1")

    scene.until(lambda: phase(scene)[0] == "Degraded")
    condition = scene.until_ready("Unknown", reason="Progressing")
    assert condition["message"].startswith("shop is Degraded with 1.0.1: ")
    assert "the release fails at" in condition["message"]

    scene.patch_watch({"spec": {"rollout": {"onFailure": "Ignore"}}})  # nothing follows from it, so it is said at once
    scene.until_ready("False", reason="Degraded")
    scene.until(lambda: any(event["reason"] == "Degraded" and event["type"] == "Warning" for event in scene.events()))


def test_a_degraded_release_that_recovers_is_ready_again(scene: Scene, argocd: Standin) -> None:
    deployed(scene)
    argocd.script(scene.namespace, "shop", "04", version="1.0.1")
    release(scene, "1.0.1")

    scene.until(lambda: phase(scene)[0] == "Degraded" or phase(scene) == ("Healthy", "1.0.1"))
    scene.until(lambda: phase(scene) == ("Healthy", "1.0.1"), timeout_s=30)
    scene.until_ready("True")


def test_a_chart_that_cannot_be_rendered_fails_with_argo_cds_words(scene: Scene, argocd: Standin) -> None:
    deployed(scene)
    argocd.script(scene.namespace, "shop", "06", version="1.0.1")
    release(scene, "1.0.1")

    scene.until(lambda: phase(scene)[0] == "Failed")
    message = scene.until_ready("Unknown", reason="Progressing")["message"]
    assert "shop is Failed with 1.0.1: Argo CD cannot render 1.0.1: " in message
    assert "the release fails at" in message


def test_a_release_without_any_difference_needs_no_sync_to_be_healthy(scene: Scene, argocd: Standin) -> None:
    deployed(scene)
    argocd.script(scene.namespace, "shop", "08", version="1.0.1")
    release(scene, "1.0.1")

    scene.until(lambda: phase(scene) == ("Healthy", "1.0.1"))


def test_without_automated_sync_it_waits_for_a_person_and_says_so(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    scene.create_application(revision="1.0.0", automated=False)
    scene.create_watch(interval="1h")
    scene.until_revision("1.0.1")

    scene.until(lambda: phase(scene)[0] == "OutOfSync")
    assert scene.condition()["status"] != "True"


def test_old_health_is_never_taken_for_the_new_release(scene: Scene, argocd: Standin) -> None:
    deployed(scene)
    argocd.hold(scene.namespace, "shop", "set Deployment status ready")
    release(scene, "1.0.1")
    scene.until(lambda: argocd.held(scene.namespace, "shop"))

    never(lambda: phase(scene) == ("Healthy", "1.0.1"), for_s=1)
    argocd.release(scene.namespace, "shop", "set Deployment status ready")
    scene.until(lambda: phase(scene) == ("Healthy", "1.0.1"))


def test_several_sources_are_followed_by_their_own_revision(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    other = native_source(f"{scene.registry.host}/elsewhere/base", "3.0.0")
    scene.create_application("shop", "", helm_source(scene.repository, "1.0.0"), other)
    scene.create_watch(interval="1h")

    scene.until(lambda: scene.application()["spec"]["sources"][0]["targetRevision"] == "1.0.1")
    assert scene.application()["spec"]["sources"][1]["targetRevision"] == "3.0.0"
