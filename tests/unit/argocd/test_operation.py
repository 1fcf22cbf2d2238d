"""Operations: nothing is asked for over another's, and only what is taken back is ended."""

from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.argocd.operation import Abandoned, SyncRequest, is_busy, request, termination
from unit.argocd.json_patch import Refused, apply

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.1"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/web", "path": ".", "targetRevision": "3"}
WANTED = SyncRequest(watch="argocd/shop", uid="w-1", tag="1.0.1", digest="sha256:a")
MANUAL = SyncRequest(watch="argocd/shop", uid="w-1", tag="1.0.1", digest="sha256:a", manual=True)
ABANDONED = Abandoned(target_revision="1.0.1", digest="sha256:a")


def body(*, policy: object = None, operation: object = None, status: object = None, **spec: object) -> dict[str, Any]:
    live: dict[str, Any] = {
        "metadata": {"namespace": "argocd", "name": "shop", "uid": "u-1"},
        "spec": spec or {"source": HELM},
    }
    if policy is not None:
        live["spec"] = {**live["spec"], "syncPolicy": policy}
    if operation is not None:
        live["operation"] = operation
    if status is not None:
        live["status"] = status
    return live


def state(phase: str, *, asked: object = None, started: str = "2026-11-24T00:20:16Z", **more: object) -> dict[str, Any]:
    return {"operationState": {"phase": phase, "startedAt": started, "operation": asked or {"sync": {}}, **more}}


def test_the_request_says_who_asks_and_for_what_and_leaves_source_and_revision_to_the_spec() -> None:
    live = body()

    assert apply(live, request(parse(live), WANTED))["operation"] == {
        "initiatedBy": {"username": "bundlewatch", "automated": True},
        "info": [
            {"name": "bundlewatch.dev/watch", "value": "argocd/shop"},
            {"name": "bundlewatch.dev/uid", "value": "w-1"},
            {"name": "bundlewatch.dev/tag", "value": "1.0.1"},
            {"name": "bundlewatch.dev/digest", "value": "sha256:a"},
        ],
        "sync": {},
    }


def test_it_is_synced_as_the_sync_policy_says() -> None:
    retry = {"limit": 3, "refresh": True, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}
    policy = {"automated": {"prune": True}, "retry": retry, "syncOptions": ["CreateNamespace=true", "Replace=false"]}
    live = body(policy=policy)

    asked = apply(live, request(parse(live), WANTED))["operation"]

    assert asked["retry"] == retry
    assert asked["sync"] == {"prune": True, "syncOptions": ["CreateNamespace=true", "Replace=false"]}


@pytest.mark.parametrize(
    "later",
    [
        pytest.param({"automated": {"prune": True}, "retry": {"limit": 3}}, id="other options"),
        pytest.param({"automated": {}, "retry": {"limit": 3}, "syncOptions": ["Validate=false"]}, id="no pruning"),
        pytest.param(
            {"automated": {"prune": True}, "retry": {"limit": 0}, "syncOptions": ["Validate=false"]}, id="other retries"
        ),
        pytest.param(None, id="no policy"),
    ],
)
def test_a_sync_policy_that_was_changed_meanwhile_is_not_gone_by(later: object) -> None:
    policy = {"automated": {"prune": True}, "retry": {"limit": 3}, "syncOptions": ["Validate=false"]}
    operations = request(parse(body(policy=policy)), WANTED)
    apply(body(policy=policy), operations)

    with pytest.raises(Refused):
        apply(body(policy=later), operations)


def test_it_counts_as_a_persons_only_where_that_is_said() -> None:
    live = body(source=HELM, project="web")

    assert apply(live, request(parse(live), MANUAL))["operation"]["initiatedBy"]["automated"] is False


def test_a_persons_rights_are_those_in_the_project_that_was_looked_at() -> None:
    operations = request(parse(body(source=HELM, project="web")), MANUAL)

    with pytest.raises(Refused):
        apply(body(source=HELM, project="other"), operations)


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(body(), id="Argo CD has not looked yet"),
        pytest.param(body(status={"health": {}}), id="nothing was synced yet"),
        pytest.param(body(status={**state("Succeeded"), "health": {}}), id="the last one succeeded"),
        pytest.param(body(status={**state("Failed"), "health": {}}), id="the last one failed"),
        pytest.param(body(status={**state("Error"), "health": {}}), id="the last one erred"),
    ],
)
def test_the_last_operation_is_forgotten_with_the_request_for_the_next(live: dict[str, Any]) -> None:
    written = apply(live, request(parse(live), WANTED))

    assert written.pop("operation")
    assert written.get("status", {}) == {key: {} for key in live.get("status", {}) if key != "operationState"}


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(body(operation={"sync": {}}), id="asked for"),
        pytest.param(body(operation={"sync": {}}, status=state("Running")), id="at work"),
        pytest.param(body(status=state("Running", finishedAt="2026-11-24T00:20:17Z")), id="to be tried again"),
        pytest.param(body(status=state("Terminating")), id="being ended"),
        pytest.param(body(status=state("Tomorrow")), id="in a phase of a later Argo CD"),
    ],
)
def test_nothing_is_asked_for_while_an_operation_is_there(live: dict[str, Any]) -> None:
    assert is_busy(parse(live))
    assert request(parse(live), WANTED) == []


