"""What `kubectl apply -k deploy/` installs, on a real API server: that it is accepted, and how little it may do.

There are no nodes: that the Pod would run is shown as far as the API server decides it, by Pod Security.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import parse
from bundlewatch.argocd.matching import choose_source
from bundlewatch.cluster.client import Forbidden, KubernetesClient
from bundlewatch.errors import ObjectGone
from kit.api import JSON_PATCH, Api, ApiError
from kit.argocd import Standin
from kit.cluster import Cluster
from kit.faults import Delay
from kit.objects import APPLICATIONS, WATCHES, Json, application, helm_source, native_source
from kit.operator import OperatorProcess
from kit.proxy import Proxy
from kit.registry import Registry
from kit.waiting import eventually

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HOME = "bundlewatch-system"
ACCOUNT = "bundlewatch"
POLICY = "bundlewatch-limits"

# What it needs for Applications that an ApplicationSet made, or whose sync it asks for.
FOR_SOME = {
    "appprojects.argoproj.io": {"get"},
    "applicationsets.argoproj.io": {"get"},
}
# Every right of the operator beyond those that every account has. It changes together with deploy/base/rbac.yaml,
# which says why each is needed; that each is used, a whole release shows.
RIGHTS = {
    "bundlewatches.bundlewatch.dev": {"get", "list", "watch"},
    "bundlewatches.bundlewatch.dev/status": {"patch"},
    "applications.argoproj.io": {"get", "list", "watch", "patch"},
    **FOR_SOME,
    "secrets": {"get"},
    "serviceaccounts": {"get"},
    "events": {"create"},
}


def _add(path: str, value: Any) -> Json:
    return {"op": "add", "path": path, "value": value}


def _replace(path: str, value: Any) -> Json:
    return {"op": "replace", "path": path, "value": value}


def _remove(path: str) -> Json:
    return {"op": "remove", "path": path}


def _asked(**operation: Any) -> Json:
    """The request for a sync as BundleWatch writes it, or with other fields."""
    return _add("/operation", {**ASKED, **operation})


ALLOW = "bundlewatch.dev/allow"
NOTES = "/metadata/annotations"
STATE = "/status/operationState"
OURS = {"username": "bundlewatch", "automated": True}
ASKED: Json = {"initiatedBy": OURS, "info": [{"name": "bundlewatch.dev/watch", "value": "a/b"}], "sync": {}}
FORGOTTEN = _add(STATE, None)
RUNNING: Json = {
    "phase": "Running",
    "message": "one or more tasks are running",
    "startedAt": "2026-11-24T00:20:16Z",
    "operation": {"sync": {"revision": "1.0.0"}},
}
POLICY_OF_SYNCS: Json = {
    "automated": {"prune": True},
    "retry": {"limit": 2, "backoff": {"duration": "5s"}},
    "syncOptions": ["CreateNamespace=true"],
}

REPOSITORY = "registry.example.com/charts/shop"
GIT = {"repoURL": "https://git.example.com/values.git", "targetRevision": "main", "ref": "values"}
OWNER = {"apiVersion": "v1", "kind": "Namespace", "name": "default", "uid": "1-2-3"}
LABEL = _add("/metadata/labels", {"team": "evil"})
MOVED = _replace("/spec/source/targetRevision", "1.0.1")

# What the policy says, by what it protects.
SPEC = "nothing in spec but the targetRevision of a source"
SOURCE = "nothing of a source but its targetRevision"
COUNT = "neither add nor remove a source"
OCI = "only of a source that is an OCI repository"
METADATA = "neither labels, finalizers nor owner references"
ANNOTATIONS = "no annotation of an Application but its own"
OPERATION = "neither change nor remove an operation"
REQUEST = "nothing but a sync of what the spec says"
STATUS = "nothing in the status of an Application but the operation there"
LAST = "only end a running operation"


@pytest.fixture(scope="module")
def deployed(cluster: Cluster) -> None:
    """`deploy/` is applied and its admission policy in force."""
    cluster.kubectl("apply", "--server-side", "--validate=strict", "--kustomize", str(DEPLOY))
    ns = cluster.namespace()
    _create_applications(cluster.api, ns)
    with closing(_as(cluster, ACCOUNT, HOME)) as operator:
        eventually(
            lambda: "denied request" in _refusal(lambda: _patch(operator, ns, "single", [LABEL], dryRun="All")),
            message="the admission policy to be in force",
        )


@pytest.fixture
def operator(cluster: Cluster, deployed: None) -> Iterator[Api]:
    """The API server as the operator's own ServiceAccount sees it."""
    with closing(_as(cluster, ACCOUNT, HOME)) as api:
        yield api


