"""A whole operator in virtual time: an engine, the cluster and the registry it knows, and a clock that jumps."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application
from bundlewatch.engine.applications import LiveApplications
from bundlewatch.engine.engine import Engine
from bundlewatch.engine.keychain import Keychain
from bundlewatch.engine.listing import Listings
from bundlewatch.engine.passes import Passes
from bundlewatch.engine.policies import Policies
from bundlewatch.engine.reconcile import World
from bundlewatch.engine.table import Name, Table, Unreadable, read_watch
from unit.engine.world import NAMESPACE, NOW, ApiServer, Registry


@dataclass(slots=True)
class Setting:
    """A cluster in which shop runs 1.0.0, a registry that has it, and an engine that is not running yet."""

    server: ApiServer = field(default_factory=ApiServer)
    registry: Registry = field(default_factory=Registry)
    table: Table = field(default_factory=Table)
    started: float = 0.0
    restarts: int = 0
    """How often the watch was asked to start over."""

    def __post_init__(self) -> None:
        self.registry.publish("1.0.0")
        self.started = self.clock()

    @staticmethod
    def clock() -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.clock() - self.started)

    def build(self) -> Engine:
        keychain = Keychain(cluster=self.server)
        listings = Listings(registry=self.registry, keychain=keychain, clock=self.clock, timeout_s=300.0)

        def seen(application: Application) -> None:
            engine.application_seen(application)

        def gone(name: Name, uid: str) -> None:
            engine.application_gone(name, uid=uid)

        def heard(watch: BundleWatch | Unreadable) -> None:
            engine.watch_seen(watch)

        applications = LiveApplications(cluster=self.server, table=self.table, seen=seen, gone=gone, heard=heard)
        engine = Engine(
            cluster=self.server,
            listings=listings,
            table=self.table,
            passes=Passes(
                cluster=self.server,
                table=self.table,
                world=World(
                    applications=applications,
                    bundles=listings,
                    argocd=self.server,
                    upstreams=self.table,
                ),
                policies=Policies(),
                read=read_watch,
                now=self.now,
                instance="test",
            ),
            namespaces=(NAMESPACE,),
            clock=self.clock,
            restart_watch=self._restart,
        )
        return engine

    def _restart(self) -> None:
        self.restarts += 1

    @asynccontextmanager
    async def running(self, *, told: bool = True) -> AsyncIterator[Engine]:
        """`told`: the watch has told of everything there is, and tells of every change."""
        engine = self.build()
        if told:
            self.server.watcher = engine.tell
            self.server.tell_everything()
        running = asyncio.create_task(engine.run())
        await asyncio.sleep(0.5)
        try:
            yield engine
            assert not running.done(), "the engine ended by itself"
        finally:
            running.cancel()
            await engine.close(grace_s=1)
            await asyncio.gather(running, return_exceptions=True)

    @property
    def listings(self) -> int:
        return len(self.registry.listed)


def shop(**spec: Any) -> Setting:
    setting = Setting()
    setting.server.create_application()
    setting.server.create_watch(**spec)
    return setting


async def until(reached: Callable[[], bool], *, within_s: float) -> None:
    """Let virtual time pass until something is so."""
    end = asyncio.get_running_loop().time() + within_s
    while not reached():
        assert asyncio.get_running_loop().time() < end, "it did not come to be in time"
        await asyncio.sleep(0.25)
