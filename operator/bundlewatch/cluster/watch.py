"""What happens to objects in the cluster, as a stream of typed values; the only importer of kopf.

kopf is used as a watch engine and for nothing else: two `on.event` handlers, no finalizer, no annotation, no
timer, no index, so watching writes nothing. It runs in a thread and an event loop of its own, because at its
end kopf cancels every task that was started in its loop after it, ours among them; and because a busy engine
must not make it miss bookmarks. Handlers only parse; values cross to the engine's loop in the order they came.

kopf ends on some errors (an unknown ERROR event, a login that expired twice, a kind that is not served any
more); then it is started again here. It looks once, when it starts, for the kinds it is to watch, and is deaf for
ever to one that is not served at that moment: each start waits until all are. What it cannot see is an object
that was deleted while the watch was broken: `Relisted` tells the engine to sweep for those.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import kopf

from bundlewatch.cluster.client import Login, Resource
from bundlewatch.errors import BundleWatchError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_RESTART_MIN_S = 1.0
_RESTART_MAX_S = 30.0
_STOP_S = 2.0
_SERVED_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """An object as it is now. `listed`: it came from a list, not from a change."""

    resource: Resource
    object: T
    listed: bool


@dataclass(frozen=True, slots=True)
class Gone(Generic[T]):
    """An object as it was when it was deleted."""

    resource: Resource
    object: T


@dataclass(frozen=True, slots=True)
class Relisted:
    """The watch started over: objects deleted meanwhile were not reported."""


Event = Seen[Any] | Gone[Any] | Relisted
Parser = Callable[[Mapping[str, Any]], Any]


class ClusterWatch:
    """Watches some kinds of objects and hands each change to `sink`, in the loop that runs `run`."""

    def __init__(
        self,
        *,
        parsers: Mapping[Resource, Parser],
        sink: Callable[[Event], None],
        login: Callable[[], Awaitable[Login]],
        serves: Callable[[Resource], Awaitable[bool]],
        namespaces: Sequence[str] = (),
    ) -> None:
        """`serves`: whether the API server knows a kind; it may raise a BundleWatchError."""
        self._parsers = parsers
        self._sink = sink
        self._login = login
        self._serves = serves
        self._namespaces = list(namespaces)
        self._session: _Session | None = None

    async def run(self) -> None:
        """Watch until cancelled; a watch that ends by itself is started again, later and later."""
        pause_s = _RESTART_MIN_S
        await self._until_served()
        while True:
            started = asyncio.get_running_loop().time()
            self._session = _Session(self, loop=asyncio.get_running_loop())
            try:
                await self._session.run()
            finally:
                self._session = None
            if asyncio.get_running_loop().time() - started > _RESTART_MAX_S:
                pause_s = _RESTART_MIN_S
            logger.warning("the watch of the cluster ended; it starts again in %.0f s", pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RESTART_MAX_S)
            await self._until_served()
            self._sink(Relisted())

    def restart(self) -> None:
        """Have the watch start over and tell of everything again; from any thread."""
        session = self._session
        if session is not None:  # else the next one is about to begin anyway
            session.stop()

    async def _until_served(self) -> None:
        told: list[Resource] = []
        while True:
            try:
                missing = [resource for resource in self._parsers if not await self._serves(resource)]
            except BundleWatchError as error:
                logger.warning("%s", error)
            else:
                if not missing:
                    return
                if missing != told:
                    told = missing
                    logger.warning(
                        "the API server does not serve %s: install BundleWatch's CRD from crds/, and Argo CD; waiting",
                        ", ".join(f"{resource.plural}.{resource.group}" for resource in missing),
                    )
            await asyncio.sleep(_SERVED_EVERY_S)


class _Session:
    """One run of kopf in its own thread."""

    def __init__(self, watch: ClusterWatch, *, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = watch
        self._loop = loop
        self._ended: Future[None] = Future()
        self._stopping = False
        self._wake: Callable[[], object] = lambda: None

    async def run(self) -> None:
        # A daemon: if kopf does not end in time, it must not keep the process.
        threading.Thread(target=self._thread, name="cluster-watch", daemon=True).start()
        ended = asyncio.wrap_future(self._ended)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait({ended}, timeout=_STOP_S)
            raise

    def stop(self) -> None:
        """Have it end soon; from any thread."""
        self._stopping = True
        self._wake()

    def _thread(self) -> None:
        try:
            asyncio.run(self._operate())
        except Exception:
            logger.exception("the watch of the cluster failed")
        finally:
            self._ended.set_result(None)

    async def _operate(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
                loop.call_soon_threadsafe(stop.set)

        self._wake = wake
        if self._stopping:  # asked before there was anything to wake
            stop.set()
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=not self._watch._namespaces,  # noqa: SLF001 - one class in two halves
            namespaces=self._watch._namespaces,  # noqa: SLF001
            stop_flag=stop,
        )

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.ConnectionInfo:
            found = await asyncio.wrap_future(
                asyncio.run_coroutine_threadsafe(_coroutine(self._watch._login), self._loop)  # noqa: SLF001
            )
            return kopf.ConnectionInfo(
                server=found.server,
                ca_path=found.ca_path,
                ca_data=found.ca_data if found.ca_path is None else None,
                insecure=None if found.verify else True,
                scheme="Bearer" if found.token else None,
                token=found.token,
                certificate_path=found.certificate_path,
                private_key_path=found.private_key_path,
                trust_env=False,  # as in the client: proxies are for registries
            )

        for resource, parser in self._watch._parsers.items():  # noqa: SLF001
            self._register(registry, resource, parser)
        return registry

    def _register(self, registry: kopf.OperatorRegistry, resource: Resource, parser: Parser) -> None:
        @kopf.on.event(resource.group, resource.version, resource.plural, registry=registry, id=resource.plural)
        async def seen(event: kopf.RawEvent, **_: object) -> None:
            parsed = parser(event["object"])
            kind = event["type"]
            self._tell(Gone(resource, parsed) if kind == "DELETED" else Seen(resource, parsed, listed=kind is None))

    def _tell(self, event: Event) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._watch._sink, event)  # noqa: SLF001


async def _coroutine(call: Callable[[], Awaitable[Login]]) -> Login:
    return await call()


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False  # our Events are written by us, on transitions only
    settings.scanning.disabled = True  # no list of CRDs and namespaces: least privilege
    settings.peering.standalone = True
    settings.watching.chunk_size = 500  # caps the spike of a list on both sides
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.reconnect_backoff = 1
    settings.networking.request_timeout = 30
    # Endless: with a finite list an outage longer than its sum ends the operator.
    settings.networking.error_backoffs = Backoffs()
    # Workers of idle objects must not pile up: 5 s, the default, costs three times the memory at 10,000 objects.
    settings.queueing.idle_timeout = 0.05
    return settings


class Backoffs:
    """1, 2, 4 … 30 s, for ever, each ±20 %, so that many operators do not come back as one."""

    def __iter__(self) -> Iterator[float]:
        for attempt in itertools.count():
            yield min(2.0 ** min(attempt, 5), 30.0) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret
