"""What the engine asks of the Kubernetes API; `cluster.client.KubernetesClient` is one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bundlewatch.cluster.client import Resource

Json = Mapping[str, Any]


class Cluster(Protocol):
    """Errors: ObjectGone, ObjectChanged, SecretNotFound, ServiceAccountNotFound, ClusterUnavailable.

    A call that the account may not make is `cluster.client.Forbidden`, which is a ClusterUnavailable.
    """

    async def uids(self, resource: Resource, *, namespaces: Sequence[str]) -> frozenset[str]: ...

    async def read_secret(self, namespace: str, name: str) -> Json: ...

    async def read_service_account(self, namespace: str, name: str) -> Json: ...

    async def argocd_secrets(self, namespace: str, *, labels: str) -> Sequence[Json]: ...

    async def read_watch(self, namespace: str, name: str) -> Json: ...

    async def read_application(self, namespace: str, name: str) -> Json: ...

    async def patch_application(self, namespace: str, name: str, operations: Sequence[Json]) -> Json: ...

    async def patch_watch_status(
        self, namespace: str, name: str, *, uid: str, status: Json, version: str | None = None
    ) -> Json: ...

    async def create_event(self, namespace: str, event: Json) -> None: ...

    async def read_application_set(self, namespace: str, name: str) -> Json: ...

    async def read_app_project(self, namespace: str, name: str) -> Json: ...
