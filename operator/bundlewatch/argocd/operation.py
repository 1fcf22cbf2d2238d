"""Operations of Argo CD as parts of the patch: asking for a sync, and ending the one of a version taken back.

Argo CD goes on with the operation in `status.operationState` whatever else is written: a second `.operation`
would overwrite the first and vanish unseen, and a patch of the target revision does not stop what is pinned to the
old one. So nothing is asked for while one is at work, and what is taken back has its own operation ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bundlewatch.argocd.application import Application, OperationState, Source, SourceRevision

USERNAME: Final = "bundlewatch"
"""Who asks, in Argo CD's words; the admission policy in deploy/ insists on it."""

INFO_WATCH: Final = "bundlewatch.dev/watch"
INFO_UID: Final = "bundlewatch.dev/uid"
INFO_TAG: Final = "bundlewatch.dev/tag"
INFO_DIGEST: Final = "bundlewatch.dev/digest"

_RUNNING: Final = "Running"
_TERMINATING: Final = "Terminating"
_ENDED: Final = frozenset({"Succeeded", "Failed", "Error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """A sync that Argo CD is asked for, and on whose behalf; Argo CD shows it beside the operation."""

    watch: str
    """The BundleWatch, as namespace/name."""
    uid: str
    tag: str
    digest: str
    manual: bool = False
    """Argo CD is to take it for the request of a person: a closed sync window lets it through if its AppProject allows
    manual syncs there. Only True where it does and that is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """The version that is taken back from a source."""

    target_revision: str
    """As it was spelled for the source."""
    digest: str = ""
    """Of its bundle, as it was given to a `SyncRequest`."""


def is_busy(application: Application) -> bool:
    """Whether an operation is asked for or at work. Retrying, and waiting for a sync window, are work too."""
    state = application.operation_state
    return application.has_operation or (state is not None and state.phase not in _ENDED)


def busy_with(application: Application, source: Source) -> str:
    """The target revision of this source that a running operation is pinned to; "" where there is none, or it does
    not say.
    """
    state = application.operation_state
    if state is None or state.phase != _RUNNING or source.index >= len(state.sources):
        return ""
    return state.sources[source.index].target_revision


def is_of(state: OperationState, source: Source, version: Abandoned) -> bool:
    """Whether an operation is about this version of the source.

    Told by the sources it was given, else by those it has written a result for, else by what we told it; one that
    says nothing of itself is somebody else's.
    """
    sources = state.sources or state.result_sources
    if not sources:
        return bool(version.digest) and state.info.get(INFO_DIGEST) == version.digest
    wanted = SourceRevision(repo_url=source.repo_url, chart=source.chart or "", target_revision=version.target_revision)
    return source.index < len(sources) and sources[source.index] == wanted


def request(application: Application, wanted: SyncRequest) -> list[dict[str, object]]:
    """The operations that ask for a sync of what the spec says; none while Argo CD is busy, who would ignore it.

    The operation before is forgotten with it: Argo CD would take its results for results of the new one, and end
    with "Succeeded" where nothing was applied.
    """
    if is_busy(application):
        return []
    operations: list[dict[str, object]] = [
        {"op": "test", "path": "/operation", "value": None},
        _still_idle(application),
        *_still_said(application, wanted),
        {"op": "add", "path": "/operation", "value": _operation(application, wanted)},
    ]
    if application.has_status:
        # `remove` would be refused where there was none; and without a status nothing can be added to it.
        operations.append({"op": "add", "path": "/status/operationState", "value": None})
    return operations


def termination(application: Application, source: Source, version: Abandoned) -> list[dict[str, object]]:
    """The operations that end the running or retrying operation of `version`; none where it is at an end or another's.

    Argo CD ends it within a moment, and undoes nothing of what was applied.
    """
    state = application.operation_state
    if not application.has_operation or state is None or state.phase != _RUNNING or not state.started:
        return []
    if not is_of(state, source, version):
        return []
    at = "/status/operationState"
    return [
        {"op": "test", "path": f"{at}/startedAt", "value": state.started},
        {"op": "test", "path": f"{at}/phase", "value": _RUNNING},
        {"op": "replace", "path": f"{at}/phase", "value": _TERMINATING},
    ]


def _still_idle(application: Application) -> dict[str, object]:
    if not application.has_status:
        return {"op": "test", "path": "/status", "value": None}
    state = application.operation_state
    if state is None:
        return {"op": "test", "path": "/status/operationState", "value": None}
    return {"op": "test", "path": "/status/operationState/phase", "value": state.phase}


def _still_said(application: Application, wanted: SyncRequest) -> Iterable[dict[str, object]]:
    """Tests of what is copied from the spec into the request, and of whose sync windows were looked at."""
    policy = application.sync_policy
    if policy.options:
        yield {"op": "test", "path": "/spec/syncPolicy/syncOptions", "value": list(policy.options)}
    if policy.retry is not None:
        yield {"op": "test", "path": "/spec/syncPolicy/retry", "value": dict(policy.retry)}
    if policy.prune:
        yield {"op": "test", "path": "/spec/syncPolicy/automated/prune", "value": True}
    if wanted.manual:
        yield {"op": "test", "path": "/spec/project", "value": application.project}


def _operation(application: Application, wanted: SyncRequest) -> Mapping[str, object]:
    # Neither source nor revision: Argo CD then takes the spec's, and nobody can take it for a rollback of a person.
    policy = application.sync_policy
    sync: dict[str, object] = {}
    if policy.options:
        sync["syncOptions"] = list(policy.options)
    if policy.prune:
        sync["prune"] = True
    named = {
        INFO_WATCH: wanted.watch,
        INFO_UID: wanted.uid,
        INFO_TAG: wanted.tag,
        INFO_DIGEST: wanted.digest,
    }
    return {
        # Not "automated" means "a person", for whom a closed window may open.
        "initiatedBy": {"username": USERNAME, "automated": not wanted.manual},
        "info": [{"name": name, "value": value} for name, value in named.items() if value],
        **({"retry": dict(policy.retry)} if policy.retry is not None else {}),
        "sync": sync,
    }