@pytest.fixture
def applications(cluster: Cluster, namespace: str) -> str:
    """A namespace with an Application of each sort."""
    _create_applications(cluster.api, namespace)
    return namespace


def test_it_applies_under_strict_validation_and_a_second_time_changes_nothing(cluster: Cluster, deployed: None) -> None:
    first = _versions(cluster)
    done = cluster.kubectl("apply", "--server-side", "--validate=strict", "--kustomize", str(DEPLOY))

    assert _versions(cluster) == first
    assert "Warning" not in done.stderr  # a deprecated field, or a Pod that its namespace would refuse


def test_the_plain_apply_of_people_in_a_hurry_is_accepted_too(cluster: Cluster, deployed: None) -> None:
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--kustomize", str(DEPLOY))


def test_the_operator_may_do_what_is_documented_and_nothing_else(
    cluster: Cluster, operator: Api, namespace: str
) -> None:
    _create_account(cluster, "nobody", namespace)
    with closing(_as(cluster, "nobody", namespace)) as nobody:
        everybodys = _rights(nobody)

    rights = _rights(operator)

    assert {resource: verbs for resource, verbs in rights.items() if resource not in everybodys} == RIGHTS
    assert {resource: verbs for resource, verbs in rights.items() if resource in everybodys} == everybodys


def test_the_pod_is_admitted_where_only_restricted_pods_are(cluster: Cluster, deployed: None) -> None:
    created = _create_pod(cluster, _pod(cluster))

    container = created["spec"]["containers"][0]
    assert created["spec"]["serviceAccountName"] == ACCOUNT
    assert container["securityContext"]["readOnlyRootFilesystem"] is True  # more than "restricted" asks for
    assert "cpu" not in container["resources"]["limits"]


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ("pod", "runAsNonRoot"),
        ("pod", "seccompProfile"),
        ("container", "allowPrivilegeEscalation"),
        ("container", "capabilities"),
    ],
)
def test_the_namespace_refuses_a_pod_that_lacks_one_of_the_precautions(
    cluster: Cluster, deployed: None, where: str, field: str
) -> None:
    pod = _pod(cluster)
    owner = pod["spec"] if where == "pod" else pod["spec"]["containers"][0]
    del owner["securityContext"][field]

    refusal = _refusal(lambda: _create_pod(cluster, pod))

    assert 'violates PodSecurity "restricted:latest"' in refusal
    assert field in refusal


@pytest.mark.parametrize(
    ("name", "path", "revision"),
    [
        pytest.param("single", "/spec/source/targetRevision", "1.0.1", id="of the one source"),
        pytest.param("several", "/spec/sources/1/targetRevision", "1.0.1+b1", id="of a Helm source among several"),
        pytest.param("several", "/spec/sources/2/targetRevision", "1.0.1_b1", id="of a native source among several"),
        pytest.param("unversioned", "/spec/source/targetRevision", "1.0.1", id="where there was none"),
    ],
)
def test_the_operator_may_change_a_target_revision(
    operator: Api, applications: str, name: str, path: str, revision: str
) -> None:
    answer = _patch(operator, applications, name, [_add(path, revision)])

    value: Any = answer
    for step in path.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    assert value == revision


