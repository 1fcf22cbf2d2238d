"""Processes of the operator that die at any write, an API server that refuses any, and an Argo CD that does anything.

A pass runs to its end at once, at a time that is given; what may happen in between is made to happen at a write. All of
ours that decides, writes status and tells Events is the real thing.
"""

import copy
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from bundlewatch.api.moments import rfc3339
from bundlewatch.api.v1alpha1 import BundleWatch, Status
from bundlewatch.argocd.application import Application, parse
from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.bundle.chart import NotAChart
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.bundle.provenance import Provenance
from bundlewatch.cluster.client import APPLICATIONS, BUNDLE_WATCHES
from bundlewatch.engine.applications import LiveApplications
from bundlewatch.engine.listing import Listing, Tags
from bundlewatch.engine.passes import Next, Passes
from bundlewatch.engine.policies import Policies
from bundlewatch.engine.reconcile import World
from bundlewatch.engine.route import Route
from bundlewatch.engine.table import Name, Table, Unreadable, read_watch
from bundlewatch.errors import NotInRegistry, ObjectChanged, ObjectGone, RegistryUnavailable
from unit.argocd.json_patch import Refused, apply
from unit.engine.world import IMAGE, NAMESPACE, NOW, ApiServer, Json, application_body, chart, digest_of, watch_body

T = TypeVar("T")

DOWN = RegistryUnavailable("registry.example.com does not answer")


class Killed(BaseException):
    """The process is gone; nothing of it can catch this."""


@dataclass(slots=True)
class Mishap:
    """What happens at one of the next writes: `raises`, before the write has taken effect or after."""

    at_write: int
    """Counted from 1."""

    raises: BaseException
    after: bool = False


@dataclass(slots=True)
class Cluster(ApiServer):
    """The API server with a clock, and with mishaps. `moved` is told of every target revision that is set by us."""

    now: datetime = NOW + timedelta(milliseconds=400)
    mishap: Mishap | None = None
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What happens before the next writes, one for each."""

    writes: int = 0
    """Those that took effect, Events among them."""

    moved: Callable[[Json, Json], object] | None = None
    """Is given the Application before and after."""

    async def patch_application(self, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        with self._write():
            if name not in self.applications:
                raise ObjectGone(f"{name} not found")
            before = self.applications[name]
            try:
                body = apply(before, operations)
            except Refused as error:
                raise ObjectChanged("the server rejected our request due to an error in our request") from error
            sets = any(operation["path"].endswith("/targetRevision") for operation in operations if changes(operation))
            if sets or manager_of(before) == FIELD_MANAGER:
                written_by(body, FIELD_MANAGER, now=self.now)
            self.patched.append(name)
            if self.moved is not None and sets:
                self.moved(before, body)
            self._store(self.applications, body, APPLICATIONS)
        return copy.deepcopy(body)

    async def patch_watch_status(
        self, namespace: str, name: str, *, uid: str, status: Mapping[str, Any], version: str | None = None
    ) -> Json:
        with self._write():
            # Not super(): a dataclass with slots is another class than the one its methods were made in.
            return await ApiServer.patch_watch_status(self, namespace, name, uid=uid, status=status, version=version)

    async def create_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        with self._write():
            self.events.append(dict(event))

    def put_application(self, body: Json) -> None:
        self._store(self.applications, body, APPLICATIONS)

    def put_watch(self, body: Json) -> None:
        self._store(self.watches, body, BUNDLE_WATCHES)

    def set_revision(self, name: str, revision: str, *, manager: str) -> None:
        """Somebody else sets the target revision; Argo CD has yet to look."""
        body = copy.deepcopy(self.applications[name])
        source_of(body)["targetRevision"] = revision
        written_by(body, manager, now=self.now)
        self.put_application(body)

    def argocd(self, name: str, act: "Act") -> None:
        """Argo CD writes into an Application; what is as it was is not written."""
        body = argocd_says(self.applications[name], act, now=self.now)
        if body != self.applications[name]:
            self.put_application(body)

    def revision(self, name: str = "shop") -> str:
        return str(source_of(self.applications[name])["targetRevision"])

    def lose_status(self, name: str = "shop") -> None:
        body = copy.deepcopy(self.watches[name])
        body.pop("status", None)
        self.put_watch(body)

    @contextmanager
    def _write(self) -> Iterator[None]:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        mishap = self.mishap
        if mishap is not None:
            mishap.at_write -= 1
            if mishap.at_write:
                mishap = None
            else:
                self.mishap = None
        if mishap is not None and not mishap.after:
            raise mishap.raises
        yield
        self.writes += 1
        if mishap is not None:
            raise mishap.raises


class Act(StrEnum):
    """What Argo CD makes of what an Application asks for."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    SUSPENDED = "Suspended"
    MISSING = "Missing"
    UNKNOWN = "Unknown"
    OUT_OF_SYNC = "nobody syncs it"
    SYNCING = "at work"
    RETRYING = "failed, and tries again"
    SYNC_FAILED = "gave up"
    CANNOT_RENDER = "cannot render"
    NOT_PERMITTED = "refuses it"


