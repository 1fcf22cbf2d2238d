"""The recordings in which it is not a release that decides: the operator runs beside them, and does what little it may.

Others are at work here, or nobody is: Argo CD with what it began before, a person with an operation, a range or a
spelling of their own, a registry with another bundle under an old tag. Played as in `test_rollout.py`. What people do
stands in the tests as it was recorded; what the operator does about it is its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from kit.argocd_shape import at
from kit.cluster import Cluster
from kit.objects import Json, helm_source, native_source
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.release import PATIENT, Release, first_where
from kit.scene import Scene

pytestmark = [pytest.mark.cluster, pytest.mark.registry]

REFRESH = "argocd.argoproj.io/refresh"
SECOND: Json = {
    "retry": None,
    "info": [{"name": "n", "value": "second"}],
    "initiatedBy": {"automated": None, "username": "somebody"},
    "sync": {"revision": None, "source": None, "syncOptions": None},
}
ALWAYS_SHUT = {"windows": [{"kind": "Deny", "schedule": "* * * * *", "duration": "1h"}]}


class Witnessed(Release):
    """A release whose Argo CD finds behind some target revisions what a test says, such as behind a range."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, speed=0.02)
        self.found: dict[str, str] = {}

    def _resolve(self, source: Mapping[str, Any]) -> str:
        return self.found.get(str(source.get("targetRevision", ""))) or super()._resolve(source)

    def operation_state(self) -> Json:
        found = at(self.scene.application(), "status", "operationState") or {}
        assert isinstance(found, dict)
        return found

    def refresh(self, kind: str = "normal") -> None:
        """As a person does; until Argo CD has looked."""
        self.scene.patch_application({"metadata": {"annotations": {REFRESH: kind}}})
        self.scene.until(lambda: not at(self.scene.application(), "metadata", "annotations", REFRESH))
        self.until_idle()

    def until_idle(self) -> None:
        self.scene.until(lambda: self.argocd.idle(self.scene.namespace, "shop"))

    def until_the_next_second(self) -> None:
        """Argo CD counts seconds: until what it looks at then is seen to be after the end of its operation."""
        finished = datetime.fromisoformat(self.operation_state()["finishedAt"])
        self.scene.until(lambda: datetime.now(UTC) >= finished + timedelta(seconds=1))

    def publish_under(self, version: str, *tags: str) -> str:
        """One bundle under several tags; its digest."""
        digests = {self.scene.publish(version, tag=tag) for tag in tags}
        assert len(digests) == 1
        return digests.pop()

    def was_never_quarantined(self) -> bool:
        return not any(at(version, "status", "quarantine") for version in self.watch_versions())


@pytest.fixture
def release(
    cluster: Cluster, registry: Registry, namespace: str, shared_operator: OperatorProcess
) -> Iterator[Witnessed]:
    shared_operator.wait_ready()
    found = Witnessed(Scene(cluster=cluster, registry=registry, namespace=namespace))
    found.publish("1.0.0", look=None)
    with found.argocd:
        yield found


# Argo CD is at work on something else


def retried_without_end(release: Witnessed, scenario: str) -> None:
    """1.0.1 is not applied, and will be tried again."""
    release.begin(rollout=PATIENT)
    if scenario == "07e":
        retry = {"limit": 5, "refresh": True}
        release.scene.patch_application({"spec": {"syncPolicy": {"retry": retry}}})
    release.script(scenario)
    release.publish("1.0.1")
    release.scene.until(lambda: "will be tried again" in release.entry().get("message", ""))


def ended(release: Witnessed) -> list[tuple[str, str]]:
    """What the spec said, and what the operation was for, each time that one was ended."""
    versions = [found for found in release.application_versions() if at(found, "status", "operationState")]
    return [
        (
            after["spec"]["source"]["targetRevision"],
            after["status"]["operationState"]["operation"]["sync"]["source"]["targetRevision"],
        )
        for before, after in pairwise(versions)
        if at(after, "status", "operationState", "phase") == "Terminating"
        and at(before, "status", "operationState", "phase") != "Terminating"
    ]


