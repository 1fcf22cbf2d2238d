"""A bad release, and what breaks in the middle of it: the operator, its status, or the peace between two operators.

Then what people do about releases: order them, approve them, have them tried again, apply their manifests anew.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import yaml

from kit.api import ApiError
from kit.argocd_shape import at
from kit.cluster import Cluster
from kit.objects import bundle_watch
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.release import QUICK, Release, first_where, playing
from kit.waiting import eventually, never

pytestmark = [pytest.mark.cluster, pytest.mark.registry]

StartOperator = Callable[..., OperatorProcess]


@pytest.fixture
def release(cluster: Cluster, registry: Registry, namespace: str) -> Iterator[Release]:
    """Without an operator: the test starts its own."""
    with playing(cluster, registry, namespace) as found:
        yield found


@contextmanager
def refused(release: Release, *, resource: str, group: str, where: str) -> Iterator[None]:
    """The API server refuses updates of `resource` in the namespace of which the CEL condition `where` is true."""
    name = f"refuse-{release.scene.namespace}"
    admission = "/apis/admissionregistration.k8s.io/v1"
    api = release.scene.cluster.api
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [resource]}
    policy = {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": release.scene.namespace}},
                "resourceRules": [rule],
            },
            "validations": [{"expression": f"!({where})", "message": "not now"}],
        },
    }
    binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
    api.post(f"{admission}/validatingadmissionpolicies", policy)
    api.post(f"{admission}/validatingadmissionpolicybindings", binding)
    try:
        yield
    finally:
        api.delete(f"{admission}/validatingadmissionpolicybindings/{name}")
        api.delete(f"{admission}/validatingadmissionpolicies/{name}")


def until_refused(release: Release, revision: str) -> None:
    """Policies take a moment: until setting this target revision, which is only tried, is refused."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{release.scene.namespace}/applications/shop"

    def is_refused() -> bool:
        try:
            release.scene.cluster.api.patch(path, {"spec": {"source": {"targetRevision": revision}}}, dryRun="All")
        except ApiError:
            return True
        return False

    eventually(is_refused)


def the_end_is_the_same(release: Release) -> None:
    scene = release.scene
    release.until_taken_back()
    assert release.quarantine() == {"1.0.1": "Degraded"}
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0"]
    entry = release.entry()
    assert (entry["current"], entry["target"], entry["lastHealthy"]) == ("1.0.0", "1.0.0", "1.0.0")
    scene.annotate(reconcile="after all")
    scene.until(lambda: scene.status().get("lastHandledReconcileAt") == "after all")
    assert scene.revision() == "1.0.0"


def test_killed_between_the_verdict_and_the_way_back_it_goes_on_where_it_was(
    release: Release, operator_process: StartOperator
) -> None:
    operator = operator_process(f"--namespace={release.scene.namespace}")
    release.begin()
    release.script("03")
    back = "object.spec.source.targetRevision == '1.0.0' && oldObject.spec.source.targetRevision != 'x'"

    with refused(release, resource="applications", group="argoproj.io", where=back):
        until_refused(release, "1.0.0")
        release.publish("1.0.1")
        release.scene.until(lambda: release.quarantine() == {"1.0.1": "Degraded"})
        operator.kill()
        assert release.scene.revision() == "1.0.1"

    operator.start()
    the_end_is_the_same(release)


def test_killed_before_it_could_tell_of_the_way_back_it_does_not_try_again(
    release: Release, operator_process: StartOperator
) -> None:
    scene = release.scene
    operator = operator_process(f"--namespace={scene.namespace}")
    release.begin()
    release.script("03")
    told = "has(object.status.quarantine) && object.status.applications.exists(a, has(a.target) && a.target == '1.0.0')"

    with refused(release, resource="bundlewatches/status", group="bundlewatch.dev", where=told):
        time.sleep(1)  # until the policy holds; nothing can be tried that would show it
        release.publish("1.0.1")
        scene.until_revision("1.0.1")
        scene.until_revision("1.0.0")
        operator.kill()
        assert release.entry()["target"] == "1.0.1"

    operator.start()
    the_end_is_the_same(release)


