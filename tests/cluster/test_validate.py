"""`bundlewatch validate` says of a manifest what the API server says of it, neither less nor more."""

import json
from copy import deepcopy
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from bundlewatch.api.admission import complaints, structure
from bundlewatch.api.crd import schema
from bundlewatch.api.structural import Schema
from bundlewatch.cli import main
from kit import refusals
from kit.api import ApiError
from kit.cluster import Cluster

ROWS = yaml.safe_load((Path(__file__).parent / "manifests.yaml").read_text())

HEAD = """\
apiVersion: bundlewatch.dev/v1alpha1
kind: BundleWatch
metadata:
  name: shop
spec:
"""


@pytest.fixture(scope="module")
def trial_namespace(cluster: Cluster) -> str:
    """For requests that are only tried, so that hundreds of them can share it."""
    return cluster.namespace(prefix="validate")


@pytest.fixture(scope="module")
def kubeconfig(cluster: Cluster, trial_namespace: str) -> Path:
    """The admin's, in that namespace where a manifest names none."""
    return cluster.kubeconfig_with(cluster.token, name="validate", namespace=trial_namespace)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
def test_kubectl_and_validate_say_the_same(
    cluster: Cluster, kubeconfig: Path, tmp_path: Path, row: dict[str, Any]
) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text(row.get("manifest") or HEAD + indent(row["spec"], "  "))

    done = cluster.kubectl("apply", "--dry-run=server", "-f", str(file), check=False, kubeconfig=kubeconfig)
    result = CliRunner().invoke(main, ["validate", "-o", "json", "-f", str(file)])

    said = refusals.of_kubectl(done)
    objects = json.loads(result.stdout)["objects"]
    validated = [error["message"] for found in objects for error in found["errors"]]
    assert without(row.get("kubectl", ()), said) == without(row.get("validate", ()), validated)
    assert result.exit_code == (2 if validated else 0)


def without(known: list[str], lines: list[str]) -> list[str]:
    """`lines` but for those that are known to be said by one alone, each of which must be there."""
    rest = sorted(lines)
    for text in known:
        rest.remove(next(line for line in rest if text in line))
    return rest


# Any manifest


GOOD: dict[str, Any] = {
    "apiVersion": "bundlewatch.dev/v1alpha1",
    "kind": "BundleWatch",
    "metadata": {
        "name": "shop",
        "labels": {"app.kubernetes.io/name": "shop"},
        "annotations": {"bundlewatch.dev/reconcile": "now"},
        "finalizers": ["example.com/keep"],
    },
    "spec": {
        "repository": "registry.example.com/shop/bundle",
        "interval": "1m",
        "suspend": False,
        "access": {
            "secretRef": {"name": "regcred"},
            "serviceAccountName": "shop",
            "fromArgoCD": False,
            "provider": "generic",
            "caSecretRef": {"name": "registry-ca"},
            "insecure": False,
        },
        "tags": {
            "pattern": "^v",
            "exclude": ["*-debug"],
            "order": "semver",
            "direction": "Ascending",
            "range": "~1.0",
            "prereleases": False,
        },
        "gates": {
            "minAge": "1h",
            "windows": [
                {
                    "name": "office hours",
                    "kind": "Allow",
                    "schedule": "0 9 * * 1-5",
                    "duration": "8h",
                    "timeZone": "Europe/Berlin",
                }
            ],
            "approval": "Automatic",
            "after": [{"name": "shop-staging", "soak": "2h"}, {"name": "shop-qa"}],
        },
        "rollout": {
            "sync": "Auto",
            "timeout": "10m",
            "degradedFor": "2m",
            "onFailure": "Rollback",
            "onExternalChange": "Hold",
            "allowDowngrade": False,
        },
        "applications": [
            {"name": "shop", "source": "frontend", "wave": 1},
            {"selector": {"matchLabels": {"team": "web"}}, "source": 3},
        ],
        "pin": "1.0.3",
    },
    "status": {"summary": "shop runs 1.0.3", "conditions": [{"type": "Ready", "status": "True"}]},
}
LEFT_ALONE = {("apiVersion",), ("kind",)}  # with another of these it is no BundleWatch

