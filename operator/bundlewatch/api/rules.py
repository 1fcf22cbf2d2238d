"""What types cannot say about an object, written once and enforced twice.

The API server enforces a rule as CEL (`x-kubernetes-validations`), so that a mistake is refused while its
author is looking; we enforce it again when reading, because objects outlive schemas. Both give the same
message: it begins where the field's path ends, says what is wrong, and then the cure. Expressions are in the
common part of RE2 (the API server) and Python's `re`. Both sides of a rule are over the value as its author
wrote it, so that a manifest that nobody has parsed can be judged by them too.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

from pydantic import JsonValue
from pydantic_core import PydanticCustomError

from bundlewatch.api.model import as_written

Value = TypeVar("Value")
Parsed = TypeVar("Parsed")

Fields = Mapping[str, object]
"""An object as it was written: what has no value is not in it."""

ERROR_TYPE = "rule"
"""The pydantic error type under which our own messages travel; see `v1alpha1`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One well-known way to get a text wrong: it matches `when`, and does not match `unless`."""

    when: str
    message: str
    unless: str = ""

    def cel(self) -> str:
        found = f"self.matches({literal(self.when)})"
        return f"{found} && !self.matches({literal(self.unless)})" if self.unless else found

    def found_in(self, text: str) -> bool:
        return _matches(self.when, text) and not (self.unless and _matches(self.unless, text))


@dataclass(frozen=True, slots=True)
class TextRule:
    """A text must match `grammar`; the first of `faults` that fits explains, else `otherwise` does."""

    grammar: str
    otherwise: str
    faults: tuple[Fault, ...] = ()

    def cel(self) -> dict[str, str]:
        rule = {"rule": f"self.matches({literal(self.grammar)})", "message": self.otherwise}
        if self.faults:
            choices = "".join(f"{fault.cel()} ? {literal(fault.message)} : " for fault in self.faults)
            rule["messageExpression"] = choices + literal(self.otherwise)
        return rule

    def broken_by(self, text: object) -> str | None:
        """What is wrong with `text`; None: nothing."""
        if not isinstance(text, str) or _matches(self.grammar, text):
            return None
        return next((fault.message for fault in self.faults if fault.found_in(text)), self.otherwise)

    def check(self, text: str) -> str:
        return _checked(self, text)


@dataclass(frozen=True, slots=True)
class Rule(Generic[Value]):
    """Any other rule: the same condition in CEL over `self` and in Python over the value as it was written."""

    condition: str
    message: str
    holds: Callable[[Value], bool]

    def cel(self) -> dict[str, str]:
        return {"rule": self.condition, "message": self.message}

    def broken_by(self, value: object) -> str | None:
        """What is wrong with `value`, which has the type that the schema gives it; None: nothing."""
        return None if self.holds(cast("Value", value)) else self.message

    def check(self, value: Parsed) -> Parsed:
        return _checked(self, value)


_TWINS: Final[dict[str, "TextRule | Rule[object]"]] = {}


def schema(*rules: "TextRule | Rule[Value]") -> dict[str, JsonValue]:
    """What the JSON schema of a field, or of a model, says of its rules; `twin` knows each of them from here on."""
    validations: list[JsonValue] = []
    for rule in rules:
        told: dict[str, JsonValue] = dict(rule.cel())
        _TWINS[json.dumps(told, sort_keys=True)] = cast("TextRule | Rule[object]", rule)
        validations.append(told)
    return {"x-kubernetes-validations": validations}


def twin(validation: JsonValue) -> "TextRule | Rule[object]":
    """The rule behind one entry of `x-kubernetes-validations` in a schema of ours."""
    return _TWINS[json.dumps(validation, sort_keys=True)]


def _checked(rule: "TextRule | Rule[Value]", value: Parsed) -> Parsed:
    message = rule.broken_by(as_written(value))
    if message is not None:
        raise broken(message)
    return value


def broken(message: str) -> PydanticCustomError:
    """The error that pydantic carries to the place where the field's path is known."""
    # The message is data of the error, not its template: braces in it mean nothing.
    return PydanticCustomError(ERROR_TYPE, "{message}", {"message": message})


def _matches(expression: str, text: str) -> bool:
    # RE2's $ is the end of the text; Python's would forgive a line end before it.
    if expression.endswith("$"):
        expression = expression[:-1] + r"\Z"
    return re.search(expression, text) is not None


def literal(text: str) -> str:
    """A CEL string literal; JSON's escapes are a subset of CEL's."""
    return json.dumps(text, ensure_ascii=False)
