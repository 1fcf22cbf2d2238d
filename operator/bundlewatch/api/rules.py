"""What types cannot say about an object, written once and enforced twice.

The API server enforces a rule as CEL (`x-kubernetes-validations`), so that a mistake is refused while its
author is looking; we enforce it again when reading, because objects outlive schemas. Both give the same
message: it begins where the field's path ends, says what is wrong, and then the cure. Expressions are in the
common part of RE2 (the API server) and Python's `re`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import JsonValue
from pydantic_core import PydanticCustomError

Value = TypeVar("Value")

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

    def check(self, text: str) -> str:
        if _matches(self.grammar, text):
            return text
        for fault in self.faults:
            if fault.found_in(text):
                raise broken(fault.message)
        raise broken(self.otherwise)


@dataclass(frozen=True, slots=True)
class Rule(Generic[Value]):
    """Any other rule: the same condition in CEL over `self` and in Python over the parsed value."""

    condition: str
    message: str
    holds: Callable[[Value], bool]

    def cel(self) -> dict[str, str]:
        return {"rule": self.condition, "message": self.message}

    def check(self, value: Value) -> Value:
        if not self.holds(value):
            raise broken(self.message)
        return value


def schema(*rules: "TextRule | Rule[Value]") -> dict[str, JsonValue]:
    """What the JSON schema of a field, or of a model, says of its rules."""
    validations: list[JsonValue] = [dict(rule.cel()) for rule in rules]
    return {"x-kubernetes-validations": validations}


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
