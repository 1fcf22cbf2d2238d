"""The kinds that are watched may go and come back while the operator runs; it finds its way back to them."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundlewatch.argocd.application import parse as parse_application
from bundlewatch.cluster.client import APPLICATIONS, KubernetesClient
from bundlewatch.cluster.watch import ClusterWatch, Event, Relisted, Seen
from kit import argocd
from kit.cluster import Cluster
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.scene import Scene

ROOT = Path(__file__).parents[2]
DEFINITIONS = (ROOT / "crds/bundlewatch.dev_bundlewatches.yaml", argocd.DEFINITIONS)

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """Definitions come and go here: nobody else's business."""
    with Cluster.start() as started:
        yield started


@pytest.fixture
def own(own_cluster: Cluster, registry: Registry) -> Scene:
    own_cluster.apply_definitions(*DEFINITIONS)
    return Scene(cluster=own_cluster, registry=registry, namespace=own_cluster.namespace())


@pytest.fixture
def operator(own: Scene) -> Iterator[OperatorProcess]:
    with OperatorProcess(kubeconfig=own.cluster.kubeconfig, arguments=(f"--namespace={own.namespace}",)) as process:
        yield process.start()
        print(process.output)


@pytest.mark.parametrize("definition", ["bundlewatches.bundlewatch.dev", "applications.argoproj.io"])
def test_a_definition_that_is_deleted_and_installed_again_is_served_again(
    own: Scene, operator: OperatorProcess, definition: str
) -> None:
    own.publish("1.0.1")
    own.create_application("before", "1.0.0")
    own.create_watch("before")
    own.until_revision("1.0.1", "before")

    own.cluster.kubectl("delete", "crd", definition)
    operator.wait_logged("the watch of the cluster ended", timeout_s=60)
    time.sleep(3)  # a watch that starts again meanwhile must not settle for what is there now
    own.cluster.apply_definitions(*DEFINITIONS)
    own.create_application("after", "1.0.0")
    own.create_watch("after")

    own.until_revision("1.0.1", "after", timeout_s=40)


async def test_a_restarted_watch_tells_of_everything_again(stage: Scene) -> None:
    stage.create_application()
    told: asyncio.Queue[Event] = asyncio.Queue()
    async with (
        KubernetesClient.connect(kubeconfig=str(stage.cluster.kubeconfig), context=None, timeout_s=10) as client,
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
    ):
        watch = ClusterWatch(
            parsers={APPLICATIONS: parse_application},
            sink=told.put_nowait,
            login=client.login,
            serves=client.serves,
            namespaces=[stage.namespace],
        )
        running = group.create_task(watch.run())
        first = await told.get()

        watch.restart()

        assert await told.get() == Relisted()
        assert await told.get() == first
        assert isinstance(first, Seen)
        assert first.listed
        running.cancel()
