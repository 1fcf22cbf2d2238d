"""How our models read and write: frozen, camelCase outside, tolerant of fields they do not know.

They are pydantic dataclasses with slots rather than BaseModels: an instance is its fields and nothing else,
which counts when ten thousand objects are held.
"""

from pydantic import ConfigDict, JsonValue
from pydantic.alias_generators import to_camel


def config(json_schema: dict[str, JsonValue] | None = None) -> ConfigDict:
    """Configuration of a model; `json_schema` is added to its JSON schema."""
    return ConfigDict(
        extra="ignore",  # strictness is the API server's; what a newer version wrote must still be read
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        json_schema_extra=json_schema,
    )
