"""A whole scene for one test: a namespace, a repository of its own, an operator, and what a user sees of them.

It only joins the other parts of the kit and reads objects the way `kubectl` does; it knows nothing of how the
operator works.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kit.cluster import Cluster
from kit.objects import APPLICATIONS, WATCHES, Json, application, bundle_watch, helm_source
from kit.registry import Registry
from kit.waiting import eventually


@dataclass(slots=True)
class Scene:
    """One namespace with one repository, `<registry>/<namespace>/shop`, unless a test makes more."""

    cluster: Cluster
    registry: Registry
    namespace: str
    charts: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The repository's path, unique to the namespace."""
        return f"{self.namespace}/shop"

    @property
    def repository(self) -> str:
        return f"{self.registry.host}/{self.path}"

    def publish(self, version: str, *, tag: str | None = None, name: str = "shop", path: str | None = None) -> str:
        """Push a chart; returns its digest."""
        return self.registry.push_chart(path or self.path, name, version, tag=tag)

    def create_application(self, name: str = "shop", revision: str = "1.0.0", *sources: Json, **details: Any) -> Json:
        body = application(self.namespace, name, *(sources or (helm_source(self.repository, revision),)), **details)
        return self.cluster.api.post(APPLICATIONS.format(namespace=self.namespace), body)

    def create_watch(self, name: str = "shop", repository: str | None = None, **spec: Any) -> Json:
        body = bundle_watch(self.namespace, name, repository or self.repository, **spec)
        return self.cluster.api.post(WATCHES.format(namespace=self.namespace), body)

    def application(self, name: str = "shop") -> Json:
        return self.cluster.api.get(f"{APPLICATIONS.format(namespace=self.namespace)}/{name}")

    def watch(self, name: str = "shop") -> Json:
        return self.cluster.api.get(f"{WATCHES.format(namespace=self.namespace)}/{name}")

    def status(self, name: str = "shop") -> Json:
        """Of the BundleWatch; empty before anything was written."""
        found = self.watch(name).get("status", {})
        assert isinstance(found, dict)
        return found

    def patch_application(self, patch: Json, name: str = "shop", *, manager: str = "kubectl-edit") -> Json:
        """As a person would with `kubectl edit`: a merge patch under another field manager."""
        return self.cluster.api.patch(
            f"{APPLICATIONS.format(namespace=self.namespace)}/{name}",
            patch,
            "application/merge-patch+json",
            fieldManager=manager,
        )

    def patch_watch(self, patch: Json, name: str = "shop") -> Json:
        return self.cluster.api.patch(
            f"{WATCHES.format(namespace=self.namespace)}/{name}", patch, "application/merge-patch+json"
        )

    def patch_watch_status(self, status: Json | None, name: str = "shop") -> Json:
        """Merged into what is there; None: all of it is lost."""
        return self.cluster.api.patch(
            f"{WATCHES.format(namespace=self.namespace)}/{name}/status",
            {"status": status},
            "application/merge-patch+json",
        )

    def delete_watch(self, name: str = "shop") -> None:
        self.cluster.api.delete(f"{WATCHES.format(namespace=self.namespace)}/{name}")

    def delete_application(self, name: str = "shop") -> None:
        self.cluster.api.delete(f"{APPLICATIONS.format(namespace=self.namespace)}/{name}")

    def annotate(self, name: str = "shop", **annotations: str) -> None:
        """`reconcile="now"` sets bundlewatch.dev/reconcile."""
        self.patch_watch(
            {"metadata": {"annotations": {f"bundlewatch.dev/{key}": value for key, value in annotations.items()}}},
            name,
        )

    def revision(self, name: str = "shop") -> str:
        spec = self.application(name)["spec"]
        return str((spec.get("source") or spec["sources"][0])["targetRevision"])

    def condition(self, kind: str = "Ready", name: str = "shop") -> Json:
        """A condition of the BundleWatch; empty when it is not there."""
        conditions = self.status(name).get("conditions", [])
        return next((found for found in conditions if found["type"] == kind), {})

    def verdicts(self, name: str = "shop") -> dict[str, str]:
        found = self.status(name).get("verdicts", [])
        return {verdict["tag"]: verdict["reason"] for verdict in found}

    def events(self, name: str = "shop", kind: str = "BundleWatch") -> list[Json]:
        found = self.cluster.api.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return [
            event
            for event in found
            if event["involvedObject"]["name"] == name and event["involvedObject"]["kind"] == kind
        ]

    def until(self, predicate: Callable[[], object], *, timeout_s: float = 20, message: str = "") -> None:
        eventually(predicate, timeout_s=timeout_s, message=message)

    def until_revision(self, revision: str, name: str = "shop", *, timeout_s: float = 20) -> None:
        self.until(
            lambda: self.revision(name) == revision,
            timeout_s=timeout_s,
            message=f"targetRevision of {name} to be {revision}",
        )

    def until_ready(self, status: str = "True", *, reason: str | None = None, name: str = "shop") -> Json:
        def fits() -> bool:
            found = self.condition("Ready", name)
            return found.get("status") == status and (reason is None or found.get("reason") == reason)

        self.until(fits, message=f"{name} to be Ready={status} {reason or ''}")
        return self.condition("Ready", name)