@pytest.mark.parametrize("after_s", [0.2, 0.6, 1.2, 1.8, 2.4])
def test_a_crash_at_any_moment_of_a_bad_release_leads_to_the_same_end(
    release: Release, operator_process: StartOperator, after_s: float
) -> None:
    operator = operator_process(f"--namespace={release.scene.namespace}")
    release.begin()
    release.script("03")

    release.publish("1.0.1")
    time.sleep(after_s)
    operator.kill()
    operator.start()

    the_end_is_the_same(release)


def test_a_status_that_is_lost_after_all_leads_to_no_second_try(
    release: Release, operator_process: StartOperator
) -> None:
    scene = release.scene
    operator_process(f"--namespace={scene.namespace}")
    release.begin()
    release.script("03")
    release.publish("1.0.1")
    release.until_taken_back()

    scene.patch_watch_status(None)
    scene.annotate(reconcile="now")

    scene.until(lambda: scene.status().get("lastHandledReconcileAt") == "now")
    assert release.quarantine() == {"1.0.1": "TakenBack"}
    assert scene.verdicts()["1.0.1"] == "Quarantined"
    never(lambda: scene.revision() != "1.0.0", for_s=2)


def test_two_operators_at_once_do_what_one_would(release: Release, operator_process: StartOperator) -> None:
    scene = release.scene
    for _ in range(2):
        operator_process(f"--namespace={scene.namespace}")
    release.begin()
    release.script("03", version="1.0.1")

    release.publish("1.0.1")
    the_end_is_the_same(release)
    release.publish("1.0.2")
    release.until_phase("Healthy", "1.0.2")

    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0", "1.0.2"]
    # The slower one may have written what it knew over that; it is found again when the release is over.
    scene.until(lambda: scene.status()["history"][0]["tag"] == "1.0.2")


def test_waves_go_one_after_the_other_and_what_fails_goes_no_further(
    release: Release, operator_process: StartOperator
) -> None:
    scene = release.scene
    operator_process(f"--namespace={scene.namespace}")
    release.begin_application("canary")
    release.begin_application("shop")
    waves = [{"name": "canary"}, {"name": "shop", "wave": 1}]
    scene.create_watch(applications=waves, rollout=QUICK)
    scene.until(lambda: release.entry("shop", "shop").get("lastHealthy"))
    release.script("03", version="1.0.2", name="canary")

    release.publish("1.0.1")
    release.until_phase("Queued", "1.0.0", name="shop")
    release.until_phase("Healthy", "1.0.1", name="shop", timeout_s=40)
    healthy = first_where(
        release.application_versions("canary"),
        lambda found: at(found, "status", "health", "status") == "Healthy" and _compared(found) == "1.0.1",
    )
    moved = first_where(release.application_versions("shop"), lambda found: _revision(found) == "1.0.1")
    assert healthy < moved

    release.publish("1.0.2")
    scene.until(lambda: release.quarantine() == {"1.0.2": "Degraded"})
    release.until_phase("Healthy", "1.0.1", name="canary", watch="shop")
    assert release.target_revisions("canary") == ["1.0.0", "1.0.1", "1.0.2", "1.0.1"]
    assert release.target_revisions("shop") == ["1.0.0", "1.0.1"]


def test_a_chain_passes_on_what_was_healthy_before_and_nothing_else(
    release: Release, operator_process: StartOperator
) -> None:
    scene = release.scene
    operator_process(f"--namespace={scene.namespace}")
    release.script("03", version="1.0.2", name="staging")
    release.begin("staging")
    release.begin("shop", gates={"after": [{"name": "staging", "soak": "1s"}]})

    release.publish("1.0.1", look="staging")
    ready = scene.until_ready("True", reason="AwaitingUpstream")
    assert "staging" in ready["message"]
    release.until_phase("Healthy", "1.0.1", name="shop", timeout_s=40)
    soaked = first_where(release.watch_versions("staging"), lambda found: _healthy_since(found, "1.0.1"))
    moved = first_where(release.application_versions("shop"), lambda found: _revision(found) == "1.0.1")
    assert soaked < moved

    release.publish("1.0.2", look="staging")
    release.until_taken_back("1.0.2", to="1.0.1", name="staging")
    scene.annotate(reconcile="now")
    scene.until(lambda: scene.verdicts().get("1.0.2") == "AwaitingUpstream")
    message = next(verdict["message"] for verdict in scene.status()["verdicts"] if verdict["tag"] == "1.0.2")
    assert "has it in quarantine" in message
    assert release.target_revisions("shop") == ["1.0.0", "1.0.1"]