@pytest.mark.parametrize(
    ("name", "operations", "expected"),
    [
        pytest.param("ready", [_asked()], {"operation": ASKED}, id="ask for a sync"),
        pytest.param(
            "ready",
            [
                _asked(
                    initiatedBy={"username": "bundlewatch", "automated": False},
                    retry=POLICY_OF_SYNCS["retry"],
                    sync={"prune": True, "syncOptions": POLICY_OF_SYNCS["syncOptions"]},
                ),
                FORGOTTEN,
                MOVED,
            ],
            {"spec/source/targetRevision": "1.0.1", "operation/sync/prune": True, "status/operationState": None},
            id="move, ask for a sync as the spec says, and forget the last one",
        ),
        pytest.param("single", [_asked()], {"operation": ASKED}, id="ask where Argo CD has not looked yet"),
        pytest.param(
            "busy",
            [_replace(f"{STATE}/phase", "Terminating"), MOVED],
            {"spec/source/targetRevision": "1.0.1", "status/operationState/phase": "Terminating"},
            id="move, and end the running operation",
        ),
        pytest.param(
            "noted",
            [
                _add(f"{NOTES}/bundlewatch.dev~1newer", "1.0.2 waits"),
                _replace(f"{NOTES}/bundlewatch.dev~1version", "1.0.1"),
                _remove(f"{NOTES}/bundlewatch.dev~1commit"),
            ],
            {
                "metadata/annotations": {
                    "team": "web",
                    ALLOW: "a/b",
                    "bundlewatch.dev/newer": "1.0.2 waits",
                    "bundlewatch.dev/version": "1.0.1",
                }
            },
            id="set, change and remove annotations of its own",
        ),
        pytest.param(
            "single",
            [_add(NOTES, {}), _add(f"{NOTES}/bundlewatch.dev~1version", "1.0.1")],
            {"metadata/annotations": {"bundlewatch.dev/version": "1.0.1"}},
            id="the first annotation",
        ),
        pytest.param(
            "single",
            [_add(NOTES, {}), _add(f"{NOTES}/argocd.argoproj.io~1refresh", "hard")],
            {"metadata/annotations": {"argocd.argoproj.io/refresh": "hard"}},
            id="a hard refresh",
        ),
    ],
)
def test_the_operator_may_do_what_belongs_to_a_move(
    operator: Api, applications: str, name: str, operations: list[Json], expected: Json
) -> None:
    answer = _patch(operator, applications, name, operations)

    assert {path: _at(answer, path) for path in expected} == expected


