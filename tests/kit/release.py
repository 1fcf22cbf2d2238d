"""A release on stage: an Application that runs 1.0.0, a BundleWatch that follows it, and what becomes of the next one.

It joins a scene and the stand-in of Argo CD and reads what both sides wrote, in the order in which etcd kept it; it
knows nothing of how the operator decides.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kit.argocd import Standin
from kit.argocd_shape import at
from kit.cluster import Cluster
from kit.objects import APPLICATIONS, WATCHES, Json, application, helm_source
from kit.registry import Registry
from kit.scene import Scene
from kit.waiting import eventually

QUICK = {"timeout": "10s", "degradedFor": "1s"}
PATIENT = {"timeout": "60s", "degradedFor": "30s"}


class Release:
    """One namespace with its repository, its Argo CD and one Application, `shop`, unless a test makes more."""

    def __init__(self, scene: Scene, *, speed: float = 0.02) -> None:
        self.scene = scene
        self._digests: dict[str, str] = {}
        self._applications = APPLICATIONS.format(namespace=scene.namespace)
        self._since = ""
        self.argocd = Standin(scene.cluster, namespace=scene.namespace, speed=speed, resolve=self._resolve)

    def begin(
        self,
        name: str = "shop",
        *sources: Json,
        repository: str | None = None,
        automated: bool = True,
        rollout: Mapping[str, str] = QUICK,
        metadata: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """Until the Application runs its version, healthy, and its BundleWatch has seen it so."""
        self.begin_application(name, *sources, automated=automated, metadata=metadata)
        self.scene.create_watch(name, repository, rollout=dict(rollout), **spec)
        self.scene.until(lambda: self.entry(name).get("lastHealthy"), message=f"{name} to be seen healthy")

    def begin_application(
        self, name: str = "shop", *sources: Json, automated: bool = True, metadata: Mapping[str, Any] | None = None
    ) -> None:
        scene = self.scene
        self._since = self._since or scene.cluster.api.get(self._applications)["metadata"]["resourceVersion"]
        found = sources or (helm_source(scene.repository, "1.0.0"),)
        body = application(scene.namespace, name, *found, automated=automated)
        body["metadata"] |= metadata or {}
        scene.cluster.api.post(self._applications, body)
        if not automated:
            scene.until(lambda: self.sync_status(name) == "OutOfSync")
            self.sync(name)
        scene.until(lambda: self.health(name) == "Healthy", message=f"{name} to be Healthy")

    def publish(self, version: str = "1.0.1", *, path: str | None = None, look: str | None = "shop") -> None:
        """Push it, and have a BundleWatch look at once."""
        path = path or self.scene.path
        self._digests[f"{path}:{version}"] = self.scene.publish(version, name=path.rpartition("/")[2], path=path)
        if look is not None:
            self.scene.annotate(look, reconcile=f"for {version}")

    def script(self, scenario: str, *, version: str = "1.0.1", name: str = "shop") -> None:
        self.argocd.script(self.scene.namespace, name, scenario, version=version)

    def sync(self, name: str = "shop") -> None:
        """As a person does in Argo CD's own UI."""
        self.scene.patch_application({"operation": {"sync": {}, "initiatedBy": {"username": "somebody"}}}, name)

    # What is there

    def entry(self, name: str = "shop", watch: str | None = None) -> Json:
        """What the BundleWatch says of the Application."""
        entries: list[Json] = self.scene.status(watch or name).get("applications", [])
        return next((entry for entry in entries if entry["name"] == name), {})

    def quarantine(self, watch: str = "shop") -> dict[str, str]:
        """Reasons by tag."""
        return {entry["tag"]: entry["reason"] for entry in self.scene.status(watch).get("quarantine", [])}

    def health(self, name: str = "shop") -> str:
        return str(at(self.scene.application(name), "status", "health", "status") or "")

    def sync_status(self, name: str = "shop") -> str:
        return str(at(self.scene.application(name), "status", "sync", "status") or "")

    def until_phase(
        self, phase: str, version: str = "1.0.1", *, name: str = "shop", watch: str | None = None, timeout_s: float = 25
    ) -> Json:
        """Until the BundleWatch calls the Application so, with that target revision."""

        def there() -> bool:
            entry = self.entry(name, watch)
            return (entry.get("phase"), entry.get("target")) == (phase, version)

        eventually(
            there, timeout_s=timeout_s, message=lambda: f"{phase} with {version}; it is {self.entry(name, watch)}"
        )
        return self.entry(name, watch)

    def until_taken_back(self, version: str = "1.0.1", *, to: str = "1.0.0", name: str = "shop") -> Json:
        """Until the Application is healthy again with what it ran before; the condition Ready."""
        self.scene.until(lambda: version in self.quarantine(name), timeout_s=25, message=f"{version} to be quarantined")
        self.until_phase("Healthy", to, name=name)
        return self.scene.until_ready("False", reason="RolledBack", name=name)

    # In which order it came about

    def application_versions(self, name: str = "shop") -> list[Json]:
        """All that etcd has kept of it, oldest first."""
        return _versions(self.scene.cluster, self._applications, name, since=self._since)

    def watch_versions(self, name: str = "shop") -> list[Json]:
        path = WATCHES.format(namespace=self.scene.namespace)
        return _versions(self.scene.cluster, path, name, since=self._since)

    def target_revisions(self, name: str = "shop") -> list[str]:
        """Those that it was given, one after the other."""
        given: list[str] = []
        for version in self.application_versions(name):
            revision = version["spec"]["source"]["targetRevision"]
            if given[-1:] != [revision]:
                given.append(revision)
        return given

    def _resolve(self, source: Mapping[str, Any]) -> str:
        """What Argo CD finds for a source: of a native one its digest, if the registry has it."""
        target = str(source.get("targetRevision", ""))
        _, native, repository = str(source.get("repoURL", "")).partition("oci://")
        if not native:
            return target
        path = repository.partition("/")[2]
        return self._digests.get(f"{path}:{target}") or f"sha256:{0:064x}"


def first_where(versions: Sequence[Json], holds: Callable[[Json], object]) -> int:
    """Where the first version of which this is true stands in the order of all writes to the cluster."""
    return next(int(version["metadata"]["resourceVersion"]) for version in versions if holds(version))


@contextmanager
def playing(cluster: Cluster, registry: Registry, namespace: str, *, speed: float = 0.02) -> Iterator[Release]:
    """A release whose Argo CD plays while the block runs; 1.0.0 is published."""
    release = Release(Scene(cluster=cluster, registry=registry, namespace=namespace), speed=speed)
    release.publish("1.0.0", look=None)
    with release.argocd:
        yield release


def _versions(cluster: Cluster, path: str, name: str, *, since: str) -> list[Json]:
    last = int(cluster.api.get(f"{path}/{name}")["metadata"]["resourceVersion"])
    events = cluster.api.watch(path, resourceVersion=since)
    assert isinstance(events, Generator)
    found: list[Json] = []
    try:
        for event in events:
            found += [event["object"]] if event["object"]["metadata"].get("name") == name else []
            if found and int(found[-1]["metadata"]["resourceVersion"]) >= last:
                break
    finally:
        events.close()
    return found