_HEALTHS = frozenset({Act.HEALTHY, Act.PROGRESSING, Act.DEGRADED, Act.SUSPENDED, Act.MISSING, Act.UNKNOWN})
_SYNCS = {Act.CANNOT_RENDER: "Unknown", Act.NOT_PERMITTED: "Unknown"}
_OPERATIONS = {Act.SYNCING: "Running", Act.RETRYING: "Running", Act.SYNC_FAILED: "Failed"}
_ERRORS = {Act.CANNOT_RENDER: "ComparisonError", Act.NOT_PERMITTED: "InvalidSpecError"}


def argocd_says(live: Json, act: Act, *, now: datetime) -> Json:
    """The Application after Argo CD has come to `act` with what its spec asks for."""
    body = copy.deepcopy(live)
    spec, before = body["spec"], body.get("status", {})
    several = "sources" in spec
    sources = {"sources": spec["sources"]} if several else {"source": spec["source"]}
    revisions = [source["targetRevision"] for source in spec.get("sources", [spec.get("source")])]
    status: Json = {
        "sync": {
            "status": "Synced" if act in _HEALTHS else _SYNCS.get(act, "OutOfSync"),
            "comparedTo": copy.deepcopy(sources),
            **({"revisions": revisions} if several else {"revision": revisions[0]}),
        },
        "health": {"status": str(act)} if act in _HEALTHS else before.get("health", {"status": "Healthy"}),
        "reconciledAt": rfc3339(now),
    }
    if act in _ERRORS:
        status["conditions"] = [{"type": _ERRORS[act], "message": "so it says"}]
    if act in _OPERATIONS:
        ended = {} if act is Act.SYNCING else {"finishedAt": rfc3339(now)}
        status["operationState"] = {
            "phase": _OPERATIONS[act],
            "operation": {"sync": copy.deepcopy(sources)},
            "startedAt": rfc3339(now),
            **({"retryCount": 2} if act is Act.RETRYING else {}),
            **ended,
        }
    if _OPERATIONS.get(act) == "Running":
        body.setdefault("operation", {"sync": {}})
    elif act is not Act.OUT_OF_SYNC:
        body.pop("operation", None)
    if before and {**status, "reconciledAt": before.get("reconciledAt")} == before:
        return {**body, "status": before}
    body["status"] = status
    return body


def source_of(body: Json) -> Json:
    """The one source that deploys the watched repository."""
    spec = body["spec"]
    found: Json = spec["sources"][0] if "sources" in spec else spec["source"]
    return found


def manager_of(body: Json) -> str:
    """Who set the target revision last."""
    return str(body["metadata"]["managedFields"][0]["manager"])


def written_by(body: Json, manager: str, *, now: datetime) -> None:
    owned: Json = {"f:sources": {}} if "sources" in body["spec"] else {"f:source": {"f:targetRevision": {}}}
    entry = {"manager": manager, "operation": "Update", "time": rfc3339(now), "fieldsV1": {"f:spec": owned}}
    body["metadata"]["managedFields"] = [entry]


def changes(operation: Mapping[str, Any]) -> bool:
    return operation["op"] != "test"