@pytest.mark.parametrize(
    ("name", "operations", "because"),
    [
        pytest.param("single", [_replace("/spec/project", "admin")], SPEC, id="project"),
        pytest.param("single", [_replace("/spec/destination/namespace", "kube-system")], SPEC, id="destination"),
        pytest.param("single", [{"op": "remove", "path": "/spec/syncPolicy"}], SPEC, id="removed field"),
        pytest.param("single", [_add("/spec/notYetInvented", {"a": 1})], SPEC, id="new field"),
        pytest.param("single", [_add("/spec/sources", [GIT])], SPEC, id="sources beside source"),
        pytest.param(
            "single",
            [_add("/spec/sources", [GIT]), {"op": "remove", "path": "/spec/source"}],
            SPEC,
            id="sources for source",
        ),
        pytest.param("single", [MOVED, _replace("/spec/project", "admin")], SPEC, id="hidden behind a move"),
        pytest.param("single", [_replace("/spec/source/repoURL", "evil.example.com")], SOURCE, id="repoURL"),
        pytest.param("single", [_replace("/spec/source/chart", "evil")], SOURCE, id="chart"),
        pytest.param("single", [_add("/spec/source/helm", {"values": "a: 1"})], SOURCE, id="values"),
        pytest.param(
            "single", [{"op": "remove", "path": "/spec/source/targetRevision"}], SOURCE, id="no revision at all"
        ),
        pytest.param(
            "several", [_replace("/spec/sources/2/repoURL", "oci://evil.example.com")], SOURCE, id="one of several"
        ),
        pytest.param("several", [{"op": "remove", "path": "/spec/sources/1/chart"}], SOURCE, id="less of a source"),
        pytest.param(
            "several", [{"op": "move", "from": "/spec/sources/2", "path": "/spec/sources/1"}], SOURCE, id="order"
        ),
        pytest.param("several", [_add("/spec/sources/-", GIT)], COUNT, id="one source more"),
        pytest.param("several", [{"op": "remove", "path": "/spec/sources/0"}], COUNT, id="one source fewer"),
        pytest.param("several", [_replace("/spec/sources/0/targetRevision", "evil")], OCI, id="a Git branch"),
        pytest.param("classic", [MOVED], OCI, id="a chart of an HTTP server"),
        pytest.param("single", [LABEL], METADATA, id="label"),
        pytest.param("single", [_add("/metadata/finalizers", ["a.example.com/b"])], METADATA, id="finalizer"),
        pytest.param("single", [_add("/metadata/ownerReferences", [OWNER])], METADATA, id="owner"),
        pytest.param("single", [_add("/metadata/annotations", {"a": "b"})], ANNOTATIONS, id="annotation"),
        pytest.param("noted", [_replace(f"{NOTES}/team", "evil")], ANNOTATIONS, id="other annotation"),
        pytest.param("noted", [_remove(f"{NOTES}/team")], ANNOTATIONS, id="no annotation"),
        pytest.param("noted", [_remove("/metadata/annotations")], ANNOTATIONS, id="no annotations at all"),
        pytest.param("single", [_add("/metadata/annotations", {ALLOW: "a/b"})], ANNOTATIONS, id="consent"),
        pytest.param("noted", [_replace(f"{NOTES}/bundlewatch.dev~1allow", "c/d")], ANNOTATIONS, id="other consent"),
        pytest.param("noted", [_remove(f"{NOTES}/bundlewatch.dev~1allow")], ANNOTATIONS, id="no consent"),
        pytest.param("noted", [_add(f"{NOTES}/argocd.argoproj.io~1refresh", "normal")], ANNOTATIONS, id="refresh"),
        pytest.param("noted", [_add(f"{NOTES}/bundlewatch.devil~1x", "y")], ANNOTATIONS, id="a look-alike"),
        pytest.param("single", [_add("/status", {"health": {"status": "Healthy"}})], STATUS, id="status"),
        pytest.param("busy", [_replace("/status/health/status", "Healthy")], STATUS, id="other status"),
        pytest.param("busy", [_remove("/status/health")], STATUS, id="less status"),
        pytest.param("busy", [_remove("/operation")], OPERATION, id="end of an operation"),
        pytest.param("busy", [_replace("/operation", ASKED)], OPERATION, id="over an operation"),
        pytest.param("busy", [_add("/operation/sync/prune", True)], OPERATION, id="more of an operation"),
        pytest.param("ready", [_asked(sync={"revision": "1.0.1"})], REQUEST, id="a sync of a revision"),
        pytest.param("ready", [_asked(sync={"revisions": ["1.0.1"]})], REQUEST, id="a sync of revisions"),
        pytest.param("ready", [_asked(sync={"source": {"repoURL": "evil"}})], REQUEST, id="a sync of a source"),
        pytest.param("ready", [_asked(sync={"sources": [GIT]})], REQUEST, id="a sync of sources"),
        pytest.param("ready", [_asked(sync={"manifests": ["kind: Pod"]})], REQUEST, id="a sync of manifests"),
        pytest.param("ready", [_asked(sync={"resources": [{"kind": "Pod"}]})], REQUEST, id="a sync of resources"),
        pytest.param("ready", [_asked(sync={"syncOptions": ["Replace=true"]})], REQUEST, id="options of its own"),
        pytest.param("ready", [_asked(sync={"syncStrategy": {"hook": {"force": True}}})], REQUEST, id="by force"),
        pytest.param("single", [_asked(sync={"prune": True})], REQUEST, id="pruning where the spec has none"),
        pytest.param("ready", [_asked(retry={"limit": 99})], REQUEST, id="retries of its own"),
        pytest.param("ready", [_asked(initiatedBy={"username": "admin"})], REQUEST, id="in the name of another"),
        pytest.param("ready", [_asked(initiatedBy={"automated": True})], REQUEST, id="in nobody's name"),
        pytest.param("ready", [_asked(notYetInvented=1)], REQUEST, id="a new field of an operation"),
        pytest.param("ready", [_add("/operation", {"initiatedBy": OURS})], REQUEST, id="an operation but no sync"),
        pytest.param("ready", [FORGOTTEN], LAST, id="the last operation forgotten for nothing"),
        pytest.param("ready", [_asked(), _replace(f"{STATE}/phase", "Failed")], LAST, id="another end"),
        pytest.param("ready", [_replace(f"{STATE}/phase", "Terminating")], LAST, id="end of what is over"),
        pytest.param("stuck", [_asked(), FORGOTTEN], LAST, id="a running operation forgotten"),
        pytest.param("busy", [_replace(f"{STATE}/phase", "Succeeded")], LAST, id="done before it is"),
        pytest.param(
            "busy",
            [_replace(f"{STATE}/phase", "Terminating"), _add(f"{STATE}/message", "x")],
            LAST,
            id="end of an operation, and more",
        ),
        pytest.param(
            "busy", [_replace(f"{STATE}/phase", "Terminating"), _remove(f"{STATE}/message")], LAST, id="and less"
        ),
        pytest.param("busy", [FORGOTTEN], LAST, id="the running operation forgotten"),
        pytest.param("busy", [_add("/status", None)], STATUS, id="no status"),
    ],
)
def test_the_operator_may_change_nothing_else_of_an_application(
    operator: Api, applications: str, name: str, operations: list[Json], because: str
) -> None:
    before = operator.get(_path(applications, name))

    refusal = _refusal(lambda: _patch(operator, applications, name, operations))

    assert refusal.startswith("403 Forbidden")
    assert f"ValidatingAdmissionPolicy '{POLICY}'" in refusal
    assert because in refusal
    assert operator.get(_path(applications, name)) == before


