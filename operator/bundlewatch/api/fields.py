"""Types of fields that several parts of `spec` share."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from bundlewatch.api import duration, grammar, rules


def _absent_if_empty(value: object) -> object:
    return None if value == "" else value


EmptyIsAbsent: Final = BeforeValidator(_absent_if_empty)
"""Templates write '' for "not set"; it means the same here."""


class Ruled:
    """Makes a text one of at most `max_length` characters that keeps rules, asked in this order; pydantic reads it
    out of an `Annotated`. The same rules go into the schema, so that the API server asks them, too.
    """

    def __init__(self, max_length: int, *kept: rules.TextRule | rules.Rule[str]) -> None:
        self._max_length = max_length
        self._kept = kept

    def __get_pydantic_core_schema__(self, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(Annotated[str, Field(max_length=self._max_length)])
        for rule in self._kept:
            schema = no_info_after_validator_function(rule.check, schema)
        return schema

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), **rules.schema(*self._kept)}


def lasting(*kept: rules.TextRule | rules.Rule[str]) -> Ruled:
    """The same of a duration; `kept`: its grammar first, then its bounds."""
    return Ruled(duration.MAX_LENGTH, *kept)


ObjectName = Annotated[str, Ruled(253, grammar.OBJECT_NAME)]
