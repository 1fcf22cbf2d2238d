"""All Applications of a cluster, or of one namespace, each with its player: one list and watch for all.

Runs in an event loop; `kit.argocd.Standin` gives it a thread. A lost watch, a 410 and an API server that restarts
end in a new list, from which every player sees what it missed.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from kit.argocd_api import Applications, WatchExpiredError
from kit.argocd_player import Manner, Patch, Player, Script
from kit.argocd_render import Clock, Resolve, Times, resolve
from kit.argocd_shape import SKIP, at
from kit.argocd_traces import CONTROLLER, JsonObject, load

SCENARIO = "standin.bundlewatch.test/scenario"

Key = tuple[str, str]

_AGAIN_S = 0.1
_ANY = "*"


class Stage:
    """`run` until cancelled; the other methods belong to the same event loop."""

    def __init__(
        self,
        applications: Applications,
        *,
        speed: float = 1.0,
        fast: bool = False,
        resync_s: float | None = None,
        resolve: Resolve = resolve,
        times: Callable[[], Times] = Clock,
    ) -> None:
        self._applications = applications
        self._manner = Manner(speed=speed, fast=fast, resolve=resolve, times=times)
        self._resync_s = resync_s
        self._players: dict[Key, Player] = {}
        self._scripts: dict[Key, Script] = {}
        self.failures: list[Exception] = []

    def script(self, namespace: str, name: str, scenario: str, *, version: str = "") -> None:
        """From now on this scenario answers when the Application is set to `version`, or to any."""
        self._script(namespace, name).versions[version] = load(scenario).name
        self._wake(namespace, name)

    def perform(self, namespace: str, name: str, scenario: str) -> None:
        """Begin the scenario now; the Application must exist."""
        self._players[namespace, name].perform(load(scenario))

    def hold(self, namespace: str, name: str, label: str) -> None:
        self._script(namespace, name).hold.add(label)

    def release(self, namespace: str, name: str, label: str) -> None:
        self._script(namespace, name).hold.discard(label)
        self._wake(namespace, name)

    def player(self, namespace: str, name: str) -> Player | None:
        return self._players.get((namespace, name))

    async def run(self, listed: asyncio.Event) -> None:
        """Follows the Applications until cancelled; `listed` is set once all of them are known."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow(listed))
                if self._resync_s is not None:
                    tasks.create_task(self._resync(self._resync_s))
        finally:
            for player in self._players.values():
                await player.stop()

    async def _follow(self, listed: asyncio.Event) -> None:
        while True:
            items, version = await self._applications.list()
            known = {self._observe(item) for item in items}
            for key in set(self._players) - known:
                await self._forget(key)
            listed.set()
            with contextlib.suppress(WatchExpiredError, aiohttp.ClientError, TimeoutError):
                while True:
                    async with contextlib.aclosing(self._applications.watch(version)) as events:
                        async for kind, item in events:
                            version = item["metadata"]["resourceVersion"]
                            if kind == "DELETED":
                                await self._forget((item["metadata"]["namespace"], item["metadata"]["name"]))
                            elif kind != "BOOKMARK":
                                self._observe(item)
            await asyncio.sleep(_AGAIN_S)

    def _observe(self, application: JsonObject) -> Key:
        key = (application["metadata"]["namespace"], application["metadata"]["name"])
        player = self._players.get(key)
        if player is None or player.application["metadata"]["uid"] != application["metadata"]["uid"]:
            player = Player(
                patch=self._patch(*key), manner=self._manner, script=self._script_of, failed=self.failures.append
            )
            self._players[key] = player
        player.observe(application)
        return key

    async def _forget(self, key: Key) -> None:
        player = self._players.pop(key, None)
        if player is not None:
            await player.stop()

    def _patch(self, namespace: str, name: str) -> Patch:
        async def send(patch: JsonObject, manager: str) -> JsonObject | None:
            return await self._applications.patch(namespace, name, patch, manager=manager)

        return send

    def _script(self, namespace: str, name: str) -> Script:
        return self._scripts.setdefault((namespace, name), Script())

    def _script_of(self, application: Mapping[str, Any]) -> Script:
        """What tests said of this Application, of all in its namespace, and what its annotation says."""
        namespace, name = application["metadata"]["namespace"], application["metadata"]["name"]
        noted = at(application, "metadata", "annotations", SCENARIO)
        found = Script()
        for script in (self._scripts.get((namespace, _ANY)), self._scripts.get((namespace, name))):
            if script is not None:
                found.versions |= script.versions
                found.hold |= script.hold
        if noted:
            found.versions |= read_annotation(noted)
        return found

    def _wake(self, namespace: str, name: str) -> None:
        for (space, other), player in self._players.items():
            if space == namespace and name in (other, _ANY):
                player.wake()

    async def _resync(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            for (namespace, name), player in list(self._players.items()):
                compared = at(player.application, "status", "sync", "status")
                skipped = at(player.application, "metadata", "annotations", SKIP) == "true"
                if player.idle and compared and not skipped:
                    patch = {"status": {"reconciledAt": self._manner.times().live("now")}}
                    await self._applications.patch(namespace, name, patch, manager=CONTROLLER)


def read_annotation(text: str) -> dict[str, str]:
    """`03` for every version, `1.0.2=03,1.0.3=05-missing-tag` for some of them; scenarios by name or number."""
    scenarios = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        version, equals, scenario = item.rpartition("=")
        scenarios[version.strip() if equals else ""] = load(scenario.strip()).name
    return scenarios
