"""Whoever wants the same of the same tags shares the work, and what is remembered of it is bounded."""

import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api.v1alpha1 import BundleWatch, Spec
from bundlewatch.engine.listing import Tags
from bundlewatch.engine.policies import Judge, Policies
from bundlewatch.policy.order import Key
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.ranking import Ranking
from bundlewatch.policy.selection import Running, Selection
from bundlewatch.policy.semver import SEMVER

KEPT = 200_000


def spec(*, repository: str = "registry.example.com/shop/bundle", pin: str = "", **tags: Any) -> Spec:
    wanted = {"repository": repository, "applications": [{"name": "shop"}], "tags": tags, "pin": pin}
    return BundleWatch.parse({"metadata": {"name": "shop", "namespace": "argocd"}, "spec": wanted}).spec


def listed(*tags: str, source: object = None) -> Tags:
    """What a repository holds; `source`: which one, if it matters."""
    return Tags.of(tags, source=source or object())


def listing(count: int) -> Tags:
    """So many tags of some repository; that all of them are one makes it quick to judge."""
    return listed(*("1.0.0",) * count)


def judged(judge: Judge, tags: Tags) -> "weakref.ref[Ranking]":
    """What a watch leaves behind that looked once: alive for as long as it is remembered."""
    return weakref.ref(judge.memory.ranking(judge, tags))


def test_those_who_want_the_same_share_a_policy() -> None:
    policies = Policies()
    wanted: dict[str, Any] = {
        "pattern": "^v(?P<version>.+)$",
        "exclude": ["*-debug"],
        "range": "~1.0",
        "prereleases": True,
    }

    assert policies.of(spec(**wanted)) is policies.of(spec(repository="other.example.com/x", **wanted))


@pytest.mark.parametrize(
    ("wanted", "best"),
    [
        pytest.param({"pattern": "^v"}, "v3.0.0", id="pattern"),
        pytest.param({"exclude": ["v*"]}, "2.0.0", id="exclude"),
        pytest.param({"range": "^1"}, "1.0.0", id="range"),
        pytest.param({"prereleases": True}, "4.0.0-rc.1", id="prereleases"),
        pytest.param({"order": "alphabetical", "exclude": ["v*"]}, "4.0.0-rc.1", id="order"),
        pytest.param(
            {"order": "numerical", "pattern": "^(?P<version>.)", "direction": "Descending"}, "1.0.0", id="direction"
        ),
        pytest.param({"pin": "1.0.0"}, "1.0.0", id="pin"),
    ],
)
def test_those_who_want_something_else_get_their_own(wanted: dict[str, Any], best: str) -> None:
    policies = Policies()
    tags = listed("1.0.0", "2.0.0", "v3.0.0", "4.0.0-rc.1")
    plain, special = policies.of(spec()), policies.of(spec(**wanted))

    choices = [next(judge.select(tags, running=Running()).ranked).tag for judge in (plain, special)]

    assert choices == ["v3.0.0", best]
    assert special is not plain


def test_each_who_shares_a_policy_keeps_their_own_floor() -> None:
    judge = Policies().of(spec())
    tags = listed("1.0.0", "2.0.0")

    behind, ahead = (judge.select(tags, running=Running(floor=judge.read(floor))) for floor in ("1.0.0", "2.0.0"))

    assert [[candidate.tag for candidate in found.ranked] for found in (behind, ahead)] == [
        ["2.0.0", "1.0.0"],
        ["2.0.0"],
    ]


def test_a_listing_is_judged_once_however_many_look_at_it() -> None:
    judge = Policies().of(spec())
    tags = listing(3)
    first = judged(judge, tags)

    judge.select(tags, running=Running())
    judge.select(tags, running=Running(floor=judge.read("1.0.0")))

    assert first() is not None
    assert judged(judge, tags)() is first()


def test_a_new_listing_is_judged_anew() -> None:
    judge = Policies().of(spec())
    repository = object()
    before = judge.select(listed("1.0.0", source=repository), running=Running())

    after = judge.select(listed("1.0.0", "1.0.1", source=repository), running=Running())

    assert [next(found.ranked).tag for found in (before, after)] == ["1.0.0", "1.0.1"]


@dataclass(frozen=True)
class Counting:
    """SemVer's order, which remembers the texts that it was asked to place."""

    asked: list[str] = field(default_factory=list)
    name: str = "semver"
    recognises: bool = True

    def key(self, text: str) -> Key | None:
        self.asked.append(text)
        return SEMVER.key(text)

    def read(self, text: str) -> tuple[str, Key] | None:
        return SEMVER.read(text)

    def why_not(self, text: str) -> str:
        return SEMVER.why_not(text)

    def precedence(self, key: Key) -> Key:
        return SEMVER.precedence(key)

    def limits(self, text: str) -> Range:
        return SEMVER.limits(text)


HUNDRED = [f"1.0.{patch}" for patch in range(80)] + [f"2.0.{patch}-rc.1" for patch in range(15)] + [*"abcde"]