def test_an_application_as_large_as_they_come_can_be_moved_and_no_more(
    cluster: Cluster, operator: Api, namespace: str
) -> None:
    sources = [native_source(f"{REPOSITORY}-{index}", "1.0.0") for index in range(64)]
    body = application(namespace, "large", *({**source, "helm": {"values": "x" * 4000}} for source in sources))
    resource = {"group": "apps", "kind": "Deployment", "namespace": "shop", "version": "v1", "message": "m" * 80}
    body["status"] = {
        "resources": [{**resource, "name": f"shop-{index}"} for index in range(3000)],
        "operationState": {**RUNNING, "syncResult": {"resources": [resource] * 3000}},
    }
    cluster.api.post(_path(namespace), body)

    moved = _patch(operator, namespace, "large", [_replace("/spec/sources/63/targetRevision", "1.0.1")])

    assert moved["spec"]["sources"][63]["targetRevision"] == "1.0.1"
    ended = _patch(operator, namespace, "large", [_replace(f"{STATE}/phase", "Terminating")])
    assert ended["status"]["operationState"]["phase"] == "Terminating"
    other = [_replace("/spec/sources/63/repoURL", "oci://evil.example.com")]
    assert SOURCE in _refusal(lambda: _patch(operator, namespace, "large", other))


def test_an_application_with_more_sources_than_can_be_compared_is_left_alone(
    cluster: Cluster, operator: Api, namespace: str
) -> None:
    source = native_source(REPOSITORY, "1.0.0")
    cluster.api.post(_path(namespace), application(namespace, "huge", *[source] * 65))

    refusal = _refusal(lambda: _patch(operator, namespace, "huge", [_replace("/spec/sources/64/repoURL", "evil")]))

    assert "with more than 64" in refusal


def test_other_accounts_change_applications_as_before(cluster: Cluster, deployed: None, namespace: str) -> None:
    _create_applications(cluster.api, namespace)
    _create_account(cluster, "argocd", namespace, rights_in=namespace)

    with closing(_as(cluster, "argocd", namespace)) as argocd:
        for who, name in ((cluster.api, "single"), (argocd, "busy")):
            answer = _patch(who, namespace, name, [_replace("/spec/project", "other"), LABEL])
            assert answer["spec"]["project"] == "other"
            assert answer["metadata"]["labels"] == LABEL["value"]


