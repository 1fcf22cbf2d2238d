"""Argo CD's application-controller, played: the one part of the tests that is not real.

It watches the Applications of a real API server and, when somebody changes the sources of one, writes `.operation`,
asks for a refresh, terminates an operation, sets skip-reconcile or deletes it, writes the status that Argo CD
v3.5.1 was recorded to write: the same fields in the same order through the same field managers, after the recorded
pauses or a fraction of them, with the Application's own sources, revisions, names and times in them. The sequences
come from `tests/data/argocd-traces/` (its README says how they were recorded) and from nowhere else; only the
`fast` manner of the benchmarks is made up.

It renders nothing, pulls nothing and syncs nothing: it never asks a registry whether a tag exists. That a release
turns out degraded, missing or blocked is a test's to say, per Application and version, by `script`, or from outside
by the annotation `standin.bundlewatch.test/scenario: 1.0.2=03,1.0.3=05` (`03` alone: every version). Unasked it
plays the ordinary life: a first sync (01), a healthy upgrade (02), back to what runs without a sync (05), a version
waiting for a manual sync (09) and that sync (09, 09b), a refresh (18), a deletion (22b), and a skip-reconcile that
is obeyed (27).

The rooms: `argocd_traces` reads the recordings, `argocd_scenes` cuts them, `argocd_render` says them again about a
live Application, `argocd_player` decides what is due, `argocd_stage` watches, `argocd_replay` plays both sides.
"""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from kit.argocd_api import Access, Applications
from kit.argocd_render import Resolve, resolve
from kit.argocd_stage import SCENARIO, Stage

__all__ = ["DEFINITIONS", "SCENARIO", "Standin"]

DEFINITIONS = Path(__file__).with_name("argocd_crds.yaml")

_START_S = 30.0
_STOP_S = 10.0

Answer = TypeVar("Answer")


class Standin:
    """Argo CD in a thread of its own: `start` returns when it knows every Application, `stop` when it is gone.

    One at a time for a namespace: two would both answer. `speed` multiplies the recorded pauses (1.0 as recorded,
    0.0 none); `fast` makes an upgrade two writes without pauses; `resync_s` writes `reconciledAt` that often, as
    Argo CD does when idle; `resolve` says what revision a source has.
    """

    def __init__(
        self,
        cluster: Access,
        *,
        namespace: str | None = None,
        speed: float = 1.0,
        fast: bool = False,
        resync_s: float | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._new_stage: Callable[[Applications], Stage] = lambda applications: Stage(
            applications, speed=speed, fast=fast, resync_s=resync_s, resolve=resolve
        )
        self._stage: Stage | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ending: asyncio.Event | None = None
        self._error: BaseException | None = None
        self._ready = threading.Event()

    def start(self) -> Self:
        assert self._thread is None, "already started"
        self._ready.clear()
        self._thread = threading.Thread(target=self._main, name="argocd", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_S):
            self.stop()
            raise TimeoutError(f"{self._cluster.server} listed no Applications within {_START_S:g} s")
        if self._error is not None:
            self.stop()
        return self

    def stop(self) -> None:
        """Raises what went wrong while it played: a stand-in that failed proves nothing."""
        if self._thread is None:
            return
        if self._loop is not None and self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_STOP_S)
        assert not self._thread.is_alive(), "the stand-in of Argo CD did not end"
        self._thread = None
        stage, self._stage, self._loop = self._stage, None, None
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if stage is not None and stage.failures:
            raise ExceptionGroup("the stand-in of Argo CD failed", stage.failures)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def script(self, namespace: str, name: str, scenario: str, *, version: str = "") -> None:
        """When the Application is set to `version` (none: to any) this scenario answers, each time anew.

        `scenario` is a recorded one by name or number; its later scenes answer what is done later, such as the
        rollback of 03. `name` may be `*` for every Application of the namespace.
        """
        self._ask(lambda stage: stage.script(namespace, name, scenario, version=version))

    def perform(self, namespace: str, name: str, scenario: str) -> None:
        """Begin a scenario in which something happens before anybody acts: 17, 18, 20, 21, 25, 28."""
        self._ask(lambda stage: stage.perform(namespace, name, scenario))

    def hold(self, namespace: str, name: str, moment: str) -> None:
        """Wait at that moment of every scene until `release`, such as `set Deployment status ready`."""
        self._ask(lambda stage: stage.hold(namespace, name, moment))

    def release(self, namespace: str, name: str, moment: str) -> None:
        self._ask(lambda stage: stage.release(namespace, name, moment))

    def held(self, namespace: str, name: str) -> str:
        """The moment this Application waits at, "" when it does not."""
        return self._ask(lambda stage: getattr(stage.player(namespace, name), "held", ""))

    @property
    def failed(self) -> bool:
        """Whether `stop` will raise."""
        return self._error is not None or bool(self._stage and self._stage.failures)

    def idle(self, namespace: str, name: str) -> bool:
        """Whether nothing is being played or due for this Application."""
        return self._ask(lambda stage: (player := stage.player(namespace, name)) is not None and player.idle)

    def _ask(self, question: Callable[[Stage], Answer]) -> Answer:
        assert self._loop is not None, "not started"
        stage = self._stage
        assert stage is not None

        async def answer() -> Answer:
            return question(stage)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(_STOP_S)

    def _main(self) -> None:
        try:
            asyncio.run(self._play())
        except BaseException as error:  # noqa: BLE001 - it is raised again by stop()
            self._error = error
        finally:
            self._ready.set()

    async def _play(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with Applications(self._cluster, namespace=self._namespace) as applications:
            self._stage = self._new_stage(applications)
            listed = asyncio.Event()
            running = asyncio.create_task(self._stage.run(listed))
            waits: list[asyncio.Task[Any]] = [
                asyncio.create_task(self._ready_when(listed)),
                asyncio.create_task(self._ending.wait()),
            ]
            await asyncio.wait([running, waits[1]], return_when=asyncio.FIRST_COMPLETED)
            for task in (running, *waits):
                task.cancel()
            results = await asyncio.gather(running, *waits, return_exceptions=True)
            if isinstance(results[0], Exception):
                raise results[0]

    async def _ready_when(self, listed: asyncio.Event) -> None:
        await listed.wait()
        self._ready.set()
