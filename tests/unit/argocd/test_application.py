"""Reading a live Application: the fields that rule are the ones Argo CD goes by, and nothing makes it fail."""

import gc
import json
import tracemalloc
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.argocd.application import Application, Destination, Freshness, parse, relevant_change
from bundlewatch.argocd.health import assess
from bundlewatch.argocd.ownership import maker_of
from bundlewatch.argocd.running import running_revisions

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": ".", "targetRevision": "1.0.0"}
OPERATION_STATE = {
    "phase": "Succeeded",
    "message": "successfully synced (all tasks run)",
    "startedAt": "2026-11-24T00:03:14Z",
    "finishedAt": "2026-11-24T00:03:15Z",
    "operation": {"sync": {"revision": "1.0.0", "source": HELM}},
    "syncResult": {"revision": "1.0.0", "source": HELM, "resources": [{"kind": "ConfigMap"}]},
}
BODY: Mapping[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {
        "namespace": "argocd",
        "name": "shop",
        "uid": "u-1",
        "resourceVersion": "7",
        "labels": {"team": "web"},
        "annotations": {"bundlewatch.dev/allow": "a/b", "example.com/note": "x"},
        "ownerReferences": [{"kind": "ApplicationSet", "name": "shops", "controller": True}],
        "managedFields": [
            {
                "manager": "kubectl",
                "operation": "Update",
                "time": "2026-11-24T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:source": {"f:targetRevision": {}}}},
            }
        ],
    },
    "spec": {
        "project": "web",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        "source": HELM,
        "syncPolicy": {"automated": {}},
    },
    "status": {
        "sync": {"status": "Synced", "revision": "1.0.0", "comparedTo": {"source": HELM}},
        "health": {"status": "Healthy"},
        "reconciledAt": "2026-11-24T00:03:20Z",
        "controllerNamespace": "argocd",
        "conditions": [{"type": "SyncError", "message": "no"}, {"type": "SharedResourceWarning", "message": "x"}],
        "history": [
            {"id": 0, "revision": "0.9.0", "source": {**HELM, "targetRevision": "0.9.0"}},
            {"id": 1, "revision": "1.0.0", "source": HELM},
        ],
        "resources": [{"kind": "ConfigMap", "name": f"c{number}"} for number in range(50)],
        "operationState": OPERATION_STATE,
    },
}


def with_(path: str, value: object) -> dict[str, Any]:
    """BODY with `value` at a dotted path; "absent" removes what is there."""
    body = deepcopy(dict(BODY))
    *above, last = path.split(".")
    holder = body
    for key in above:
        holder = holder.setdefault(key, {})
    if value == "absent":
        holder.pop(last, None)
    else:
        holder[last] = value
    return body


def with_spec(**spec: object) -> Application:
    return parse({**BODY, "spec": spec})


def test_what_is_needed_is_kept_and_no_more() -> None:
    application = parse(BODY)

    assert application.full_name == "argocd/shop"
    assert (application.uid, application.resource_version, application.deleting) == ("u-1", "7", False)
    assert application.labels == {"team": "web"}
    assert application.annotations == {"bundlewatch.dev/allow": "a/b"}
    assert [source.target_revision for source in application.sources] == ["1.0.0"]
    assert application.automated
    assert not application.has_operation
    assert application.sync_revisions == ("1.0.0",)
    assert [found.type for found in application.conditions] == ["SyncError"]
    assert application.reconciled_at == datetime(2026, 11, 24, 0, 3, 20, tzinfo=UTC)
    assert application.freshness is Freshness.AFTER
    assert application.last_deployed is not None
    assert application.last_deployed.revisions == ("1.0.0",)


def test_a_hydrator_wins_over_every_source() -> None:
    application = with_spec(sourceHydrator={"drySource": {}}, source=HELM, sources=[NATIVE])

    assert application.hydrated
    assert application.sources == ()


def test_a_list_of_sources_wins_over_the_single_source() -> None:
    application = with_spec(source=HELM, sources=[NATIVE, {**HELM, "name": "web"}])

    assert application.multi_source
    assert [(source.index, source.name, source.chart) for source in application.sources] == [
        (0, None, None),
        (1, "web", "bundle"),
    ]


def test_an_empty_list_of_sources_means_nothing() -> None:
    application = with_spec(source=HELM, sources=[])

    assert not application.multi_source
    assert application.empty_sources
    assert [source.chart for source in application.sources] == ["bundle"]


def test_an_absent_target_revision_is_told_from_an_empty_one() -> None:
    absent, empty = {"repoURL": "oci://r/x", "path": "."}, {**NATIVE, "targetRevision": ""}

    sources = with_spec(sources=[absent, empty]).sources

    assert [source.target_revision for source in sources] == [None, ""]


