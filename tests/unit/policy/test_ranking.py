"""A listing that differs little from the one before is ranked as if it were the first, and at little cost."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.policy.order import Key, Order
from bundlewatch.policy.orders import ORDERS
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.ranking import Ranking
from bundlewatch.policy.selection import Candidate, Running, Selection
from bundlewatch.policy.verdict import Reason, Verdict
from bundlewatch.policy.version import Precedence
from unit.policy.listings import SIGNATURE, TAGS, orders, policies
from unit.policy.listings import tags as tags_of


@dataclass(frozen=True)
class Case:
    policy: Policy
    before: list[str]
    gone: set[str]
    new: set[str]

    @property
    def after(self) -> list[str]:
        return [*self.new, *(tag for tag in self.before if tag not in self.gone)]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    order = draw(orders)
    policy, tags = draw(policies(order)), tags_of(order)
    before = draw(st.lists(tags, max_size=40))
    new = draw(st.sets(tags, max_size=4)).difference(before)
    # What is shown may not go, so that of few tags hardly any may: those that may be taken go more often.
    eligible = [entry[-1] for entry in Ranking(policy, before).eligible]
    gone = set[str]()
    for among in (before, eligible, eligible):
        gone.update(draw(st.sets(st.sampled_from(among), max_size=2)) if among else ())
    return Case(policy, before, gone, new)


def shown(ranking: Ranking, running: Running) -> list[Any]:
    """All that a person, and the rest of the operator, sees of a selection."""
    found = Selection(ranking, running)
    candidates = [*found.ranked]
    told: list[Any] = [found.total, found.problem, candidates]
    looks: list[tuple[Candidate | None, dict[str, Verdict]]] = [(None, {}), *((best, {}) for best in candidates[:1])]
    if len(candidates) > 1:
        image = Verdict(candidates[0].tag, None, Reason.NOT_A_CHART, "it is an image")
        looks.append((candidates[1], {image.tag: image}))
    for chosen, rejected in looks:
        told.append(found.counts(chosen=chosen, rejected=rejected))
        told += [found.nearest(count, chosen=chosen, rejected=rejected) for count in (3, 10, 30)]
    return told


@given(cases(), st.data())
def test_a_ranking_made_from_the_one_before_is_the_one_made_anew(case: Case, data: st.DataObject) -> None:
    before = Ranking(case.policy, case.before)
    was = shown(before, Running())
    try:
        after = before.after(gone=case.gone, new=case.new)
    except LookupError:
        assert not case.gone.isdisjoint(
            {*before.plain, *(rank.entry[-1] for of in before.near.values() for rank in of)}
        )
        return
    anew = Ranking(case.policy, case.after)
    runs = data.draw(st.sampled_from(["", *case.before, *case.new, "2024.3", "3", "nothing that reads"]))
    tags, floor = frozenset({runs}), case.policy.read(runs)

    assert (after.eligible, after.counts, after.total, after.pinned, after.ineligible, after.plain) == (
        anew.eligible,
        anew.counts,
        anew.total,
        anew.pinned,
        anew.ineligible,
        anew.plain,
    )
    for running in (Running(), Running(tags), Running(tags, floor=floor), Running(tags, unread=runs)):
        assert shown(after, running) == shown(anew, running)
    assert shown(before, Running()) == was  # somebody may still read the one before


@given(cases(), st.data())
def test_rankings_may_follow_one_another(case: Case, data: st.DataObject) -> None:
    tags = dict.fromkeys(case.before)
    ranking = Ranking(case.policy, tags)
    for more in data.draw(st.lists(st.sets(tags_of(case.policy.order.name), max_size=3), max_size=6)):
        last = next(reversed(ranking.eligible), None)
        gone = {last[-1]} if last is not None else set()
        new = more.difference(tags)
        ranking = ranking.after(gone=gone, new=new)
        tags = dict.fromkeys([*(tag for tag in tags if tag not in gone), *new])

    assert shown(ranking, Running()) == shown(Ranking(case.policy, tags), Running())


def ranked(tags: str, **wanted: Any) -> Ranking:
    return Ranking(Policy.compile(**wanted), tags.split())


def test_what_was_kept_for_being_shown_cannot_go_without_a_look_at_all() -> None:
    ranking = ranked("1.0.0 2.0.0-rc.1 latest")

    for gone in ("2.0.0-rc.1", "latest"):
        with pytest.raises(LookupError):
            ranking.after(gone={gone}, new=())


def test_what_is_too_far_off_for_being_shown_can_go() -> None:
    candidates = [f"1.0.0-rc.{number}" for number in range(1, 13)]
    words = [f"main-{letter}" for letter in "abcdefghijkl"]
    ranking = Ranking(Policy.compile(), [*candidates, *words, SIGNATURE])

    after = ranking.after(gone={candidates[1], words[-1], SIGNATURE}, new=())

    assert after.counts == {Reason.PRERELEASE: 11, Reason.NOT_A_VERSION: 11}


@pytest.mark.parametrize(
    ("gone", "new", "pinned"),
    [
        pytest.param("1.0.0", "", False, id="it goes"),
        pytest.param("1.1.0", "1.2.0", True, id="it stays"),
        pytest.param("1.0.0", "1.0", False, id="another spelling comes"),
    ],
)
def test_a_pinned_tag_is_there_as_long_as_it_is_listed(gone: str, new: str, *, pinned: bool) -> None:
    ranking = ranked("1.0.0 1.1.0", pin="1.0.0")

    assert ranking.pinned
    assert ranking.after(gone={gone}, new=set(new.split())).pinned is pinned


@dataclass(frozen=True)
class Counting:
    """An order that remembers which texts it was asked to read."""

    order: Order
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.order.name

    @property
    def recognises(self) -> bool:
        return self.order.recognises

    def key(self, text: str) -> Key | None:
        self.asked.append(text)
        return self.order.key(text)

    def read(self, text: str) -> tuple[str, Key] | None:
        self.asked.append(text)
        return self.order.read(text)

    def why_not(self, text: str) -> str:
        return self.order.why_not(text)

    def precedence(self, key: Key) -> Precedence | Key | None:
        return self.order.precedence(key)

    def limits(self, text: str) -> Range:
        return self.order.limits(text)


@pytest.mark.parametrize("order", [*ORDERS])
def test_only_what_changed_is_judged_again(order: str) -> None:
    counting = Counting(ORDERS[order])
    ranking = Ranking(replace(Policy.compile(), order=counting), [f"24.{number}" for number in range(100)])
    counting.asked.clear()

    ranking.after(gone={"24.7", "24.50"}, new={"24.100", "24.7.1"})

    assert Counter(counting.asked) == Counter(["24.7", "24.50", "24.100", "24.7.1"])


def test_a_tag_listed_twice_is_judged_once() -> None:
    counting = Counting(ORDERS["semver"])

    ranking = Ranking(replace(Policy.compile(), order=counting), ["1.0.0", "2.0.0", "1.0.0"])

    assert (ranking.total, sorted(counting.asked)) == (2, ["1.0.0", "2.0.0"])


# Each with ties, of which the last as text is the highest.
ORDERED = {
    "semver": "0.9 v1.0.0 1.0.0 1.0.0_b 1.1.0",
    "calver": "23.10 2024.1 24.01 24.1 24.1_b 24.2",
    "numerical": "5 07 7 7.0 8.5 10",
    "alphabetical": "10 7 A a a1",
}


@pytest.mark.parametrize("order", [*ORDERS])
@pytest.mark.parametrize(
    ("direction", "turned"),
    [
        pytest.param("Ascending", list, id="ascending"),
        pytest.param("Descending", lambda tags: [*reversed(tags)], id="descending"),
    ],
)
def test_the_oldest_comes_first_in_either_direction(
    order: str, direction: str, turned: Callable[[list[str]], list[str]]
) -> None:
    ranking = ranked(ORDERED[order], order=order, direction=direction, prereleases=True)

    assert [entry[-1] for entry in ranking.eligible] == turned(ORDERED[order].split())


@given(cases(), st.data())
def test_as_many_are_older_than_a_floor_as_say_so(case: Case, data: st.DataObject) -> None:
    ranking = Ranking(case.policy, case.before)
    text = data.draw(TAGS[case.policy.order.name] | st.sampled_from([*case.before, "0"]))
    floor = case.policy.read(text)
    if floor is None:
        return

    readings = [case.policy.read(entry[-1]) for entry in ranking.eligible]

    older = [reading is not None and reading.is_older(floor) for reading in readings]
    assert older == sorted(older, reverse=True)  # they are the first
    assert ranking.older_than(floor) == sum(older)


@given(cases())
def test_of_every_tag_it_is_known_whether_and_where_it_is_among_those_that_may_be_taken(case: Case) -> None:
    ranking = Ranking(case.policy, case.before)
    eligible = [entry[-1] for entry in ranking.eligible]

    assert [tag for tag in {*case.before, *case.new, *eligible} if ranking.holds(tag)] == [
        tag for tag in {*case.before, *case.new, *eligible} if tag in eligible
    ]
    assert [ranking.place_of(entry) for entry in ranking.eligible] == [*range(len(eligible))]


@pytest.mark.parametrize(
    ("tag", "held"),
    [
        pytest.param("7.0", True, id="one of those that are equal"),
        pytest.param("007", False, id="equal to some, and not listed"),
        pytest.param("9", False, id="not listed"),
        pytest.param("x", False, id="listed, and may not be taken"),
        pytest.param("", False, id="no text"),
    ],
)
@pytest.mark.parametrize("direction", ["Ascending", "Descending"])
def test_only_a_tag_that_is_listed_and_may_be_taken_is_held(tag: str, *, held: bool, direction: str) -> None:
    assert ranked("7 07 7.0 8 x", order="numerical", direction=direction).holds(tag) is held


@pytest.mark.parametrize(
    ("direction", "floor", "older"),
    [
        pytest.param("Ascending", "7", 1, id="ascending, none of the equals"),
        pytest.param("Descending", "7", 2, id="descending, none of the equals"),
        pytest.param("Ascending", "7.5", 4, id="ascending, between"),
        pytest.param("Descending", "7.5", 2, id="descending, between"),
        pytest.param("Ascending", "100", 6, id="ascending, all"),
        pytest.param("Descending", "0", 6, id="descending, all"),
        pytest.param("Ascending", "0", 0, id="ascending, none"),
        pytest.param("Descending", "100", 0, id="descending, none"),
    ],
)
def test_what_is_equal_to_a_floor_is_not_older(direction: str, floor: str, older: int) -> None:
    ranking = ranked("5 7 07 7.0 8 9", order="numerical", direction=direction)
    reading = ranking.policy.read(floor)
    assert reading is not None

    assert ranking.older_than(reading) == older
