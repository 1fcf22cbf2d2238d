"""The patch moves one field of one source, and what belongs to the move, or, when anything changed, nothing at all."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.argocd.operation import Abandoned, SyncRequest
from bundlewatch.argocd.patch import application_patch
from unit.argocd.json_patch import Refused, apply

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": ".", "targetRevision": "1.0.0"}


def body(**spec: object) -> dict[str, Any]:
    return {"metadata": {"namespace": "argocd", "name": "shop", "uid": "u-1"}, "spec": {**spec}}


def patch(read: Mapping[str, Any], *, index: int = 0, to: str = "1.0.1") -> list[dict[str, object]]:
    application = parse(read)
    return application_patch(application, application.sources[index], to=to)


@pytest.mark.parametrize(
    ("read", "index"),
    [
        pytest.param(body(source=HELM), 0, id="helm"),
        pytest.param(body(source=NATIVE), 0, id="native"),
        pytest.param(body(source=HELM, sources=[]), 0, id="beside an empty list"),
        pytest.param(body(source={**HELM, "targetRevision": ""}), 0, id="empty so far"),
        pytest.param(body(source={"repoURL": "oci://r/x", "path": "."}), 0, id="absent so far"),
        pytest.param(body(sources=[NATIVE, {**HELM, "name": "web"}, HELM]), 1, id="one of several, named"),
        pytest.param(body(source=HELM, sources=[NATIVE, HELM]), 1, id="one of several, the single one ignored"),
    ],
)
def test_the_target_revision_of_the_source_moves_and_nothing_else(read: dict[str, Any], index: int) -> None:
    expected = deepcopy(read)
    several = expected["spec"].get("sources")
    (several[index] if several else expected["spec"]["source"])["targetRevision"] = "1.0.1"

    assert apply(read, patch(read, index=index)) == expected


def test_nothing_is_written_when_it_is_there_already() -> None:
    assert patch(body(source=HELM), to="1.0.0") == []


SINGLE = body(source=HELM)
SEVERAL = body(sources=[NATIVE, {**HELM, "name": "web"}, {**HELM, "name": "api"}])


@pytest.mark.parametrize(
    ("read", "index", "live"),
    [
        pytest.param(SINGLE, 0, body(source={**HELM, "targetRevision": "0.9.0"}), id="a person wrote another version"),
        pytest.param(SINGLE, 0, body(source={**HELM, "repoURL": "elsewhere"}), id="another registry"),
        pytest.param(SINGLE, 0, body(source={**HELM, "chart": "other"}), id="another chart"),
        pytest.param(SINGLE, 0, body(source=HELM, sources=[HELM]), id="a list of sources came to rule"),
        pytest.param(SINGLE, 0, body(source=HELM, sourceHydrator={"drySource": {}}), id="a hydrator came to rule"),
        pytest.param(SINGLE, 0, body(), id="the source went"),
        pytest.param(SINGLE, 0, {**SINGLE, "metadata": {"uid": "u-2"}}, id="deleted and created again"),
        pytest.param(SINGLE, 0, body(source={"repoURL": HELM["repoURL"], "chart": "bundle"}), id="the version went"),
        pytest.param(
            body(source={"repoURL": "oci://r/x", "path": "."}),
            0,
            body(source={"repoURL": "oci://r/x", "path": ".", "targetRevision": "2.0.0"}),
            id="a version came where none was",
        ),
        pytest.param(
            SEVERAL,
            1,
            body(sources=[NATIVE, SEVERAL["spec"]["sources"][2], SEVERAL["spec"]["sources"][1]]),
            id="the list was reordered, and only the names tell",
        ),
        pytest.param(SEVERAL, 2, body(sources=SEVERAL["spec"]["sources"][:2]), id="the list is shorter"),
        pytest.param(SEVERAL, 1, body(source=HELM), id="the list went"),
    ],
)
def test_whatever_changed_in_between_nothing_is_written(read: dict[str, Any], index: int, live: dict[str, Any]) -> None:
    apply(read, patch(read, index=index))

    with pytest.raises(Refused):
        apply(live, patch(read, index=index))


def test_what_argo_cd_writes_in_between_does_not_hinder_it() -> None:
    live = {**SINGLE, "metadata": {**SINGLE["metadata"], "resourceVersion": "99"}, "status": {"health": {}}}

    assert apply(live, patch(SINGLE))["spec"]["source"]["targetRevision"] == "1.0.1"


NOTED = {**SINGLE, "metadata": {**SINGLE["metadata"], "annotations": {"bundlewatch.dev/version": "1.0.0", "a": "b"}}}
UNTOUCHED = {"a": "b"}


def annotated(read: Mapping[str, Any], **named: str | None) -> list[dict[str, object]]:
    application = parse(read)
    wanted = {f"bundlewatch.dev/{key.replace('_', '-')}": value for key, value in named.items()}
    return application_patch(application, application.sources[0], annotations=wanted)


@pytest.mark.parametrize(
    ("read", "wanted", "expected"),
    [
        pytest.param(SINGLE, {"version": "1.0.0"}, {"bundlewatch.dev/version": "1.0.0"}, id="the very first"),
        pytest.param(
            NOTED,
            {"version": "1.0.1", "taken_back": "1.0.2@sha256:a"},
            {**UNTOUCHED, "bundlewatch.dev/version": "1.0.1", "bundlewatch.dev/taken-back": "1.0.2@sha256:a"},
            id="one changed, one more",
        ),
        pytest.param(NOTED, {"version": None, "commit": None}, UNTOUCHED, id="removed, what is not there passed over"),
    ],
)
def test_annotations_of_ours_are_set_and_removed_and_others_stay(
    read: dict[str, Any], wanted: dict[str, str | None], expected: dict[str, str]
) -> None:
    written = apply(read, annotated(read, **wanted))

    assert written == {**read, "metadata": {**read["metadata"], "annotations": expected}}


@pytest.mark.parametrize("wanted", [{"version": "1.0.0"}, {"commit": None}, {}])
def test_annotations_that_are_as_wanted_are_not_written(wanted: dict[str, str | None]) -> None:
    assert annotated(NOTED, **wanted) == []


@pytest.mark.parametrize("key", ["bundlewatch.dev/allow", "argocd.argoproj.io/refresh", "bundlewatch.device/x"])
def test_what_is_not_ours_cannot_even_be_asked_for(key: str) -> None:
    application = parse(NOTED)

    with pytest.raises(ValueError, match=key):
        application_patch(application, application.sources[0], annotations={key: "x"})


@pytest.mark.parametrize(
    ("read", "wanted", "live"),
    [
        pytest.param(SINGLE, {"version": "1.0.0"}, NOTED, id="the first came, and would be replaced"),
        pytest.param(NOTED, {"version": None}, SINGLE, id="removed already"),
        pytest.param(NOTED, {"version": "1"}, body(source={**HELM, "targetRevision": "2"}), id="another version runs"),
    ],
)
def test_annotations_are_written_only_beside_what_they_speak_of(
    read: dict[str, Any], wanted: dict[str, str | None], live: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        apply(live, annotated(read, **wanted))


REQUEST = SyncRequest(watch="argocd/shop", uid="w-1", tag="1.0.1", digest="sha256:a")
RUNNING = {
    **body(source={**HELM, "targetRevision": "1.0.1"}),
    "operation": {"sync": {"revision": "1.0.1"}},
    "status": {
        "operationState": {
            "phase": "Running",
            "startedAt": "2026-11-24T00:20:16Z",
            "operation": {"sync": {"revision": "1.0.1", "source": {**HELM, "targetRevision": "1.0.1"}}},
        }
    },
}


def test_a_move_a_sync_and_annotations_go_in_one_patch() -> None:
    read = {**SINGLE, "status": {"operationState": {"phase": "Succeeded"}, "health": {}}}
    application = parse(read)

    written = apply(
        read,
        application_patch(
            application,
            application.sources[0],
            to="1.0.1",
            sync=REQUEST,
            annotations={"bundlewatch.dev/version": "1.0.1"},
        ),
    )

    assert written["spec"]["source"]["targetRevision"] == "1.0.1"
    assert written["operation"]["sync"] == {}
    assert written["status"] == {"health": {}}
    assert written["metadata"]["annotations"] == {"bundlewatch.dev/version": "1.0.1"}


def test_taking_back_ends_the_operation_of_what_is_taken_back_and_marks_it_in_one_patch() -> None:
    application = parse(RUNNING)
    marked = {"bundlewatch.dev/taken-back": "1.0.1@sha256:a"}

    operations = application_patch(
        application,
        application.sources[0],
        to="1.0.0",
        ends=Abandoned(target_revision="1.0.1"),
        sync=REQUEST,  # there is one at work: asked for later
        annotations=marked,
    )
    written = apply(RUNNING, operations)

    assert written["spec"]["source"]["targetRevision"] == "1.0.0"
    assert written["metadata"]["annotations"] == marked
    assert written["operation"] == RUNNING["operation"]
    assert written["status"]["operationState"] == {**RUNNING["status"]["operationState"], "phase": "Terminating"}


def test_what_one_part_rested_on_holds_for_all_of_them() -> None:
    application = parse(RUNNING)
    operations = application_patch(
        application, application.sources[0], to="1.0.0", ends=Abandoned(target_revision="1.0.1")
    )
    over = {**RUNNING["status"]["operationState"], "phase": "Succeeded"}

    with pytest.raises(Refused):
        apply({**RUNNING, "status": {"operationState": over}}, operations)


def test_a_sync_alone_rests_on_the_target_revision_too() -> None:
    application = parse(SINGLE)
    operations = application_patch(application, application.sources[0], sync=REQUEST)

    assert apply(SINGLE, operations)["operation"]["initiatedBy"]["username"] == "bundlewatch"
    with pytest.raises(Refused):
        apply(body(source={**HELM, "targetRevision": "2.0.0"}), operations)


@pytest.mark.parametrize(
    "annotations", [None, {"team": "web"}, {"argocd.argoproj.io/refresh": "normal"}], ids=["none", "others", "normal"]
)
def test_argo_cd_is_asked_to_drop_what_it_keeps_of_a_version(annotations: dict[str, str] | None) -> None:
    read = body(source=HELM)
    if annotations is not None:
        read["metadata"]["annotations"] = annotations
    application = parse(read)

    moved = apply(read, application_patch(application, application.sources[0], to="1.0.1", refresh=True))

    assert moved["metadata"]["annotations"] == (annotations or {}) | {"argocd.argoproj.io/refresh": "hard"}
