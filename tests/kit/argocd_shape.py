"""The shape of an Application: its sources wherever they are named, and its trimmed form as the traces have it.

`trim` does to a live object what the recording did to the real ones, so that both can be compared; `spell_out` gives
a trimmed list of resources back what was cut from it. Pure; the ground is the README of the traces, "Format".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kit.argocd_traces import JsonObject, merge

SKIP = "argocd.argoproj.io/skip-reconcile"
REFRESH = "argocd.argoproj.io/refresh"
CASCADE = "resources-finalizer.argocd.argoproj.io"

_GROUP_VERSIONS = {
    "ConfigMap": ("", "v1"),
    "CronJob": ("batch", "v1"),
    "Deployment": ("apps", "v1"),
    "Job": ("batch", "v1"),
}
_METADATA = ("annotations", "labels", "finalizers", "deletionTimestamp")
_STATUS = (
    "reconciledAt",
    "sourceType",
    "sourceTypes",
    "resourceHealthSource",
    "controllerNamespace",
    "conditions",
)
_RESOURCE = ("kind", "name", "status", "hook", "requiresPruning")
_RESULT = ("kind", "name", "status", "message", "hookPhase", "hookType", "syncPhase")


def sources_of(holder: Mapping[str, Any] | None) -> tuple[JsonObject, ...]:
    """The sources of whatever has them (spec, comparedTo, operation.sync, …): the list wins over the single one.

    Empty texts are left out, as Argo CD does when it copies a source.
    """
    if not holder:
        return ()
    single = holder.get("source") or {}
    found = holder.get("sources") or ([single] if single.get("repoURL") else [])
    return tuple({key: value for key, value in source.items() if value != ""} for source in found)


def revisions_of(holder: Mapping[str, Any] | None) -> tuple[str, ...]:
    if not holder:
        return ()
    return tuple(holder.get("revisions") or filter(None, (holder.get("revision"),)))


def canonical(value: object) -> str:
    """One text for equal values, to compare and to look up by."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def at(value: Mapping[str, Any] | None, *path: str) -> Any:
    """What is at the end of `path`, None where the way ends early."""
    here: Any = value
    for key in path:
        if not isinstance(here, Mapping):
            return None
        here = here.get(key)
    return here


def spell_out(resources: Sequence[JsonObject], *, namespace: str) -> list[JsonObject]:
    """Trimmed resources with the group, version and namespace that the real list carries."""
    full = []
    for resource in resources:
        group, version = _GROUP_VERSIONS[resource["kind"]]
        identity = {"group": group, "version": version, "namespace": namespace}
        full.append({key: value for key, value in identity.items() if value} | resource)
    return full


def trim(application: Mapping[str, Any]) -> JsonObject:
    """The Application as the traces would have recorded it."""
    metadata = application["metadata"]
    state: JsonObject = {"metadata": {key: metadata[key] for key in _METADATA if metadata.get(key)}}
    if owners := metadata.get("ownerReferences"):
        wanted = ("kind", "name", "controller")
        state["metadata"]["ownerReferences"] = [{key: owner[key] for key in wanted} for owner in owners]
    state["metadata"]["managedFields"] = {
        f"{entry['manager']}/{entry['operation']}": {"time": entry.get("time"), "fields": owned_fields(entry)}
        for entry in metadata.get("managedFields", ())
    }
    state["spec"] = application["spec"]
    if "operation" in application:
        state["operation"] = application["operation"]
    state["status"] = _status(application.get("status") or {})
    return state


def without_times(state: Mapping[str, Any]) -> JsonObject:
    """A trimmed state with every time made the same: what is left is what happened, not when."""

    def timeless(value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {name: timeless(below, name) for name, below in value.items()}
        if isinstance(value, list):
            return [timeless(item) for item in value]
        return "…" if key in _TIMES and value else value

    stripped = timeless(state)
    assert isinstance(stripped, dict)
    return stripped


_TIMES = frozenset(
    {
        "time",
        "deletionTimestamp",
        "lastTransitionTime",
        "reconciledAt",
        "startedAt",
        "finishedAt",
        "deployStartedAt",
        "deployedAt",
    }
)


def owned_fields(entry: Mapping[str, Any]) -> list[str]:
    """The paths a manager owns, sorted; those of the status as one item that lists its keys."""
    fields = entry.get("fieldsV1", {})
    paths = [path for path in _leaves(fields) if path != "status" and not path.startswith("status.")]
    if status := sorted(key.removeprefix("f:") for key in fields.get("f:status", {}) if key != "."):
        paths.append("status{" + ",".join(status) + "}")
    return sorted(paths)


def _leaves(fields: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, below in fields.items():
        if key == ".":
            continue
        path = f"{above}.{key.removeprefix('f:')}" if above else key.removeprefix("f:")
        deeper = {name: value for name, value in below.items() if name != "."}
        if deeper and not key.startswith(("k:", "v:")):
            yield from _leaves(deeper, path)
        else:
            yield path


def _status(status: Mapping[str, Any]) -> JsonObject:
    kept: JsonObject = {key: status[key] for key in _STATUS if status.get(key)}
    sync = status.get("sync") or {}
    compared = {key: value for key, value in (sync.get("comparedTo") or {}).items() if key in ("source", "sources")}
    trimmed = {key: sync[key] for key in ("status", "revision", "revisions") if sync.get(key)}
    if compared:
        trimmed["comparedTo"] = compared
    if trimmed:
        kept["sync"] = trimmed
    if status.get("health"):
        kept["health"] = status["health"]
    history = status.get("history") or []
    kept["historyLen"] = len(history)
    if history:
        kept["history"] = [_filled(entry) for entry in history[-2:]]
    if resources := status.get("resources"):
        kept["resources"] = [_picked(resource, _RESOURCE) for resource in resources]
    if operation_state := status.get("operationState"):
        kept["operationState"] = _operation_state(operation_state)
    return kept


def _operation_state(state: Mapping[str, Any]) -> JsonObject:
    kept = _picked(state, ("phase", "message", "startedAt", "finishedAt", "retryCount"))
    if operation := _filled(state.get("operation") or {}):
        kept["operation"] = operation
    if result := state.get("syncResult"):
        kept["syncResult"] = _picked(result, ("revision", "revisions", "source", "sources"))
        if resources := result.get("resources"):
            kept["syncResult"]["resources"] = [_picked(resource, _RESULT) for resource in resources]
    return kept


def _picked(holder: Mapping[str, Any], keys: Sequence[str]) -> JsonObject:
    return {key: holder[key] for key in keys if holder.get(key)}


def _filled(holder: Mapping[str, Any]) -> JsonObject:
    """Without the empty objects in it; a merge patch cannot say them."""
    return {key: value for key, value in merge({}, holder).items() if value != {}}
