"""Who is due when."""

from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.engine.schedule import Schedule, backoff_s, next_interval_s, stable_fraction


def test_keys_come_due_in_the_order_of_their_times() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("late", 30)
    schedule.set("early", 10)
    schedule.set("middle", 20)

    assert schedule.pop_due(now=25) == ["early", "middle"]
    assert schedule.next_due() == 30


def test_setting_a_key_again_moves_it_and_never_doubles_it() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("shop", 10)
    schedule.set("shop", 50)

    assert schedule.pop_due(now=49) == []
    assert schedule.pop_due(now=50) == ["shop"]
    assert schedule.pop_due(now=1000) == []


def test_set_earlier_never_postpones() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("shop", 10)
    schedule.set_earlier("shop", 20)
    assert schedule.next_due() == 10

    schedule.set_earlier("shop", 5)
    assert schedule.next_due() == 5


def test_a_discarded_key_is_not_due() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.set("shop", 10)
    schedule.discard("shop")

    assert schedule.next_due() is None
    assert schedule.pop_due(now=100) == []


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["set", "earlier", "discard"]), st.integers(0, 50)),
        max_size=200,
    )
)
def test_whatever_happened_the_due_keys_are_those_of_a_plain_dictionary(
    steps: list[tuple[str, str, int]],
) -> None:
    schedule: Schedule[str] = Schedule()
    expected: dict[str, float] = {}
    for key, verb, time in steps:
        if verb == "discard":
            schedule.discard(key)
            expected.pop(key, None)
        elif verb == "set" or key not in expected or time < expected[key]:
            (schedule.set if verb == "set" else schedule.set_earlier)(key, time)
            expected[key] = time
        else:
            schedule.set_earlier(key, time)

    assert schedule.next_due() == (min(expected.values()) if expected else None)
    assert sorted(schedule.pop_due(now=50)) == sorted(expected)


def test_the_heap_does_not_grow_with_the_number_of_changes() -> None:
    schedule: Schedule[str] = Schedule()
    for time in range(10_000):
        schedule.set("shop", time)

    assert len(schedule._heap) <= 65


def test_jitter_is_the_same_after_a_restart_and_spreads_keys() -> None:
    assert stable_fraction("registry.example.com/shop") == stable_fraction("registry.example.com/shop")
    spread = sorted(stable_fraction(f"registry.example.com/shop-{number}") for number in range(1000))
    assert spread[0] < 0.02
    assert spread[-1] > 0.98


@given(st.integers(1, 10_000), st.floats(10, 86_400), st.text(max_size=20))
def test_a_backoff_is_never_hasty_and_never_longer_than_its_ceiling(failures: int, interval_s: float, key: str) -> None:
    pause_s = backoff_s(failures, interval_s=interval_s, key=key)

    assert 2.5 <= pause_s <= max(interval_s, 600.0)


@given(st.floats(10, 86_400), st.integers(0, 1000))
def test_an_interval_is_kept_within_five_percent(interval_s: float, turn: int) -> None:
    assert 0.95 * interval_s <= next_interval_s(interval_s, key="shop", turn=turn) <= 1.05 * interval_s
