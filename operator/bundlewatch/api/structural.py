"""From pydantic's JSON schema to the structural schema that a CustomResourceDefinition may hold.

Inlines references, folds "X or null" into X, drops what says nothing to Kubernetes and the defaults of entries of
lists, and refuses what has no structural form or no bound: an unbounded string, list or map is a hole in the API
server's cost limits and in the promise that an object stays small.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from typing import Final

from pydantic import JsonValue

Schema = dict[str, JsonValue]

_KEPT: Final[tuple[str, ...]] = (
    "description",
    "type",
    "format",
    "default",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)
_WALKED: Final = frozenset({"properties", "required", "items", "additionalProperties"})
_MEANINGLESS: Final = frozenset({"title", "$defs"})
_ABSENT: Final[tuple[JsonValue, ...]] = (None, [])
"""Defaults that Kubernetes says by leaving the field out."""


def structural(schema: Schema) -> Schema:
    """The structural form of a pydantic JSON schema. Raises ValueError naming the path that has none."""
    return _node(schema, _object(schema.get("$defs", {}), "$defs"), path="")


def _node(schema: JsonValue, definitions: Schema, *, path: str, listed: bool = False) -> Schema:
    flat = _flat(_object(schema, path), definitions, path=path)
    foreign = flat.keys() - set(_KEPT) - _WALKED - _MEANINGLESS
    if foreign:
        raise ValueError(f"{path}: {', '.join(sorted(foreign))} has no structural form")
    node = {key: flat[key] for key in _KEPT if key in flat}
    # Lists are compared whole: a default that the API server writes into an entry makes the live list differ from
    # the one that was applied, for ever to Argo CD, and as a conflict to a second server-side apply.
    if listed or node.get("default") in _ABSENT:
        node.pop("default", None)
    if "description" in node:
        node["description"] = " ".join(str(node["description"]).split())  # the line ends of a source file
    if flat.get("type") == "object" and "properties" in flat:
        properties = _object(flat["properties"], path)
        node["properties"] = {
            name: _node(child, definitions, path=f"{path}.{name}", listed=listed) for name, child in properties.items()
        }
        if flat.get("required"):
            node["required"] = flat["required"]
    elif flat.get("type") == "object":
        node["additionalProperties"] = _node(
            flat.get("additionalProperties"), definitions, path=f"{path}.*", listed=listed
        )
    elif flat.get("type") == "array":
        node["items"] = _node(flat.get("items"), definitions, path=f"{path}[*]", listed=True)
        node.setdefault("x-kubernetes-list-type", "atomic")
    _require_bound(node, path=path)
    return node


def _flat(schema: Schema, definitions: Schema, *, path: str) -> Schema:
    """`schema` with its reference, or its one choice beside null, put in place; what stands beside wins."""
    beside = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf"}}
    match schema:
        case {"$ref": str(reference)}:
            inner = _object(definitions[reference.rpartition("/")[2]], path)
        case {"anyOf": list(choices)}:
            some = [choice for choice in choices if choice != {"type": "null"}]
            if len(some) != 1:
                raise ValueError(f"{path}: a choice of types has no structural form")
            inner = _object(some[0], path)
        case _:
            return schema
    return _flat({**inner, **beside}, definitions, path=path)


def _require_bound(node: Schema, *, path: str) -> None:
    bounds = {"string": "maxLength", "array": "maxItems"}
    if "type" not in node and "x-kubernetes-int-or-string" not in node:
        raise ValueError(f"{path}: has no type")
    bound = bounds.get(str(node.get("type")), "")
    if "additionalProperties" in node:
        bound = "maxProperties"
    elif "x-kubernetes-int-or-string" in node:
        bound = "maxLength"
    if bound and bound not in node and "enum" not in node:
        raise ValueError(f"{path}: has no {bound}")


def _object(value: JsonValue, path: str) -> Schema:
    if not isinstance(value, dict):
        raise ValueError(f"{path}: is no schema")  # noqa: TRY004 - one kind of error for one kind of mistake
    return value