@pytest.mark.parametrize("scenario", ["07d", "07e"])
def test_the_retries_of_a_version_give_way_to_a_newer_bundle(release: Witnessed, scenario: str) -> None:
    retried_without_end(release, scenario)

    release.publish("1.0.2")
    release.until_phase("Healthy", "1.0.2")

    assert ended(release) == [("1.0.2", "1.0.1")]
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.2"]
    assert release.was_never_quarantined()


@pytest.mark.parametrize("scenario", ["07d", "07e"])
def test_the_retries_of_a_version_give_way_to_a_person_who_goes_back(release: Witnessed, scenario: str) -> None:
    retried_without_end(release, scenario)

    release.scene.patch_watch({"spec": {"pin": "1.0.0"}})
    release.until_phase("Healthy", "1.0.0")

    assert ended(release) == [("1.0.0", "1.0.1")]
    assert release.operation_state()["phase"] == "Succeeded"
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0"]
    assert release.was_never_quarantined()


def test_an_operation_at_work_is_neither_ended_nor_written_over(release: Witnessed) -> None:
    """10: a person writes a second one over it, which Argo CD forgets, and a newer bundle comes out."""
    scene, namespace = release.scene, release.scene.namespace
    second, hook = "second .operation was written while the first runs", "set Job status Complete"
    release.begin(rollout={**PATIENT, "sync": "Request"})
    release.script("10")
    for moment in (second, hook):
        release.argocd.hold(namespace, "shop", moment)
    release.publish("1.0.1")
    scene.until(lambda: "waiting for completion of hook" in release.operation_state().get("message", ""))

    scene.patch_application({"operation": SECOND})
    scene.until(lambda: release.argocd.held(namespace, "shop") == second)
    release.argocd.release(namespace, "shop", second)
    release.until_idle()
    release.publish("1.0.2")
    scene.until(lambda: "still busy with the sync of 1.0.1" in release.until_phase("Waiting", "1.0.2")["message"])
    release.argocd.release(namespace, "shop", hook)
    release.until_phase("Healthy", "1.0.2")

    assert ended(release) == []
    assert writers_of_operations(release.application_versions()) == {"argocd-application-controller", "kubectl-edit"}
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.2"]
    assert release.was_never_quarantined()


def writers_of_operations(versions: Sequence[Json]) -> set[str]:
    entries = [entry for version in versions for entry in version["metadata"]["managedFields"]]
    return {entry["manager"] for entry in entries if "f:operation" in entry["fieldsV1"]}


def test_a_sync_that_succeeded_and_applied_nothing_is_not_healthy(release: Witnessed) -> None:
    """11c: it was asked for in a closed sync window, and beside it stood what came of the one before."""
    scene, opens = release.scene, "remove window from the AppProject"
    wanted: Json = {"initiatedBy": {"automated": True, "username": "somebody"}, "sync": {}}
    release.begin(rollout=PATIENT)
    release.script("11c")
    release.argocd.hold(scene.namespace, "shop", opens)
    release.publish("1.0.1")
    scene.until(lambda: release.sync_status() == "OutOfSync")

    scene.patch_application({"operation": wanted})
    scene.until(lambda: "blocked by sync window" in release.until_phase("Syncing")["message"])
    release.argocd.release(scene.namespace, "shop", opens)
    scene.until(lambda: release.operation_state()["phase"] == "Succeeded")
    release.until_the_next_second()
    release.refresh()
    different = release.until_phase("OutOfSync")
    scene.patch_application({"operation": wanted, "status": {"operationState": None}})
    release.until_phase("Healthy")

    assert "Argo CD calls the sync of 1.0.1 done, but the cluster still differs" in different["message"]
    healthy = first_where(release.watch_versions(), lambda watch: ("Healthy", "1.0.1") in phases(watch))
    applied = first_where(release.application_versions(), lambda found: len(at(found, "status", "history") or ()) == 3)
    assert healthy > applied
    assert release.target_revisions() == ["1.0.0", "1.0.1"]
    assert release.was_never_quarantined()


