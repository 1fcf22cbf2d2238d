"""Whether `metadata` decodes, which for any object means: into Go's `ObjectMeta`; and the fields that it has not.

No schema says this. The API server stops at the first value of another type. Times are taken for any text.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bundlewatch.api.admission import wording
from bundlewatch.api.admission.wording import Complaint, Place

METADATA: Final = Place().field("metadata")


@dataclass(frozen=True, slots=True)
class _Type:
    """A type of Go's, and what of JSON goes into it."""

    name: str
    takes: type
    fields: Mapping[str, "_Type"] | None = None  # of a struct
    of: "_Type | None" = None  # the elements of a list or a map
    struct: str = ""


_TEXT: Final = _Type("string", str)
_INTEGER: Final = _Type("int64", int)
_BOOLEAN: Final = _Type("bool", bool)
_UID: Final = _Type("types.UID", str)
_ANYTHING: Final = _Type("", object)
_TEXTS: Final = _Type("map[string]string", dict, of=_TEXT)

_OWNER: Final = _Type(
    "v1.OwnerReference",
    dict,
    struct="OwnerReference",
    fields={
        "apiVersion": _TEXT,
        "blockOwnerDeletion": _BOOLEAN,
        "controller": _BOOLEAN,
        "kind": _TEXT,
        "name": _TEXT,
        "uid": _UID,
    },
)
_MANAGED: Final = _Type(
    "v1.ManagedFieldsEntry",
    dict,
    struct="ManagedFieldsEntry",
    fields={
        "apiVersion": _TEXT,
        "fieldsType": _TEXT,
        "fieldsV1": _ANYTHING,
        "manager": _TEXT,
        "operation": _Type("v1.ManagedFieldsOperationType", str),
        "subresource": _TEXT,
        "time": _TEXT,
    },
)
_OBJECT_META: Final = _Type(
    "v1.ObjectMeta",
    dict,
    struct="ObjectMeta",
    fields={
        "annotations": _TEXTS,
        "creationTimestamp": _TEXT,
        "deletionGracePeriodSeconds": _INTEGER,
        "deletionTimestamp": _TEXT,
        "finalizers": _Type("[]string", list, of=_TEXT),
        "generateName": _TEXT,
        "generation": _INTEGER,
        "labels": _TEXTS,
        "managedFields": _Type("[]v1.ManagedFieldsEntry", list, of=_MANAGED),
        "name": _TEXT,
        "namespace": _TEXT,
        "ownerReferences": _Type("[]v1.OwnerReference", list, of=_OWNER),
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "uid": _UID,
    },
)


def malformed(metadata: object) -> Complaint | None:
    """The first value, by the names of the fields, that is of another type than its field; it ends everything."""
    return next(_malformed(metadata, _OBJECT_META, METADATA, struct="", names=()), None)


def unknown_fields(metadata: object) -> Iterator[Place]:
    """The fields that no metadata has; it must decode."""
    return _unknown(metadata, _OBJECT_META, METADATA)


def _malformed(value: object, go: _Type, place: Place, *, struct: str, names: tuple[str, ...]) -> Iterator[Complaint]:
    if value is None or go is _ANYTHING:
        return
    if not isinstance(value, go.takes) or (isinstance(value, bool) and go.takes is int):
        target = f"Go struct field {struct}.{'.'.join(names)}" if names else "Go value"
        text = f"json: cannot unmarshal {_json_name(value, go)} into {target} of type {go.name}"
        yield Complaint(place.path, text, blocks=True)
    elif isinstance(value, dict):
        for key in sorted(value):
            inner = go.of if go.fields is None else go.fields.get(key)
            if inner is not None:
                yield from _malformed(
                    value[key],
                    inner,
                    place.field(key),
                    struct=go.struct or struct,
                    names=(*names, key) if go.fields is not None else names,
                )
    elif isinstance(value, list) and go.of is not None:
        for position, entry in enumerate(value):
            yield from _malformed(entry, go.of, place.item(position), struct=struct, names=names)


def _json_name(value: object, go: _Type) -> str:
    match value:
        case bool():
            return "bool"
        case float() if go.takes is int:
            return f"number {wording.number(value)}"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _unknown(value: object, go: _Type, place: Place) -> Iterator[Place]:
    match value:
        case dict() if go.fields is not None:
            for key, inner in value.items():
                known = go.fields.get(key)
                if known is None:
                    yield place.field(key)
                else:
                    yield from _unknown(inner, known, place.field(key))
        case list() if go.of is not None:
            for position, entry in enumerate(value):
                yield from _unknown(entry, go.of, place.item(position))
