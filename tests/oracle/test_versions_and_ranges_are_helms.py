"""Versions and ranges mean here what they mean to Helm: its library itself is asked, about made-up texts.

What fails names the seed of its texts, and the texts. They belong into `tests/unit/policy/masterminds.json` together
with the fix.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.range_syntax import parse
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.version import Precedence, SortKey, Version, parse_loose, parse_strict, sort_key
from kit import bed
from kit.corpus import Corpus, neighbours
from kit.masterminds import Check, Masterminds, Reading

TABLE = json.loads((Path(__file__).parents[1] / "unit/policy/masterminds.json").read_text())

SEEDS = [f"seed-{number}" for number in range(5)]
TEXTS = 4500  # of each kind and seed
VERSIONS = 15  # near each range
FEWEST_ANSWERS = 40_000  # compared for each seed: 200,000 in all

Answer = tuple[str, Check | None, Check | None]
"""A version, and whether a range admits it: to us, and to the library; None for what is no version."""


@dataclass(frozen=True, slots=True)
class Row:
    """A text, and what we and the library make of it."""

    text: str
    is_ours: bool  # it is a range to us, or one that nothing satisfies, which is none to us alone
    is_theirs: bool
    never: bool  # nothing satisfies it, we say
    answers: Sequence[Answer]  # where it is a range to both


@pytest.fixture(scope="module", params=SEEDS)
def seed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rows(seed: str, oracle: Masterminds) -> list[Row]:
    corpus = Corpus(seed)
    texts = [corpus.constraint() for _ in range(TEXTS)]
    return ask([(text, corpus.near(text, VERSIONS)) for text in texts], oracle)


def ask(questions: Sequence[tuple[str, Sequence[str]]], oracle: Masterminds) -> list[Row]:
    answers = zip(questions, oracle.check(questions), strict=True)
    return [compare(text, versions, theirs) for (text, versions), theirs in answers]


def compare(text: str, versions: Sequence[str], theirs: Sequence[Check | None] | None) -> Row:
    limits, never = our_range(text)
    is_ours = limits is not None or never
    answers: list[Answer] = []
    if is_ours and theirs is not None and not any(map(is_past_64_bits, precedences_in(text))):
        for version, their in zip(versions, theirs, strict=True):
            key = sort_key(version)
            if key is None or not is_past_64_bits(key):
                answers.append((version, our_check(limits, key), their))
    return Row(text, is_ours=is_ours, is_theirs=theirs is not None, never=never, answers=answers)


def our_range(text: str) -> tuple[Range | None, bool]:
    """Our range, and whether it is none because nothing satisfies it."""
    try:
        return Range.parse(text), False
    except InvalidRange as error:
        return None, "can never match" in str(error)


def our_check(limits: Range | None, key: SortKey | None) -> Check | None:
    if key is None:
        return None
    if limits is None:
        return False, False
    return limits.admits_key(key, prereleases=False), limits.admits_key(key, prereleases=True)


def precedences_in(text: str) -> list[Precedence]:
    return [comparator.precedence for group in parse(text) for comparator in group]


def is_past_64_bits(key: Precedence | SortKey) -> bool:
    """Whether a prerelease has a number of 2^64 or more, the one difference that is meant: to SemVer and to us it stays
    a number, to the library it is letters. Such versions are compared for being versions, and for no more.
    """
    return any(kind == 0 and int(value) >= 2**64 for kind, value in key[3])


def test_the_same_texts_are_ranges(rows: list[Row]) -> None:
    assert [row.text for row in rows if row.is_ours != row.is_theirs] == []


def test_a_range_admits_the_same_versions(rows: list[Row]) -> None:
    assert differing(rows) == []


def differing(rows: list[Row]) -> list[tuple[str, Answer]]:
    return [(row.text, answer) for row in rows for answer in row.answers if answer[1] != answer[2]]


def test_the_texts_are_many_and_on_both_sides_of_every_question(rows: list[Row]) -> None:
    ranges = Counter(row.is_theirs for row in rows)
    checks = Counter(theirs for row in rows for _, _, theirs in row.answers)

    assert checks.total() >= FEWEST_ANSWERS
    assert min(ranges[True], ranges[False]) > TEXTS / 10
    assert min(checks[True, True], checks[False, False]) > checks.total() / 4
    assert checks[False, True] > checks.total() / 20
    assert checks[None] > checks.total() / 100


def test_a_range_refused_because_nothing_satisfies_it_admits_nothing_near_it(
    rows: list[Row], seed: str, oracle: Masterminds
) -> None:
    corpus = Corpus(f"{seed} more")
    refused = [row.text for row in rows if row.never]

    again = ask([(text, corpus.near(text, 3 * VERSIONS)) for text in refused], oracle)

    assert len(refused) > TEXTS / 20
    assert differing(again) == []


def test_a_range_is_refused_exactly_if_it_admits_nothing_in_a_small_world(seed: str, oracle: Masterminds) -> None:
    corpus = Corpus(f"{seed} small")
    texts = [corpus.small_constraint() for _ in range(TEXTS // 20)]
    answers = oracle.check([(text, neighbours(text)) for text in texts])

    theirs = [not any(check and check[1] for check in checks or ()) for checks in answers]

    assert min(Counter(theirs).values()) > len(texts) / 5
    ours = [never for _, never in map(our_range, texts)]
    assert [row for row in zip(texts, ours, theirs, strict=True) if row[1] != row[2]] == []


def test_a_text_is_the_same_version(seed: str, oracle: Masterminds) -> None:
    corpus = Corpus(f"{seed} versions")
    texts = [corpus.version() for _ in range(TEXTS)]
    theirs = oracle.read(texts)

    ours = [Reading(loose=written(parse_loose(text)), strict=written(parse_strict(text))) for text in texts]

    assert [row for row in zip(texts, ours, theirs, strict=True) if row[1] != row[2]] == []
    kinds = Counter((reading.loose is not None, reading.strict is not None) for reading in theirs)
    assert kinds.keys() == {(True, True), (True, False), (False, False)}
    assert min(kinds.values()) > TEXTS / 10


def written(version: Version | None) -> str | None:
    return None if version is None else str(version)


def test_of_two_versions_the_same_is_higher(seed: str, oracle: Masterminds) -> None:
    corpus = Corpus(f"{seed} pairs")
    pairs = [corpus.pair() for _ in range(TEXTS)]

    rows = [(*pair, our_order(*pair), order) for pair, order in zip(pairs, oracle.compare(pairs), strict=True)]

    rows = [row for row in rows if not any(key and is_past_64_bits(key) for key in map(sort_key, row[:2]))]
    assert [row for row in rows if row[2] != row[3]] == []
    assert min(Counter(order for *_, order in rows).values()) > TEXTS / 50


def our_order(one: str, other: str) -> int | None:
    """By the keys that lists are sorted by, up to where only a tie is broken."""
    left, right = sort_key(one), sort_key(other)
    if left is None or right is None:
        return None
    return (left[:4] > right[:4]) - (left[:4] < right[:4])


def test_numbers_past_64_bits_in_a_prerelease_are_letters_to_the_library_alone(oracle: Masterminds) -> None:
    pair = ("1.0.0-100000000000000000000", "1.0.0-20000000000000000000")

    assert oracle.compare([pair]) == [-1]
    assert our_order(*pair) == 1


def test_the_table_of_the_unit_tests_is_what_the_library_says_today(oracle: Masterminds) -> None:
    pinned = re.search(r"github\.com/Masterminds/semver/v3 v\S+", (bed.MODULE / "go.mod").read_text())
    assert pinned is not None
    assert TABLE["origin"] == f"answers of {pinned[0]}"

    versions = [text for text, _ in TABLE["versions"]]
    read = [[text, reading.loose] for text, reading in zip(versions, oracle.read(versions), strict=True)]
    assert [row for row in zip(TABLE["versions"], read, strict=True) if row[0] != row[1]] == []

    questions = [(text, [version]) for version, text, *_ in TABLE["ranges"]]
    checked = [
        [version, text, checks is not None, *((checks and checks[0]) or (False, False))]
        for (text, [version]), checks in zip(questions, oracle.check(questions), strict=True)
    ]
    assert [row for row in zip(TABLE["ranges"], checked, strict=True) if row[0] != row[1]] == []
