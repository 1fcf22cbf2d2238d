"""When `bundlewatch wait` asks whom, and what it tells, in virtual time."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.engine.arrival import UNHEARD, Ending, Line, Progress
from bundlewatch.engine.awaiting import Awaiting
from bundlewatch.errors import ClusterUnavailable, InvalidSpec, NotAllowed, NotThere
from unit.engine.world import in_virtual_time

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
AWAY = ClusterUnavailable("the Kubernetes API did not answer GET")


def on(tag: str, **status: Any) -> dict[str, Any]:
    """A status in which this tag is chosen, and healthy on the one Application."""
    return {
        "observedGeneration": 1,
        "candidate": {"tag": tag, "digest": NEW},
        "applications": [{"name": "shop", "source": 0, "phase": "Healthy", "target": tag, "current": tag}],
        **status,
    }


QUARANTINED = on("1.0.3", quarantine=[{"tag": "1.0.4", "digest": OLD, "reason": "Degraded", "message": "shop"}])


MISTAKEN = on(
    "1.0.3",
    conditions=[
        {
            "type": "Stalled",
            "status": "True",
            "reason": "InvalidSpec",
            "message": "spec.gates is wrong",
            "lastTransitionTime": "2026-11-24T04:26:50Z",
        }
    ],
)


@dataclass(slots=True)
class Played:
    """A BundleWatch whose operator is played: what status says after so many seconds, the last entry for ever."""

    says: dict[float, dict[str, Any] | Exception]
    answers: bool = True
    annotations: dict[str, str] = field(default_factory=dict)
    refuses: Exception | None = None
    interval: str = "1h"
    after: list[dict[str, str]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    reads: int = 0
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def passed_s(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    async def read(self) -> BundleWatch:
        self.reads += 1
        said = next(said for at, said in reversed(self.says.items()) if at <= self.passed_s())
        if isinstance(said, Exception):
            raise said
        handled = self.annotations.get("bundlewatch.dev/reconcile") if self.answers else "of before"
        return BundleWatch.parse(
            {
                "metadata": {
                    "name": "shop",
                    "namespace": "argocd",
                    "uid": said.get("uid", "one"),
                    "generation": 1,
                    "annotations": dict(self.annotations),
                },
                "spec": {
                    "repository": "registry.example.com/shop",
                    "applications": [{"name": "shop"}],
                    "interval": self.interval,
                    "gates": {"after": self.after},
                },
                "status": {**({"lastHandledReconcileAt": handled} if handled else {}), **said},
            }
        )

    async def ask_to_look(self) -> str:
        if self.refuses is not None:
            raise self.refuses
        self.asked_at.append(round(self.passed_s()))
        token = f"request {len(self.asked_at)}"
        self.annotations["bundlewatch.dev/reconcile"] = token
        return token


@dataclass(slots=True)
class Told:
    lines: list[Line] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


async def waited(played: Played, *, timeout_s: float = 600, ask: bool = True) -> tuple[Progress, Told, float]:
    """How it ended, what was told, and after how many seconds."""
    told = Told()
    awaiting = Awaiting(
        watched=played,
        tag="1.0.4",
        timeout_s=timeout_s,
        ask=ask,
        or_newer=False,
        tell=told.lines.append,
        tell_trouble=told.troubles.append,
        now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )
    _, progress = await awaiting.end()
    return progress, told, round(played.passed_s(), 1)


@in_virtual_time
async def test_it_asks_once_and_then_reads_once_a_second() -> None:
    played = Played({0: on("1.0.3", verdicts=[{"tag": "1.0.4", "reason": "TooYoung"}]), 60: on("1.0.4")})

    progress, told, after_s = await waited(played)

    assert (progress.ending, after_s) == (Ending.HEALTHY, 60)
    assert played.asked_at == [0]
    assert 60 <= played.reads <= 63
    assert [line.phase for line in told.lines] == ["TooYoung", "Healthy", "Healthy", "Healthy"]


@in_virtual_time
async def test_the_answer_to_an_earlier_request_is_none_to_ours() -> None:
    before = {"bundlewatch.dev/reconcile": "of before"}
    played = Played({0: QUARANTINED}, answers=False, annotations=before)

    progress, _, after_s = await waited(played, timeout_s=20)

    assert (progress.ending, progress.reason, after_s) == (None, "NotLooked", 20)


@in_virtual_time
async def test_a_look_that_was_not_heard_of_in_time_is_told_with_what_to_check() -> None:
    well = {"type": "Ready", "status": "True", "reason": "UpToDate", "lastTransitionTime": "2026-11-24T04:26:50Z"}
    played = Played({0: on("1.0.3", conditions=[{**well, "message": "well"}])}, answers=False)

    progress, told, _ = await waited(played, timeout_s=20)

    assert progress.message == f"the operator has yet to look at the registry; {UNHEARD}"
    assert told.lines[0].message == "the operator has yet to look at the registry"


@in_virtual_time
async def test_a_mistake_in_the_spec_ends_it_at_once() -> None:
    played = Played({0: MISTAKEN}, answers=False)

    with pytest.raises(InvalidSpec, match=r"^BundleWatch argocd/shop: InvalidSpec: spec\.gates is wrong$"):
        await waited(played)

    assert played.passed_s() < 1


@in_virtual_time
async def test_a_mistake_that_another_bundlewatch_may_have_ended_has_to_last() -> None:
    mended = Played({0: MISTAKEN, 3: on("1.0.4")}, after=[{"name": "staging"}])
    lasting = Played({0: MISTAKEN}, after=[{"name": "staging"}], answers=False)

    assert (await waited(mended))[0].ending is Ending.HEALTHY
    with pytest.raises(InvalidSpec):
        await waited(lasting)

    assert lasting.passed_s() == pytest.approx(8, abs=1)  # of which 3 went by before


@in_virtual_time
async def test_what_was_found_last_is_known_while_it_waits() -> None:
    awaiting = Awaiting(
        watched=Played({0: on("1.0.3")}),
        tag="1.0.4",
        timeout_s=600,
        ask=True,
        or_newer=False,
        tell=lambda _: None,
        tell_trouble=lambda _: None,
        now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await awaiting.end()

    assert awaiting.progress is not None
    assert awaiting.progress.reason == "NotListed"


@in_virtual_time
async def test_what_is_not_listed_is_asked_for_again_every_half_minute() -> None:
    played = Played({0: on("1.0.3"), 70: on("1.0.4")})

    progress, _, _ = await waited(played)

    assert progress.ending is Ending.HEALTHY
    assert played.asked_at == [0, 30, 60]


@in_virtual_time
async def test_time_that_is_up_ends_it_to_the_second() -> None:
    progress, _, after_s = await waited(Played({0: on("1.0.3")}), timeout_s=2.5)

    assert (progress.ending, progress.reason, after_s) == (None, "NotListed", 2.5)


@in_virtual_time
async def test_an_outage_is_told_once_and_waited_out() -> None:
    played = Played({0: on("1.0.3"), 3: AWAY, 90: on("1.0.4")})

    progress, told, after_s = await waited(played)

    assert (progress.ending, after_s) == (Ending.HEALTHY, 90)
    assert told.troubles == [f"{AWAY}; trying on", "the Kubernetes API answers again"]


@in_virtual_time
async def test_an_outage_from_the_start_is_a_mistake_and_not_waited_out() -> None:
    with pytest.raises(ClusterUnavailable):
        await waited(Played({0: AWAY}))


@in_virtual_time
async def test_one_that_is_deleted_is_a_failure_and_one_that_was_never_there_a_mistake() -> None:
    progress, _, _ = await waited(Played({0: on("1.0.3"), 5: NotThere("there is no BundleWatch argocd/shop")}))
    assert (progress.ending, progress.reason) == (Ending.FAILED, "Deleted")

    with pytest.raises(NotThere):
        await waited(Played({0: NotThere("there is no BundleWatch argocd/shop")}))


@in_virtual_time
async def test_one_that_is_made_anew_is_asked_as_well() -> None:
    played = Played(
        {0: on("1.0.3", verdicts=[{"tag": "1.0.4", "reason": "TooYoung"}]), 5: {**QUARANTINED, "uid": "two"}}
    )

    await waited(played, timeout_s=8)

    assert played.asked_at == [0, 5]


@in_virtual_time
async def test_who_may_not_ask_is_told_how_to_wait_all_the_same() -> None:
    with pytest.raises(NotAllowed, match=r"patch is needed, or --no-reconcile, which waits"):
        await waited(Played({0: on("1.0.3")}, refuses=NotAllowed("patch is needed")))


@in_virtual_time
async def test_without_asking_bad_news_counts_once_there_is_any_or_the_interval_has_passed() -> None:
    old = await waited(Played({0: QUARANTINED}, interval="1m"), ask=False)
    assert (old[0].ending, old[2]) == (Ending.FAILED, 71)

    new = await waited(Played({0: on("1.0.3"), 90: QUARANTINED}), ask=False)
    assert (new[0].ending, new[2]) == (Ending.FAILED, 90)