def test_the_policy_binds_an_installation_in_any_namespace(
    cluster: Cluster, deployed: None, applications: str, tmp_path: Path
) -> None:
    for directory in ("deploy", "crds"):
        shutil.copytree(ROOT / directory, tmp_path / directory)
    (tmp_path / "overlay").mkdir()
    overlay = {"resources": ["../deploy"], "namespace": applications}
    (tmp_path / "overlay/kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = _rendered(cluster, tmp_path / "overlay")
    _create_account(cluster, ACCOUNT, applications, rights_in=applications)

    assert _one(objects, "ServiceAccount")["metadata"]["namespace"] == applications
    assert _one(objects, "ClusterRoleBinding")["subjects"][0]["namespace"] == applications
    with closing(_as(cluster, ACCOUNT, applications)) as moved:
        assert METADATA in _refusal(lambda: _patch(moved, applications, "single", [LABEL]))
        _patch(moved, applications, "single", [MOVED])


def test_the_example_is_accepted_and_its_two_objects_mean_the_same_repository(cluster: Cluster, namespace: str) -> None:
    objects = _example(namespace)
    cluster.apply(objects, "--validate=strict")

    watch = BundleWatch.parse(_one(objects, "BundleWatch"))
    deployed_by = parse(_one(objects, "Application"))
    source = choose_source(deployed_by, repository=watch.spec.repository, source=None)
    assert source.target_revision == "1.0.0"
    assert [target.name for target in watch.spec.applications] == [deployed_by.name]


def test_a_release_uses_every_right_of_the_account_and_lacks_none(
    cluster: Cluster, deployed: None, namespace: str, operator_process: Callable[..., OperatorProcess]
) -> None:
    account = f"system:serviceaccount:{HOME}:{ACCOUNT}"
    with (
        Registry.start("basic") as registry,
        Proxy.start(registry.host) as proxy,
        Standin(cluster, namespace=namespace, speed=0),
        cluster.recording() as recording,
    ):
        registry.push_chart("charts/shop", "shop", "1.0.0")
        _create_pulling_account(cluster, namespace, registry, host=proxy.host)
        cluster.apply(_example(namespace, host=proxy.host, pulling="puller"))
        operator = operator_process(kubeconfig=cluster.kubeconfig_for(ACCOUNT, HOME))
        _until_runs(cluster, namespace, "1.0.0")

        proxy.fault(Delay(2), when=lambda request: request.path.endswith("/manifests/1.0.1"), times=1)
        registry.push_chart("charts/shop", "shop", "1.0.1")
        cluster.kubectl("annotate", "bw/shop", f"--namespace={namespace}", "bundlewatch.dev/reconcile=now")
        eventually(lambda: any(request.path.endswith("/1.0.1") for request in proxy.requests))
        # While the operator looks at the bundle a person edits the Application: its patch no longer fits.
        slashed = f"{proxy.host}/charts/"
        _patch(cluster.api, namespace, "shop", [_replace("/spec/source/repoURL", slashed)])
        _until_runs(cluster, namespace, "1.0.1")
        eventually(lambda: {"BundleWatch", "Application"} <= _subjects_of_events(cluster, namespace))
        operator.stop()

    assert cluster.api.get(_path(namespace, "shop"))["spec"]["source"]["repoURL"] == slashed
    asked = recording.of(user=account)
    assert [entry for entry in asked if entry.code == 403] == []
    used: dict[str, set[str]] = {}
    for entry in asked:
        used.setdefault(_name_of(entry.group, entry.resource, entry.subresource), set()).add(entry.verb)
    assert FOR_SOME | used == RIGHTS


async def test_what_rules_an_application_can_be_read_by_name_and_what_is_not_there_is_told_apart(
    cluster: Cluster, deployed: None, namespace: str
) -> None:
    objects = "/apis/argoproj.io/v1alpha1/namespaces/{}/{}"
    project = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "web"}, "spec": {}}
    windows = [{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "manualSync": True}]
    project["spec"] = {"syncWindows": windows}
    cluster.api.post(objects.format(namespace, "appprojects"), project)
    shops = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "shops"}}
    cluster.api.post(
        objects.format(namespace, "applicationsets"), {**shops, "spec": {"generators": [], "template": {}}}
    )
    kubeconfig = str(cluster.kubeconfig_for(ACCOUNT, HOME))

    async with KubernetesClient.connect(kubeconfig=kubeconfig, context=None, timeout_s=10) as client:
        read_project = await client.read_app_project(namespace, "web")
        read_set = await client.read_application_set(namespace, "shops")
        for read in (client.read_app_project, client.read_application_set):
            with pytest.raises(ObjectGone):
                await read(namespace, "nobody")

    assert read_project["spec"]["syncWindows"] == windows
    assert read_set["spec"]["generators"] == []


async def test_an_account_without_these_rights_is_told_so(cluster: Cluster, deployed: None, namespace: str) -> None:
    _create_account(cluster, "nobody", namespace)
    kubeconfig = str(cluster.kubeconfig_for("nobody", namespace))

    async with KubernetesClient.connect(kubeconfig=kubeconfig, context=None, timeout_s=10) as client:
        for read in (client.read_app_project, client.read_application_set):
            with pytest.raises(Forbidden):
                await read(namespace, "web")


def test_argo_cds_secrets_may_be_listed_only_where_that_was_allowed_on_top(
    cluster: Cluster, operator: Api, namespace: str, tmp_path: Path
) -> None:
    secrets, elsewhere = f"/api/v1/namespaces/{namespace}/secrets", "/api/v1/namespaces/default/secrets"
    assert _refusal(lambda: operator.get(secrets)).startswith("403")

    cluster.kubectl(
        "apply", "--server-side", "--validate=strict", "--kustomize", str(_argocd_secrets(tmp_path, namespace))
    )

    eventually(lambda: not _refusal(lambda: operator.get(secrets)), message="Secrets to be listed")
    assert _refusal(lambda: operator.get(elsewhere)).startswith("403")
    assert _refusal(lambda: operator.get(f"{secrets}?watch=true&timeoutSeconds=1")).startswith("403")


