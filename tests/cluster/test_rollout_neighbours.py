"""Releases of Applications that somebody else made, and of those that a sync window holds back, as recorded.

The ApplicationSets, parent Applications and AppProjects are real objects, which the operator reads; what Argo CD does
about them is played.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.argocd_shape import at
from kit.cluster import Cluster
from kit.objects import Json, application, helm_source
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.release import Release, playing
from kit.waiting import never

pytestmark = [pytest.mark.cluster, pytest.mark.registry]

ARGO = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/{plural}"
CONTROL_PLANE = "argocd"  # where the recorded Argo CD ran; there it looks for AppProjects and for parents
POINTER = {"jsonPointers": ["/spec/source/targetRevision"]}
RESPECTED = {"syncOptions": ["RespectIgnoreDifferences=true"]}


@pytest.fixture
def release(
    cluster: Cluster, registry: Registry, namespace: str, shared_operator: OperatorProcess
) -> Iterator[Release]:
    shared_operator.wait_ready()
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CONTROL_PLANE}})
    with playing(cluster, registry, namespace) as found:
        yield found


def by_application_set(release: Release, **spec: Any) -> Json:
    """The metadata of an Application made by an ApplicationSet, which is made, too."""
    namespace = release.scene.namespace
    made = release.scene.cluster.api.post(
        ARGO.format(namespace=namespace, plural="applicationsets"),
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "shops", "namespace": namespace},
            "spec": {"generators": [], "template": {"metadata": {}, "spec": {}}, **spec},
        },
    )
    return owned_by(made["metadata"]["uid"])


def owned_by(uid: str) -> Json:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "shops", "uid": uid}
    return {"ownerReferences": [{**owner, "controller": True}]}


def by_parent(release: Release, **spec: Any) -> Json:
    """The same of a parent Application."""
    body = application(CONTROL_PLANE, parent_of(release), helm_source("nowhere.example.com/apps", "1"), automated=False)
    body["spec"] |= spec
    release.scene.cluster.api.post(ARGO.format(namespace=CONTROL_PLANE, plural="applications"), body)
    return tracked(release)


def tracked(release: Release) -> Json:
    tracking = f"{parent_of(release)}:argoproj.io/Application:{release.scene.namespace}/shop"
    return {"annotations": {"argocd.argoproj.io/tracking-id": tracking}}


def parent_of(release: Release) -> str:
    return f"parent-of-{release.scene.namespace}"


def test_what_an_application_set_would_put_back_is_not_even_tried_until_it_has_the_rule(release: Release) -> None:
    scene = release.scene
    release.begin(metadata=by_application_set(release))
    release.script("12b")

    release.publish("1.0.1")
    ready = scene.until_ready("False", reason="Blocked")
    assert f"ApplicationSet {scene.namespace}/shops" in ready["message"]
    assert "ignoreApplicationDifferences" in ready["message"]
    never(lambda: scene.revision() != "1.0.0", for_s=1)

    path = f"{ARGO.format(namespace=scene.namespace, plural='applicationsets')}/shops"
    scene.cluster.api.patch(path, {"spec": {"ignoreApplicationDifferences": [POINTER]}})
    release.until_phase("Healthy")
    assert release.target_revisions() == ["1.0.0", "1.0.1"]
    assert not [key for key in at(scene.application(), "metadata", "annotations") or () if "bundlewatch" in key]


def test_what_a_parent_application_would_put_back_is_not_even_tried(release: Release) -> None:
    release.begin(metadata=by_parent(release))
    release.script("12c")

    release.publish("1.0.1")
    ready = release.scene.until_ready("False", reason="Blocked")

    assert f"Application {CONTROL_PLANE}/{parent_of(release)}" in ready["message"]
    assert "RespectIgnoreDifferences=true" in ready["message"]
    assert release.target_revisions() == ["1.0.0"]


@pytest.mark.parametrize(
    ("scenario", "rule"),
    [
        pytest.param("12d", {"managedFieldsManagers": ["bundlewatch"]}, id="12d: by our name"),
        pytest.param("12e", POINTER, id="12e: by a pointer"),
    ],
)
def test_what_a_parent_application_leaves_alone_is_rolled_out(release: Release, scenario: str, rule: Json) -> None:
    spec = {"ignoreDifferences": [{"group": "argoproj.io", "kind": "Application", **rule}], "syncPolicy": RESPECTED}
    release.begin(metadata=by_parent(release, **spec))
    release.script(scenario)

    release.publish("1.0.1")

    release.until_phase("Healthy")
    assert release.target_revisions() == ["1.0.0", "1.0.1"]


@pytest.mark.parametrize(
    "writer",
    [
        pytest.param("argocd-applicationset-controller", id="12: an ApplicationSet"),
        pytest.param("argocd-controller", id="12c: a parent"),
    ],
)
def test_a_maker_that_cannot_be_read_is_found_out_and_not_fought_for_ever(release: Release, writer: str) -> None:
    """The test is the maker: each time it puts back what its template says, as both were recorded to do."""
    scene = release.scene
    missing = "0d9a3c5e-0000-4000-8000-000000000001"
    release.begin(metadata=tracked(release) if writer == "argocd-controller" else owned_by(missing))

    release.publish("1.0.1")
    for _ in range(4):
        scene.until_revision("1.0.1")
        scene.patch_application({"spec": {"source": {"targetRevision": "1.0.0"}}}, manager=writer)

    ready = scene.until_ready("False", reason="Reverted")
    assert ready["message"].startswith(f"shop: {writer} set targetRevision back to 1.0.0 4 times")
    assert "gnore" in ready["message"]
    never(lambda: scene.revision() != "1.0.0", for_s=2)
    assert release.quarantine() == {}


def test_a_stranger_who_puts_it_back_is_a_person_who_has_decided(release: Release) -> None:
    release.begin()
    release.script("12")

    release.publish("1.0.1")

    ready = release.scene.until_ready("False", reason="Held")
    assert "argocd-applicationset-controller set targetRevision to 1.0.0" in ready["message"]
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0"]


def test_a_sync_is_asked_for_where_nobody_else_would_and_says_for_whom(release: Release) -> None:
    release.begin(automated=False, rollout={"sync": "Request"})
    release.script("09b")

    release.publish("1.0.1")
    release.until_phase("Healthy")

    moved = next(
        found for found in release.application_versions() if found["spec"]["source"]["targetRevision"] == "1.0.1"
    )
    assert moved["operation"]["initiatedBy"] == {"username": "bundlewatch", "automated": True}
    assert {"name": "bundlewatch.dev/tag", "value": "1.0.1"} in moved["operation"]["info"]
    assert at(moved, "status", "operationState") is None


def project(release: Release, *, manual: bool = False) -> str:
    """An AppProject of its own for the Application, whose sync window is shut from now on; the project's path."""
    name = f"project-of-{release.scene.namespace}"
    path = ARGO.format(namespace=CONTROL_PLANE, plural="appprojects")
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"], "manualSync": manual}
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "namespace": CONTROL_PLANE},
        "spec": {"syncWindows": [window]},
    }
    release.scene.cluster.api.post(path, body)
    release.scene.patch_application({"spec": {"project": name}})
    return f"{path}/{name}"