@dataclass(slots=True)
class Repository:
    """Bundles by tag, each with its digest; it is down from time to time."""

    digests: dict[str, str] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    down: bool = False
    _pushes: int = 0

    def publish(self, tag: str, *, image: bool = False) -> None:
        """Push something new under the tag."""
        self._pushes += 1
        self.digests[tag] = digest_of(f"{tag} {self._pushes}")
        self.images.discard(tag)
        if image:
            self.images.add(tag)

    def delete(self, tag: str) -> None:
        self.digests.pop(tag, None)

    def latest(self, route: Route) -> Listing | None:
        return Listing(tags=Tags.of(self.digests, source=object()), started=1.0, ended=1.0, round=1)

    async def inspect(self, route: Route, tag: str) -> Inspected:
        if self.down:
            raise DOWN
        if tag not in self.digests:
            raise NotInRegistry(f"{tag} is not there any more")
        found: NotAChart | Any = IMAGE if tag in self.images else chart(tag)
        return Inspected(tag=tag, digest=self.digests[tag], found=found)

    async def origin(self, route: Route, digest: str) -> Provenance:
        return Provenance()


class Process:
    """One operator process: what it has heard of the cluster, and its passes."""

    def __init__(self, cluster: Cluster, repository: Repository) -> None:
        self._cluster, self._repository = cluster, repository
        self.table = Table()
        applications = LiveApplications(
            cluster=cluster,
            table=self.table,
            seen=self._application_seen,
            gone=self._application_gone,
            heard=self._watch_heard,
        )
        self._passes = Passes(
            cluster=cluster,
            table=self.table,
            world=World(
                applications=applications,
                bundles=repository,
                argocd=cluster,
                upstreams=self.table,
            ),
            policies=Policies(),
            read=read_watch,
            now=lambda: cluster.now,
            instance="test",
        )
        self.hear()

    def hear(self) -> None:
        """The watch tells everything there is."""
        for body in self._cluster.applications.values():
            self.table.put_application(parse(body))
        for body in self._cluster.watches.values():
            self.table.put_watch(read_watch(body))

    def watch(self, name: str = "shop") -> BundleWatch:
        """The BundleWatch as this process knows it."""
        found = self.table.watches[NAMESPACE, name]
        assert isinstance(found, BundleWatch)
        return found

    def work(self, name: str = "shop", *, looks: bool = True) -> Next:
        """One pass; `looks`: the registry has been listed, or listing it has failed."""
        trouble = DOWN if self._repository.down else None
        route = self._passes.route_of(self.watch(name)) if looks else None
        doing = self._passes.once(
            (NAMESPACE, name), route=route, trouble=trouble if looks else None, looked=looks, written=self._written
        )
        return at_once(doing)

    def _written(self, watch: BundleWatch | Unreadable, status: Status) -> None:
        self.table.put_watch(watch)

    def _watch_heard(self, watch: BundleWatch | Unreadable) -> None:
        self.table.put_watch(watch)

    def _application_seen(self, application: Application) -> None:
        self.table.put_application(application)

    def _application_gone(self, name: Name, uid: str) -> None:
        self.table.drop_application(name, uid=uid)


def at_once(doing: Coroutine[Any, Any, T]) -> T:
    """What a coroutine comes to that waits for nothing."""
    try:
        doing.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits for something")


def healthy_application(name: str, revision: str, *, now: datetime, several: bool = False, **metadata: Any) -> Json:
    """An Application that Argo CD has synced; `several`: it has a second source, of another repository."""
    chart_source = {"repoURL": "registry.example.com/team", "chart": "shop", "targetRevision": revision}
    values = {"repoURL": "https://git.example.com/values", "path": "shop", "targetRevision": "main"}
    body = application_body(
        name, revision, sources=[chart_source, values] if several else None, metadata=metadata or None
    )
    return argocd_says(body, Act.HEALTHY, now=now)


def watch_of(spec: Json) -> Json:
    """The BundleWatch `shop` with this spec."""
    body = watch_body()
    body["spec"] = {**body["spec"], **spec}
    return body