def test_a_watch_that_wants_argo_cds_login_says_what_to_apply_and_goes_on_once_it_is(
    cluster: Cluster,
    deployed: None,
    namespace: str,
    tmp_path: Path,
    operator_process: Callable[..., OperatorProcess],
) -> None:
    with Registry.start("basic") as registry, Standin(cluster, namespace=namespace, speed=0):
        registry.push_chart("charts/shop", "shop", "1.0.1")
        login = {"username": registry.username, "password": registry.password, "insecureOCIForceHttp": "true"}
        secret = {
            "metadata": {"name": "repo-shop", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {"type": "helm", "url": f"{registry.host}/charts", **login},
        }
        cluster.api.post(f"/api/v1/namespaces/{namespace}/secrets", secret)
        objects = _example(namespace, host=registry.host)
        _one(objects, "BundleWatch")["spec"] |= {"interval": "10s", "access": {"insecure": True, "fromArgoCD": True}}
        cluster.apply(objects)
        operator_process(f"--namespace={namespace}", kubeconfig=cluster.kubeconfig_for(ACCOUNT, HOME))

        path = WATCHES.format(namespace=namespace) + "/shop"
        eventually(lambda: "deploy/argocd-secrets/" in str(cluster.api.get(path).get("status", {}).get("conditions")))
        cluster.kubectl("apply", "--server-side", "--kustomize", str(_argocd_secrets(tmp_path, namespace)))
        _until_runs(cluster, namespace, "1.0.1")
        cluster.api.delete(path)  # the operator of another test may not list Secrets here


# What the cluster holds


def _create_applications(api: Api, ns: str) -> None:
    helm, native = helm_source(REPOSITORY, "1.0.0"), native_source(f"{REPOSITORY}2", "1.0.0")
    classic = {**helm, "repoURL": "https://charts.example.com"}
    bodies = [
        application(ns, "single", helm),
        application(ns, "several", GIT, helm, native),
        application(ns, "classic", classic),
        application(ns, "unversioned", {key: native[key] for key in ("repoURL", "path")}),
        {
            **application(ns, "busy", helm),
            "operation": {"sync": {"revision": "1.0.0"}},
            "status": {"health": {"status": "Degraded"}, "operationState": RUNNING},
        },
        # An operation whose request is gone; Argo CD goes on with it, or has lost track of it.
        {**application(ns, "stuck", helm), "status": {"operationState": RUNNING}},
        {**application(ns, "ready", helm), "status": {"operationState": {**RUNNING, "phase": "Succeeded"}}},
        application(ns, "noted", helm),
    ]
    bodies[-2]["spec"]["syncPolicy"] = POLICY_OF_SYNCS
    bodies[-1]["metadata"]["annotations"] = {
        "team": "web",
        ALLOW: "a/b",
        "bundlewatch.dev/version": "1.0.0",
        "bundlewatch.dev/commit": "4f1c9d2",
    }
    for body in bodies:
        api.post(_path(ns), body)


def _create_account(cluster: Cluster, name: str, ns: str, *, rights_in: str | None = None) -> None:
    """A ServiceAccount; with `rights_in` it gets the operator's role in that namespace."""
    cluster.api.post(f"/api/v1/namespaces/{ns}/serviceaccounts", {"metadata": {"name": name}})
    if rights_in is not None:
        cluster.kubectl(
            *("create", "rolebinding", name, f"--namespace={rights_in}"),
            *(f"--clusterrole={ACCOUNT}", f"--serviceaccount={ns}:{name}"),
        )


def _create_pulling_account(cluster: Cluster, ns: str, registry: Registry, *, host: str) -> None:
    """A ServiceAccount `puller` with an image pull Secret for the registry, reached as `host`."""
    content = json.dumps({"auths": {host: {"username": registry.username, "password": registry.password}}})
    secret = {
        "metadata": {"name": "regcred"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": content},
    }
    cluster.api.post(f"/api/v1/namespaces/{ns}/secrets", secret)
    account = {"metadata": {"name": "puller"}, "imagePullSecrets": [{"name": "regcred"}]}
    cluster.api.post(f"/api/v1/namespaces/{ns}/serviceaccounts", account)


def _create_pod(cluster: Cluster, pod: Json) -> Json:
    """Only asked for: nothing would run it."""
    return cluster.api.post(f"/api/v1/namespaces/{HOME}/pods", pod, dryRun="All", fieldValidation="Strict")


def _pod(cluster: Cluster) -> Json:
    """The Pod that the Deployment would have made."""
    template = _one(_rendered(cluster, DEPLOY), "Deployment")["spec"]["template"]
    metadata = {**template["metadata"], "name": "bundlewatch-0"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _versions(cluster: Cluster) -> dict[str, str]:
    found = cluster.kubectl("get", "--kustomize", str(DEPLOY), "--output=json").stdout
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in json.loads(found)["items"]
    }


def _until_runs(cluster: Cluster, ns: str, version: str) -> None:
    path = WATCHES.format(namespace=ns) + "/shop"

    def runs() -> bool:
        [followed] = cluster.api.get(path).get("status", {}).get("applications") or [{}]
        live = cluster.api.get(_path(ns, "shop"))["spec"]["source"]["targetRevision"]
        return (live, followed.get("current"), followed.get("phase")) == (version, version, "Healthy")

    eventually(
        runs,
        timeout_s=30,
        message=lambda: f"{version} to run: {cluster.api.get(path).get('status')}",
    )


def _subjects_of_events(cluster: Cluster, ns: str) -> set[str]:
    events = cluster.api.get(f"/api/v1/namespaces/{ns}/events")["items"]
    return {event["involvedObject"]["kind"] for event in events if event.get("reportingComponent") == "bundlewatch"}


# What the files hold


def _argocd_secrets(directory: Path, ns: str) -> Path:
    """deploy/argocd-secrets for an Argo CD in this namespace."""
    shutil.copytree(DEPLOY / "argocd-secrets", directory / "argocd-secrets")
    file = directory / "argocd-secrets/kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: argocd\n", f"namespace: {ns}\n"))
    return file.parent


