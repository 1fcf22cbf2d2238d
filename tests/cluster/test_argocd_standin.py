"""The stand-in of Argo CD on the real API server: it does what was recorded, and says it about the live object."""

import json
import re
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from kit import argocd_traces
from kit.api import ApiError
from kit.argocd import SCENARIO, Standin
from kit.argocd_render import repository_of
from kit.argocd_replay import Version, expected, replay
from kit.argocd_shape import at, revisions_of, trim
from kit.cluster import Cluster
from kit.objects import APPLICATIONS, Json, application, helm_source, native_source
from kit.waiting import eventually, never

pytestmark = pytest.mark.cluster

REPOSITORY = "registry.example.net/team/shop"
REFRESH = "argocd.argoproj.io/refresh"
SKIP = "argocd.argoproj.io/skip-reconcile"


@pytest.mark.parametrize("scenario", argocd_traces.names())
async def test_a_recorded_scenario_happens_again_write_by_write(
    scenario: str, cluster: Cluster, namespace: str
) -> None:
    trace = argocd_traces.load(scenario)

    seen = await replay(trace, cluster, namespace)

    assert [comparable(version, seen[0]) for version in seen] == [
        comparable(version, expected(trace)[0]) for version in expected(trace)
    ]


def comparable(version: Version, first: Version) -> Json:
    """Without what differs from run to run: where generations begin, and the times the API server gives."""
    state = json.loads(json.dumps(version.state))
    state["generation"] = version.generation - first.generation
    if "deletionTimestamp" in state["metadata"]:
        state["metadata"]["deletionTimestamp"] = "…"
    for entry in state["metadata"]["managedFields"].values():
        entry.pop("time")
        entry["fields"].sort()
    assert isinstance(state, dict)
    return state


@dataclass
class Life:
    """One live Application and every version of it that a watch has shown."""

    cluster: Cluster
    namespace: str
    name: str = "shop"
    versions: list[Json] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"{APPLICATIONS.format(namespace=self.namespace)}/{self.name}"

    def create(self, *sources: Json, automated: bool = True, **metadata: Any) -> None:
        body = application(self.namespace, self.name, *sources, automated=automated)
        body["metadata"] |= metadata
        self.cluster.api.post(APPLICATIONS.format(namespace=self.namespace), body, fieldManager="kubectl-create")

    def set_revision(self, revision: str) -> None:
        self.patch({"spec": {"source": {"targetRevision": revision}}})

    def patch(self, patch: Mapping[str, Any]) -> None:
        self.cluster.api.patch(self.path, patch, fieldManager="bundlewatch")

    def annotate(self, **annotations: str | None) -> None:
        self.patch({"metadata": {"annotations": annotations}})

    def now(self) -> Json:
        return self.cluster.api.get(self.path)

    def status(self) -> Json:
        status = self.now().get("status", {})
        assert isinstance(status, dict)
        return status

    def words(self) -> list[str]:
        """What a reader of the status saw, without repetitions: version compared, sync, operation, health."""
        self._catch_up()
        seen: list[str] = []
        for version in self.versions:
            status = version.get("status", {})
            words = " ".join(
                str(at(status, *path) or "-")
                for path in (
                    ("sync", "comparedTo", "source", "targetRevision"),
                    ("sync", "status"),
                    ("operationState", "phase"),
                    ("health", "status"),
                )
            )
            if seen[-1:] != [words]:
                seen.append(words)
        return seen

    def _catch_up(self) -> None:
        """What can be read can be a moment ahead of what the watch has shown."""
        try:
            now = int(self.now()["metadata"]["resourceVersion"])
        except ApiError:
            return  # it is deleted: the watch has shown all there was
        eventually(lambda: self.versions and int(self.versions[-1]["metadata"]["resourceVersion"]) >= now)

    def until(self, revision: str, sync: str, health: str, *, phase: str | None = None) -> None:
        def settled() -> bool:
            status = self.status()
            compared = at(status, "sync", "comparedTo", "source", "targetRevision")
            found = (compared, at(status, "sync", "status"), at(status, "health", "status"))
            return found == (revision, sync, health) and phase in (None, at(status, "operationState", "phase"))

        eventually(settled, message=lambda: f"{revision} {sync} {health}; it is {self.words()[-3:]}")