TEXTS = st.text('aZ09./:@-_+*~ <&"\\\n\t\x01\x7fé\u200b\u2028😀', max_size=6)
LONG = st.sampled_from([20, 63, 128, 253, 255, 256, 512]).flatmap(
    lambda bound: st.sampled_from(["a", "é", "-"]).map(lambda letter: letter * (bound + 1))
)
# What is all but an integer is one to kubectl, or to one half of the API server.
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: abs(number - round(number)) > 1e-6 or abs(number) > 1e20
)
WORDS = st.sampled_from(
    [
        "1h",
        "5s",
        "25h",
        "60",
        "@daily",
        "0 0 9 * * *",
        "Deny",
        "Hold",
        "a/b",
        "shop",
        "a.b/c",
        "sha256:x",
        ">=1",
        "calver",
        "numerical",
        "Descending",
        "x" * 64,
    ]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | WORDS | LONG
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | TEXTS | st.sampled_from(["name", "selector", "type"]), inner, max_size=3)
    ),
    max_leaves=4,
) | st.sampled_from([["shop"] * 65, [{"name": f"shop-{n}"} for n in range(65)], {f"key-{n}": "x" for n in range(17)}])
NAMES = st.sampled_from(["name", "interval", "Name", "spec", "kind"]) | TEXTS


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, good: dict[str, Any] = GOOD) -> dict[str, Any]:
    """A manifest that was in order before its author touched it in one to three places."""
    manifest = deepcopy(good)
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        path = draw(st.sampled_from([place for place in places(manifest) if place and place not in LEFT_ALONE]))
        holder: Any = manifest
        for step in path[:-1]:
            holder = holder[step]
        match draw(st.sampled_from(["reword", "reword", "reword", "remove", "replace", "add"])), holder[path[-1]]:
            case "reword", str():
                holder[path[-1]] = draw(WORDS | TEXTS)
            case "reword", int():
                holder[path[-1]] = draw(st.booleans() | st.integers(-1, 65))
            case "reword", list(entries):
                holder[path[-1]] = deepcopy(entries + entries)
            case "remove", _:
                del holder[path[-1]]
            case "add", dict(fields):
                fields[draw(NAMES)] = deepcopy(draw(VALUES))
            case _:
                holder[path[-1]] = deepcopy(draw(VALUES))
    return manifest


def test_every_field_of_spec_is_among_those_that_are_spoilt() -> None:
    spelled = {".".join(step for step in path if isinstance(step, str)) for path in places(GOOD)}

    assert [field for field in fields(schema()) if field.startswith("spec") and field not in spelled] == []


def fields(part: Any, path: str = "") -> list[str]:
    inner = [(f"{path}.{name}".lstrip("."), child) for name, child in part.get("properties", {}).items()]
    if "items" in part:
        inner.append((path, part["items"]))
    return [path, *(field for name, child in inner for field in fields(child, name))]


@settings(max_examples=500)
@given(manifest=spoilt())
def test_whatever_is_done_to_a_manifest_the_api_server_and_validate_say_the_same(
    cluster: Cluster, trial_namespace: str, manifest: dict[str, Any]
) -> None:
    path = f"/apis/bundlewatch.dev/v1alpha1/namespaces/{trial_namespace}/bundlewatches"

    said = refused(cluster, path, manifest)

    assert sorted(complaint.text for complaint in complaints(manifest)) == sorted(said)


def refused(cluster: Cluster, path: str, manifest: dict[str, Any]) -> list[str]:
    try:
        cluster.api.post(path, manifest, dryRun="All", fieldValidation="Strict")
    except ApiError as error:
        return refusals.of_api(error)
    return []


# Any schema


PROBE: Schema = {
    "type": "object",
    "required": ["spec", "words"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "count": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
        "ratio": {"type": "number", "minimum": 0, "maximum": 10},
        "port": {"x-kubernetes-int-or-string": True, "maxLength": 3},
        "words": {
            "type": "array",
            "minItems": 1,
            "maxItems": 4,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "enum": ["shop", "1h"]},
        },
        "grid": {
            "type": "array",
            "maxItems": 2,
            "x-kubernetes-list-type": "atomic",
            "items": {
                "type": "array",
                "maxItems": 2,
                "x-kubernetes-list-type": "set",
                "items": {"type": "integer", "minimum": -1},
            },
        },
        "spec": {
            "type": "object",
            "maxProperties": 2,
            "additionalProperties": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1, "maxLength": 2},
                    "on": {"type": "boolean", "default": True},
                },
            },
        },
    },
}
PROBED: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "Probe",
    "count": 3,
    "ratio": 0.5,
    "port": "web",
    "words": ["shop", "1h"],
    "grid": [[1, 2], [3]],
    "spec": {"a": {"name": "b", "on": False}, "b": {"name": "c"}},
}


@pytest.fixture(scope="module")
def probes(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A kind that has what ours may have some day."""
    names = {"kind": "Probe", "plural": "probes", "singular": "probe", "listKind": "ProbeList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": PROBE}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "probes.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    file = tmp_path_factory.mktemp("probes") / "definition.yaml"
    file.write_text(yaml.safe_dump(definition))
    cluster.apply_definitions(file)


@settings(max_examples=400)
@given(manifest=spoilt(PROBED))
def test_of_whatever_a_schema_can_say_the_api_server_and_we_say_the_same(
    cluster: Cluster, trial_namespace: str, probes: None, manifest: dict[str, Any]
) -> None:
    body = {**manifest, "metadata": {"name": "probe"}}

    said = refused(cluster, f"/apis/example.com/v1/namespaces/{trial_namespace}/probes", body)

    assert sorted(by_schema(body)) == sorted(said)


def by_schema(body: dict[str, Any]) -> list[str]:
    unknown = [
        f'strict decoding error: unknown field "{at.spelling}"'
        for at in structure.unknown_fields(manifest_of(body), PROBE)
    ]
    stored = structure.defaulted(manifest_of(body), PROBE)
    wrong = [*structure.mistakes(stored, PROBE), *structure.repetitions(stored, PROBE)]
    return unknown or [complaint.text for complaint in wrong]


def manifest_of(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "metadata"}