def _rendered(cluster: Cluster, directory: Path) -> list[Json]:
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", str(directory)).stdout))


def _example(ns: str, *, host: str = "registry.example.com", pulling: str | None = None) -> list[Json]:
    """deploy/example, in another namespace; with a ServiceAccount that pulls, on a registry of the test bed."""
    files = sorted((DEPLOY / "example").glob("*.yaml"))
    objects = [yaml.safe_load(file.read_text().replace("registry.example.com", host)) for file in files]
    for found in objects:
        found["metadata"]["namespace"] = ns
    if pulling is not None:
        spec = _one(objects, "BundleWatch")["spec"]
        spec |= {"interval": "10s", "access": {"insecure": True, "serviceAccountName": pulling}}
    return objects


def _one(objects: Sequence[Json], kind: str) -> Json:
    [found] = [candidate for candidate in objects if candidate["kind"] == kind]
    return found


# What accounts may do


def _as(cluster: Cluster, account: str, ns: str) -> Api:
    token = cluster.service_account_token(account, ns)
    return Api(server=cluster.server, ca=cluster.ca, token=token)


def _path(ns: str, name: str | None = None) -> str:
    return APPLICATIONS.format(namespace=ns) + (f"/{name}" if name else "")


def _patch(api: Api, ns: str, name: str, operations: list[Json], **parameters: str) -> Json:
    return api.patch(_path(ns, name), operations, JSON_PATCH, **parameters)


def _at(body: Json, path: str) -> Any:
    """What is there; None where nothing is."""
    value: Any = body
    for step in path.split("/"):
        value = (value or {}).get(step)
    return value


def _refusal(call: Callable[[], object]) -> str:
    """What the API server says to it; "" where it agrees."""
    try:
        call()
    except ApiError as error:
        return str(error)
    return ""


def _rights(api: Api) -> dict[str, set[str]]:
    """The verbs an account has by resource; a rule that names single objects or everything stays visible."""
    review = api.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
    rights: dict[str, set[str]] = {}
    for rule in review["status"]["resourceRules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                kind, _, subresource = resource.partition("/")
                only = "".join(f" {name}" for name in rule.get("resourceNames", ()))
                rights.setdefault(_name_of(group, kind, subresource) + only, set()).update(rule["verbs"])
    return rights


def _name_of(group: str, resource: str, subresource: str) -> str:
    """As in the table at the top: resource[.group][/subresource]."""
    return resource + (f".{group}" if group else "") + (f"/{subresource}" if subresource else "")
