"""What the API server would say of a manifest. That these are its words is shown on a real one, in tests/cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api import grammar, rules
from bundlewatch.api.admission import complaints, is_meant, stored, structure, wording
from bundlewatch.api.crd import schema
from bundlewatch.api.v1alpha1 import BundleWatch

BAD_OBJECTS = yaml.safe_load((Path(__file__).parent / "bad_objects.yaml").read_text())
SPEC: dict[str, Any] = {"repository": "registry.example.com/shop/bundle", "applications": [{"name": "shop"}]}
ORDERS = '"semver", "calver", "numerical", "alphabetical"'
NOT_CHECKED = wording.RULES_NOT_CHECKED.text


def manifest(*, metadata: object = None, **spec: object) -> dict[str, Any]:
    """A good one, with what is given laid over it."""
    return {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"name": "shop"} if metadata is None else metadata,
        "spec": {**SPEC, **spec},
    }


def said(body: dict[str, Any]) -> list[str]:
    return [complaint.text for complaint in complaints(body)]


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema."""
    yield node
    inner = [*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")]
    for child in filter(None, inner):
        yield from nodes(child)


# The object


def test_a_good_manifest_has_no_complaints() -> None:
    assert said(manifest()) == []


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in BAD_OBJECTS])
def test_a_mistake_is_told_as_the_server_tells_it(row: dict[str, Any]) -> None:
    found = said(manifest(**row["spec"]))

    if found[0].startswith("strict decoding error"):  # the type of a list that should be a map comes later
        assert row["field"] in found[0]
    else:
        assert any(text.startswith(row["field"]) and (row.get("server") or row["says"]) in text for text in found)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"interval": 60},
            ['spec.interval: Invalid value: "integer": spec.interval in body must be of type string: "integer"'],
            id="type",
        ),
        pytest.param({"repository": None}, ["spec.repository: Required value"], id="missing"),
        pytest.param({"pin": "x" * 129}, ["spec.pin: Too long: may not be more than 128 bytes"], id="too-long"),
        pytest.param(
            {"applications": [{"name": f"shop-{number}"} for number in range(65)]},
            ["spec.applications: Too many: 65: must have at most 64 items"],
            id="too-many",
        ),
        pytest.param(
            {"tags": {"order": "newest"}},
            ['spec.tags.order: Unsupported value: "newest": supported values: ' + ORDERS],
            id="no-such-word",
        ),
    ],
)
def test_after_what_the_schema_refuses_the_rules_are_not_looked_at(spec: dict[str, Any], expected: list[str]) -> None:
    assert said(manifest(**{"pin": ">=1", **spec})) == [*expected, NOT_CHECKED]


def test_too_few_is_told_beside_the_rules() -> None:
    assert said(manifest(applications=[], interval="1s")) == [
        "spec.applications: Invalid value: 0: spec.applications in body should have at least 1 items",
        f'spec.interval: Invalid value: "1s": {grammar.FLOOR.message}',
    ]


def test_every_rule_that_is_broken_is_told_with_its_value_or_without_where_it_would_be_long() -> None:
    body = manifest(
        access={"insecure": True, "caSecretRef": {"name": "a/b"}},
        applications=[{"selector": {"matchLabels": {"team": "web and more"}}, "source": 99}],
    )

    found = said(body)

    assert [text.partition(": must")[0].partition(": has")[0] for text in found] == [
        "spec.access: Invalid value",
        'spec.access.caSecretRef.name: Invalid value: "a/b"',
        'spec.applications[0].selector.matchLabels[team]: Invalid value: "web and more"',
        "spec.applications[0].source: Invalid value: 99",
    ]


def test_unknown_fields_are_told_and_nothing_else() -> None:
    body = manifest(interval=5, schedule="daily", applications=[{"nam": "shop"}], metadata={"name": "shop", "x": 1})

    assert said(body) == [
        'strict decoding error: unknown field "metadata.x"',
        'strict decoding error: unknown field "spec.applications[0].nam"',
        'strict decoding error: unknown field "spec.schedule"',
    ]


def test_each_complaint_knows_its_place() -> None:
    body = manifest(applications=[{"name": "shop"}, {"name": "Shop"}])

    assert [complaint.path for complaint in complaints(body)] == [("spec", "applications", 1, "name")]


