"""A recorded write, said again about the Application on stage.

The recorded patch decides which fields are written and in which order; what stands in them is the live
Application's own: its sources, revisions, history, operation, names and times. Nothing but a recorded write of
`spec` touches `spec`. Pure but for the clock it is given; what belongs where is read off the traces.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from kit.argocd_shape import REFRESH, at, canonical, revisions_of, sources_of, spell_out
from kit.argocd_traces import JsonObject, Trace, Write, merge

HISTORY_LIMIT = 10
DEFAULT_RETRY_LIMIT = 5

Resolve = Callable[[Mapping[str, Any]], str]


def resolve(source: Mapping[str, Any]) -> str:
    """The revision Argo CD finds for a source: the version itself for Helm-OCI, a digest (made up, but always the
    same for the same tag) for a native OCI source.
    """
    target = str(source.get("targetRevision", ""))
    if not str(source.get("repoURL", "")).startswith("oci://"):
        return target
    _, pinned, digest = target.rpartition("sha256:")
    name = f"{source['repoURL']}:{target}".encode()
    return pinned + (digest if pinned else "sha256:" + hashlib.sha256(name).hexdigest())


class Times(Protocol):
    """What stands for a recorded second on stage."""

    def live(self, recorded: str) -> str: ...


class Recorded:
    """The recorded seconds themselves, for a replay."""

    def live(self, recorded: str) -> str:
        return recorded


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Now. One recorded second stays one second, and none comes before an earlier one."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._known: dict[str, str] = {}
        self._last = ""

    def live(self, recorded: str) -> str:
        if recorded not in self._known:
            self._last = max(self._last, self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            self._known[recorded] = self._last
        return self._known[recorded]


class Cast:
    """Who plays whom while one trace is on stage: recorded sources, names and seconds to live ones."""

    def __init__(
        self, trace: Trace, *, application: Mapping[str, Any], times: Times, resolve: Resolve = resolve
    ) -> None:
        self._times = times
        self._resolve = resolve
        self._sources: dict[str, tuple[JsonObject, ...]] = {}
        name = trace.application
        self._names = {
            name: str(application["metadata"]["name"]),
            f"{name}-ns": str(at(application, "spec", "destination", "namespace") or ""),
            f"src-{name}": str(application["spec"]["project"]),  # the only project a message names (28)
        }
        self._charts: dict[str, str] = {}

    def bind(self, recorded: Sequence[JsonObject], live: Sequence[JsonObject]) -> None:
        """From now on these recorded sources mean these live ones."""
        if not recorded or not live:
            return
        self._sources[canonical(recorded)] = tuple(live)
        changed = [source for source in live if canonical(source) not in self._seen(live)] or list(live)
        for theirs, ours in zip(recorded, live if len(live) == len(recorded) else changed, strict=False):
            self._names[repository_of(theirs)] = repository_of(ours)
            if "chart" in theirs:
                self._names[theirs["repoURL"]] = ours["repoURL"]
                self._charts["/" + theirs["chart"]] = "/" + repository_of(ours).rpartition("/")[2]
            if theirs.get("targetRevision") and ours.get("targetRevision"):
                self._names[theirs["targetRevision"]] = ours["targetRevision"]

    def meaning(self, recorded: Sequence[JsonObject]) -> tuple[JsonObject, ...] | None:
        return self._sources.get(canonical(recorded))

    def knows(self, live: Sequence[JsonObject]) -> bool:
        return tuple(live) in self._sources.values()

    def _seen(self, live: Sequence[JsonObject]) -> set[str]:
        return {canonical(one) for known in self._sources.values() if known != tuple(live) for one in known}

    def render(self, write: Write, *, application: Mapping[str, Any]) -> JsonObject:
        """The merge patch that does to `application` what `write` did to the recorded one."""
        patch: JsonObject = {}
        if metadata := write.patch.get("metadata"):
            patch["metadata"] = _metadata(metadata, write, application)
        if "spec" in write.patch:
            patch["spec"] = self._spec(write, application)
        if "operation" in write.patch:
            recorded = write.patch["operation"]
            patch["operation"] = None if recorded is None else self._operation(write, application)
        if "status" in write.patch:
            patch["status"] = self._status(write, application)
        if patch.get("operation"):  # beginning one writes out whatever part of the status is not there yet
            live = application.get("status") or {}
            absent: JsonObject = {key: {} for key in ("health", "sourceHydrator", "summary") if key not in live}
            patch["status"] = absent | patch.get("status", {})
        return patch

    def _spec(self, write: Write, application: Mapping[str, Any]) -> JsonObject:
        live = self._sources[canonical(sources_of(write.after["spec"]))]
        if at(application, "spec", "sources"):
            return {"sources": list(live)}
        return {"source": {"targetRevision": live[0]["targetRevision"]}}

    def _operation(self, write: Write, application: Mapping[str, Any]) -> JsonObject:
        """An automatic sync of what the recorded one was for."""
        policy = at(application, "spec", "syncPolicy") or {}
        sync = self._subject(write.after["operation"]["sync"], application)
        sync.pop("source" if "sources" in sync else "sources", None)
        if "syncOptions" in policy:
            sync["syncOptions"] = policy["syncOptions"]
        retry = policy.get("retry", {"limit": DEFAULT_RETRY_LIMIT})
        return {"initiatedBy": {"automated": True}, "retry": retry, "sync": sync}

    def _status(self, write: Write, application: Mapping[str, Any]) -> JsonObject:
        recorded, after = write.patch["status"], write.after["status"]
        live = application.get("status") or {}
        status: JsonObject = {}
        for key, value in recorded.items():
            match key:
                case "sync":
                    status |= self._sync(value, after, application)
                case "operationState":
                    status[key] = None if value is None else self._operation_state(value, write, application)
                case "history":
                    entry = self._history(after["history"][-1], live.get("history") or (), application)
                    status[key] = [*(live.get("history") or ()), entry][-HISTORY_LIMIT:]
                case "sourceType" | "sourceTypes":
                    status |= _source_types(after, application)
                case "resources" if value is not None:
                    status[key] = self._resources(value, application)
                case _:
                    status[key] = self._said(value)
        return status

    def _sync(
        self, recorded: Mapping[str, Any], after: Mapping[str, Any], application: Mapping[str, Any]
    ) -> JsonObject:
        if not {"comparedTo", "revision", "revisions"} & set(recorded):
            return {"sync": {"status": recorded["status"]}}
        sync = after["sync"]
        live = application.get("status") or {}
        destination = at(application, "spec", "destination")
        theirs = {"sources": sources_of(sync["comparedTo"]), "revisions": revisions_of(sync)}
        subject = self._subject(theirs, application)
        if sync.get("status") == "Unknown":  # nothing was resolved: the target itself, and no list of them at all
            target = at(subject, "source", "targetRevision")
            subject = {key: subject[key] for key in ("source", "sources") if key in subject}
            subject |= {"revision": target} if target else {}
        compared: JsonObject = {"destination": destination}
        for key in ("source", "sources"):
            if key in subject:
                compared[key] = subject.pop(key)
        before = at(live, "sync", "comparedTo", "source") or {}
        compared["source"] = dict.fromkeys(before) | compared.get("source", {})
        if not theirs["sources"]:  # the first write of all spells out what is not there yet
            compared = {"destination": {}, **sync["comparedTo"]}
        missing = {key: None for key in ("revision", "revisions") if at(live, "sync", key) and key not in subject}
        status: JsonObject = {"sync": {"status": sync.get("status", ""), "comparedTo": compared, **subject, **missing}}
        # A comparison speaks of all of these, also where the recorded Application happened to need no change.
        if "conditions" in live or "conditions" in after:
            status["conditions"] = self._said(after.get("conditions"))
        if theirs["sources"]:
            status |= _source_types(after, application)
        return status

    def _operation_state(self, recorded: Mapping[str, Any], write: Write, application: Mapping[str, Any]) -> JsonObject:
        after = write.after["status"]["operationState"]
        state: JsonObject = {}
        for key, value in recorded.items():
            match key:
                case "operation":
                    state[key] = {k: v for k, v in merge({}, application.get("operation") or {}).items() if v != {}}
                case "syncResult" if value is not None:
                    state[key] = self._sync_result(value, after["syncResult"], application)
                case _:
                    state[key] = self._said(value)
        if "startedAt" in recorded:
            state.setdefault("operation", {})
        return state

    def _sync_result(
        self, recorded: Mapping[str, Any], after: Mapping[str, Any], application: Mapping[str, Any]
    ) -> JsonObject:
        result: JsonObject = {}
        subject = self._subject(after, application)
        if {"revision", "revisions"} & set(recorded):
            result |= {key: subject[key] for key in ("revision", "revisions") if key in subject}
            if "revision" not in result:
                result["revision"] = ""
        if {"source", "sources"} & set(recorded):
            result |= {key: subject[key] for key in ("source", "sources") if key in subject}
        if recorded.get("resources") is not None:
            result["resources"] = self._resources(recorded["resources"], application)
        return result

    def _history(
        self, recorded: Mapping[str, Any], before: Sequence[JsonObject], application: Mapping[str, Any]
    ) -> JsonObject:
        entry = self._subject(recorded, application)
        entry["id"] = before[-1]["id"] + 1 if before else 0
        for key in ("deployStartedAt", "deployedAt"):
            entry[key] = self._times.live(recorded[key])
        initiator = at(application, "status", "operationState", "operation", "initiatedBy")
        if initiator:
            entry["initiatedBy"] = initiator
        return entry

    def _subject(self, recorded: Mapping[str, Any], application: Mapping[str, Any]) -> JsonObject:
        """Sources and revisions as the live Application has them: singly, or as lists beside an empty single."""
        theirs = sources_of(recorded)
        revisions = revisions_of(recorded)
        live = self.meaning(theirs)
        if live is None:  # nothing to translate, such as the empty source of a first write
            verbatim = {key: recorded[key] for key in ("source", "sources") if key in recorded}
            return verbatim | ({"revision": self._said(revisions[0])} if revisions else {})
        found = [self._revision(theirs, revisions, source, index) for index, source in enumerate(live)]
        if at(application, "spec", "sources"):
            several: JsonObject = {"source": {"repoURL": ""}, "sources": list(live)}
            return several | ({"revisions": found} if revisions else {})
        return {"source": live[0]} | ({"revision": found[0]} if revisions else {})

    def _revision(self, theirs: Sequence[JsonObject], revisions: Sequence[str], live: JsonObject, index: int) -> str:
        if index < len(revisions):
            if theirs[index] == live:
                return revisions[index]
            target = theirs[index].get("targetRevision")
            if revisions[index] != target and not revisions[index].startswith("sha256:"):
                return revisions[index]  # a range: what it found is part of the script
        return self._resolve(live)

    def _resources(self, recorded: Sequence[JsonObject], application: Mapping[str, Any]) -> list[JsonObject]:
        namespace = at(application, "spec", "destination", "namespace") or ""
        said = self._said(recorded)
        assert isinstance(said, list)
        return spell_out(said, namespace=namespace)

    def _said(self, recorded: Any) -> Any:
        """Recorded words and times with the live names and seconds in them."""
        if isinstance(recorded, Mapping):
            return {key: self._said(value) for key, value in recorded.items()}
        if isinstance(recorded, (list, tuple)):
            return [self._said(value) for value in recorded]
        if not isinstance(recorded, str):
            return recorded
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", recorded):
            return self._times.live(recorded)
        names = self._names | self._charts  # a chart's name is a common word: only as the end of a path
        longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        return re.sub(rf"(?<![\w.])(?:{longest_first})(?![\w.])", lambda found: names[found[0]], recorded)


def repository_of(source: Mapping[str, Any]) -> str:
    """Host and path of what the source names, whichever kind it is."""
    path = str(source["repoURL"]).removeprefix("oci://")
    return f"{path}/{source['chart']}" if source.get("chart") else path


def _metadata(recorded: Mapping[str, Any], write: Write, application: Mapping[str, Any]) -> JsonObject:
    before = at(write.before, "metadata", "annotations") or {}
    after = at(write.after, "metadata", "annotations") or {}
    metadata: JsonObject = dict(recorded)
    if "annotations" in recorded:
        gone: JsonObject = dict.fromkeys(set(before) - set(after))
        if gone and REFRESH not in gone:  # the ApplicationSet controller strips what is not its own
            live = at(application, "metadata", "annotations") or {}
            gone = {key: None for key in live if not _is_ours(key)}
        metadata["annotations"] = gone | (recorded["annotations"] or {})
    return metadata


def _is_ours(annotation: str) -> bool:
    return ".argoproj.io/" in annotation or annotation.startswith("standin.")


def _source_types(after: Mapping[str, Any], application: Mapping[str, Any]) -> JsonObject:
    kinds = after.get("sourceTypes") or [kind for kind in [after.get("sourceType")] if kind]
    live = application.get("status") or {}
    several = at(application, "spec", "sources")
    if not kinds:
        return {key: None for key in ("sourceType", "sourceTypes") if key in live}
    if several:
        return {"sourceTypes": [kinds[0]] * len(several)}
    return {"sourceType": kinds[0]}
