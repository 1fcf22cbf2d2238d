"""Work by key: once at a time, fair between lanes, nothing lost."""

import asyncio
import logging

import pytest

from bundlewatch.engine.lanes import Lanes


class Recorder:
    """Work that waits to be let go, and remembers what ran."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    async def __call__(self, key: str) -> None:
        self.started.append(key)
        await self.gates.setdefault(key, asyncio.Event()).wait()

    def release(self, key: str) -> None:
        self.gates.setdefault(key, asyncio.Event()).set()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_hung_lane_does_not_hold_up_another() -> None:
    work = Recorder()
    lanes: Lanes[str] = Lanes(work, width=2)
    for number in range(5):
        lanes.submit(f"hung-{number}", lane="dead.example.com")
    lanes.submit("alive", lane="good.example.com")
    await settle()

    assert work.started == ["hung-0", "hung-1", "alive"]
    await lanes.close(grace_s=0)


async def test_a_key_submitted_ten_times_while_it_waits_runs_once() -> None:
    work = Recorder()
    lanes: Lanes[str] = Lanes(work, width=1)
    lanes.submit("first", lane="a")
    for _ in range(10):
        lanes.submit("second", lane="a")
    work.release("first")
    work.release("second")
    await settle()

    assert work.started == ["first", "second"]
    await lanes.close(grace_s=0)


async def test_a_key_submitted_while_it_runs_runs_once_more_and_never_beside_itself() -> None:
    work = Recorder()
    lanes: Lanes[str] = Lanes(work, width=4)
    lanes.submit("shop", lane="a")
    await settle()
    lanes.submit("shop", lane="a")
    lanes.submit("shop", lane="a")
    await settle()
    assert work.started == ["shop"]

    work.release("shop")
    await settle()
    assert work.started == ["shop", "shop"]
    assert lanes.idle
    await lanes.close(grace_s=0)


async def test_work_that_raises_is_logged_and_its_place_is_free_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[str] = []

    async def work(key: str) -> None:
        ran.append(key)
        if key == "bad":
            raise RuntimeError("boom")

    lanes: Lanes[str] = Lanes(work, width=1)
    with caplog.at_level(logging.ERROR):
        lanes.submit("bad", lane="a")
        lanes.submit("good", lane="a")
        await settle()

    assert ran == ["bad", "good"]
    assert "bad" in caplog.text
    await lanes.close(grace_s=0)


async def test_closing_lets_running_work_finish_and_forgets_the_rest() -> None:
    work = Recorder()
    lanes: Lanes[str] = Lanes(work, width=1)
    lanes.submit("running", lane="a")
    lanes.submit("waiting", lane="a")
    await settle()
    closing = asyncio.create_task(lanes.close(grace_s=5))
    await settle()
    work.release("running")
    await closing

    assert work.started == ["running"]


async def test_closing_cancels_what_does_not_finish_in_time() -> None:
    work = Recorder()
    lanes: Lanes[str] = Lanes(work, width=1)
    lanes.submit("stuck", lane="a")
    await settle()

    await lanes.close(grace_s=0.01)

    assert lanes.idle