def phases(watch: Json) -> list[tuple[str, str]]:
    entries = at(watch, "status", "applications") or ()
    return [(entry.get("phase", ""), entry.get("target", "")) for entry in entries]


# Somebody has set what BundleWatch would not


def test_a_bundle_of_another_name_that_somebody_else_has_set_is_explained_until_a_right_one_comes(
    release: Witnessed,
) -> None:
    """14b; the recording ends before anything has made the right one ready."""
    scene = release.scene
    scene.registry.push_werf_bundle(scene.path, "other", "1.0.1")
    release.script("14b")
    release.begin_application("shop", helm_source(scene.repository, "1.0.1"))
    scene.create_watch(rollout=PATIENT)

    ready = scene.until_ready("False", reason="NoCandidate")
    failed = release.entry()
    scene.registry.push_werf_bundle(scene.path, "shop", "1.0.2")
    scene.annotate(reconcile="now")
    release.until_phase("Progressing", "1.0.2")

    assert "the chart is named 'other', but its repository ends in 'shop'" in ready["message"]
    assert failed["phase"] == "Failed"
    assert "Argo CD cannot render 1.0.1" in failed["message"]
    assert release.target_revisions() == ["1.0.1", "1.0.2"]
    assert release.was_never_quarantined()


def test_a_werf_bundle_in_a_native_source_is_explained_and_no_other_is_set(release: Witnessed) -> None:
    """14c; what Argo CD calls Healthy there never rendered anything."""
    scene = release.scene
    scene.registry.push_werf_bundle(scene.path, "shop", "1.0.1")
    release.script("14c")
    release.begin_application("shop", native_source(scene.repository, "1.0.1"))
    scene.create_watch(rollout=PATIENT)
    scene.until_ready("False", reason="NoCandidate")

    scene.registry.push_werf_bundle(scene.path, "shop", "1.0.2")
    scene.annotate(reconcile="now")
    scene.until(lambda: scene.verdicts().get("1.0.2") == "NotDeployable")

    assert "as werf writes it, which Argo CD refuses in an oci:// source" in scene.condition()["message"]
    assert release.entry()["phase"] == "Failed"
    assert "lastHealthy" not in release.entry()
    assert release.target_revisions() == ["1.0.1"]
    assert release.was_never_quarantined()


def test_a_range_is_argo_cds_to_follow_until_a_version_may_be_set(release: Witnessed) -> None:
    """21: it goes from 1.0.1 to 1.0.3 by itself, while a window of the BundleWatch is shut."""
    scene = release.scene
    release.found["~1.0"] = "1.0.1"
    release.publish("1.0.1", look=None)
    release.begin("shop", helm_source(scene.repository, "~1.0"), gates=ALWAYS_SHUT)
    release.publish("1.0.2")
    release.argocd.perform(scene.namespace, "shop", "21")
    until_found(release, "1.0.2")
    release.publish("1.0.3")
    release.refresh()
    until_found(release, "1.0.3")
    scene.until_ready("True", reason="OutsideWindow")
    scene.until(lambda: "1.0.3 waits" in scene.condition()["message"])
    assert scene.revision() == "~1.0"

    release.script("08", version="1.0.3")
    scene.patch_watch({"spec": {"gates": None}})
    release.until_phase("Healthy", "1.0.3")

    assert release.target_revisions() == ["~1.0", "1.0.3"]
    assert release.was_never_quarantined()


def test_the_way_back_to_a_range_is_what_it_ran_and_not_what_it_means_by_now(release: Witnessed) -> None:
    """21 and 03: the range would run the very bundle that failed."""
    release.found["~1.0"] = "1.0.0"
    release.begin("shop", helm_source(release.scene.repository, "~1.0"), tags={"exclude": ["1.0.0"]})
    release.script("03")

    release.publish("1.0.1")
    release.found["~1.0"] = "1.0.1"
    release.until_taken_back()

    assert release.target_revisions() == ["~1.0", "1.0.1", "1.0.0"]


def until_found(release: Witnessed, version: str) -> None:
    """Until Argo CD runs it, healthy."""

    def runs() -> bool:
        status = release.scene.application()["status"]
        return (at(status, "sync", "revision"), at(status, "health", "status")) == (version, "Healthy")

    release.scene.until(runs)
    release.until_idle()


