"""Where every benchmark takes place: a cluster with Argo CD, a registry, and as many shops as it asks for.

A shop is a chart repository, an Application that deploys from it, and a BundleWatch that follows it. All of them
live in one namespace, as Argo CD's own do, and the operator runs as `deploy/` installs it: under its ServiceAccount,
its RBAC and its admission policy. Argo CD's part is played by the kit's stand-in in its fast manner: two writes a
release and no pauses, so that nobody waits for it.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from kit.api import in_parallel
from kit.argocd import DEFINITIONS, Standin
from kit.audit import Entry
from kit.cluster import Cluster
from kit.objects import APPLICATIONS, WATCHES, application, bundle_watch, helm_source
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.waiting import eventually

OLD, NEW = "1.0.0", "1.0.1"

_DEPLOY = Path(__file__).parents[1] / "deploy"
_ACCOUNT, _HOME = "bundlewatch", "bundlewatch-system"
_CHART = "shop"
_PATIENCE_S = 600.0  # a run that takes longer has failed
_REWATCH_S = 2


@dataclass(frozen=True, slots=True)
class Place:
    """The servers, and the namespace in which everything is."""

    cluster: Cluster
    registry: Registry
    namespace: str
    kubeconfig: Path
    """The operator's."""

    def operator(self) -> OperatorProcess:
        """Not started yet; to be used as a context manager."""
        return OperatorProcess(kubeconfig=self.kubeconfig)

    def publish(self, shop: str, version: str) -> None:
        self.registry.push_chart(f"{shop}/{_CHART}", _CHART, version)

    def publish_everywhere(self, shops: Iterable[str], *versions: str) -> None:
        """The same charts in the repository of every shop."""
        for version in versions:
            self.publish("template", version)
        self.registry.copy_repository(f"template/{_CHART}", (f"{shop}/{_CHART}" for shop in shops))

    def open(self, shops: Iterable[str], *, interval: str, repository: str = "") -> None:
        """Each an Application that runs OLD, healthy, and a BundleWatch; on one repository where one is named."""
        shops = list(shops)
        applications = APPLICATIONS.format(namespace=self.namespace)
        watches = WATCHES.format(namespace=self.namespace)

        def deploy(shop: str) -> None:
            source = helm_source(self._repository(repository or shop), OLD)
            self.cluster.api.post(applications, application(self.namespace, shop, source))

        def watch(shop: str) -> None:
            where = self._repository(repository or shop)
            self.cluster.api.post(watches, bundle_watch(self.namespace, shop, where, interval=interval))

        in_parallel(deploy, shops)
        self._until_all(applications, shops, lambda found: _at(found, "status", "health", "status") == "Healthy")
        in_parallel(watch, shops)

    def reconcile_now(self, shop: str, *, request: str) -> None:
        """As `kubectl annotate` does."""
        self.cluster.api.patch(
            f"{WATCHES.format(namespace=self.namespace)}/{shop}",
            {"metadata": {"annotations": {"bundlewatch.dev/reconcile": request}}},
        )

    def until_told(self, shops: Sequence[str], *, version: str = NEW) -> None:
        """Their BundleWatches say that the Applications run this version: nothing is left to be done."""
        self._until_all(WATCHES.format(namespace=self.namespace), shops, lambda found: _tells(found, version))

    def until_tells(self, shop: str, version: str) -> None:
        """As `until_told`, of one."""
        path = f"{WATCHES.format(namespace=self.namespace)}/{shop}"
        eventually(
            lambda: _tells(self.cluster.api.get(path), version), timeout_s=60, message=f"{shop} to tell {version}"
        )

    def by_operator(self, entries: Iterable[Entry]) -> list[Entry]:
        """Its requests to the API server, by its account: also those of its libraries."""
        account = f"system:serviceaccount:{_HOME}:{_ACCOUNT}"
        return [entry for entry in entries if entry.user == account]

    def processes(self, operator: OperatorProcess) -> dict[str, tuple[int, ...]]:
        """Name and pids, for `machine.Cores`. This process plays Argo CD."""
        return {
            "operator": (operator.pid,),
            "API server and etcd": self.cluster.pids,
            "registry": (self.registry.pid,),
        }

    def _repository(self, shop: str) -> str:
        return f"{self.registry.host}/{shop}/{_CHART}"

    def _until_all(self, path: str, shops: Sequence[str], fits: Callable[[dict[str, Any]], bool]) -> None:
        wanted = set(shops)

        def fitting() -> int:
            return sum(
                fits(found) for found in self.cluster.api.get(path)["items"] if found["metadata"]["name"] in wanted
            )

        eventually(
            lambda: fitting() == len(wanted),
            timeout_s=_PATIENCE_S,
            every_s=max(0.2, len(wanted) / 500),  # looking must not be the work that is measured
            message=lambda: f"{fitting()} of {len(wanted)} {path.rpartition('/')[2]} are as they should be",
        )