@pytest.mark.parametrize(
    ("policy", "automated"),
    [
        pytest.param({"automated": {}}, True, id="an empty policy is one"),
        pytest.param({"automated": {"prune": True}}, True, id="with options"),
        pytest.param({"automated": {"enabled": True}}, True, id="switched on"),
        pytest.param({"automated": {"enabled": False}}, False, id="switched off"),
        pytest.param({"automated": None}, False, id="null"),
        pytest.param({"syncOptions": []}, False, id="none"),
        pytest.param(None, False, id="no policy at all"),
    ],
)
def test_whether_argo_cd_syncs_by_itself(policy: object, automated: bool) -> None:  # noqa: FBT001 - of the table
    assert with_spec(source=HELM, syncPolicy=policy).automated is automated


def test_where_it_deploys_to_and_in_whose_name() -> None:
    application = with_spec(source=HELM, project="web", destination={"name": "prod", "namespace": "shop"})

    assert application.project == "web"
    assert application.destination == Destination(server="", name="prod", namespace="shop")


@pytest.mark.parametrize("project", ["", None, 7])
def test_an_application_without_a_project_is_of_the_default_one(project: object) -> None:
    assert with_spec(source=HELM, project=project).project == "default"


def manager(name: str, time: str | None, fields: object) -> dict[str, object]:
    return {"manager": name, "operation": "Update", "time": time, "fieldsV1": fields}


ONE: dict[str, Any] = {"f:spec": {"f:source": {"f:targetRevision": {}}}}
LIST: dict[str, Any] = {"f:spec": {"f:sources": {}}}


def test_the_last_writer_of_the_target_revision_is_the_newest_who_owns_it() -> None:
    entries = [
        manager("late", "2026-11-24T00:00:09Z", ONE),
        manager("early", "2026-11-24T00:00:01Z", ONE),
        manager("elsewhere", "2026-11-24T00:00:30Z", {"f:spec": {"f:source": {"f:repoURL": {}}}}),
        manager("timeless", None, ONE),
    ]

    managers = parse(with_("metadata.managedFields", entries)).target_revision_managers

    assert {index: (found.name, found.operation) for index, found in managers.items()} == {0: ("late", "Update")}


def test_a_list_of_sources_is_owned_as_a_whole() -> None:
    body = with_("metadata.managedFields", [manager("me", "2026-11-24T00:00:01Z", LIST), manager("x", None, ONE)])
    body["spec"] = {"sources": [HELM, NATIVE]}

    assert {index: found.name for index, found in parse(body).target_revision_managers.items()} == {
        0: "me",
        1: "me",
    }


@pytest.mark.parametrize(
    ("reconciled_at", "freshness"),
    [
        ("2026-11-24T00:03:14Z", Freshness.BEFORE),
        ("2026-11-24T00:03:15Z", Freshness.SAME_SECOND),
        ("2026-11-24T01:03:15+01:00", Freshness.SAME_SECOND),
        ("2026-11-24T00:03:16Z", Freshness.AFTER),
        ("yesterday", Freshness.UNKNOWN),
        (None, Freshness.UNKNOWN),
    ],
)
def test_a_comparison_is_seen_from_the_end_of_the_operation(reconciled_at: object, freshness: Freshness) -> None:
    assert parse(with_("status.reconciledAt", reconciled_at)).freshness is freshness


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.resourceVersion", "8"),
        ("metadata.generation", 12),
        ("metadata.annotations", {"bundlewatch.dev/allow": "a/b", "argocd.argoproj.io/refresh": "normal"}),
        ("status.reconciledAt", "2026-11-24T00:09:20Z"),
        ("status.resources", []),
        ("status.summary", {"images": ["x"]}),
        ("status.sourceType", "Helm"),
        ("status.health.lastTransitionTime", "2026-11-24T00:09:20Z"),
    ],
)
def test_what_does_not_concern_us_is_no_change(path: str, value: object) -> None:
    assert not relevant_change(parse(BODY), parse(with_(path, value)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.uid", "u-2"),
        ("metadata.labels", {"team": "api"}),
        ("metadata.annotations", {"argocd.argoproj.io/skip-reconcile": "true"}),
        ("metadata.deletionTimestamp", "2026-11-24T00:09:20Z"),
        ("metadata.ownerReferences", []),
        ("spec.source.targetRevision", "1.0.1"),
        ("spec.source.repoURL", "elsewhere.example.com/shop"),
        ("spec.sourceHydrator", {}),
        ("spec.project", "api"),
        ("spec.destination.server", "https://elsewhere.example.com"),
        ("spec.destination.namespace", "shop-2"),
        ("spec.syncPolicy.automated", "absent"),
        ("operation", {"sync": {}}),
        ("status.sync.status", "OutOfSync"),
        ("status.sync.revision", "1.0.1"),
        ("status.sync.comparedTo.source.targetRevision", "1.0.1"),
        ("status.health.status", "Degraded"),
        ("status.health.message", "one culprit"),
        ("status.conditions", []),
        ("status.reconciledAt", "2026-11-24T00:03:15Z"),
        ("status.operationState.phase", "Running"),
        ("status.operationState", "absent"),
        ("status.history", []),
    ],
)
def test_what_can_change_a_decision_or_a_word_is_a_change(path: str, value: object) -> None:
    assert relevant_change(parse(BODY), parse(with_(path, value)))


