"""A cluster and a registry in memory, objects as people write them, and a loop whose time is virtual.

Only what lies outside of the operator is played: the API server keeps bodies, applies JSON Patches as the real
one does and tells a watch of every change; the registry holds manifests. All of ours that stands between them is
the real thing.
"""

import asyncio
import base64
import copy
import functools
import hashlib
import json
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec

from bundlewatch.api.v1alpha1 import BundleWatch, Status
from bundlewatch.argocd.application import Application, parse
from bundlewatch.bundle.chart import HELM_CONFIG, HELM_LAYER, Chart, NotAChart
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.bundle.provenance import Provenance
from bundlewatch.cluster.client import APPLICATIONS, BUNDLE_WATCHES, Resource
from bundlewatch.cluster.watch import Event, Gone, Seen
from bundlewatch.engine.applications import LiveApplications
from bundlewatch.engine.found import Outcome
from bundlewatch.engine.listing import Listing, Tags
from bundlewatch.engine.policies import Policies
from bundlewatch.engine.reconcile import World, reconcile
from bundlewatch.engine.route import Route
from bundlewatch.engine.table import Name, Table, Unreadable, read_watch
from bundlewatch.errors import (
    BundleWatchError,
    NotInRegistry,
    ObjectChanged,
    ObjectGone,
    SecretNotFound,
    ServiceAccountNotFound,
)
from bundlewatch.registry.client import Access, Descriptor, Manifest
from bundlewatch.registry.reference import Repository, parse_repository
from unit.argocd.json_patch import Refused, apply

Json = dict[str, Any]
P = ParamSpec("P")

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NAMESPACE = "argocd"
REPOSITORY = "registry.example.com/team/shop"
ROUTE = Route(repository=parse_repository(REPOSITORY), insecure=False, namespace="", secret=None, ca_secret=None)


def at(seconds: float = 0) -> str:
    """A time as Kubernetes writes it, so many seconds after NOW."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop in which nobody waits: when nothing is to be done, it is at once as late as what is due next."""

    def __init__(self) -> None:
        super().__init__(_Impatient(self))
        self.now_s = 1000.0

    def time(self) -> float:
        return self.now_s


class _Impatient(selectors.SelectSelector):
    def __init__(self, loop: VirtualTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits, and nothing is going to happen")
        self._loop.now_s += timeout
        return []


def in_virtual_time(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Runs a test in which `asyncio.sleep(600)` takes no time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTime) as runner:
            runner.run(test(*args, **kwargs))

    return run


async def settle() -> None:
    """Let everything happen that needs no time to pass."""
    for _ in range(50):
        await asyncio.sleep(0)


def watch_body(name: str = "shop", *, metadata: Mapping[str, Any] | None = None, **spec: Any) -> Json:
    """A BundleWatch that moves the Application `shop`; with nothing else said it takes the highest version."""
    return {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": at(-3600),
            **(metadata or {}),
        },
        "spec": {"repository": REPOSITORY, "applications": [{"name": "shop"}], **spec},
    }


def watch(name: str = "shop", *, status: Status | None = None, **different: Any) -> BundleWatch:
    """The same as it is read; `status`: what an earlier pass has written."""
    body = watch_body(name, **different)
    if status is not None:
        body["status"] = status.to_dict()
    return BundleWatch.parse(body)


def application_body(
    name: str = "shop",
    revision: str = "1.0.0",
    *,
    sources: Sequence[Json] | None = None,
    metadata: Mapping[str, Any] | None = None,
    manager: str = "kubectl",
) -> Json:
    """An Application that deploys the watched repository; Argo CD has not looked at it yet."""
    source = {"repoURL": "registry.example.com/team", "chart": "shop", "targetRevision": revision}
    spec: Json = {"syncPolicy": {"automated": {}}}
    spec.update({"sources": list(sources)} if sources else {"source": source})
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "uid": f"uid-of-application-{name}",
            "resourceVersion": "1",
            **(metadata or {}),
        },
        "spec": spec,
    }
    _written_by(body, manager, when=at(-7200))
    return body


def settled_body(name: str = "shop", revision: str = "1.0.0", *, health: str = "Healthy", **different: Any) -> Json:
    """The same after Argo CD has synced it."""
    return argocd_synced(application_body(name, revision, **different), health=health)


def argocd_synced(body: Json, *, health: str = "Healthy", **sync: Any) -> Json:
    """`body` with what Argo CD writes once it has synced what the spec asks for."""
    source = body["spec"]["source"]
    body["status"] = {
        "sync": {
            "status": "Synced",
            "revision": source["targetRevision"],
            "comparedTo": {"source": dict(source)},
            **sync,
        },
        "health": {"status": health, "lastTransitionTime": at()},
        "reconciledAt": at(),
    }
    return body