def test_no_sync_is_asked_for_against_a_sync_window_and_the_message_names_it(release: Release) -> None:
    release.begin(automated=False, rollout={"sync": "Request"})
    release.script("11")
    path = project(release)

    release.publish("1.0.1")
    release.scene.until(lambda: "sync window" in release.entry().get("message", ""))
    entry = release.entry()
    assert (entry["phase"], entry["target"]) == ("OutOfSync", "1.0.1")
    name = path.rpartition("/")[2]
    assert f"sync window deny '* * * * *' for 1h (UTC) of AppProject {name} holds every sync back" in entry["message"]
    assert "operation" not in release.scene.application()

    release.scene.cluster.api.patch(path, {"spec": {"syncWindows": []}})
    release.until_phase("Healthy")


def test_a_sync_that_a_window_stops_is_not_held_against_the_bundle(release: Release) -> None:
    scene, opens = release.scene, "remove window from the AppProject"
    release.begin()
    release.script("11c")
    release.argocd.hold(scene.namespace, "shop", opens)
    project(release)
    release.publish("1.0.1")
    scene.until(lambda: release.sync_status() == "OutOfSync")

    scene.patch_application({"operation": {"initiatedBy": {"automated": True, "username": "somebody"}, "sync": {}}})
    scene.until(lambda: "the sync of 1.0.1 gets no further" in release.entry().get("message", ""))
    never(release.quarantine, for_s=12)

    assert release.entry()["phase"] == "Waiting"
    assert scene.revision() == "1.0.1"


def test_a_sync_window_that_lets_people_through_lets_a_requested_sync_through(release: Release) -> None:
    release.begin(automated=False, rollout={"sync": "Request"})
    project(release, manual=True)  # then the sync goes its usual way (11b, 09b)

    release.publish("1.0.1")
    release.until_phase("Healthy")

    asked = [found["operation"] for found in release.application_versions() if "operation" in found]
    assert asked[-1]["initiatedBy"] == {"username": "bundlewatch", "automated": False}


def test_an_automatic_sync_that_a_window_holds_back_is_explained_by_the_window(release: Release) -> None:
    """Argo CD says nothing of it in the object; after two minutes without a sync its AppProject is asked."""
    scene = release.scene
    release.begin()
    release.script("11d")
    release.argocd.hold(scene.namespace, "shop", "remove window from the AppProject")
    name = project(release).rpartition("/")[2]
    release.publish("1.0.1")
    release.until_phase("Waiting")
    scene.until(lambda: release.sync_status() == "OutOfSync")

    moved_before(release, timedelta(minutes=3))
    scene.annotate(reconcile="later")

    entry = release.until_phase("OutOfSync")
    assert f"of AppProject {name} holds every sync back" in entry["message"]
    assert release.quarantine() == {}
    release.argocd.release(scene.namespace, "shop", "remove window from the AppProject")
    release.until_phase("Healthy")


def moved_before(release: Release, ago: timedelta) -> None:
    """As if so much time had passed since we moved it, and since Argo CD was last at work."""
    then = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = release.scene.application()["metadata"]["managedFields"]
    for entry in entries:
        if entry["manager"] == "bundlewatch":
            entry["time"] = then
    worked = {"operationState": {"startedAt": then, "finishedAt": then}}
    release.scene.patch_application({"metadata": {"managedFields": entries}, "status": worked})
    remembered = [{**entry, "movedAt": then} for entry in release.scene.status()["applications"]]
    release.scene.patch_watch_status({"applications": remembered})
