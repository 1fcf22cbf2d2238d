"""Gentleness: each host its own queue, its own rate and its own circuit."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bundlewatch.errors import RateLimited, RegistryUnavailable
from bundlewatch.registry.throttle import HostLimits, Throttle, Timing
from unit.registry.scripted import Time

LIMITS = HostLimits(concurrency=2, rate_per_s=10, burst=3, failures_to_open=3, open_s=5, open_max_s=60)


def throttle(time: Time, limits: HostLimits = LIMITS) -> Throttle:
    return Throttle(limits, timing=time.timing())


@contextmanager
def refused(kind: type[RegistryUnavailable]) -> Iterator[None]:
    with pytest.raises(RegistryUnavailable) as error:
        yield
    assert type(error.value) is kind
    assert "a.example" in str(error.value)


async def ask(throttle: Throttle, host: str = "a.example", *, fails: bool = False) -> None:
    async with throttle.slot(host) as slot:
        if fails:
            slot.failed("refused the connection")
        else:
            slot.succeeded()


async def test_no_more_than_so_many_at_once_and_others_do_not_wait() -> None:
    queues = throttle(Time(), HostLimits(concurrency=2, rate_per_s=1e9, burst=10**9))
    inside: dict[str, int] = {"a.example": 0, "b.example": 0}
    peak = 0
    gate = asyncio.Event()

    async def hold(host: str) -> None:
        nonlocal peak
        async with queues.slot(host):
            inside[host] += 1
            peak = max(peak, inside["a.example"])
            await gate.wait()
            inside[host] -= 1

    tasks = [asyncio.create_task(hold("a.example")) for _ in range(10)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(hold("b.example")))
    await asyncio.sleep(0)
    assert inside == {"a.example": 2, "b.example": 1}
    gate.set()
    await asyncio.gather(*tasks)
    assert peak == 2


async def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    time = Time()
    queues = throttle(time)
    for _ in range(13):
        await ask(queues)
    assert time.now_s == pytest.approx(1001.0)  # 3 at once, 10 more at 10 a second
    time.now_s += 100
    for _ in range(3):
        await ask(queues)
    assert time.now_s == pytest.approx(1101.0)  # rested


async def test_push_back_closes_the_host_for_everybody_and_no_other_host() -> None:
    time = Time()
    queues = throttle(time)
    async with queues.slot("a.example") as slot:
        assert slot.push_back(30) == pytest.approx(30)
    with pytest.raises(RateLimited) as error:
        await ask(queues)
    assert error.value.retry_after_s == pytest.approx(30)
    await ask(queues, "b.example")
    time.now_s += 30
    await ask(queues)


async def test_a_tiny_hint_does_not_make_a_tight_loop() -> None:
    time = Time()
    queues = throttle(time)
    waits = []
    for _ in range(12):
        async with queues.slot("a.example") as slot:
            waits.append(slot.push_back(0.000_88))
        time.now_s += waits[-1]
    assert waits[:4] == pytest.approx([2, 4, 8, 16])
    assert max(waits) == pytest.approx(300)


async def test_waits_are_spread_over_all_of_their_range_and_never_shorter_than_asked() -> None:
    lows, highs = [], []
    for jitter, waits in ((0.0, lows), (0.999, highs)):
        time = Time()
        queues = Throttle(LIMITS, timing=Timing(clock=time.clock, sleep=time.sleep, jitter=lambda share=jitter: share))
        for hint in (None, None, None, 30.0):
            async with queues.slot("a.example") as slot:
                waits.append(slot.push_back(hint))
            time.now_s += waits[-1]
    assert lows == pytest.approx([1, 1, 1, 30])
    assert highs == pytest.approx([2, 4, 8, 30], abs=0.1)


async def test_a_host_may_have_limits_of_its_own() -> None:
    time = Time()
    queues = throttle(time)
    for _ in range(11):
        async with queues.slot("a.example", limits=HostLimits(rate_per_s=1, burst=1)):
            pass
        async with queues.slot("b.example", limits=HostLimits(rate_per_s=1000, burst=1000)):
            pass
    assert time.now_s == pytest.approx(1010.0)


async def test_a_hint_of_a_year_is_not_believed() -> None:
    async with throttle(Time()).slot("a.example") as slot:
        assert slot.push_back(365 * 86400.0) == 3600


async def test_several_429s_of_one_burst_count_once() -> None:
    time = Time()
    queues = throttle(time)
    async with queues.slot("a.example") as one, queues.slot("a.example") as two:
        one.push_back(None)
        assert two.push_back(None) == pytest.approx(2)


async def test_who_waits_in_the_queue_hears_of_a_push_back() -> None:
    queues = throttle(Time(), HostLimits(concurrency=1))
    async with queues.slot("a.example") as slot:
        waiting = asyncio.create_task(ask(queues))
        await asyncio.sleep(0)
        slot.push_back(10)
    with refused(RateLimited):
        await waiting


async def test_a_circuit_opens_after_failures_in_a_row_and_one_request_tries() -> None:
    time = Time()
    queues = throttle(time)
    for _ in range(3):
        await ask(queues, fails=True)
    with pytest.raises(RegistryUnavailable, match="the last time it refused the connection"):
        await ask(queues)
    time.now_s += 5
    async with queues.slot("a.example") as probe:
        with refused(RegistryUnavailable):
            await ask(queues)  # one tries, the others wait
        probe.succeeded()
    await ask(queues)


async def test_a_failing_probe_opens_the_circuit_for_longer() -> None:
    time = Time()
    queues = throttle(time)
    for _ in range(3):
        await ask(queues, fails=True)
    waits = []
    for _ in range(7):
        before = time.now_s
        while True:
            try:
                await ask(queues, fails=True)
                break
            except RegistryUnavailable:
                time.now_s += 1
        waits.append(time.now_s - before)
    assert waits == pytest.approx([5, 10, 20, 40, 60, 60, 60])


async def test_failures_that_are_not_in_a_row_open_nothing() -> None:
    queues = throttle(Time())
    for _ in range(5):
        await ask(queues, fails=True)
        await ask(queues, fails=True)
        await ask(queues)


async def test_a_cancelled_probe_lets_the_next_one_try() -> None:
    time = Time()
    queues = throttle(time)
    for _ in range(3):
        await ask(queues, fails=True)
    time.now_s += 5
    entered = asyncio.Event()

    async def hang() -> None:
        async with queues.slot("a.example"):
            entered.set()
            await asyncio.Event().wait()

    probe = asyncio.create_task(hang())
    await entered.wait()
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    await ask(queues)


async def test_cancelled_waiters_give_their_place_back() -> None:
    queues = throttle(Time(), HostLimits(concurrency=1))
    async with queues.slot("a.example"):
        waiting = [asyncio.create_task(ask(queues)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await ask(queues)


async def test_messages_do_not_tick() -> None:
    time = Time()
    queues = throttle(time)
    for _ in range(3):
        await ask(queues, fails=True)
    messages = set()
    for _ in range(4):
        with pytest.raises(RegistryUnavailable) as error:
            await ask(queues)
        messages.add(str(error.value))
        time.now_s += 1
    assert len(messages) == 1


async def test_hosts_that_nobody_asks_any_more_are_forgotten() -> None:
    time = Time()
    queues = throttle(time)
    for number in range(3000):
        await ask(queues, f"host-{number}.example")
        time.now_s += 1
    assert len(queues._hosts) <= 1024
