"""How our models read and write: frozen, camelCase outside, tolerant of fields they do not know.

They are pydantic dataclasses with slots rather than BaseModels: an instance is its fields and nothing else,
which counts when ten thousand objects are held.
"""

from dataclasses import fields, is_dataclass
from functools import cache

from pydantic import ConfigDict, JsonValue
from pydantic.alias_generators import to_camel


def config(json_schema: dict[str, JsonValue] | None = None) -> ConfigDict:
    """Configuration of a model; `json_schema` is added to its JSON schema."""
    return ConfigDict(
        extra="ignore",  # strictness is the API server's; what a newer version wrote must still be read
        alias_generator=_alias,
        populate_by_name=True,
        use_attribute_docstrings=True,
        json_schema_extra=json_schema,
    )


def as_written(value: object) -> object:
    """A value of ours as its author would write it: maps in camelCase without what is absent, lists, scalars."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((alias, getattr(value, name)) for name, alias in _aliases(type(value)))
        return {alias: as_written(inner) for alias, inner in pairs if inner is not None}
    return [as_written(inner) for inner in value] if isinstance(value, tuple) else value


@cache
def _aliases(model: type) -> tuple[tuple[str, str], ...]:
    return tuple((field.name, _alias(field.name)) for field in fields(model))


def _alias(name: str) -> str:
    return to_camel(name).replace("ArgoCd", "ArgoCD")  # as Argo CD spells itself
