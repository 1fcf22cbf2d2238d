"""One Application's controller: notices what others did to it and plays the scene that answers.

Which scene that is, is a test's script or else the default of `kit.argocd_defaults`. A change in the middle of a
scene is treated as the traces show it: an operation under way is finished for the sources it was started with
(07d, 10, 10b, 23), everything else gives way to the new sources.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from kit import argocd_defaults as defaults
from kit.argocd_cues import Cue, Cues
from kit.argocd_render import Cast, Resolve, Times
from kit.argocd_scenes import Scene, after_opening, cut, scene, without_resyncs
from kit.argocd_shape import CASCADE, at, sources_of
from kit.argocd_traces import CONTROLLER, Beat, JsonObject, Trace, Write, load

Patch = Callable[[JsonObject, str], Awaitable[JsonObject | None]]

_NOT_WHILE_FINISHING = ("sync", "health", "conditions")


@dataclass(slots=True)
class Script:
    """What a test wants of one Application; `versions` names a scenario by target revision, "" for any."""

    versions: dict[str, str] = field(default_factory=dict)
    hold: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How every scene is played; `speed` multiplies the recorded pauses, 0 leaves them out."""

    speed: float
    fast: bool
    resolve: Resolve
    times: Callable[[], Times]


class _GoneError(Exception):
    """The Application does not exist any more."""