@pytest.mark.parametrize(
    ("gone", "new", "asked"),
    [
        pytest.param([], ["1.0.80"], ["1.0.80"], id="one more"),
        pytest.param(["1.0.7"], [], ["1.0.7"], id="one less"),
        pytest.param(["1.0.79", "2.0.0-rc.1"], ["1.1.0"], ["1.0.79", "1.1.0", "2.0.0-rc.1"], id="some of both"),
        pytest.param([], HUNDRED[:10], [], id="the same listed twice"),
        pytest.param(["a"], [], sorted({*HUNDRED} - {"a"}), id="one less of those that are shown"),
        pytest.param(["2.0.14-rc.1"], [], sorted({*HUNDRED} - {"2.0.14-rc.1"}), id="a prerelease that is shown"),
        pytest.param(HUNDRED[:13], [], sorted({*HUNDRED[13:]}), id="too many less"),
    ],
)
def test_of_the_next_listing_only_what_changed_is_judged_unless_it_is_much(
    gone: list[str], new: list[str], asked: list[str]
) -> None:
    counting, repository = Counting(), object()
    judge = Judge(replace(Policies().of(spec()).policy, order=counting), Policies())
    judged(judge, listed(*HUNDRED, source=repository))
    counting.asked.clear()
    after = listed(*(tag for tag in HUNDRED if tag not in gone), *new, source=repository)

    found = judge.memory.ranking(judge, after)

    assert sorted(counting.asked) == asked
    anew = Policies().of(spec()).select(after, running=Running())
    assert told(judge.select(after, running=Running())) == told(anew)
    assert found.eligible == Ranking(judge.policy, after).eligible


def told(selection: Selection) -> tuple[Any, ...]:
    """What a person sees of it, before anybody has looked at a manifest."""
    return (
        selection.total,
        list(selection.ranked),
        selection.counts(chosen=None, rejected={}),
        selection.nearest(30, chosen=None, rejected={}),
    )


wanted_tags = st.sampled_from(
    [
        {},
        {"pattern": "^v?(?P<version>.+)$", "exclude": ["*.3"]},
        {"range": "^1", "prereleases": True},
        {"order": "calver", "direction": "Descending"},
        {"order": "numerical", "direction": "Descending"},
        {"order": "alphabetical"},
        {"pin": "1.3"},
    ]
)
some_tags = st.builds(
    "{}{}.{}{}".format, st.sampled_from(["", "", "v", "x"]), *[st.integers(0, 9)] * 2, st.sampled_from(["", "-rc1"])
)


@given(wanted_tags, st.sets(some_tags, max_size=60), st.lists(st.sets(some_tags, max_size=3), max_size=6))
def test_however_a_repository_changes_the_choice_is_that_of_who_sees_it_for_the_first_time(
    wanted: dict[str, Any], first: set[str], changes: list[set[str]]
) -> None:
    judge, repository, tags = Policies().of(spec(**wanted)), object(), first
    judge.select(listed(*tags, source=repository), running=Running())

    for change in changes:
        tags = tags.symmetric_difference(change)
        found = judge.select(listed(*tags, source=repository), running=Running())
        anew = Policies().of(spec(**wanted)).select(listed(*tags), running=Running())
        assert told(found) == told(anew)


def test_of_a_repository_only_the_newest_listing_is_remembered() -> None:
    policies, repository = Policies(), object()
    judge, other = policies.of(spec()), policies.of(spec(range="^1"))
    refs = [
        judged(which, listed("1.0.0", str(number), source=repository))
        for number in range(50)
        for which in (judge, other)
    ]

    assert [ref() is not None for ref in refs] == [False] * 98 + [True] * 2


def test_who_sees_more_of_a_repository_takes_nothing_from_who_sees_less() -> None:
    judge = Policies().of(spec())
    less, more = listed("1.0.0"), listed("1.0.0", "1.0.1")
    first = judged(judge, less)

    judged(judge, more)

    assert first() is not None
    assert judged(judge, less)() is first()


def test_another_policy_judges_the_same_listing_for_itself() -> None:
    policies = Policies()
    tags = listed("1.0.0", "2.0.0")

    one, two = (policies.of(spec(range=limits)).select(tags, running=Running()) for limits in ("^1", "^2"))

    assert [next(found.ranked).tag for found in (one, two)] == ["1.0.0", "2.0.0"]


def test_of_too_many_tags_the_listing_that_was_asked_for_longest_ago_is_forgotten() -> None:
    judge = Policies().of(spec())
    used, old, new = (listing(count) for count in (KEPT // 2 - 1, KEPT // 2, KEPT // 2 + 1))
    kept, forgotten = judged(judge, used), judged(judge, old)
    assert forgotten() is not None  # so many tags are remembered
    judged(judge, used)

    newest = judged(judge, new)

    assert [ref() is not None for ref in (forgotten, kept, newest)] == [False, True, True]


def test_what_was_forgotten_makes_room_for_more() -> None:
    judge = Policies().of(spec())
    for count in range(3):
        judged(judge, listing(KEPT - count))

    last = [judged(judge, listing(count)) for count in (KEPT // 2 - 1, KEPT // 2)]

    assert all(ref() is not None for ref in last)


def test_a_listing_larger_than_all_that_is_remembered_is_judged_once_all_the_same() -> None:
    judge = Policies().of(spec())
    tags = listing(KEPT + 1)
    first = judged(judge, tags)

    assert first() is not None
    assert judged(judge, tags)() is first()


def test_of_too_many_policies_the_one_that_was_asked_for_longest_ago_is_forgotten() -> None:
    policies = Policies()
    first, second = policies.of(spec(pin="0")), policies.of(spec(pin="1"))
    for number in range(2, 10_000):
        policies.of(spec(pin=str(number)))
    assert policies.of(spec(pin="0")) is first  # so many are remembered

    policies.of(spec(pin="10000"))

    assert policies.of(spec(pin="0")) is first
    assert policies.of(spec(pin="1")) is not second