def test_a_status_is_nobodys_business_but_its_fields_are() -> None:
    assert said({**manifest(), "status": {"summary": 7}}) == []
    assert said({**manifest(), "status": {"note": 7}}) == ['strict decoding error: unknown field "status.note"']


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"kind": "BundleWatch"}, "apiVersion not set: write apiVersion: bundlewatch.dev/v1alpha1"),
        ({"apiVersion": "bundlewatch.dev/v1alpha1"}, "kind not set: write kind: BundleWatch"),
        ({"apiVersion": 1, "kind": "BundleWatch"}, "apiVersion isn't string type: write"),
        (
            {"apiVersion": "bundlewatch.dev/v1", "kind": "BundleWatch"},
            'no matches for kind "BundleWatch" in version "bundlewatch.dev/v1": write apiVersion: bundlewatch.dev/v1a',
        ),
        (
            {"apiVersion": "bundlewatch.dev/v1alpha1", "kind": "Bundlewatch"},
            'no matches for kind "Bundlewatch" in version "bundlewatch.dev/v1alpha1": write',
        ),
    ],
)
def test_what_is_meant_and_called_otherwise_is_told_its_name(body: dict[str, Any], expected: str) -> None:
    (found,) = said(body)

    assert is_meant(body)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    "body",
    [
        None,
        "BundleWatch",
        [],
        {},
        {"apiVersion": "v1", "kind": "ConfigMap"},
        {"apiVersion": "bundlewatch.dev.example.com/v1", "kind": "Other"},
        {"apiVersion": ["bundlewatch.dev/v1alpha1"]},
    ],
)
def test_what_belongs_to_others_is_not_meant(body: object) -> None:
    assert not is_meant(body)