class Player:
    """`observe` every version of the Application; `perform` to begin a scenario without a cue."""

    def __init__(
        self,
        *,
        patch: Patch,
        manner: Manner,
        script: Callable[[Mapping[str, Any]], Script],
        failed: Callable[[Exception], None],
    ) -> None:
        self._patch = patch
        self._failed = failed
        self._manner = manner
        self._script = script
        self._cues = Cues()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._running = False  # an operation is under way
        self._pending = False  # sources were compared while it was, and are still to be synced
        self._opening: Scene | None = None
        self._scenes: tuple[Scene, ...] = ()  # of the script under way: what is still to come
        self._cast: Cast | None = None
        self.held = ""  # the label of the beat this waits at

    @property
    def application(self) -> JsonObject:
        return self._cues.application

    @property
    def idle(self) -> bool:
        return self._task is None

    def observe(self, application: JsonObject) -> None:
        """A version of the Application, from the watch or from the answer to an own write, in any order."""
        if self._cues.observe(application):
            self.wake()

    def wake(self) -> None:
        """Look whether something is due, also after the script changed."""
        self._changed.set()
        if self._task is None and (self._opening or self._due()):
            self._task = asyncio.create_task(self._run())

    def perform(self, trace: Trace) -> None:
        """Begin this scenario now, with what happened in it before anybody did anything."""
        scenes = cut(trace)
        self._enter(trace)
        if scenes[0].cue is Cue.START:
            self._opening, scenes = scenes[0], scenes[1:]
        self._scenes = scenes
        self.wake()

    async def stop(self) -> None:
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        try:
            if self._opening is not None:
                opening, self._opening = self._opening, None
                assert self._cast is not None
                await self._play(opening, self._cast)
            while (cue := self._due()) is not None:
                await self._answer(cue)
        except _GoneError:
            pass
        except Exception as error:  # noqa: BLE001 - the stage keeps it, and stop() raises it
            self._failed(error)
        finally:
            self._task = None  # before anything else can run: what comes next must start a new one

    def _due(self) -> Cue | None:
        awaited = bool(self._scenes) and self._scenes[0].cue is Cue.ANNOTATE
        return self._cues.due(annotations=awaited) if self.application else None

    # Which scene answers

    async def _answer(self, cue: Cue) -> None:
        before = sources_of(at(self.application, "status", "sync", "comparedTo"))
        found = self._scripted(cue)
        self._cues.acknowledge(cue)
        if found is not None:
            if cue is Cue.RESUME:
                self._cues.acknowledge(Cue.SOURCES)
            assert self._cast is not None
            await self._play_bound(found, self._cast, before)
        elif cue in (Cue.SOURCES, Cue.CREATE) and self._running:
            await self._compare()
        elif cue is Cue.TERMINATE:
            await self._terminate()
        elif cue is not Cue.OPERATION or not self._running:
            await self._default(cue, before)

    def _scripted(self, cue: Cue) -> Scene | None:
        """The scene a test asked for: by this very version, as the next of a script under way, or for any."""
        script = self._script(self.application)
        versions = [str(source.get("targetRevision")) for source in sources_of(self.application["spec"])]
        changed = cue in (Cue.SOURCES, Cue.CREATE)
        exact = [script.versions[version] for version in versions if version in script.versions]
        if changed and exact:
            return self._begin(load(exact[0]), cue)
        for index, following in enumerate(self._scenes):
            if following.cue is cue and (cue is not Cue.SOURCES or self._continues(following)):
                self._scenes = self._scenes[index + 1 :]
                return following
        if changed and "" in script.versions:
            return self._begin(load(script.versions[""]), cue)
        return None

    def _continues(self, following: Scene) -> bool:
        """Whether the new sources are what the script has next: the same old ones, or new where it has new."""
        assert following.given is not None
        assert self._cast is not None
        live = sources_of(self.application["spec"])
        meant = self._cast.meaning(sources_of(following.given.after["spec"]))
        return meant == live if meant else not self._cast.knows(live)

    def _begin(self, trace: Trace, cue: Cue) -> Scene | None:
        scenes = cut(trace)
        index = next((index for index, found in enumerate(scenes) if found.cue is cue), None)
        if index is None:
            return None
        self._enter(trace)
        self._scenes = scenes[index + 1 :]
        opened = index > 0 and scenes[0].cue is Cue.START
        return after_opening(scenes[0], scenes[index]) if opened else scenes[index]

    def _enter(self, trace: Trace) -> None:
        self._cast = self._new_cast(trace)
        if trace.initial is not None:
            compared = sources_of(at(self.application, "status", "sync", "comparedTo"))
            self._cast.bind(sources_of(trace.initial.after["spec"]), compared)

    def _new_cast(self, trace: Trace) -> Cast:
        times, resolve = self._manner.times(), self._manner.resolve
        return Cast(trace, application=self.application, times=times, resolve=resolve)

    async def _default(self, cue: Cue, before: Sequence[JsonObject]) -> None:
        if cue in (Cue.SOURCES, Cue.CREATE):
            self._scenes = ()
            if self._manner.fast:
                await self._hurry()
                return
        if (chosen := defaults.choose(cue, self.application)) is not None:
            await self._play_bound(chosen.scene, self._new_cast(load(chosen.scenario)), before)

    # Playing it

    async def _play_bound(self, found: Scene, cast: Cast, before: Sequence[JsonObject]) -> None:
        """With the sources of the recorded cue meaning those of now, and the ones before those before."""
        assert found.given is not None
        recorded = sources_of(found.given.before.get("spec"))
        if cast.meaning(recorded) is None:
            cast.bind(recorded, before)
        cast.bind(sources_of(found.given.after["spec"]), sources_of(self.application["spec"]))
        await self._play(found, cast)

    async def _play(self, found: Scene, cast: Cast) -> None:
        now_ms = found.at_ms
        finishing = False  # only the operation under way is still played
        for step in found.steps:
            await self._until(step, after_ms=now_ms)
            now_ms = step.at_ms
            while (cue := self._cues.due()) is not None:
                if not await self._taken_along(cue):
                    return
                finishing = finishing or cue is Cue.SOURCES
            if isinstance(step, Write):
                await self._write(step, cast, without=_NOT_WHILE_FINISHING if finishing else ())
                if finishing and not self._running:
                    return

    async def _until(self, step: Beat | Write, *, after_ms: int) -> None:
        """Waits as long as was recorded, and where a test holds; something new that is due ends either."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (step.at_ms - after_ms) / 1000 * self._manner.speed
        label = step.label if isinstance(step, Beat) else ""
        while self._cues.due() is None:
            self._changed.clear()
            left_s = deadline - loop.time()
            if left_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), left_s)
            elif label in self._script(self.application).hold:
                self.held = label
                await self._changed.wait()
            else:
                break
        self.held = ""

    async def _taken_along(self, cue: Cue) -> bool:
        """Answers what comes in the middle of a scene; False when the scene must give way to it."""
        if cue not in (Cue.REFRESH, Cue.SKIP) and not (self._running and cue in (Cue.OPERATION, Cue.SOURCES)):
            return False
        self._cues.acknowledge(cue)
        if cue is Cue.REFRESH and (chosen := defaults.choose(cue, self.application)) is not None:
            await self._write(chosen.scene.writes[0], self._new_cast(load(chosen.scenario)))
        elif cue is Cue.SOURCES:
            await self._compare()
        elif cue is Cue.SKIP:
            while self._cues.due() is not Cue.RESUME:
                self._changed.clear()
                await self._changed.wait()
            self._cues.acknowledge(Cue.RESUME)
        return True  # an operation in addition is never looked at, and erased when the one under way ends (10)

    async def _compare(self) -> None:
        """New sources while an operation runs: they are compared, and synced when it is over (07d, 10, 23)."""
        self._pending = True
        second = scene("23", Cue.SOURCES, number=1)
        assert second.given is not None
        cast = self._new_cast(load("23"))
        cast.bind(sources_of(second.given.after["spec"]), sources_of(self.application["spec"]))
        await self._write(second.writes[0], cast)

    async def _terminate(self) -> None:
        """What was compared while the operation ran is synced once it is over (07f)."""
        ended = without_resyncs(scene("07f", Cue.TERMINATE))
        pinned = sources_of(at(self.application, "status", "operationState", "operation", "sync"))
        assert ended.given is not None
        cast = self._new_cast(load("07f"))
        cast.bind(sources_of(ended.given.after["spec"]), sources_of(self.application["spec"]))
        await self._write(ended.writes[0], cast)
        if pinned not in ((), sources_of(self.application["spec"])) and self._cues.due() is None:
            await self._play(replace(ended, steps=ended.steps[1:]), cast)

    async def _hurry(self) -> None:
        times, resolve = self._manner.times(), self._manner.resolve
        for write in defaults.hurried(self.application, times, resolve):
            await self._send(write(self.application), CONTROLLER)

    async def _write(self, write: Write, cast: Cast, *, without: Sequence[str] = ()) -> None:
        if write.event == "DELETED":
            finalizers = at(self.application, "metadata", "finalizers") or ()
            kept = [name for name in finalizers if not name.startswith(CASCADE)]
            await self._send({"metadata": {"finalizers": kept or None}}, write.manager)
            return
        patch = cast.render(write, application=self.application)
        for key in without:
            patch.get("status", {}).pop(key, None)
        await self._send(patch, write.manager)

    async def _send(self, patch: JsonObject, manager: str) -> None:
        application = await self._patch(patch, manager)
        if application is None:
            raise _GoneError
        self._cues.observe(application)
        if "spec" in patch:
            self._cues.own(Cue.SOURCES, application)
        if patch.get("operation"):
            self._cues.own(Cue.OPERATION, application)
        if at(patch, "status", "operationState", "phase") == "Running" or patch.get("operation"):
            self._running = True
        elif at(patch, "status", "operationState", "phase") and "operation" in patch:
            self._running = False
            if self._pending:
                self._pending = False
                self._cues.reopen(Cue.SOURCES)