@contextmanager
def watched(life: Life) -> Iterator[Life]:
    """Collects every version from now on."""
    listed = life.cluster.api.get(APPLICATIONS.format(namespace=life.namespace))
    events = life.cluster.api.watch(
        APPLICATIONS.format(namespace=life.namespace), resourceVersion=listed["metadata"]["resourceVersion"]
    )
    assert isinstance(events, Generator)
    stopping = threading.Event()

    def collect() -> None:
        for event in events:
            if stopping.is_set():
                break
            if event["object"]["metadata"]["name"] == life.name:
                life.versions.append(event["object"])
        events.close()

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield life
    finally:
        stopping.set()
        life.cluster.api.post(  # the watch notices that it is over by one more event
            APPLICATIONS.format(namespace=life.namespace),
            application(life.namespace, "the-end", helm_source("nowhere.example.net/nothing", "0")),
        )
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def standin(cluster: Cluster, namespace: str) -> Iterator[Standin]:
    with Standin(cluster, namespace=namespace, speed=0.01) as playing:
        yield playing


@pytest.fixture
def life(cluster: Cluster, namespace: str) -> Iterator[Life]:
    with watched(Life(cluster, namespace)) as living:
        yield living


def test_a_new_application_is_synced_and_an_upgrade_follows_its_target_revision(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")
    life.set_revision("4.1.0")
    life.until("4.1.0", "Synced", "Healthy")

    assert life.words() == [
        "- - - -",
        "4.0.0 OutOfSync - Missing",
        "4.0.0 OutOfSync Running Missing",
        "4.0.0 OutOfSync Succeeded Missing",
        "4.0.0 Synced Succeeded Progressing",
        "4.0.0 Synced Succeeded Healthy",
        "4.0.0 Synced - Healthy",  # the operation is there, its state is not, and nothing is compared yet
        "4.1.0 OutOfSync - Healthy",
        "4.1.0 OutOfSync Running Healthy",
        "4.1.0 OutOfSync Succeeded Healthy",
        "4.1.0 Synced Succeeded Progressing",
        "4.1.0 Synced Succeeded Healthy",
    ]
    assert [(entry["id"], entry["revision"]) for entry in life.status()["history"]] == [(0, "4.0.0"), (1, "4.1.0")]


def test_only_the_controllers_fields_are_written(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")
    life.set_revision("4.1.0")
    life.until("4.1.0", "Synced", "Healthy")

    managers = trim(life.now())["metadata"]["managedFields"]
    assert managers["bundlewatch/Update"]["fields"] == ["spec.source.targetRevision"]
    (status,) = managers["argocd-application-controller/Update"]["fields"]
    assert status.startswith("status{")


def test_a_scripted_version_degrades_and_going_back_cures_it(standin: Standin, life: Life) -> None:
    standin.script(life.namespace, life.name, "03-upgrade-degraded-then-rolled-back", version="4.2.0")
    life.create(helm_source(REPOSITORY, "4.1.0"))
    life.until("4.1.0", "Synced", "Healthy")

    life.set_revision("4.2.0")
    life.until("4.2.0", "Synced", "Degraded")
    life.set_revision("4.1.0")
    life.until("4.1.0", "Synced", "Healthy")
    life.set_revision("4.2.0")
    life.until("4.2.0", "Synced", "Degraded")
    life.set_revision("4.3.0")  # forward instead of back: an upgrade like any other
    life.until("4.3.0", "Synced", "Healthy")

    assert [entry["revision"] for entry in life.status()["history"]] == ["4.1.0", "4.2.0", "4.1.0", "4.2.0", "4.3.0"]


def test_an_annotation_scripts_it_from_outside(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"), annotations={SCENARIO: "4.1.0=05,4.2.0=08-no-diff-release"})
    life.until("4.0.0", "Synced", "Healthy")

    life.set_revision("4.1.0")
    life.until("4.1.0", "Unknown", "Healthy")
    (condition,) = life.status()["conditions"]
    life.set_revision("4.2.0")
    life.until("4.2.0", "Synced", "Healthy")

    assert condition["type"] == "ComparisonError"
    assert "helm pull oci://registry.example.net/team/shop --version 4.1.0 " in condition["message"]
    assert condition["message"].endswith("registry.example.net/team/shop:4.1.0: not found")
    assert "conditions" not in life.status()
    assert len(life.status()["history"]) == 1


SCRIPTED = [
    name
    for name in argocd_traces.names()
    if name.partition("-")[0] not in ("01", "13", "14b", "14c", "18", "21", "22", "22b", "25", "26", "27")
]


@pytest.mark.parametrize("scenario", SCRIPTED)
def test_nothing_of_the_recording_shows_in_a_live_application(scenario: str, cluster: Cluster, namespace: str) -> None:
    trace = argocd_traces.load(scenario)
    first = trace.initial
    assert first is not None
    with Standin(cluster, namespace=namespace, speed=0) as standin, watched(Life(cluster, namespace)) as life:
        life.create(helm_source(REPOSITORY, "41.0.0"))
        life.until("41.0.0", "Synced", "Healthy")
        standin.script(namespace, life.name, scenario)
        life.set_revision("41.0.1")
        eventually(lambda: len(life.versions) > 9 and standin.idle(namespace, life.name))
        told = json.dumps([version["status"] for version in life.versions if "status" in version])

    source = first.after["spec"]["source"]
    recorded = [trace.application, repository_of(source), source["repoURL"], source["targetRevision"]]
    leaked = [name for name in recorded if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", told)]
    assert not leaked, f"{leaked} in {told}"


def test_an_application_without_automatic_sync_rests_until_an_operation_is_written(
    standin: Standin, life: Life
) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"), automated=False)
    life.until("4.0.0", "OutOfSync", "Missing")
    life.patch({"operation": {"sync": {}, "initiatedBy": {"username": "somebody"}}})
    life.until("4.0.0", "Synced", "Healthy")
    life.set_revision("4.1.0")
    life.until("4.1.0", "OutOfSync", "Healthy")
    never(lambda: "operation" in life.now(), for_s=0.3)

    life.patch({"operation": {"sync": {}, "info": [{"name": "why", "value": "asked"}]}})
    life.until("4.1.0", "Synced", "Healthy", phase="Succeeded")

    assert "operation" not in life.now()
    assert life.status()["operationState"]["operation"]["info"] == [{"name": "why", "value": "asked"}]
    assert [entry.get("initiatedBy") for entry in life.status()["history"]] == [{"username": "somebody"}] * 2


def test_one_patch_of_revision_and_operation_is_one_sync(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"), automated=False)
    life.until("4.0.0", "OutOfSync", "Missing")

    life.patch(
        {
            "spec": {"source": {"targetRevision": "4.1.0"}},
            "operation": {"sync": {}},
            "status": {"operationState": None},
        }
    )
    life.until("4.1.0", "Synced", "Healthy")

    assert [entry["revision"] for entry in life.status()["history"]] == ["4.1.0"]
    assert "operation" not in life.now()


def test_a_native_source_is_synced_to_a_digest(standin: Standin, life: Life) -> None:
    life.create(native_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")
    first = life.status()["sync"]["revision"]
    life.set_revision("4.1.0")
    life.until("4.1.0", "Synced", "Healthy")

    second = life.status()["sync"]["revision"]
    assert first != second
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in (first, second))
    assert life.status()["operationState"]["syncResult"]["revision"] == second


def test_a_multi_source_application_is_told_in_lists(standin: Standin, life: Life) -> None:
    standin.script(life.namespace, life.name, "03", version="4.2.0")
    other = helm_source("registry.example.net/team/other", "1.0.0")
    life.create(other, native_source(REPOSITORY, "4.0.0"))
    eventually(lambda: at(life.status(), "health", "status") == "Healthy")

    life.patch({"spec": {"sources": [other, native_source(REPOSITORY, "4.2.0")]}})
    eventually(lambda: at(life.status(), "health", "status") == "Degraded")

    status = life.status()
    assert [source["targetRevision"] for source in status["sync"]["comparedTo"]["sources"]] == ["1.0.0", "4.2.0"]
    for holder in (status["sync"], status["operationState"]["syncResult"], status["history"][-1]):
        helm, native = revisions_of(holder)
        assert helm == "1.0.0"
        assert native.startswith("sha256:")
    assert [len(revisions_of(entry)) for entry in status["history"]] == [2, 2]


def test_a_rollback_that_comes_early_waits_for_the_operation_under_way(cluster: Cluster, namespace: str) -> None:
    with Standin(cluster, namespace=namespace, speed=0.1) as standin, watched(Life(cluster, namespace)) as life:
        standin.script(namespace, life.name, "07-sync-failed-retry-2", version="4.1.0")
        life.create(helm_source(REPOSITORY, "4.0.0"))
        life.until("4.0.0", "Synced", "Healthy")
        life.set_revision("4.1.0")
        eventually(lambda: at(life.status(), "operationState", "retryCount") == 1)

        life.set_revision("4.0.0")
        life.until("4.0.0", "OutOfSync", "Healthy", phase="Running")
        life.until("4.0.0", "Synced", "Healthy", phase="Succeeded")

        assert [entry["revision"] for entry in life.status()["history"]] == ["4.0.0", "4.0.0"]
        assert "4.0.0 OutOfSync Failed Healthy" in life.words()


def test_terminating_ends_an_operation_and_the_sources_of_now_are_synced(cluster: Cluster, namespace: str) -> None:
    with Standin(cluster, namespace=namespace, speed=0.2) as standin, watched(Life(cluster, namespace)) as life:
        standin.script(namespace, life.name, "07", version="4.1.0")
        life.create(helm_source(REPOSITORY, "4.0.0"))
        life.until("4.0.0", "Synced", "Healthy")
        life.set_revision("4.1.0")
        eventually(lambda: at(life.status(), "operationState", "retryCount") == 1)
        life.set_revision("4.0.1")
        life.until("4.0.1", "OutOfSync", "Healthy", phase="Running")

        life.patch({"status": {"operationState": {"phase": "Terminating"}}})

        life.until("4.0.1", "Synced", "Healthy", phase="Succeeded")
        phases = [word.split()[2] for word in life.words()]
        assert phases[phases.index("Terminating") :][:4] == ["Terminating", "Failed", "-", "Running"]


def test_an_applicationset_puts_the_version_back(standin: Standin, life: Life) -> None:
    standin.script(life.namespace, life.name, "12-appset-reverts", version="4.1.0")
    life.create(helm_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")

    for _ in range(3):
        life.set_revision("4.1.0")
        eventually(lambda: life.now()["spec"]["source"]["targetRevision"] == "4.0.0")
        eventually(lambda: standin.idle(life.namespace, life.name))
        status = life.status()  # healthy or on the way there again, as it was recorded
        assert (at(status, "sync", "comparedTo", "source", "targetRevision"), status["sync"]["status"]) == (
            "4.0.0",
            "Synced",
        )

    owners = trim(life.now())["metadata"]["managedFields"]
    assert "spec.source.targetRevision" in owners["argocd-applicationset-controller/Update"]["fields"]
    assert "bundlewatch/Update" not in owners


def test_a_refresh_is_answered_and_taken_away(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")

    for kind in ("normal", "hard"):
        life.annotate(**{REFRESH: kind})
        eventually(lambda: REFRESH not in life.now()["metadata"].get("annotations", {}))

    assert at(life.status(), "operationState", "phase") == "Succeeded"


def test_a_skipped_application_is_left_alone_until_it_is_not(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")
    life.annotate(**{SKIP: "true"})

    life.set_revision("4.1.0")
    never(lambda: life.status()["sync"]["revision"] != "4.0.0", for_s=0.5)
    life.annotate(**{SKIP: None})

    life.until("4.1.0", "Synced", "Healthy")


def test_a_deleted_application_is_let_go(standin: Standin, life: Life) -> None:
    life.create(helm_source(REPOSITORY, "4.0.0"), finalizers=["resources-finalizer.argocd.argoproj.io"])
    life.until("4.0.0", "Synced", "Healthy")

    life.cluster.api.delete(life.path)

    eventually(lambda: not life.cluster.api.get(APPLICATIONS.format(namespace=life.namespace))["items"])
    eventually(lambda: life.words()[-1] == "4.0.0 OutOfSync Succeeded Missing")


def test_a_moment_can_be_held(standin: Standin, life: Life) -> None:
    moment = "set Deployment status ready"
    standin.hold(life.namespace, life.name, moment)
    life.create(helm_source(REPOSITORY, "4.0.0"))

    eventually(lambda: standin.held(life.namespace, life.name) == moment)
    life.until("4.0.0", "Synced", "Progressing")
    standin.release(life.namespace, life.name, moment)

    life.until("4.0.0", "Synced", "Healthy")


def test_what_changed_while_nobody_played_is_answered_later(cluster: Cluster, namespace: str) -> None:
    with watched(Life(cluster, namespace)) as life:
        standin = Standin(cluster, namespace=namespace, speed=0)
        with standin:
            life.create(helm_source(REPOSITORY, "4.0.0"))
            life.until("4.0.0", "Synced", "Healthy")
        life.set_revision("4.1.0")

        with standin:
            life.until("4.1.0", "Synced", "Healthy")


def test_a_restart_of_the_api_server_is_survived(cluster: Cluster, standin: Standin, namespace: str) -> None:
    life = Life(cluster, namespace)
    life.create(helm_source(REPOSITORY, "4.0.0"))
    life.until("4.0.0", "Synced", "Healthy")
    cluster.compact()
    cluster.restart_apiserver()

    life.set_revision("4.1.0")

    life.until("4.1.0", "Synced", "Healthy")


def test_in_a_hurry_an_upgrade_is_two_writes(cluster: Cluster, namespace: str) -> None:
    with Standin(cluster, namespace=namespace, fast=True), watched(Life(cluster, namespace)) as life:
        life.create(helm_source(REPOSITORY, "4.0.0"))
        life.until("4.0.0", "Synced", "Healthy")
        before = life.now()["metadata"]["generation"]
        life.set_revision("4.1.0")
        life.until("4.1.0", "Synced", "Healthy")

        assert life.now()["metadata"]["generation"] - before == 3
        assert [entry["revision"] for entry in life.status()["history"]] == ["4.0.0", "4.1.0"]


def test_an_idle_argocd_says_when_it_last_looked(cluster: Cluster, namespace: str) -> None:
    with Standin(cluster, namespace=namespace, speed=0, resync_s=0.2), watched(Life(cluster, namespace)) as life:
        life.create(helm_source(REPOSITORY, "4.0.0"))
        life.until("4.0.0", "Synced", "Healthy")
        first = life.status()["reconciledAt"]

        eventually(lambda: life.status()["reconciledAt"] > first)


def test_a_standin_that_failed_says_so_when_it_stops(cluster: Cluster, namespace: str) -> None:
    life = Life(cluster, namespace)
    standin = Standin(cluster, namespace=namespace, speed=0).start()
    life.create(helm_source(REPOSITORY, "4.0.0"), annotations={SCENARIO: "99-no-such-scenario"})
    eventually(lambda: standin.failed)

    with pytest.raises(ExceptionGroup, match="stand-in") as raised:
        standin.stop()

    assert raised.group_contains(LookupError, match="99-no-such-scenario")
    assert not [thread for thread in threading.enumerate() if thread.name == "argocd"]
