"""Every recorded life of an Application in which something is rolled out, with the operator doing the patching.

The operator is the real process on the real API server with a real registry; Argo CD is played from
`tests/data/argocd-traces/`, much faster than it was. Each ends as a person would end it.

Those in which others act beside the operator, or nobody does (07d, 07e, 10, 11c, 14b, 14c, 18, 21, 25, 26), are played
in `test_rollout_onlookers.py`; what a parent or an ApplicationSet does is in `test_rollout_neighbours.py` together with
sync windows. 01 is how each of these tests begins.
"""

from collections.abc import Iterator

import pytest

from kit.argocd_shape import at
from kit.cluster import Cluster
from kit.objects import Json, helm_source, native_source
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.release import PATIENT, Release, first_where, playing
from kit.waiting import never

pytestmark = [pytest.mark.cluster, pytest.mark.registry]


@pytest.fixture
def release(
    cluster: Cluster, registry: Registry, namespace: str, shared_operator: OperatorProcess
) -> Iterator[Release]:
    shared_operator.wait_ready()
    with playing(cluster, registry, namespace) as found:
        yield found


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param("05b", id="05b: the tag is found a little later"),
        pytest.param("05c", id="05c: the tag is found a minute later"),
        pytest.param("08", id="08: nothing differs, so nothing is synced"),
        pytest.param("16b", id="16b: a suspended CronJob"),
        pytest.param("17", id="17: resources were missing before"),
        pytest.param("19", id="19: the controller is killed during a hook"),
        pytest.param("19b", id="19b: the controller is down"),
        pytest.param("20", id="20: the repo-server is down for a while"),
        pytest.param("20b", id="20b: Argo CD does not reach the registry for a while"),
    ],
)
def test_what_comes_right_by_itself_is_healthy_and_nothing_is_held_against_it(release: Release, scenario: str) -> None:
    release.begin(rollout=PATIENT)
    release.script(scenario)

    release.publish("1.0.1")
    entry = release.until_phase("Healthy")

    assert entry["current"] == "1.0.1"
    assert release.scene.until_ready("True")["message"].startswith("shop runs 1.0.1")
    assert release.quarantine() == {}
    assert release.target_revisions() == ["1.0.0", "1.0.1"]


def test_a_good_release_is_over_once_it_was_healthy_for_a_while(release: Release) -> None:
    release.begin()
    release.script("02")

    release.publish("1.0.1")
    under_way = release.until_phase("Healthy")
    release.scene.until(lambda: release.entry().get("lastHealthy") == "1.0.1")

    assert (under_way["fallback"], under_way["lastHealthy"]) == ("1.0.0", "1.0.0")
    assert not {"deadline", "fallback"} & set(release.entry())
    newest = release.scene.status()["history"][0]
    assert newest["tag"] == "1.0.1"
    assert "healthySince" in newest
    assert "healthyUntil" not in newest
    assert release.scene.condition()["message"] == "shop runs 1.0.1, Synced and Healthy"


def test_a_werf_bundle_is_rolled_out_like_any_chart(release: Release) -> None:
    release.begin()
    release.script("14")

    release.scene.registry.push_werf_bundle(release.scene.path, "shop", "1.0.1")
    release.scene.annotate(reconcile="now")

    release.until_phase("Healthy")