def test_however_a_person_spells_a_target_revision_it_stays(release: Witnessed) -> None:
    """26: each spelling by way of Helm, and then in a native source."""
    scene = release.scene
    digest = release.publish_under("1.0.0", "v1.0.0", "latest")
    other = release.publish_under("1.1.0+b1", "1.1.0_b1")
    release.begin(automated=False, tags={"range": "~1.0"})
    release.argocd.perform(scene.namespace, "shop", "26")
    spellings = ("1.0", "1.0.*", "v1.0.0", "1.1.0+b1", "1.1.0_b1", "~1.1", "latest", digest, f"1.0.0@{digest}", "")

    for spelling in spellings:
        set_and_left_alone(release, spelling)
    release.found = {"1.0.*": digest, "v1.0.0": digest, "latest": digest, "1.1.0_b1": other}
    native = {"chart": None, **native_source(scene.repository, "1.0.0")}
    scene.patch_application({"spec": {"source": native}})  # what BundleWatch had set, and so no hold
    release.until_phase("OutOfSync", "1.0.0")
    for spelling in spellings:
        set_and_left_alone(release, spelling)

    assert release.target_revisions() == ["1.0.0", *spellings, "1.0.0", *spellings]
    assert release.was_never_quarantined()


def set_and_left_alone(release: Witnessed, spelling: str) -> None:
    release.scene.patch_application({"spec": {"source": {"targetRevision": spelling}}})
    said = f"kubectl-edit set targetRevision to {spelling or 'nothing'} after BundleWatch had set 1.0.0"
    release.scene.until(lambda: said in release.scene.condition().get("message", ""), message=said)
    if spelling:  # with none Argo CD says what it compared before
        release.scene.until(lambda: compared(release) == spelling)
    release.until_idle()
    assert release.scene.condition()["reason"] == "Held"
    assert release.scene.application()["spec"]["source"]["targetRevision"] == spelling


def compared(release: Witnessed) -> str:
    found = at(release.scene.application(), "status", "sync", "comparedTo", "source", "targetRevision")
    return str(found or "")


# Nobody has set anything


def test_nothing_is_written_while_nothing_happens(release: Witnessed) -> None:
    """18: resyncs, a refresh and a hard one."""
    scene = release.scene
    release.begin()
    scene.until(lambda: "UpToDate" in {event["reason"] for event in scene.events()})
    before = scene.watch()

    with scene.cluster.recording() as recording:
        release.argocd.perform(scene.namespace, "shop", "18")
        release.until_idle()
        release.refresh()
        release.refresh("hard")
        release.until_idle()

    assert recording.writes(agent="bundlewatch", not_agent="bundlewatch-kit", namespace=scene.namespace) == []
    assert scene.watch() == before


def test_a_running_tag_that_is_pushed_anew_changes_nothing(release: Witnessed) -> None:
    """25: not even Argo CD deploys it where it does not heal itself."""
    scene = release.scene
    release.begin()
    release.publish("1.0.1")
    release.until_phase("Healthy")

    with scene.cluster.recording() as recording:
        release.argocd.perform(scene.namespace, "shop", "25")
        scene.registry.push_chart(scene.path, "shop", "1.0.1", description="another bundle")
        scene.annotate(reconcile="pushed anew")
        scene.until(lambda: scene.status().get("lastHandledReconcileAt") == "pushed anew")
        release.until_idle()
        release.refresh()
        release.until_the_next_second()
        release.refresh("hard")
        different = release.until_phase("OutOfSync")

    ours = recording.writes(agent="bundlewatch", not_agent="bundlewatch-kit", namespace=scene.namespace)
    assert [write.name for write in ours if write.resource == "applications"] == []
    assert release.was_never_quarantined()
    assert "the cluster still differs" in different["message"]
    assert release.target_revisions() == ["1.0.0", "1.0.1"]
    status = scene.status()
    assert status["current"]["digest"] == status["history"][0]["digest"] != status["candidate"]["digest"]