@pytest.mark.parametrize(
    ("read", "live"),
    [
        pytest.param(body(), body(operation={"sync": {}}), id="somebody asked"),
        pytest.param(body(), body(status=state("Running")), id="the first sync began"),
        pytest.param(body(status={"health": {}}), body(status=state("Running")), id="a sync began"),
        pytest.param(body(status=state("Succeeded")), body(status=state("Running")), id="another sync began"),
    ],
)
def test_an_operation_that_came_in_between_is_not_written_over(read: dict[str, Any], live: dict[str, Any]) -> None:
    operations = request(parse(read), WANTED)
    apply(read, operations)

    with pytest.raises(Refused):
        apply(live, operations)


PINNED = {"sync": {"revision": "1.0.1", "source": HELM}}
OURS = {"info": [{"name": "bundlewatch.dev/digest", "value": "sha256:a"}], "sync": {}}
OTHER = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
SEVERAL = body(
    operation={"sync": {}},
    status=state("Running", asked={"sync": {"sources": [NATIVE, HELM]}}),
    sources=[NATIVE, HELM],
)


def ended(live: dict[str, Any], *, index: int = 0, version: Abandoned = ABANDONED) -> str:
    """The phase after the patch."""
    application = parse(live)
    written = apply(live, termination(application, application.sources[index], version))
    return str(written["status"]["operationState"]["phase"])


@pytest.mark.parametrize(
    ("live", "index"),
    [
        pytest.param(body(operation=PINNED, status=state("Running", asked=PINNED)), 0, id="pinned to it"),
        pytest.param(
            body(operation=PINNED, status=state("Running", asked=PINNED, finishedAt="2026-11-24T00:20:17Z")),
            0,
            id="waiting to be tried again",
        ),
        pytest.param(
            body(operation=OURS, status=state("Running", syncResult={"source": HELM})), 0, id="by its result so far"
        ),
        pytest.param(body(operation=OURS, status=state("Running", asked=OURS)), 0, id="asked for by us"),
        pytest.param(
            body(operation=PINNED, status=state("Running", asked=PINNED), source={**HELM, "targetRevision": "1.0.0"}),
            0,
            id="its target revision is back already",
        ),
        pytest.param(SEVERAL, 1, id="one of several"),
    ],
)
def test_the_operation_of_a_version_that_is_taken_back_is_ended(live: dict[str, Any], index: int) -> None:
    assert ended(live, index=index) == "Terminating"


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(body(operation=PINNED, status=state("Succeeded", asked=PINNED)), id="over"),
        pytest.param(body(operation=PINNED, status=state("Terminating", asked=PINNED)), id="being ended"),
        pytest.param(body(status=state("Running", asked=PINNED)), id="nobody is at work on it"),
        pytest.param(
            body(operation=PINNED, status=state("Running", asked={"sync": {"source": OTHER}})), id="of another version"
        ),
        pytest.param(
            body(operation=PINNED, status=state("Running", asked={"sync": {"source": NATIVE}})), id="of another source"
        ),
        pytest.param(
            body(operation=OURS, status=state("Running", asked=OURS, syncResult={"source": OTHER})),
            id="asked for by us, but what it applied is another version",
        ),
        pytest.param(body(operation={"sync": {}}, status=state("Running")), id="it does not say of which version"),
        pytest.param(SEVERAL, id="the other of several sources"),
    ],
)
def test_no_other_operation_is_ended(live: dict[str, Any]) -> None:
    assert ended(live) == live["status"]["operationState"]["phase"]


def test_without_a_digest_an_operation_that_names_none_is_not_taken_for_it() -> None:
    live = body(operation={"sync": {}}, status=state("Running"))

    assert ended(live, version=Abandoned(target_revision="1.0.1")) == "Running"


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(state("Succeeded", asked=PINNED), id="it ended"),
        pytest.param(state("Running", asked=PINNED, started="2026-11-24T00:20:18Z"), id="another one began"),
        pytest.param({}, id="it was forgotten"),
    ],
)
def test_an_operation_that_is_no_longer_the_one_that_was_seen_is_left_alone(later: dict[str, Any]) -> None:
    read = body(operation=PINNED, status=state("Running", asked=PINNED))
    application = parse(read)

    with pytest.raises(Refused):
        apply({**read, "status": later}, termination(application, application.sources[0], ABANDONED))
