"""The patch moves one field of one source, or, when anything it rested on has changed, nothing at all.

`apply` does what the API server does with a JSON Patch; where that departs from RFC 6902 (a test against null
passes for an absent member) it follows the API server.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.argocd.patch import target_revision_patch

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": ".", "targetRevision": "1.0.0"}


class Refused(Exception):
    pass


def body(**spec: object) -> dict[str, Any]:
    return {"metadata": {"namespace": "argocd", "name": "shop", "uid": "u-1"}, "spec": {**spec}}


def patch(read: Mapping[str, Any], *, index: int = 0, to: str = "1.0.1") -> list[dict[str, object]]:
    application = parse(read)
    return target_revision_patch(application, application.sources[index], to=to)


def apply(live: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    result = deepcopy(dict(live))
    for operation in operations:
        *above, last = operation["path"].strip("/").split("/")
        holder: Any = result
        for key in above:
            try:
                holder = holder[int(key)] if isinstance(holder, list) else holder[key]
            except (KeyError, IndexError) as error:
                raise Refused(operation) from error
        if operation["op"] == "test" and holder.get(last) != operation["value"]:
            raise Refused(operation)
        if operation["op"] == "replace" and last not in holder:
            raise Refused(operation)
        if operation["op"] != "test":
            holder[last] = operation["value"]
    return result


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
