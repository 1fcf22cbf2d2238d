"""Types of fields that several parts of `spec` share."""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from bundlewatch.api import grammar, rules


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


EmptyIsAbsent: Final = BeforeValidator(_absent_if_empty)
"""Templates write '' for "not set"; it means the same here."""

ObjectName = Annotated[
    str,
    Field(max_length=253, json_schema_extra=rules.schema(grammar.OBJECT_NAME)),
    AfterValidator(grammar.OBJECT_NAME.check),
]
