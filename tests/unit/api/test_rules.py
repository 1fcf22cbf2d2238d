"""A rule means the same to the API server and to us."""

from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from bundlewatch.api import grammar
from bundlewatch.api.access import Access, SecretReference
from bundlewatch.api.model import as_written
from bundlewatch.api.rules import Fault, Fields, Rule, TextRule, literal, schema, twin
from bundlewatch.api.spec import ApplicationTarget, LabelSelector

RULES = {
    "repository": grammar.REPOSITORY,
    "interval": grammar.INTERVAL,
    "age": grammar.AGE,
    "schedule": grammar.SCHEDULE,
    "time-zone": grammar.TIME_ZONE,
    "pin": grammar.PIN,
    "object-name": grammar.OBJECT_NAME,
    "application-name": grammar.APPLICATION_NAME,
    "label-value": grammar.LABEL_VALUE,
}
NEAR = st.text("aAz09.:/@-_+*~ \n\t[]lcoismhdé", max_size=12)
TEXTS = NEAR | st.builds("{}{}{}".format, st.sampled_from(["", "oci://", "a.b/"]), NEAR, st.sampled_from(["", "\n"]))


def as_the_server_reads(rule: TextRule, text: str) -> str | None:
    """RE2's answer to what the expressions in the definition ask: None, or the message."""
    if re2.search(rule.grammar, text):
        return None
    for fault in rule.faults:
        if re2.search(fault.when, text) and not (fault.unless and re2.search(fault.unless, text)):
            return fault.message
    return rule.otherwise


def as_we_read(rule: TextRule | Rule[Any], value: Any) -> str | None:
    try:
        rule.check(value)
    except PydanticCustomError as error:
        return error.message()
    return None


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@given(text=TEXTS)
def test_the_api_server_and_the_reader_say_the_same_of_any_text(rule: TextRule, text: str) -> None:
    assert as_we_read(rule, text) == as_the_server_reads(rule, text)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@given(data=st.data())
def test_what_the_grammar_makes_is_taken(rule: TextRule, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(rule.grammar.removesuffix("$") + r"\Z"))

    assert as_we_read(rule, text) is None


def test_the_first_fault_that_fits_explains() -> None:
    rule = TextRule(
        grammar="^a$", otherwise="no", faults=(Fault("b", "has b", unless="c"), Fault("[bc]", "has b or c"))
    )

    assert as_we_read(rule, "b") == "has b"
    assert as_we_read(rule, "bc") == "has b or c"
    assert as_we_read(rule, "d") == "no"


def test_a_rule_is_told_to_the_server_with_its_message_and_its_explanations() -> None:
    rule = TextRule(grammar=r"^\.$", otherwise='say "."', faults=(Fault("b", "has b", unless="c"),))

    assert rule.cel() == {
        "rule": r'self.matches("^\\.$")',
        "message": 'say "."',
        "messageExpression": (r'self.matches("b") && !self.matches("c") ? "has b" : "say \".\""'),
    }
    above_one: Rule[int] = Rule(condition="self > 1", message="is small", holds=lambda value: value > 1)
    assert above_one.cel() == {"rule": "self > 1", "message": "is small"}


@given(st.text())
def test_any_text_is_one_cel_literal(text: str) -> None:
    quoted = literal(text)

    assert quoted.startswith('"')
    assert "\n" not in quoted
    assert '"' not in quoted[1:-1].replace("\\\\", "").replace('\\"', "")


def test_a_rule_judges_what_was_written_parsed_or_not() -> None:
    rule: Rule[Fields] = Rule(
        condition="has(self.caSecretRef)", message="needs one", holds=lambda access: "caSecretRef" in access
    )
    access = Access(ca_secret_ref=SecretReference(name="registry-ca"))

    assert rule.check(access) is access
    assert rule.broken_by({"caSecretRef": {"name": "registry-ca"}}) is None
    assert rule.broken_by({}) == as_we_read(rule, Access()) == "needs one"


def test_a_rule_that_is_in_a_schema_is_found_again() -> None:
    rule = TextRule(grammar="^only here$", otherwise="no", faults=(Fault("b", "has b"),))

    (validation,) = schema(rule)["x-kubernetes-validations"]

    assert twin(validation) is rule


def test_a_model_is_written_as_its_author_would() -> None:
    target = ApplicationTarget(selector=LabelSelector(match_labels={"team": "web"}), source=1, wave=2)

    assert as_written((target,)) == [{"selector": {"matchLabels": {"team": "web"}}, "source": 1, "wave": 2}]
