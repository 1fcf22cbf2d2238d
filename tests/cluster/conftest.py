"""What tests on the real API server share: one operator a module, and a scene a test."""

from collections.abc import Iterator

import pytest

from kit.cluster import Cluster
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.scene import Scene


@pytest.fixture(scope="module")
def shared_operator(cluster: Cluster) -> Iterator[OperatorProcess]:
    """An operator for the whole cluster while the module's tests run; each test keeps to its own namespace."""
    with OperatorProcess(kubeconfig=cluster.kubeconfig) as process:
        process.start()
        yield process
        print(process.output)


@pytest.fixture
def stage(cluster: Cluster, registry: Registry, namespace: str) -> Scene:
    """A scene without an operator: the test starts its own."""
    return Scene(cluster=cluster, registry=registry, namespace=namespace)


@pytest.fixture
def scene(stage: Scene, shared_operator: OperatorProcess) -> Scene:
    """A scene that the module's operator serves."""
    shared_operator.wait_ready()
    return stage
