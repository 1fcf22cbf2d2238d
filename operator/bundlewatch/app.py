"""The composition root: builds the parts, runs them, and ends them in the order in which they need each other.

On SIGTERM or SIGINT: take no more work, stop watching, end the listings, let writes under way finish, close
the connections. What has not ended by a deadline is left behind; a second signal ends at once.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from bundlewatch import __version__
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application
from bundlewatch.argocd.application import parse as parse_application
from bundlewatch.cluster.client import APPLICATIONS, BUNDLE_WATCHES, KubernetesClient
from bundlewatch.cluster.watch import ClusterWatch, Event
from bundlewatch.engine.applications import LiveApplications
from bundlewatch.engine.engine import Engine
from bundlewatch.engine.keychain import DockerConfigFile, HasIdentities, Keychain
from bundlewatch.engine.listing import Listings, ReadsRegistries
from bundlewatch.engine.passes import Passes
from bundlewatch.engine.policies import Policies
from bundlewatch.engine.reconcile import World
from bundlewatch.engine.table import Name, Table, Unreadable, read_watch
from bundlewatch.observe import probes
from bundlewatch.registry.client import HostLimits, ListingLimits, RegistryClient, Timeouts
from bundlewatch.registry.hosts import Host
from bundlewatch.registry.mirrors import MirroredRegistry
from bundlewatch.registry.providers.identities import Identities
from bundlewatch.settings import Settings

logger = logging.getLogger(__name__)

_CLOSE_S = 1.0  # beyond what writes under way are given; 4 s in all, and Kubernetes kills after 30 s


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, asyncio's own elsewhere; None stands for the latter."""
    try:
        import uvloop  # noqa: PLC0415 - an extra: absent in most installations
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(settings: Settings) -> None:
    """Run the operator until a signal ends it. Raises a BundleWatchError when it cannot go on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_leave, stop, number, settings.shutdown_s + _CLOSE_S)
    logger.info("bundlewatch %s starts", __version__)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(
            KubernetesClient.connect(
                kubeconfig=settings.kubeconfig,
                context=settings.context,
                timeout_s=settings.kubernetes_timeout_s,
            )
        )
        await _serve(settings, cluster=cluster, stack=stack, stop=stop)
    logger.info("bundlewatch ended")


async def _serve(settings: Settings, *, cluster: KubernetesClient, stack: AsyncExitStack, stop: asyncio.Event) -> None:
    registry = build_registry(settings)
    stack.push_async_callback(registry.aclose)
    identities = Identities(
        environ=os.environ, clock=time.monotonic, cloud_hosts=settings.cloud_hosts, proxies=settings.proxies
    )
    stack.push_async_callback(identities.aclose)

    def tell(event: Event) -> None:
        engine.tell(event)

    watch = ClusterWatch(
        parsers={BUNDLE_WATCHES: read_watch, APPLICATIONS: parse_application},
        sink=tell,
        login=cluster.login,
        serves=cluster.serves,
        namespaces=settings.namespaces,
    )
    engine = build_engine(
        settings, cluster=cluster, registry=registry, identities=identities, restart_watch=watch.restart
    )
    await stack.enter_async_context(
        probes.serve(host=settings.probe_host, port=settings.probe_port, healthy=engine.healthy, ready=engine.ready)
    )
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.run(), name="watch")
        working = group.create_task(engine.run(), name="engine")
        await stop.wait()
        logger.info("ending")
        working.cancel()
        watching.cancel()  # it takes its time, the same time as the writes
        await engine.close(grace_s=settings.shutdown_s)


def build_registry(settings: Settings) -> MirroredRegistry:
    """The registry client, with the mirrors in front of it."""
    client = RegistryClient(
        timeouts=Timeouts(read_s=settings.registry_timeout_s, call_s=settings.registry_timeout_s),
        listing_limits=ListingLimits(wire_s=settings.listing_timeout_s),
        host_limits=_limits(settings, None),
        limits_by_host={name: _limits(settings, host) for name, host in settings.registry_hosts.items()},
        proxies=settings.proxies,
    )
    return MirroredRegistry(
        client,
        mirrors={name: host.mirrors for name, host in settings.registry_hosts.items()},
        budget_s=settings.listing_timeout_s / 2,
    )


def _limits(settings: Settings, host: Host | None) -> HostLimits:
    rate = (host.rate if host is not None else None) or settings.registry_rate
    return HostLimits(
        concurrency=(host.concurrency if host is not None else None) or settings.registry_concurrency,
        rate_per_s=rate,
        burst=max(1, round(2 * rate)),
    )


def build_engine(
    settings: Settings,
    *,
    cluster: KubernetesClient,
    registry: ReadsRegistries,
    identities: HasIdentities,
    restart_watch: Callable[[], None],
) -> Engine:
    """The engine and its parts, not yet running."""
    table = Table()
    default = settings.registry_docker_config
    keychain = Keychain(
        cluster=cluster, identities=identities, default=DockerConfigFile(Path(default)) if default else None
    )
    listings = Listings(
        registry=registry, keychain=keychain, clock=time.monotonic, timeout_s=settings.listing_timeout_s
    )
    policies = Policies()

    def seen(application: Application) -> None:
        engine.application_seen(application)

    def gone(name: Name, uid: str) -> None:
        engine.application_gone(name, uid=uid)

    def heard(watch: BundleWatch | Unreadable) -> None:
        engine.watch_seen(watch)

    applications = LiveApplications(cluster=cluster, table=table, seen=seen, gone=gone, heard=heard)
    passes = Passes(
        cluster=cluster,
        table=table,
        world=World(
            applications=applications,
            bundles=listings,
            argocd=cluster,
            upstreams=table,
            annotate=settings.annotate,
        ),
        policies=policies,
        read=read_watch,
        now=lambda: datetime.now(UTC),
        instance=os.environ.get("POD_NAME") or socket.gethostname(),
    )
    engine = Engine(
        cluster=cluster,
        listings=listings,
        table=table,
        passes=passes,
        namespaces=settings.namespaces,
        clock=time.monotonic,
        restart_watch=restart_watch,
    )
    return engine


def _stop_or_leave(stop: asyncio.Event, number: int, within_s: float) -> None:
    if stop.is_set():
        os._exit(128 + number)
    stop.set()
    # In a thread: a look-up that hangs may hold up the interpreter's own end, when there is no loop any more.
    deadline = threading.Timer(within_s, _leave)
    deadline.daemon = True
    deadline.start()


def _leave() -> None:
    logger.warning("not everything ended in time; leaving all the same")
    os._exit(0)