def test_coming_and_going_is_a_change() -> None:
    assert relevant_change(None, parse(BODY))
    assert relevant_change(parse(BODY), None)


@pytest.mark.parametrize(
    "sync", [{"dryRun": True}, {"resources": [{"kind": "Job", "name": "j"}]}], ids=["dry run", "one resource"]
)
def test_a_sync_of_a_part_is_recognised(sync: Mapping[str, object]) -> None:
    state = parse(with_("status.operationState.operation.sync", sync)).operation_state

    assert state is not None
    assert state.partial


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PATHS = [
    *(f"metadata.{key}" for key in BODY["metadata"]),
    *(
        f"spec.{key}"
        for key in ("source", "sources", "syncPolicy", "sourceHydrator", "source.targetRevision", "destination")
    ),
    *(f"status.{key}" for key in BODY["status"]),
    *(f"status.sync.{key}" for key in ("status", "revision", "revisions", "comparedTo", "comparedTo.source")),
    *(f"status.operationState.{key}" for key in OPERATION_STATE),
    "metadata",
    "spec",
    "status",
    "operation",
]


@given(st.sampled_from(PATHS), JSON | st.lists(JSON, max_size=3) | st.just([{}]))
def test_garbage_anywhere_never_stops_the_reading_nor_the_judging(path: str, garbage: object) -> None:
    application = parse(with_(path, garbage))

    now = datetime(2026, 11, 24, tzinfo=UTC)
    assess(application, 0, target="1.0.0", digest=None, patched_at=None, now=now)
    maker_of(application)
    for source in application.sources:
        running_revisions(application, source)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_anything_at_all_can_be_read(body: dict[str, Any]) -> None:
    assert parse(body).sources == ()


def test_ten_thousand_applications_fit_into_fifty_mebibytes() -> None:
    texts = [json.dumps(with_("metadata.name", f"shop-{number}")) for number in range(300)]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [parse(json.loads(text)) for text in texts]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (after - before) / len(kept) < 5 * 1024


def test_a_failed_sync_names_the_resource_that_failed_it() -> None:
    resources = [
        {"kind": "ConfigMap", "name": "shop", "status": "Synced", "message": "configmap/shop created"},
        {"kind": "Job", "name": "migrate", "hookPhase": "Failed", "message": "Job has reached the backoff limit"},
        {"kind": "Job", "name": "later", "hookPhase": "Failed", "message": "never mind"},
    ]
    state = {"phase": "Failed", "message": "one or more tasks failed", "syncResult": {"resources": resources}}

    found = parse({"metadata": {"name": "shop"}, "spec": {}, "status": {"operationState": state}}).operation_state

    assert found is not None
    assert found.culprit == "Job migrate: Job has reached the backoff limit"


def test_what_an_automatic_sync_goes_by_is_kept_and_the_many_without_a_policy_share_one() -> None:
    retry = {"limit": 3, "backoff": {"duration": "5s"}}
    policy = {"automated": {"prune": True}, "retry": retry, "syncOptions": ["Replace=true", 7, ""]}

    read = with_spec(source=HELM, syncPolicy=policy).sync_policy

    assert (read.options, read.prune, read.retry) == (("Replace=true",), True, retry)
    assert with_spec(source=HELM).sync_policy is parse(with_("spec.syncPolicy", "absent")).sync_policy


@pytest.mark.parametrize(
    "policy", [None, "x", [], {"automated": True, "retry": "often", "syncOptions": "Replace=true"}]
)
def test_a_sync_policy_of_a_wrong_shape_says_nothing(policy: object) -> None:
    read = with_spec(source=HELM, syncPolicy=policy).sync_policy

    assert (read.options, read.prune, read.retry) == ((), False, None)


def test_of_an_operation_is_kept_when_it_began_as_written_and_what_a_bundlewatch_said_of_itself() -> None:
    info = [
        {"name": "bundlewatch.dev/digest", "value": "sha256:a"},
        {"name": "reason", "value": "because"},
        "wrong",
        {"name": 7, "value": "x"},
    ]
    state = {**OPERATION_STATE, "operation": {"sync": {}, "info": info}}

    read = parse(with_("status.operationState", state)).operation_state

    assert read is not None
    assert read.started == "2026-11-24T00:03:14Z"
    assert read.info == {"bundlewatch.dev/digest": "sha256:a"}


def test_whether_others_annotate_it_wakes_nobody() -> None:
    bare = parse(with_("metadata.annotations", "absent"))
    refreshing = parse(with_("metadata.annotations", {"argocd.argoproj.io/refresh": "normal"}))

    assert (bare.has_annotations, refreshing.has_annotations) == (False, True)
    assert not relevant_change(bare, refreshing)
