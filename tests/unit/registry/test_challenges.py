"""Challenges: in every shape registries write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.registry.challenges import choose, parse
from unit.registry.hard_cases import rows


@pytest.mark.parametrize("case", rows("challenges", identify="lines"))
def test_a_challenge_is_read(case: dict[str, object]) -> None:
    lines = case["lines"]
    assert isinstance(lines, list)
    chosen = choose(parse(lines))
    assert (chosen.scheme if chosen else None) == case["scheme"]
    wanted = case.get("parameters", {})
    assert isinstance(wanted, dict)
    assert chosen is None or {name: chosen.parameters[name] for name in wanted} == wanted


@given(st.lists(st.text(alphabet='Bearbsic realm=",\\ \t;/:x', max_size=200), max_size=3))
def test_any_header_is_read_to_its_end(lines: list[str]) -> None:
    for challenge in parse(lines):
        assert challenge.scheme == challenge.scheme.lower()


@given(st.lists(st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")), max_size=4))
def test_any_bytes_are_read_without_a_word(lines: list[str]) -> None:
    choose(parse(lines))


def test_a_flood_of_challenges_is_cut() -> None:
    assert len(parse(["Basic, " * 10_000])) < 20