@pytest.mark.parametrize(
    ("scenario", "reason", "words"),
    [
        pytest.param("03", "Degraded", "Degraded for 1s", id="03: degraded"),
        pytest.param("05", "CannotRender", "1.0.1: not found", id="05: Argo CD finds no such tag"),
        pytest.param("06", "CannotRender", "value foo is required", id="06: it does not render"),
        pytest.param("07", "SyncFailed", "field is immutable", id="07: not applied, after two retries"),
        pytest.param("07b", "SyncFailed", "field is immutable", id="07b: not applied, and no retry"),
        pytest.param("07c", "SyncFailed", "field is immutable", id="07c: not applied, after five retries"),
        pytest.param("07f", "SyncFailed", "will be tried again", id="07f: not applied, and retried on and on"),
        pytest.param("10b", "TimedOut", "waiting for completion of hook", id="10b: a hook hangs"),
        pytest.param("15", "SyncFailed", "backoff limit", id="15: a hook fails"),
    ],
)
def test_a_bad_release_is_quarantined_and_then_taken_back(
    release: Release, scenario: str, reason: str, words: str
) -> None:
    scene = release.scene
    release.begin()
    release.script(scenario)

    release.publish("1.0.1")
    ready = release.until_taken_back()

    assert release.quarantine() == {"1.0.1": reason}
    (entry,) = scene.status()["quarantine"]
    assert words in entry["message"]
    assert "bundlewatch.dev/retry" in ready["message"]
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0"]
    judged = first_where(release.watch_versions(), lambda watch: at(watch, "status", "quarantine"))
    back = _taken_back(release)
    assert judged < int(back["metadata"]["resourceVersion"])
    if scenario in ("07f", "10b"):  # Argo CD is still at it: that is ended in the very same request
        assert back["status"]["operationState"]["phase"] == "Terminating"
    assert scene.verdicts()["1.0.1"] == "Quarantined"
    scene.until(lambda: {event["reason"] for event in scene.events()} >= {"Moved", "ReleaseFailed", "TakenBack"})
    last = scene.application()["status"].get("operationState") or {}
    assert last.get("phase") not in {"Running", "Terminating"}
    scene.annotate(reconcile="again")
    scene.until(lambda: scene.status().get("lastHandledReconcileAt") == "again")
    assert scene.revision() == "1.0.0"


def test_from_the_verdict_to_the_way_back_it_is_a_moment(release: Release) -> None:
    scene = release.scene
    release.begin()
    release.script("03")

    with scene.cluster.recording() as recording:
        release.publish("1.0.1")
        release.until_taken_back()

    ours = recording.writes(agent="bundlewatch", not_agent="bundlewatch-kit", namespace=scene.namespace)
    moved, back, *_ = [write for write in ours if write.resource == "applications" and write.code == 200]
    verdict = [write for write in ours if write.subresource == "status" and write.received < back.received][-1]
    assert moved.received < verdict.received < back.received
    assert (back.received - verdict.received).total_seconds() < 5


def test_what_is_degraded_for_a_while_only_is_not_taken_back(release: Release) -> None:
    namespace = release.scene.namespace
    release.begin(rollout=PATIENT)
    release.script("04")
    release.argocd.hold(namespace, "shop", "set Deployment status ready")

    release.publish("1.0.1")
    release.until_phase("Degraded")
    release.argocd.release(namespace, "shop", "set Deployment status ready")
    release.until_phase("Healthy")

    assert release.quarantine() == {}
    assert release.target_revisions() == ["1.0.0", "1.0.1"]


def test_a_newer_bundle_goes_out_after_a_bad_one_and_over_one_that_is_under_way(release: Release) -> None:
    release.begin()
    release.script("03", version="1.0.1")
    release.script("23", version="1.0.2")
    release.publish("1.0.1")
    release.until_taken_back()

    release.publish("1.0.2")
    release.scene.until(lambda: at(release.scene.application(), "status", "operationState", "phase") == "Running")
    release.publish("1.0.3")
    release.until_phase("Healthy", "1.0.3")

    assert release.quarantine() == {"1.0.1": "Degraded"}
    release.scene.until(lambda: release.quarantine() == {})  # once it is healthy for good, nobody would go back
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0", "1.0.2", "1.0.3"]


def test_what_waits_for_somebody_is_no_failure_however_long_it_takes(release: Release) -> None:
    """Five Applications at once: what they wait for differs, and the timeout is over for none of them."""
    scene, namespace = release.scene, release.scene.namespace
    waiting = {
        "manual": ("09", "OutOfSync", "automatic sync is off"),
        "paused": ("16", "Suspended", "until someone resumes it"),
        "skipped": ("27", "Suspended", "argocd.argoproj.io/skip-reconcile"),
        "forbidden": ("28", "Failed", "not permitted"),
        "windowed": ("11d", "Waiting", "automatic sync"),
    }
    for name, (scenario, _, _) in waiting.items():
        release.begin(name, automated=name != "manual")
        release.script(scenario, name=name)
    release.argocd.perform(namespace, "skipped", "27")  # which begins with what a person does
    release.argocd.hold(namespace, "forbidden", "AppProject: sourceRepos * again")
    release.argocd.hold(namespace, "windowed", "remove window from the AppProject")
    skip = "argocd.argoproj.io/skip-reconcile"
    scene.patch_application({"metadata": {"annotations": {skip: "true"}}}, "skipped")

    release.publish("1.0.1", look="manual")
    for name, (_, phase, words) in waiting.items():
        assert words in release.until_phase(phase, name=name)["message"]
    never(lambda: [name for name in waiting if release.quarantine(name)], for_s=12)
    assert {scene.revision(name) for name in waiting} == {"1.0.1"}

    release.sync("manual")
    scene.patch_application({"metadata": {"annotations": {skip: None}}}, "skipped")
    release.argocd.release(namespace, "forbidden", "AppProject: sourceRepos * again")
    release.argocd.release(namespace, "windowed", "remove window from the AppProject")
    for name in ("manual", "skipped", "forbidden", "windowed"):
        release.until_phase("Healthy", name=name)