class Revisions:
    """When each Application first had which target revision, as somebody sees it who watches them."""

    def __init__(self, place: Place) -> None:
        self._api = place.cluster.api
        self._path = APPLICATIONS.format(namespace=place.namespace)
        self._seen: dict[tuple[str, str], float] = {}
        self._changed = threading.Condition()
        self._ending = False
        self._error: Exception | None = None
        self._version = self._api.get(self._path, limit="1")["metadata"]["resourceVersion"]
        self._thread = threading.Thread(target=self._follow, name="revisions", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join()

    def wait(self, shops: Iterable[str], version: str, *, timeout_s: float = _PATIENCE_S) -> list[float]:
        """When each of them had it, as of `time.monotonic`, in the order of the shops."""
        wanted = [(shop, version) for shop in shops]
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._seen.keys() >= set(wanted):
                if self._error is not None:
                    raise self._error
                if not self._changed.wait(deadline - time.monotonic()):
                    missing = sum(key not in self._seen for key in wanted)
                    raise TimeoutError(f"{missing} of {len(wanted)} Applications not at {version} in {timeout_s:g} s")
            return [self._seen[key] for key in wanted]

    def _follow(self) -> None:
        try:
            while not self._ending:
                for event in self._api.watch(self._path, timeout_s=_REWATCH_S, resourceVersion=self._version):
                    self._note(event["object"])
        except Exception as error:  # noqa: BLE001 - raised by wait()
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _note(self, found: dict[str, Any]) -> None:
        now = time.monotonic()
        metadata = found["metadata"]
        self._version = metadata["resourceVersion"]
        key = (str(metadata["name"]), str(found["spec"]["source"]["targetRevision"]))
        if key not in self._seen:
            with self._changed:
                self._seen[key] = now
                self._changed.notify_all()


@contextmanager
def place(*, resync_s: float | None = None) -> Iterator[Place]:
    """Started, and gone afterwards. `resync_s`: how often Argo CD writes to an idle Application."""
    with ExitStack() as stack:
        registry = stack.enter_context(Registry.start())
        cluster = stack.enter_context(Cluster.start())
        cluster.apply_definitions(DEFINITIONS)
        cluster.kubectl("apply", "--server-side", f"--kustomize={_DEPLOY}")
        cluster.kubectl("wait", "--for=condition=Established", "crd/bundlewatches.bundlewatch.dev")
        namespace = cluster.namespace(prefix="argocd")
        kubeconfig = cluster.kubeconfig_for(_ACCOUNT, _HOME)
        stack.enter_context(Standin(cluster, namespace=namespace, fast=True, resync_s=resync_s))
        yield Place(cluster, registry, namespace, kubeconfig)


def names(count: int) -> list[str]:
    return [f"shop-{number:04}" for number in range(count)]


def kinds(entries: Iterable[Entry]) -> Counter[str]:
    """How many requests of which kind, such as `patch bundlewatches/status`."""
    return Counter(f"{entry.verb} {'/'.join(filter(None, (entry.resource, entry.subresource)))}" for entry in entries)


def _tells(found: dict[str, Any], version: str) -> bool:
    conditions = _at(found, "status", "conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and _at(found, "status", "current", "tag") == version


def _at(found: dict[str, Any], *keys: str) -> Any:
    for key in keys:
        found = found.get(key) or {}
    return found