def test_a_person_approves_and_has_tried_again_by_annotation(release: Release, operator_process: StartOperator) -> None:
    scene = release.scene
    operator_process(f"--namespace={scene.namespace}")
    release.begin(gates={"approval": "Manual"})
    release.script("03")

    release.publish("1.0.1")
    ready = scene.until_ready("True", reason="AwaitingApproval")
    assert "bundlewatch.dev/approve" in ready["message"]
    assert scene.revision() == "1.0.0"
    scene.annotate(approve="1.0.1")
    release.until_taken_back()

    release.script("02")
    scene.annotate(retry="1.0.1 after the database was repaired")
    release.until_phase("Healthy")
    assert release.quarantine() == {}
    assert release.target_revisions() == ["1.0.0", "1.0.1", "1.0.0", "1.0.1"]


def test_a_person_who_steps_in_during_a_release_is_respected_until_resumed(
    release: Release, operator_process: StartOperator
) -> None:
    scene = release.scene
    operator_process(f"--namespace={scene.namespace}")
    release.begin()
    release.script("03")
    release.argocd.hold(scene.namespace, "shop", "set Deployment status stuck")
    release.publish("1.0.1")
    release.until_phase("Progressing")

    scene.patch_application({"spec": {"source": {"targetRevision": "1.0.0"}}})
    ready = scene.until_ready("False", reason="Held")
    assert "kubectl-edit set targetRevision to 1.0.0" in ready["message"]
    never(lambda: scene.revision() != "1.0.0" or release.quarantine(), for_s=2)

    release.script("02")
    scene.annotate(resume="now")
    release.until_phase("Healthy")


def test_a_manifest_applied_anew_from_git_disturbs_nothing(release: Release, operator_process: StartOperator) -> None:
    scene = release.scene
    manifest = bundle_watch(scene.namespace, "shop", scene.repository, rollout=dict(QUICK))
    apply = ("apply", "--server-side", "--field-manager=argocd-controller", "--filename=-")

    def applied(**spec: object) -> None:
        body = {**manifest, "spec": {**manifest["spec"], **spec}}
        scene.cluster.kubectl(*apply, input=yaml.safe_dump(body))

    operator_process(f"--namespace={scene.namespace}")
    release.begin_application()
    applied()
    scene.until(lambda: release.entry().get("lastHealthy"))
    release.script("03")
    release.publish("1.0.1")
    scene.until_revision("1.0.1")
    applied()
    the_end_is_the_same(release)
    before = scene.watch()

    applied()
    never(lambda: scene.status() != before["status"], for_s=1)
    applied(interval="11s")
    scene.until(lambda: scene.status()["observedGeneration"] == before["metadata"]["generation"] + 1)

    assert release.quarantine() == {"1.0.1": "Degraded"}
    assert scene.revision() == "1.0.0"
    managers = {entry["manager"]: entry for entry in scene.watch()["metadata"]["managedFields"]}
    assert set(managers["argocd-controller"]["fieldsV1"]) == {"f:spec"}
    assert set(managers["bundlewatch"]["fieldsV1"]) == {"f:status"}


def _revision(application: dict[str, object]) -> str:
    return str(at(application, "spec", "source", "targetRevision"))


def _compared(application: dict[str, object]) -> str:
    return str(at(application, "status", "sync", "comparedTo", "source", "targetRevision"))


def _healthy_since(watch: dict[str, object], tag: str) -> bool:
    history = at(watch, "status", "history") or []
    return any(entry["tag"] == tag and entry.get("healthySince") for entry in history)
