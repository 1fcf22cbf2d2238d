"""Our patches on the real API server: it does what they say in one write, or refuses all of it.

It also holds the double of the unit tests to the original: what the API server makes of a patch is what
`unit.argocd.json_patch.apply` makes of it.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.argocd.operation import Abandoned, SyncRequest, is_of
from bundlewatch.argocd.patch import application_patch
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.errors import ObjectChanged
from kit.argocd import Standin
from kit.argocd_shape import at
from kit.cluster import Cluster
from kit.objects import APPLICATIONS, Json, application, helm_source, native_source
from kit.waiting import eventually
from unit.argocd.json_patch import Refused, apply

HELM = helm_source("registry.example.com/charts/shop", "1.0.1")
NATIVE = native_source("registry.example.com/charts/web", "3")
GIT = {"repoURL": "https://git.example.com/values.git", "targetRevision": "main", "ref": "values"}
REQUEST = SyncRequest(watch="argocd/shop", uid="w-1", tag="1.0.2", digest="sha256:a")
ABANDONED = Abandoned(target_revision="1.0.1", digest="sha256:a")
PINNED = {"sync": {"revision": "1.0.1", "source": HELM}}
OTHERS = {"metadata": {"annotations": {"example.com/team": "web"}}}
OURS = {"metadata": {"annotations": {"bundlewatch.dev/version": "1.0.1", "bundlewatch.dev/commit": "4f1c9d2"}}}
NOTES = {"bundlewatch.dev/version": "1.0.2", "bundlewatch.dev/commit": None, "bundlewatch.dev/newer": "no ~ or /"}


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubernetesClient]:
    async with KubernetesClient.connect(kubeconfig=str(cluster.kubeconfig), context=None, timeout_s=10) as client:
        yield client


def state(phase: str, *, started: str = "2026-11-24T00:20:16Z") -> Json:
    return {"operationState": {"phase": phase, "startedAt": started, "operation": PINNED}}


def status(phase: str) -> Json:
    return {"status": {**state(phase), "health": {"status": "Healthy"}}}


RUNNING = {"operation": PINNED, **status("Running")}
POLICY: Json = {
    "automated": {"prune": True},
    "retry": {"limit": 2, "backoff": {"duration": "5s", "factor": 2}},
    "syncOptions": ["CreateNamespace=true"],
}


@pytest.mark.parametrize(
    ("parts", "sources", "index", "wanted"),
    [
        pytest.param({}, [HELM], 0, {"to": "1.0.2"}, id="a move"),
        pytest.param({}, [GIT, HELM, NATIVE], 2, {"to": "4"}, id="a move of one of several"),
        pytest.param({}, [{"repoURL": "oci://r/x", "path": "."}], 0, {"to": "1.0.2"}, id="a move from nothing"),
        pytest.param(
            status("Succeeded"), [HELM], 0, {"to": "1.0.2", "sync": REQUEST, "annotations": NOTES}, id="all at once"
        ),
        pytest.param({}, [HELM], 0, {"sync": REQUEST}, id="a sync where Argo CD has not looked yet"),
        pytest.param(
            {"status": {"health": {"status": "Missing"}}}, [HELM], 0, {"sync": REQUEST}, id="a sync before any other"
        ),
        pytest.param(status("Failed"), [HELM], 0, {"sync": REQUEST}, id="a sync after one that failed"),
        pytest.param(status("Succeeded"), [GIT, HELM], 1, {"sync": REQUEST}, id="a sync of several sources"),
        pytest.param(
            RUNNING,
            [HELM],
            0,
            {"to": "1.0.0", "ends": ABANDONED, "annotations": {"bundlewatch.dev/taken-back": "1.0.1@sha256:a"}},
            id="taking back",
        ),
        pytest.param(RUNNING, [HELM], 0, {"ends": ABANDONED}, id="the end of an operation alone"),
        pytest.param({}, [HELM], 0, {"annotations": NOTES}, id="the first annotations"),
        pytest.param(OTHERS, [HELM], 0, {"annotations": NOTES}, id="annotations beside those of others"),
        pytest.param(OURS, [HELM], 0, {"annotations": NOTES}, id="annotations changed and removed"),
        pytest.param(
            OURS, [HELM], 0, {"annotations": dict.fromkeys(OURS["metadata"]["annotations"])}, id="the last one removed"
        ),
    ],
)
async def test_all_of_it_is_done_in_one_write_and_nothing_else(
    cluster: Cluster,
    client: KubernetesClient,
    namespace: str,
    *,
    parts: Json,
    sources: list[Json],
    index: int,
    wanted: dict[str, Any],
) -> None:
    before = create(cluster, namespace, parts, *sources)
    read = parse(before)
    operations = application_patch(read, read.sources[index], **wanted)

    answer = await client.patch_application(namespace, "shop", operations)

    assert what_counts(answer) == what_counts(apply(before, operations))
    assert what_counts(answer) != what_counts(before)
    assert answer["metadata"]["generation"] <= before["metadata"]["generation"] + 1


@pytest.mark.parametrize(
    ("parts", "wanted", "meanwhile"),
    [
        pytest.param({}, {"to": "1.0.2"}, {"spec": {"source": {"targetRevision": "2.0.0"}}}, id="somebody moved it"),
        pytest.param({}, {"sync": REQUEST}, {"operation": PINNED}, id="somebody asked for a sync"),
        pytest.param({}, {"sync": REQUEST}, status("Running"), id="the first sync began"),
        pytest.param(status("Succeeded"), {"sync": REQUEST}, status("Running"), id="another sync began"),
        pytest.param(
            status("Succeeded"), {"to": "1.0.2", "sync": REQUEST}, {"operation": PINNED}, id="a sync, and we move too"
        ),
        pytest.param(
            {"status": {"health": {"status": "Missing"}}}, {"sync": REQUEST}, status("Running"), id="a sync after all"
        ),
        pytest.param(RUNNING, {"to": "1.0.0", "ends": ABANDONED}, status("Succeeded"), id="the operation ended"),
        pytest.param(
            RUNNING,
            {"to": "1.0.0", "ends": ABANDONED},
            {"status": state("Running", started="2026-11-24T00:20:18Z")},
            id="another operation began",
        ),
        pytest.param(
            RUNNING,
            {"to": "1.0.0", "ends": ABANDONED},
            {"status": {"operationState": None}},
            id="the operation was forgotten",
        ),
        pytest.param({}, {"to": "1.0.2", "annotations": NOTES}, OTHERS, id="somebody annotated it first"),
        pytest.param(OURS, {"annotations": NOTES}, {"metadata": {"annotations": None}}, id="annotations went"),
    ],
)
async def test_where_something_changed_meanwhile_all_of_it_is_refused(
    cluster: Cluster,
    client: KubernetesClient,
    namespace: str,
    *,
    parts: Json,
    wanted: dict[str, Any],
    meanwhile: Json,
) -> None:
    read = parse(create(cluster, namespace, parts, HELM))
    operations = application_patch(read, read.sources[0], **wanted)
    changed = cluster.api.patch(path(namespace), meanwhile)

    with pytest.raises(ObjectChanged):
        await client.patch_application(namespace, "shop", operations)

    assert cluster.api.get(path(namespace)) == changed
    with pytest.raises(Refused):
        apply(changed, operations)


async def test_the_request_reaches_argo_cd_with_the_sync_policy_of_the_application(
    cluster: Cluster, client: KubernetesClient, namespace: str
) -> None:
    body = {"spec": {"syncPolicy": POLICY}, **status("Succeeded")}
    read = parse(create(cluster, namespace, body, HELM))

    answer = await client.patch_application(
        namespace, "shop", application_patch(read, read.sources[0], to="1.0.2", sync=REQUEST)
    )

    assert answer["operation"] == {
        "initiatedBy": {"username": "bundlewatch", "automated": True},
        "info": [
            {"name": "bundlewatch.dev/watch", "value": "argocd/shop"},
            {"name": "bundlewatch.dev/uid", "value": "w-1"},
            {"name": "bundlewatch.dev/tag", "value": "1.0.2"},
            {"name": "bundlewatch.dev/digest", "value": "sha256:a"},
        ],
        "retry": POLICY["retry"],
        "sync": {"prune": True, "syncOptions": POLICY["syncOptions"]},
    }
    assert "operationState" not in answer["status"]
    assert answer["status"]["health"] == {"status": "Healthy"}


@pytest.mark.parametrize("scenario", ["07c", "07f", "10b"])
async def test_one_patch_takes_a_version_back_whose_sync_is_retried_or_hangs(
    cluster: Cluster, client: KubernetesClient, namespace: str, scenario: str
) -> None:
    def stands(revision: str, *phases: str) -> bool:
        status = cluster.api.get(path(namespace)).get("status")
        compared = at(status, "sync", "comparedTo", "source", "targetRevision")
        rests = (compared, at(status, "sync", "status")) == (revision, "Synced")
        return rests and at(status, "operationState", "phase") in phases

    def under_way() -> bool:
        state = parse(cluster.api.get(path(namespace))).operation_state
        return state is not None and state.phase == "Running" and is_of(state, read.sources[0], ABANDONED)

    with Standin(cluster, namespace=namespace, speed=0.05) as argocd:
        argocd.script(namespace, "shop", scenario, version="1.0.1")
        read = parse(create(cluster, namespace, {}, {**HELM, "targetRevision": "1.0.0"}))
        eventually(lambda: stands("1.0.0", "Succeeded"))
        read = parse(await client.read_application(namespace, "shop"))
        await client.patch_application(namespace, "shop", application_patch(read, read.sources[0], to="1.0.1"))
        eventually(under_way)

        while True:
            read = parse(await client.read_application(namespace, "shop"))
            operations = application_patch(read, read.sources[0], to="1.0.0", ends=ABANDONED)
            try:
                answer = await client.patch_application(namespace, "shop", operations)
                break
            except ObjectChanged:  # Argo CD wrote meanwhile what the patch rests on
                continue

        assert answer["status"]["operationState"]["phase"] == "Terminating"
        eventually(lambda: stands("1.0.0", "Succeeded", "Failed"))
        eventually(lambda: "operation" not in cluster.api.get(path(namespace)))


def create(cluster: Cluster, namespace: str, parts: Mapping[str, Any], *sources: Json) -> Json:
    """An Application `shop` as it is read back; `parts` are added to the body."""
    body = application(namespace, "shop", *sources)
    for field, value in parts.items():
        body[field] = {**body.get(field, {}), **value}
    return cluster.api.post(APPLICATIONS.format(namespace=namespace), body)


def path(namespace: str) -> str:
    return f"{APPLICATIONS.format(namespace=namespace)}/shop"


def what_counts(body: Mapping[str, Any]) -> Json:
    """Without what the API server itself counts up, and without the empty mapping it does not keep."""
    counted = {"managedFields", "resourceVersion", "generation"}
    metadata = {key: value for key, value in body["metadata"].items() if key not in counted and value != {}}
    return {**body, "metadata": metadata}