def application(name: str = "shop", revision: str = "1.0.0", **different: Any) -> Application:
    return parse(settled_body(name, revision, **different))


def _written_by(body: Json, manager: str, *, when: str) -> None:
    owned: Json = {"f:sources": {}} if "sources" in body["spec"] else {"f:source": {"f:targetRevision": {}}}
    body["metadata"]["managedFields"] = [
        {"manager": manager, "operation": "Update", "time": when, "fieldsV1": {"f:spec": owned}}
    ]


@dataclass(slots=True)
class ApiServer:
    """What the operator asks of Kubernetes, kept in memory. `watcher` is told of every change, like a watch."""

    watches: dict[str, Json] = field(default_factory=dict)
    applications: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    secrets_read: list[str] = field(default_factory=list)
    service_accounts: dict[str, Json] = field(default_factory=dict)
    application_sets: dict[str, Json] = field(default_factory=dict)
    app_projects: dict[str, Json] = field(default_factory=dict)
    argocd_lists: int = 0
    events: list[Json] = field(default_factory=list)
    watcher: Callable[[Event], None] | None = None

    before_patch: list[Callable[[], object]] = field(default_factory=list)
    """What other people do just before our next patches of an Application, one for each."""

    before_status: list[Callable[[], object]] = field(default_factory=list)
    """What other people do just before our next writes of a status, one for each."""

    refusing: dict[str, Exception] = field(default_factory=dict)
    """What patching an Application, reading an ApplicationSet or AppProject of that name, reading what there is
    (`uids`), or writing a status (`status`), raises."""

    patched: list[str] = field(default_factory=list)
    """The Applications that somebody tried to patch."""

    status_writes: int = 0
    reading: asyncio.Event | None = None
    """What the answer waits for when a Secret is read."""

    listing: asyncio.Event | None = None
    """What the answer waits for when all objects are listed."""

    answering: asyncio.Event | None = None
    """What the answer waits for when an Application or a status has been patched."""

    _version: int = 100

    def create_watch(self, name: str = "shop", **different: Any) -> None:
        self._store(self.watches, watch_body(name, **different), BUNDLE_WATCHES)

    def create_application(self, name: str = "shop", revision: str = "1.0.0", **different: Any) -> None:
        self._store(self.applications, settled_body(name, revision, **different), APPLICATIONS)

    def edit_watch(self, name: str = "shop", *, annotations: Mapping[str, str] | None = None, **spec: Any) -> None:
        """What a person changes; a new spec is a new generation."""
        body = copy.deepcopy(self.watches[name])
        body["metadata"].setdefault("annotations", {}).update(annotations or {})
        if spec:
            body["spec"].update(spec)
            body["metadata"]["generation"] += 1
        self._store(self.watches, body, BUNDLE_WATCHES)

    def touch_watch(self, name: str = "shop", **metadata: Any) -> None:
        body = copy.deepcopy(self.watches[name])
        body["metadata"].update(metadata)
        self._store(self.watches, body, BUNDLE_WATCHES)

    def write_status(self, name: str = "shop", **status: Any) -> None:
        """What another process writes, such as a leader that does not know yet that it is none any more."""
        body = copy.deepcopy(self.watches[name])
        body.setdefault("status", {}).update(status)
        self._store(self.watches, body, BUNDLE_WATCHES)

    def edit_application(self, name: str = "shop", *, revision: str, manager: str = "kubectl-edit") -> None:
        """A person sets the target revision, and Argo CD follows."""
        body = copy.deepcopy(self.applications[name])
        body["spec"]["source"]["targetRevision"] = revision
        _written_by(body, manager, when=at())
        self._store(self.applications, argocd_synced(body), APPLICATIONS)

    def sync(self, name: str = "shop", *, health: str = "Healthy") -> None:
        """Argo CD deploys what the spec asks for."""
        self._store(
            self.applications, argocd_synced(copy.deepcopy(self.applications[name]), health=health), APPLICATIONS
        )

    def touch_application(self, name: str = "shop") -> None:
        """Somebody has written something to it."""
        self._store(self.applications, copy.deepcopy(self.applications[name]), APPLICATIONS)

    def delete_watch(self, name: str = "shop") -> None:
        self._tell(Gone(BUNDLE_WATCHES, _read(BUNDLE_WATCHES, self.watches.pop(name))))

    def delete_application(self, name: str = "shop") -> None:
        self._tell(Gone(APPLICATIONS, _read(APPLICATIONS, self.applications.pop(name))))

    def tell_everything(self, *, but: str = "") -> None:
        """What a watch does first; `but`: it has not come to the BundleWatch of this name yet."""
        for resource, bodies in ((BUNDLE_WATCHES, self.watches), (APPLICATIONS, self.applications)):
            for body in bodies.values():
                if resource == BUNDLE_WATCHES and body["metadata"]["name"] == but:
                    continue
                self._tell(Seen(resource, _read(resource, body), listed=True))

    def revision(self, name: str = "shop") -> str:
        return str(self.applications[name]["spec"]["source"]["targetRevision"])

    def status(self, name: str = "shop") -> Json:
        found: Json = self.watches[name].get("status", {})
        return found

    def ready(self, name: str = "shop") -> tuple[str, str]:
        """Status and reason of the condition Ready."""
        return next(
            (
                (condition["status"], condition["reason"])
                for condition in self.status(name).get("conditions", ())
                if condition["type"] == "Ready"
            ),
            ("", ""),
        )

    def told(self, reason: str) -> list[str]:
        """The messages of the Events with this reason."""
        return [event["message"] for event in self.events if event["reason"] == reason]

    async def uids(self, resource: Resource, *, namespaces: Sequence[str]) -> frozenset[str]:
        self._refuse("uids")
        if self.listing is not None:
            await self.listing.wait()
        bodies = self.watches if resource == BUNDLE_WATCHES else self.applications
        return frozenset(body["metadata"]["uid"] for body in bodies.values())

    async def read_secret(self, namespace: str, name: str) -> Json:
        if self.reading is not None:
            await self.reading.wait()
        self.secrets_read.append(name)
        if name not in self.secrets:
            raise SecretNotFound(f"Secret {namespace}/{name} does not exist or may not be read")
        return self.secrets[name]

    async def read_service_account(self, namespace: str, name: str) -> Json:
        if name not in self.service_accounts:
            raise ServiceAccountNotFound(f"ServiceAccount {namespace}/{name} does not exist or may not be read")
        return self.service_accounts[name]

    async def argocd_secrets(self, namespace: str, *, labels: str) -> Sequence[Json]:
        """As the API server selects by `labels`: what is Argo CD's."""
        self.argocd_lists += 1
        self._refuse("argocd secrets")
        assert labels == "argocd.argoproj.io/secret-type in (repository,repo-creds)"
        return [
            {**body, "metadata": {**body["metadata"], "name": name}}
            for name, body in self.secrets.items()
            if body.get("metadata", {}).get("labels", {}).get("argocd.argoproj.io/secret-type", "").startswith("repo")
        ]

    async def read_watch(self, namespace: str, name: str) -> Json:
        if name not in self.watches:
            raise ObjectGone(f"{name} not found")
        return copy.deepcopy(self.watches[name])

    async def read_application(self, namespace: str, name: str) -> Json:
        if name not in self.applications:
            raise ObjectGone(f"{name} not found")
        return copy.deepcopy(self.applications[name])

    async def patch_application(self, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        self.patched.append(name)
        if self.before_patch:
            self.before_patch.pop(0)()
        self._refuse(name)
        if name not in self.applications:
            raise ObjectGone(f"{name} not found")
        try:
            body = apply(self.applications[name], operations)
        except Refused as error:
            raise ObjectChanged("the server rejected our request due to an error in our request") from error
        if any(not operation["path"].startswith("/metadata/") for operation in operations if operation["op"] != "test"):
            _written_by(body, "bundlewatch", when=at())
        self._store(self.applications, body, APPLICATIONS)
        if self.answering is not None:
            await self.answering.wait()
        return copy.deepcopy(body)

    async def patch_watch_status(
        self, namespace: str, name: str, *, uid: str, status: Mapping[str, Any], version: str | None = None
    ) -> Json:
        if self.before_status:
            self.before_status.pop(0)()
        self._refuse("status")
        if name not in self.watches:
            raise ObjectGone(f"{name} not found")
        body = copy.deepcopy(self.watches[name])
        if body["metadata"]["uid"] != uid:
            raise ObjectChanged("the UID in the precondition does not match")
        if version not in {None, body["metadata"]["resourceVersion"]}:
            raise ObjectChanged("the object has been modified")
        self.status_writes += 1
        body["status"] = _merged(body.get("status", {}), status)
        self._store(self.watches, body, BUNDLE_WATCHES)
        if self.answering is not None:
            await self.answering.wait()
        return copy.deepcopy(body)

    async def create_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        self.events.append(dict(event))

    async def read_application_set(self, namespace: str, name: str) -> Json:
        return self._made(self.application_sets, namespace, name)

    async def read_app_project(self, namespace: str, name: str) -> Json:
        return self._made(self.app_projects, namespace, name)

    def _made(self, bodies: Mapping[str, Json], namespace: str, name: str) -> Json:
        self._refuse(name)
        if name not in bodies:
            raise ObjectGone(f"{namespace}/{name} not found")
        return copy.deepcopy(bodies[name])

    def _refuse(self, what: str) -> None:
        if what in self.refusing:
            raise self.refusing[what]

    def _store(self, bodies: dict[str, Json], body: Json, resource: Resource) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        bodies[body["metadata"]["name"]] = body
        self._tell(Seen(resource, _read(resource, body), listed=False))

    def _tell(self, event: Event) -> None:
        if self.watcher is not None:
            self.watcher(event)


def _read(resource: Resource, body: Json) -> BundleWatch | Unreadable | Application:
    return read_watch(body) if resource == BUNDLE_WATCHES else parse(body)


def _merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    merged = {key: value for key, value in old.items() if patch.get(key, "") is not None}
    for key, value in patch.items():
        if value is not None:
            merged[key] = _merged(old.get(key) or {}, value) if isinstance(value, Mapping) else value
    return merged


IMAGE = NotAChart("it is a container image, not a chart")


@dataclass(slots=True)
class Shelf:
    """What the registry is known to hold by tag: a chart, a reason why it is none, or an error."""

    tags: dict[str, Chart | NotAChart | BundleWatchError]
    looked_at: list[str] = field(default_factory=list)
    origins: dict[str, Provenance] = field(default_factory=dict)

    def latest(self, route: Route) -> Listing | None:
        return Listing(tags=Tags.of(self.tags, source=object()), started=1.0, ended=1.0, round=1)

    async def inspect(self, route: Route, tag: str) -> Inspected:
        self.looked_at.append(tag)
        found = self.tags[tag]
        if isinstance(found, BundleWatchError):
            raise found
        return Inspected(tag=tag, digest=digest_of(tag), found=found)

    async def origin(self, route: Route, digest: str) -> Provenance:
        return self.origins.get(digest, Provenance())


class Empty:
    """A registry that nobody has listed yet."""

    def latest(self, route: Route) -> Listing | None:
        return None

    async def inspect(self, route: Route, tag: str) -> Inspected:
        raise AssertionError("there is no listing to take a tag from")

    async def origin(self, route: Route, digest: str) -> Provenance:
        raise AssertionError("there is no bundle to ask for its origin")


def chart(tag: str, *, name: str = "shop") -> Chart:
    return Chart(name=name, version=tag.replace("_", "+"), layer_type=HELM_LAYER)


def shelf(*tags: str, but: Mapping[str, Chart | NotAChart | BundleWatchError] | None = None) -> Shelf:
    """Charts named `shop` under these tags, `but` others by tag."""
    return Shelf({**{tag: chart(tag) for tag in tags}, **(but or {})})


def digest_of(tag: str) -> str:
    return "sha256:" + hashlib.sha256(tag.encode()).hexdigest()


@dataclass(slots=True)
class Stage:
    """One pass at a time over what the API server holds, as the watch told of it just before the pass."""

    server: ApiServer = field(default_factory=ApiServer)

    async def reconcile(
        self,
        about: BundleWatch,
        bundles: Shelf | Empty,
        *,
        trouble: BundleWatchError | None = None,
        rivals: Sequence[BundleWatch] = (),
        now: datetime = NOW,
    ) -> Outcome:
        table = Table()
        for body in self.server.applications.values():
            table.put_application(parse(body))
        for one in (about, *rivals):
            table.put_watch(one)
            body = {**watch_body(one.name), "status": one.status.to_dict()}
            body["metadata"].update(uid=one.uid, generation=one.generation, resourceVersion=one.resource_version)
            self.server.watches.setdefault(one.name, body)

        def seen(application: Application) -> None:
            table.put_application(application)

        def gone(name: Name, uid: str) -> None:
            table.drop_application(name, uid=uid)

        def heard(watch: BundleWatch | Unreadable) -> None:
            table.put_watch(watch)

        applications = LiveApplications(cluster=self.server, table=table, seen=seen, gone=gone, heard=heard)
        return await reconcile(
            about,
            policy=Policies().of(about.spec),
            gates=Policies().gates(about),
            route=ROUTE,
            trouble=trouble,
            world=World(applications=applications, bundles=bundles, argocd=self.server, upstreams=table),
            now=now,
        )


@dataclass(slots=True)
class Registry:
    """Charts by repository and tag, as an OCI registry holds them."""

    charts: dict[str, dict[str, bytes]] = field(default_factory=dict)
    listed: list[tuple[str, str]] = field(default_factory=list)
    """Repository and user name of every listing."""

    fetched: list[str] = field(default_factory=list)
    """The tags that somebody looked at; what they point at is then read by its digest."""

    fault: Exception | None = None
    refusals: Iterator[Exception] | None = None
    """What listings raise, each its own."""

    delay_s: float = 0.0
    """How long a listing takes."""

    gate: asyncio.Event | None = None
    """What an answer to a listing waits for."""

    hangs: str = ""
    """The one host that waits; empty: all do."""

    manifest_gate: asyncio.Event | None = None
    manifest_fault: Exception | None = None
    _blobs: dict[str, bytes] = field(default_factory=dict)

    def publish(self, tag: str, *, repository: str = REPOSITORY, name: str = "shop", **more: str) -> None:
        """`more`: further fields of its Chart.yaml, which make it another bundle."""
        config = json.dumps({"name": name, "version": tag, **more}).encode()
        manifest = {
            "config": {"mediaType": HELM_CONFIG, "digest": _sha256(config), "size": len(config)},
            "layers": [{"mediaType": HELM_LAYER}],
        }
        self._put(repository, tag, manifest, config)

    def publish_as(self, tag: str, known: str, *, repository: str = REPOSITORY) -> None:
        """The very bundle that has the tag `known` gets another one."""
        self.charts[repository][tag] = self.charts[repository][known]

    def publish_image(self, tag: str, *, repository: str = REPOSITORY) -> None:
        self._put(repository, tag, {"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}}, b"")

    async def list_tags(self, repository: Repository, *, access: Access) -> tuple[str, ...]:
        self.listed.append((str(repository), access.credential.username))
        if self.gate is not None and self.hangs in {"", repository.host}:
            await self.gate.wait()
        await asyncio.sleep(self.delay_s)
        if self.refusals is not None:
            raise next(self.refusals)
        if self.fault is not None:
            raise self.fault
        return tuple(self.charts.get(str(repository), ()))

    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None:
        raw = await self._manifest(repository, reference)
        return Descriptor(media_type="application/vnd.oci.image.manifest.v1+json", digest=_sha256(raw), size=len(raw))

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest:
        raw = await self._manifest(repository, reference)
        return Manifest(raw=raw, digest=_sha256(raw), media_type="application/vnd.oci.image.manifest.v1+json")

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes:
        return self._blobs[digest]

    async def _manifest(self, repository: Repository, tag: str) -> bytes:
        if tag.startswith("sha256:"):
            known = self.charts.get(str(repository), {}).values()
            return next(raw for raw in known if _sha256(raw) == tag)
        self.fetched.append(tag)
        if self.manifest_gate is not None:
            await self.manifest_gate.wait()
        if self.manifest_fault is not None:
            raise self.manifest_fault
        if tag not in self.charts[str(repository)]:
            raise NotInRegistry(f"{repository}:{tag} is not there any more")
        return self.charts[str(repository)][tag]

    def _put(self, repository: str, tag: str, manifest: Json, config: bytes) -> None:
        self._blobs[_sha256(config)] = config
        self.charts.setdefault(repository, {})[tag] = json.dumps(manifest).encode()


def basic_auth(username: str, password: str = "made-up") -> Json:
    """A Secret of type kubernetes.io/basic-auth."""
    encoded = {"username": username, "password": password}
    return {"type": "kubernetes.io/basic-auth", "data": {key: _base64(value) for key, value in encoded.items()}}


def docker_config(**logins: str) -> Json:
    """A Secret of type kubernetes.io/dockerconfigjson; by key, with _ for each dot: a user name."""
    auths = {key.replace("_", "."): {"username": user, "password": "made-up"} for key, user in logins.items()}
    return {
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": _base64(json.dumps({"auths": auths}))},
    }


def argocd_secret(kind: str, **data: str) -> Json:
    """A Secret of Argo CD's: `repository` or `repo-creds`."""
    return {
        "metadata": {"labels": {"argocd.argoproj.io/secret-type": kind}},
        "type": "Opaque",
        "data": {key: _base64(value) for key, value in data.items()},
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