# Metadata


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, ["metadata.name: Required value: name or generateName is required", NOT_CHECKED]),
        ({"name": "Shop"}, ['metadata.name: Invalid value: "Shop": a lowercase RFC 1123 subdomain must']),
        ({"name": "x" * 254}, [f'metadata.name: Invalid value: "{"x" * 254}": must be no more than 253 characters']),
        (
            {"generateName": "shop-"},
            ["metadata.generateName: cannot use generate name with apply: write metadata.name"],
        ),
        ({"name": "shop", "generateName": "Shop-"}, ['metadata.generateName: Invalid value: "Shop-": a lowercase']),
        ({"name": "shop", "namespace": "a.b"}, ['metadata.namespace: Invalid value: "a.b": must not contain dots']),
        ({"name": "shop", "namespace": "x" * 64}, ["metadata.namespace: Invalid value: "]),
        ({"name": 7}, ["json: cannot unmarshal number into Go struct field ObjectMeta.name of type string"]),
        (
            {"name": "shop", "labels": {"team": 7}, "annotations": {"x": True}},
            ["json: cannot unmarshal bool into Go struct field ObjectMeta.annotations of type string"],
        ),
        (
            {"name": "shop", "labels": {"": "x"}},
            ['metadata.labels: Invalid value: "": name part must be non-empty', ""],
        ),
        ({"name": "shop", "labels": {"/a": "x"}}, ['metadata.labels: Invalid value: "/a": prefix part must be non-']),
        (
            {"name": "shop", "labels": {f"{'a' * 254}/a": "x"}},
            [f'metadata.labels: Invalid value: "{"a" * 254}/a": prefix part must be no more than 253 bytes'],
        ),
        ({"name": "shop", "labels": {"a": "é" * 32}}, ["metadata.labels: ", "metadata.labels: "]),
        (
            {"name": "shop", "annotations": {"a": "x" * 262_144}},
            ["metadata.annotations: Too long: may not be more than 262144 bytes", NOT_CHECKED],
        ),
        (
            {"name": "shop", "labels": {"a/b/c": "x"}},
            ['metadata.labels: Invalid value: "a/b/c": a valid label key must'],
        ),
        ({"name": "shop", "labels": {"A/b": "x"}}, ['metadata.labels: Invalid value: "A/b": prefix part a lowercase']),
        ({"name": "shop", "labels": {"a" * 64: "x"}}, ["metadata.labels: Invalid value: "]),
        ({"name": "shop", "annotations": {"a b": "x"}}, ['metadata.annotations: Invalid value: "a b": name part must']),
        ({"name": "shop", "finalizers": ["a b"]}, ['metadata.finalizers: Invalid value: "a b": name part must']),
        (
            {"name": "shop", "finalizers": ["orphan", "foregroundDeletion"]},
            ['metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and'],
        ),
        (
            {"name": "shop", "ownerReferences": [{"apiVersion": "v1", "kind": "x", "name": "y"}]},
            ["metadata.ownerReferences[0].uid: Required value: must not be empty", NOT_CHECKED],
        ),
        (
            {"name": "shop", "ownerReferences": [{"kind": "x"}, {"x": 1}], "managedFields": [{"fieldsV1": {"x": 1}}]},
            ['strict decoding error: unknown field "metadata.ownerReferences[1].x"'],
        ),
        (
            {"name": "shop", "ownerReferences": [{"controller": "yes"}]},
            ["json: cannot unmarshal string into Go struct field OwnerReference.ownerReferences.controller of type"],
        ),
        (
            {"name": "shop", "finalizers": [["x"]]},
            ["json: cannot unmarshal array into Go struct field ObjectMeta.finalizers of type string"],
        ),
        (
            {"name": "shop", "labels": {"x": {}}},
            ["json: cannot unmarshal object into Go struct field ObjectMeta.labels of type string"],
        ),
        (
            {"name": "shop", "generation": 1.5},
            ["json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.generation of type int64"],
        ),
        ({"name": "shop", "labels": {"a": None}, "annotations": None, "finalizers": None}, []),
        ([], ["json: cannot unmarshal array into Go value of type v1.ObjectMeta"]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_metadata_is_held_to_what_kubernetes_says_of_any_object(metadata: object, expected: list[str]) -> None:
    found = said(manifest(metadata=metadata))

    assert [text[: len(start)] for text, start in zip(found, expected, strict=True)] == expected


# Values


def test_defaults_come_where_nothing_was_said_and_where_null_was() -> None:
    body = manifest(interval=None, access={"insecure": None}, pin=None)

    assert stored(body)["spec"] == {
        **SPEC,
        "interval": "1m",
        "suspend": False,
        "access": {"fromArgoCD": False, "provider": "generic", "insecure": False},
        "tags": {"order": "semver", "direction": "Ascending", "prereleases": False},
        "gates": {"approval": "Automatic"},
        "rollout": {
            "sync": "Auto",
            "timeout": "10m",
            "degradedFor": "2m",
            "onExternalChange": "Hold",
            "allowDowngrade": False,
        },
    }


def test_what_is_stored_is_what_the_operator_reads() -> None:
    body = manifest(applications=[{"name": "shop", "selector": None}], tags={"range": "", "exclude": None})

    assert said(body) == []
    assert BundleWatch.parse(stored(body)).spec == BundleWatch.parse(manifest()).spec


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('a"b\\\n\t\x01\x7f\u00e9\u200b\U000e0001', '"a\\"b\\\\\\n\\t\\x01\\x7f\u00e9\\u200b\\U000e0001"'),
        (True, "true"),
        (None, "null"),
        (-5, "-5"),
        (1.5, "1.5"),
        (123456.5, "123456.5"),
        (1234567.5, "1.2345675e+06"),
        (1e21, "1e+21"),
        (0.0001, "0.0001"),
        (1.5e-7, "1.5e-07"),
        ({"b": [1e-7, 1234567.5], "a": "<>&\u2028"}, '{"a":"\\u003c\\u003e\\u0026\\u2028","b":[1e-7,1234567.5]}'),
    ],
    ids=str,
)
def test_a_value_is_shown_as_go_shows_it(value: object, text: str) -> None:
    assert wording.shown(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_it_is_shown_is_that_number(number: float) -> None:
    assert float(wording.number(number)) == number


# The schema


@pytest.mark.parametrize(
    ("value", "part", "expected"),
    [
        (
            0,
            {"type": "integer", "minimum": 1},
            ["at: Invalid value: 0: at in body should be greater than or equal to 1"],
        ),
        (9, {"type": "integer", "maximum": 5}, ["at: Invalid value: 9: at in body should be less than or equal to 5"]),
        (
            1.5,
            {"type": "integer"},
            [
                'at: Invalid value: "number": at in body must be of type integer: "number"',
                '<nil>: Invalid value: "": Checked value must be of type integer (default format) in at',
            ],
        ),
        (7, {"type": "number"}, []),
        (["a", "b", "a", "a"], {"type": "array", "x-kubernetes-list-type": "set"}, ['at[2]: Duplicate value: "a"']),
        ({"a": [1]}, {"type": "object", "additionalProperties": {"type": "array"}}, []),
    ],
    ids=str,
)
def test_what_no_field_of_ours_has_yet_is_checked_too(value: object, part: Any, expected: list[str]) -> None:
    place = wording.Place().field("at")

    found = [*structure.mistakes(value, part, place), *structure.repetitions(value, part, place)]

    assert [complaint.text for complaint in found] == expected


def test_nothing_in_the_schema_of_spec_goes_unchecked() -> None:
    whole: Any = schema()
    spec = whole["properties"]["spec"]

    assert {keyword for node in nodes(spec) for keyword in node} <= structure.CHECKED
    assert {node.get("x-kubernetes-list-type") for node in nodes(spec)} <= {None, "atomic", "set"}


def test_every_rule_in_the_schema_has_its_twin() -> None:
    validations = [rule for node in nodes(schema()) for rule in node.get("x-kubernetes-validations", ())]

    assert validations
    assert [rules.twin(rule).cel() for rule in validations] == validations
