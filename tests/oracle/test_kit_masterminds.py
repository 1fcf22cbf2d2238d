"""The library answers every question in its order, and an end without an answer is told."""

import pytest

from kit.masterminds import Masterminds, Reading, Selection, select
from kit.room import ProcessError

pytestmark = pytest.mark.oracle  # also where a test starts one of its own


def test_texts_versions_and_constraints_are_told_apart(oracle: Masterminds) -> None:
    assert oracle.read(["v1.2", "1.2.3-rc+b", "latest"]) == [
        Reading(loose="1.2.0", strict=None),
        Reading(loose="1.2.3-rc+b", strict="1.2.3-rc+b"),
        Reading(loose=None, strict=None),
    ]
    assert oracle.compare([("1", "1.0.0"), ("1.0.0-rc", "1"), ("2", "1"), ("2", "latest")]) == [0, -1, 1, None]
    assert oracle.check([(">=1.2", ["1.3", "1.3.0-rc", "1.1", "latest"]), ("latest", ["1"]), ("1", [])]) == [
        [(True, True), (False, True), (False, False), None],
        None,
        [],
    ]


def test_more_questions_than_the_pipes_hold_are_answered_in_their_order(oracle: Masterminds) -> None:
    texts = [f"{number}.0.0-{'a' * 200}" for number in range(20_000)]

    assert [reading.loose for reading in oracle.read(texts)] == texts


def test_a_text_that_would_not_arrive_as_it_is_is_not_sent(oracle: Masterminds) -> None:
    with pytest.raises(UnicodeEncodeError):
        oracle.read(["\ud800"])
    assert oracle.read(["1\u0000é\n"]) == [Reading(loose=None, strict=None)]


def test_a_question_that_is_none_ends_it_and_is_told() -> None:
    with Masterminds() as oracle, pytest.raises(ProcessError, match="the oracle ended: oracle: json: unknown field"):
        oracle._ask([{"question": "1.0.0"}] * 100_000)


def test_the_highest_tag_that_a_constraint_admits_is_chosen() -> None:
    found = select("^1", ["1.0.0", "latest", "v1.10", "1.10.0", "1.9.0", "2.0.0", "1.11.0-rc"])

    assert found == Selection(highest="v1.10", admitted=4, versions=6, seconds=found.seconds)
    assert found.seconds > 0
    assert select("^3", ["1.0.0"]).highest is None


def test_a_choice_by_no_constraint_says_so() -> None:
    with pytest.raises(ProcessError, match=r'improper constraint: "latest"'):
        select("latest", ["1.0.0"])
