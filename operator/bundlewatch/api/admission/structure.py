"""What the schema alone says of a value: unknown fields, defaults, types, bounds.

Takes the structural schema as `structural` makes it, for any part of an object; knows no BundleWatch. The order
is the API server's: what is unknown is refused, nulls go and defaults come, then the rest is checked.
"""

import json
from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from bundlewatch.api.admission import wording
from bundlewatch.api.admission.wording import Complaint, Place
from bundlewatch.api.structural import Schema

CHECKED: Final = frozenset(
    {
        *("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
        *("properties", "required", "items", "additionalProperties", "default"),
        *("x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-validations"),
        *("description", "x-kubernetes-map-type"),  # these refuse nothing
    }
)
"""The keywords that are understood here; of `x-kubernetes-list-type` the values atomic and set."""

_ROOT: Final = Place()


def unknown_fields(value: object, schema: Schema | None, place: Place = _ROOT) -> Iterator[Place]:
    """The fields that the schema does not have; without a schema that is every field."""
    match value:
        case dict():
            for key, inner in value.items():
                if _knows(schema, key):
                    yield from unknown_fields(inner, _of_field(schema, key), place.field(key))
                else:
                    yield place.field(key)
        case list():
            for position, inner in enumerate(value):
                yield from unknown_fields(inner, _of_items(schema), place.item(position))


def defaulted(value: object, schema: Schema | None) -> object:
    """The value as it would be stored: without the nulls, and with the defaults that the schema has."""
    match value:
        case dict():
            kept = {key: inner for key, inner in value.items() if inner is not None or not _knows(schema, key)}
            full = _defaults(schema) | kept
            return {key: defaulted(inner, _of_field(schema, key)) for key, inner in full.items()}
        case list():
            return [defaulted(inner, _of_items(schema)) for inner in value]
        case _:
            return value


def mistakes(value: object, schema: Schema, place: Place = _ROOT) -> Iterator[Complaint]:
    """What types and bounds refuse of a value that has its defaults."""
    yield from _type(value, schema, place)
    match value:
        case str():
            yield from _text(value, schema, place)
        case int() | float() if not isinstance(value, bool):
            yield from _number(value, schema, place)
        case list():
            yield from _list(value, schema, place)
        case dict():
            yield from _object(value, schema, place)
    values = schema.get("enum")
    if isinstance(values, list) and value not in values:
        yield wording.unsupported(place, value, supported=values)


def repetitions(value: object, schema: Schema, place: Place = _ROOT) -> Iterator[Complaint]:
    """What a list of the type `set` holds more than once."""
    if isinstance(value, list) and schema.get("x-kubernetes-list-type") == "set":
        entries = [json.dumps(entry, sort_keys=True) for entry in value]
        for position, entry in enumerate(entries):
            if entries[:position].count(entry) == 1:  # the third of them is not told
                yield wording.duplicate(place.item(position), value[position])
    for inner, beneath, where in parts(value, schema, place):
        yield from repetitions(inner, beneath, where)


def parts(value: object, schema: Schema, place: Place) -> Iterator[tuple[object, Schema, Place]]:
    """The parts of a value of which the schema says something."""
    match value:
        case dict():
            for key, inner in value.items():
                beneath = _of_field(schema, key)
                if beneath is not None:
                    yield inner, beneath, place.field(key) if key in _properties(schema) else place.entry(key)
        case list():
            beneath = _of_items(schema)
            if beneath is not None:
                for position, inner in enumerate(value):
                    yield inner, beneath, place.item(position)


def _type(value: object, schema: Schema, place: Place) -> Iterator[Complaint]:
    is_now = _type_name(value)
    allowed = ["integer", "string"] if "x-kubernetes-int-or-string" in schema else [str(schema["type"])]
    fits = is_now in allowed or (is_now == "integer" and "number" in allowed)
    if not fits:
        yield wording.wrong_type(place, is_now=is_now, must_be=",".join(allowed))


def _type_name(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _text(text: str, schema: Schema, place: Place) -> Iterator[Complaint]:
    most, least = _bound(schema, "maxLength"), _bound(schema, "minLength")
    if most is not None and len(text) > most:
        yield wording.too_long(place, most=most)
    elif least is not None and len(text) < least:
        yield wording.invalid(place, text, f"{place.spelling} in body should be at least {least} chars long")


def _number(number: float, schema: Schema, place: Place) -> Iterator[Complaint]:
    if schema.get("type") == "integer" and _type_name(number) != "integer":
        yield wording.no_integer(place)
    most, least = _bound(schema, "maximum"), _bound(schema, "minimum")
    if most is not None and number > most:
        yield wording.invalid(place, number, f"{place.spelling} in body should be less than or equal to {most}")
    if least is not None and number < least:
        yield wording.invalid(place, number, f"{place.spelling} in body should be greater than or equal to {least}")


def _list(entries: list[object], schema: Schema, place: Place) -> Iterator[Complaint]:
    for entry, beneath, where in parts(entries, schema, place):
        yield from mistakes(entry, beneath, where)
    most, least = _bound(schema, "maxItems"), _bound(schema, "minItems")
    if least is not None and len(entries) < least:
        yield wording.invalid(place, len(entries), f"{place.spelling} in body should have at least {least} items")
    if most is not None and len(entries) > most:
        yield wording.too_many(place, count=len(entries), most=most)


def _object(fields: dict[str, object], schema: Schema, place: Place) -> Iterator[Complaint]:
    most = _bound(schema, "maxProperties")
    if most is not None and len(fields) > most:
        yield wording.too_many(place, count=len(fields), most=most)
    for key, inner in fields.items():
        beneath = _of_field(schema, key)
        if beneath is not None:
            yield from mistakes(inner, beneath, place.field(key))
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if name not in fields:
            yield wording.required(place.field(str(name)))


def _bound(schema: Schema, keyword: str) -> int | None:
    bound = schema.get(keyword)
    return bound if isinstance(bound, int) else None


def _defaults(schema: Schema | None) -> dict[str, object]:
    fields = _properties(schema).items()
    return {key: field["default"] for key, field in fields if isinstance(field, dict) and "default" in field}


def _knows(schema: Schema | None, key: str) -> bool:
    return _of_field(schema, key) is not None


def _of_field(schema: Schema | None, key: str) -> Schema | None:
    rest = schema.get("additionalProperties") if schema is not None else None
    return _schema(_properties(schema).get(key, rest))


def _of_items(schema: Schema | None) -> Schema | None:
    return _schema(schema.get("items")) if schema is not None else None


def _properties(schema: Schema | None) -> Schema:
    return _schema(schema.get("properties")) or {} if schema is not None else {}


def _schema(value: JsonValue) -> Schema | None:
    return value if isinstance(value, dict) else None