@pytest.mark.parametrize("scenario", ["09c", "09d"])
def test_a_sync_by_hand_with_a_hook_in_it_is_followed(release: Release, scenario: str) -> None:
    release.begin(automated=False)
    release.script(scenario)

    release.publish("1.0.1")
    release.until_phase("OutOfSync")
    release.sync()

    release.until_phase("Healthy")


def test_a_failure_of_a_version_nobody_syncs_by_itself_stays_where_it_is(release: Release) -> None:
    release.begin(automated=False)
    release.script("05")

    release.publish("1.0.1")
    release.scene.until(lambda: "it stays on shop" in release.scene.condition()["message"])

    assert release.scene.condition()["reason"] == "ReleaseFailed"
    assert release.target_revisions() == ["1.0.0", "1.0.1"]


def test_a_native_chart_is_held_to_the_digest_that_was_chosen(release: Release) -> None:
    release.begin("shop", native_source(release.scene.repository, "1.0.0"))
    release.script("24")

    release.publish("1.0.1")
    release.until_phase("Healthy")

    status = release.scene.status()
    assert release.scene.application()["status"]["sync"]["revision"] == status["current"]["digest"]


def test_each_source_of_an_application_is_rolled_out_by_itself(release: Release) -> None:
    scene = release.scene
    path = f"{scene.namespace}/till"
    till = f"{scene.registry.host}/{path}"
    release.publish("1.0.0", path=path, look=None)
    release.script("13", version="", name="shop")
    release.begin("shop", helm_source(scene.repository, "1.0.0"), native_source(till, "1.0.0"))
    scene.create_watch("till", till, applications=[{"name": "shop"}], rollout={"timeout": "10s"})
    scene.until(lambda: release.entry("shop", "till").get("lastHealthy"))

    release.publish("1.0.1")
    release.until_phase("Healthy")
    release.publish("1.0.1", path=path, look="till")
    release.until_phase("Healthy", watch="till")
    scene.until(lambda: release.entry("shop", "till")["lastHealthy"] == "1.0.1")
    release.publish("1.0.2", path=path, look="till")  # Argo CD does not find it
    release.until_phase("Failed", "1.0.2", watch="till")
    scene.until(lambda: release.quarantine("till") == {"1.0.2": "CannotRender"})

    release.until_phase("Healthy", "1.0.1", watch="till")
    release.until_phase("Healthy", "1.0.1", watch="shop")
    assert release.quarantine("shop") == {}
    assert [source["targetRevision"] for source in scene.application()["spec"]["sources"]] == ["1.0.1", "1.0.1"]


@pytest.mark.parametrize(
    ("scenario", "finalizers"),
    [
        pytest.param("22", [], id="22: gone at once"),
        pytest.param("22b", ["resources-finalizer.argocd.argoproj.io/background"], id="22b: with what it deployed"),
    ],
)
def test_an_application_deleted_on_the_way_takes_its_release_with_it(
    release: Release, scenario: str, finalizers: list[str]
) -> None:
    scene = release.scene
    release.begin(metadata={"finalizers": finalizers})
    release.script(scenario)
    release.publish("1.0.1")
    release.until_phase("Progressing")

    scene.delete_application()
    scene.until_ready("False", reason="ApplicationNotFound")

    assert release.quarantine() == {}
    release.begin_application("shop", helm_source(scene.repository, "1.0.1"))
    release.until_phase("Healthy")
    assert release.quarantine() == {}


def _taken_back(release: Release) -> Json:
    """The version of the Application that was written by taking 1.0.1 back."""
    versions = release.application_versions()
    moved = next(place for place, found in enumerate(versions) if _revision(found) == "1.0.1")
    return next(found for found in versions[moved:] if _revision(found) == "1.0.0")


def _revision(application: Json) -> str:
    return str(application["spec"]["source"]["targetRevision"])
