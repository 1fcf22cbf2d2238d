"""Only what the API server can bound and understand gets into the definition."""

from typing import Annotated, Any

import pytest
from pydantic import Field, JsonValue, TypeAdapter

from bundlewatch.api.structural import structural


def of(kind: Any) -> dict[str, JsonValue]:
    return structural(TypeAdapter(kind).json_schema())


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (str, "has no maxLength"),
        (tuple[bool, ...], "has no maxItems"),
        (dict[str, bool], "has no maxProperties"),
        (Annotated[tuple[str, ...], Field(max_length=3)], r"\[\*\]: has no maxLength"),
        (Annotated[dict[str, str], Field(max_length=3)], r"\.\*: has no maxLength"),
        (int | bool, "a choice of types has no structural form"),
        (Annotated[str, Field(max_length=3, pattern="^a$")], "pattern has no structural form"),
        (object, "has no type"),
    ],
    ids=str,
)
def test_what_has_no_bound_or_no_form_is_refused(kind: Any, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        of(kind)


def test_a_default_is_told_of_a_field_and_never_of_what_a_list_holds() -> None:
    field: dict[str, JsonValue] = {"type": "integer", "default": 0}
    entry: dict[str, JsonValue] = {"type": "object", "properties": {"wave": field}, "default": {}}
    listed: dict[str, JsonValue] = {"type": "array", "maxItems": 3, "items": entry}

    node = structural({"type": "object", "properties": {"wave": field, "applications": listed}})

    assert node["properties"] == {
        "wave": field,
        "applications": {
            "type": "array",
            "maxItems": 3,
            "items": {"type": "object", "properties": {"wave": {"type": "integer"}}},
            "x-kubernetes-list-type": "atomic",
        },
    }


def test_absent_is_said_by_leaving_out_and_never_by_null() -> None:
    assert of(Annotated[str, Field(max_length=3)] | None) == {"type": "string", "maxLength": 3}


def test_a_field_says_more_of_itself_than_its_type_does() -> None:
    schema: dict[str, JsonValue] = {
        "$ref": "#/$defs/Tag",
        "description": "The tag\n    that runs.",
        "$defs": {"Tag": {"type": "string", "maxLength": 3, "description": "A tag.", "title": "Tag"}},
    }

    assert structural(schema) == {"description": "The tag that runs.", "type": "string", "maxLength": 3}
