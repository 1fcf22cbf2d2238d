"""An Argo CD Application as a small frozen value: what we use of it, and nothing else.

Ten thousand of these are held in memory, so a body is read once and dropped. Two values are equal when
nothing that matters to us differs: Argo CD touches every Application at every resync, and an idle one must
wake nobody. Which field holds the source is Argo CD's own rule: a hydrator wins over `sources`, `sources`
over `source`. It knows nothing of what the values mean for a release; `health` judges that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from bundlewatch.argocd import body
from bundlewatch.argocd.words import readable

TRACKING_ID = "argocd.argoproj.io/tracking-id"
SKIP_RECONCILE = "argocd.argoproj.io/skip-reconcile"
_OURS = "bundlewatch.dev/"

COMPARISON_ERROR = "ComparisonError"
INVALID_SPEC_ERROR = "InvalidSpecError"
UNKNOWN_ERROR = "UnknownError"
SYNC_ERROR = "SyncError"
_ERRORS = frozenset({COMPARISON_ERROR, INVALID_SPEC_ERROR, UNKNOWN_ERROR, SYNC_ERROR})

_MESSAGE_LIMIT = 240
_CONDITIONS_LIMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One effective source of the spec, as it is written there; None where the field is absent."""

    index: int
    name: str | None
    repo_url: str
    chart: str | None
    path: str | None
    ref: str | None
    target_revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRevision:
    """Which source at which target revision a part of status is about; "" where a field is absent."""

    repo_url: str
    chart: str
    target_revision: str

    @classmethod
    def of(cls, source: Source) -> "SourceRevision":
        return cls(repo_url=source.repo_url, chart=source.chart or "", target_revision=source.target_revision or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Who wrote a field last; the time is that of the manager's last write to any field."""

    name: str
    time: datetime | None = field(compare=False)
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference:
    kind: str
    name: str
    controller: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationState:
    """The last or the running operation. Retrying reads `Running` with `finished_at` set."""

    phase: str
    message: str
    started_at: datetime | None
    started: str
    """The same as it is written: by it a patch tests that it is still this operation; "" where it is absent."""
    finished_at: datetime | None
    retry_count: int
    partial: bool
    """A dry run, or only some of the resources: proves nothing about a version."""
    sources: tuple[SourceRevision, ...]
    """What it was asked to apply; empty when it takes the spec's. May be a left-over of the one before."""
    culprit: str
    """The first resource or hook that failed, and its message; "" where none is named."""
    result_sources: tuple[SourceRevision, ...]
    """What it applied, once it has written a result. Until then it may be a left-over too."""
    automated: bool
    """Whether sync windows treat it as an automatic sync."""
    initiated_by: str
    """The name of the person who asked for it; "" where it was no person, or none is named."""
    info: Mapping[str, str]
    """What a BundleWatch said of itself when it asked for it; empty when somebody else did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """What an automatic sync goes by, and one that is asked for does not unless it is told."""

    options: tuple[str, ...] = ()
    prune: bool = False
    retry: Mapping[str, object] | None = None
    """As it is written there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where it deploys to, as it is written; "" where a field is absent. Of server and name one is used."""

    server: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The newest entry of Argo CD's history: the last full sync that succeeded."""

    sources: tuple[SourceRevision, ...]
    revisions: tuple[str, ...]


class Freshness(StrEnum):
    """When Argo CD last compared everything, seen from the end of the last operation; times count seconds."""

    UNKNOWN = "Unknown"
    BEFORE = "Before"
    SAME_SECOND = "SameSecond"
    AFTER = "After"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Equal to another when nothing that matters to us differs; not hashable, since labels are a mapping."""

    namespace: str
    name: str
    uid: str
    resource_version: str = field(compare=False)
    deleting: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    """Ours, and those of Argo CD that we use."""
    has_annotations: bool = field(compare=False)
    """Whether there are any, also of others, which come and go with each refresh."""
    owner_references: tuple[OwnerReference, ...]
    target_revision_managers: Mapping[int, Manager]
    """By index of the source. Of `spec.sources` only the whole list is owned, so there all have the same."""

    hydrated: bool
    """A source hydrator rules: there is no source to move, and `sources` is empty."""
    multi_source: bool
    empty_sources: bool
    """`spec.sources` is there, as an empty list; it then means nothing."""
    sources: tuple[Source, ...]
    project: str
    """Its AppProject, which lies where Argo CD runs; the one named `default` where the spec says nothing."""
    destination: Destination
    automated: bool
    sync_policy: SyncPolicy
    has_operation: bool
    has_status: bool
    controller_namespace: str
    """Where the Argo CD that serves it runs, with its AppProjects; "" before it has looked."""

    sync_status: str
    compared_to: tuple[SourceRevision, ...]
    sync_revisions: tuple[str, ...]
    health_status: str
    health_message: str
    health_since: datetime | None = field(compare=False)
    """Since when Argo CD gives its health that word."""
    conditions: tuple[Condition, ...]
    """Errors only."""
    reconciled_at: datetime | None = field(compare=False)
    freshness: Freshness
    operation_state: OperationState | None
    last_deployed: Deployed | None

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    def condition(self, *types: str) -> Condition | None:
        """The first condition of one of these types, in the order given."""
        return next((found for type_ in types for found in self.conditions if found.type == type_), None)


def relevant_change(old: Application | None, new: Application | None) -> bool:
    """Whether a new version of an Application can lead to another decision or another word in a status."""
    return old != new


def parse(live: Mapping[str, object]) -> Application:
    """Read the body of a live Application. Never fails: what has the wrong shape reads as absent."""
    metadata, spec, status = (body.mapping(live.get(key)) for key in ("metadata", "spec", "status"))
    sync, health = body.mapping(status.get("sync")), body.mapping(status.get("health"))
    hydrated = isinstance(spec.get("sourceHydrator"), Mapping)
    several = body.sequence(spec.get("sources"))
    entries = () if hydrated else several or tuple(filter(None, [body.mapping(spec.get("source"))]))
    reconciled_at = body.time(status.get("reconciledAt"))
    operation_state = _operation_state(status.get("operationState"))
    return Application(
        namespace=body.word(metadata.get("namespace")),
        name=body.text(metadata.get("name")),
        uid=body.text(metadata.get("uid")),
        resource_version=body.text(metadata.get("resourceVersion")),
        deleting=bool(metadata.get("deletionTimestamp")),
        labels=body.words(metadata.get("labels")),
        annotations={
            key: value
            for key, value in body.words(metadata.get("annotations")).items()
            if key in {TRACKING_ID, SKIP_RECONCILE} or key.startswith(_OURS)
        },
        has_annotations=metadata.get("annotations") is not None,
        owner_references=tuple(_owner(body.mapping(entry)) for entry in body.sequence(metadata.get("ownerReferences"))),
        target_revision_managers=_managers(
            body.sequence(metadata.get("managedFields")), multi_source=bool(several), count=len(entries)
        ),
        hydrated=hydrated,
        multi_source=bool(several) and not hydrated,
        empty_sources=isinstance(spec.get("sources"), Sequence) and not several,
        sources=tuple(_source(body.mapping(entry), index=index) for index, entry in enumerate(entries)),
        project=body.word(spec.get("project")) or "default",
        destination=_destination(body.mapping(spec.get("destination"))),
        automated=_automated(body.mapping(spec.get("syncPolicy")).get("automated")),
        sync_policy=_sync_policy(body.mapping(spec.get("syncPolicy"))),
        has_operation=live.get("operation") is not None,
        has_status=live.get("status") is not None,
        controller_namespace=body.word(status.get("controllerNamespace")),
        sync_status=body.word(sync.get("status")),
        compared_to=_source_revisions(body.mapping(sync.get("comparedTo"))),
        sync_revisions=_revisions(sync),
        health_status=body.word(health.get("status")),
        health_message=_message(health.get("message")),
        health_since=body.time(health.get("lastTransitionTime")),
        conditions=tuple(
            Condition(type=body.word(entry.get("type")), message=_message(entry.get("message")))
            for entry in map(body.mapping, body.sequence(status.get("conditions")))
            if body.word(entry.get("type")) in _ERRORS
        )[:_CONDITIONS_LIMIT],
        reconciled_at=reconciled_at,
        freshness=_freshness(reconciled_at, operation_state),
        operation_state=operation_state,
        last_deployed=_last_deployed(body.sequence(status.get("history"))),
    )


def _source(entry: Mapping[str, object], *, index: int) -> Source:
    return Source(
        index=index,
        name=body.optional_word(entry.get("name")),
        repo_url=body.word(entry.get("repoURL")),
        chart=body.optional_word(entry.get("chart")),
        path=body.optional_word(entry.get("path")),
        ref=body.optional_word(entry.get("ref")),
        target_revision=body.optional_word(entry.get("targetRevision")),
    )


def _destination(entry: Mapping[str, object]) -> Destination:
    return Destination(
        server=body.word(entry.get("server")),
        name=body.word(entry.get("name")),
        namespace=body.word(entry.get("namespace")),
    )


def _automated(policy: object) -> bool:
    return isinstance(policy, Mapping) and policy.get("enabled") is not False


def _sync_policy(policy: Mapping[str, object]) -> SyncPolicy:
    retry = policy.get("retry")
    read = SyncPolicy(
        options=tuple(filter(None, map(body.word, body.sequence(policy.get("syncOptions"))))),
        prune=body.mapping(policy.get("automated")).get("prune") is True,
        retry=dict(retry) if isinstance(retry, Mapping) else None,
    )
    return read if read != _NO_SYNC_POLICY else _NO_SYNC_POLICY  # one for the many that say nothing


def _owner(entry: Mapping[str, object]) -> OwnerReference:
    return OwnerReference(
        kind=body.word(entry.get("kind")),
        name=body.word(entry.get("name")),
        controller=entry.get("controller") is True,
    )


def _managers(entries: Sequence[object], *, multi_source: bool, count: int) -> Mapping[int, Manager]:
    newest: Manager | None = None
    for entry in map(body.mapping, entries):
        spec = body.mapping(body.mapping(entry.get("fieldsV1")).get("f:spec"))
        owned = "f:sources" in spec if multi_source else "f:targetRevision" in body.mapping(spec.get("f:source"))
        if not owned:
            continue
        manager = Manager(
            name=body.word(entry.get("manager")),
            time=body.time(entry.get("time")),
            operation=body.word(entry.get("operation")),
        )
        if newest is None or (manager.time or _NEVER) >= (newest.time or _NEVER):
            newest = manager
    return {} if newest is None else dict.fromkeys(range(count), newest)


def _operation_state(value: object) -> OperationState | None:
    if not isinstance(value, Mapping):
        return None
    operation = body.mapping(value.get("operation"))
    asked = body.mapping(operation.get("sync"))
    retries = value.get("retryCount")
    return OperationState(
        phase=body.word(value.get("phase")),
        message=_message(value.get("message")),
        started_at=body.time(value.get("startedAt")),
        started=body.text(value.get("startedAt")),
        finished_at=body.time(value.get("finishedAt")),
        retry_count=retries if isinstance(retries, int) else 0,
        partial=asked.get("dryRun") is True or bool(body.sequence(asked.get("resources"))),
        sources=_source_revisions(asked),
        culprit=_culprit(body.sequence(body.mapping(value.get("syncResult")).get("resources"))),
        result_sources=_source_revisions(body.mapping(value.get("syncResult"))),
        automated=body.mapping(operation.get("initiatedBy")).get("automated") is True,
        initiated_by=body.word(body.mapping(operation.get("initiatedBy")).get("username")),
        info={
            body.word(entry.get("name")): body.word(entry.get("value"))
            for entry in map(body.mapping, body.sequence(operation.get("info")))
            if body.text(entry.get("name")).startswith(_OURS)
        },
    )


def _culprit(resources: Sequence[object]) -> str:
    for entry in map(body.mapping, resources):
        if body.word(entry.get("hookPhase")) in {"Failed", "Error"} or body.word(entry.get("status")) == "SyncFailed":
            named = " ".join(filter(None, (body.word(entry.get("kind")), body.word(entry.get("name")))))
            return _message(f"{named}: {body.text(entry.get('message'))}")
    return ""


def _freshness(reconciled_at: datetime | None, state: OperationState | None) -> Freshness:
    if reconciled_at is None or state is None or state.finished_at is None:
        return Freshness.UNKNOWN
    if reconciled_at == state.finished_at:
        return Freshness.SAME_SECOND
    return Freshness.BEFORE if reconciled_at < state.finished_at else Freshness.AFTER


def _last_deployed(history: Sequence[object]) -> Deployed | None:
    if not history:
        return None
    newest = body.mapping(history[-1])
    return Deployed(sources=_source_revisions(newest), revisions=_revisions(newest))


def _source_revisions(holder: Mapping[str, object]) -> tuple[SourceRevision, ...]:
    # With several sources Argo CD also leaves an empty `source` beside them.
    entries = body.sequence(holder.get("sources")) or tuple(filter(None, [body.mapping(holder.get("source"))]))
    return tuple(
        SourceRevision(
            repo_url=body.word(entry.get("repoURL")),
            chart=body.word(entry.get("chart")),
            target_revision=body.word(entry.get("targetRevision")),
        )
        for entry in map(body.mapping, entries)
    )


def _revisions(holder: Mapping[str, object]) -> tuple[str, ...]:
    several = body.sequence(holder.get("revisions"))
    single = body.word(holder.get("revision"))
    return tuple(map(body.word, several)) if several else (single,) if single else ()


_NEVER = datetime.min.replace(tzinfo=UTC)
_NO_SYNC_POLICY = SyncPolicy()


def _message(value: object) -> str:
    return readable(body.text(value), max_length=_MESSAGE_LIMIT)
