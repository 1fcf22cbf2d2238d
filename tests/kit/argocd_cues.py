"""Cues: what somebody else does to an Application that Argo CD answers, recorded or live.

`cue_of` names a recorded one. `Cues` finds live ones, from the object alone: what it says now against what was
answered already, so that a lost event or a restart loses nothing. Knows nothing of the answers.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from kit.argocd_shape import CASCADE, REFRESH, SKIP, at, canonical, sources_of
from kit.argocd_traces import JsonObject, Write

_KNOWN_ANNOTATIONS = ("argocd.argoproj.io/", "standin.", "kubectl.kubernetes.io/")


class Cue(StrEnum):
    START = "start"  # nothing was done: what follows is the world's own doing
    CREATE = "create"
    SOURCES = "sources"  # spec.source(s) changed, with or without an operation in the same patch
    OPERATION = "operation"
    TERMINATE = "terminate"  # status.operationState.phase was set to Terminating
    REFRESH = "refresh"
    SKIP = "skip"  # skip-reconcile was set
    RESUME = "resume"  # skip-reconcile was removed
    ANNOTATE = "annotate"  # a foreign annotation was added
    DELETE = "delete"  # deleted, and a finalizer holds it
    GONE = "gone"  # deleted, and nothing held it


def cue_of(write: Write) -> Cue:
    """Which cue somebody's recorded write was."""
    if write.event != "MODIFIED":
        return Cue.CREATE if write.event == "ADDED" else Cue.GONE
    if at(write.patch, "metadata", "annotations"):
        return next(cue for cue in (Cue.REFRESH, Cue.SKIP, Cue.ANNOTATE) if _SAID[cue](write.after))
    paths = {
        Cue.SOURCES: ("spec",),
        Cue.OPERATION: ("operation",),
        Cue.TERMINATE: ("status", "operationState", "phase"),
        Cue.DELETE: ("metadata", "deletionTimestamp"),
    }
    return next((cue for cue, path in paths.items() if at(write.patch, *path)), Cue.RESUME)


class Cues:
    """Those of one live Application. `answered` holds what was answered of each kind, as text to compare."""

    def __init__(self) -> None:
        self.application: JsonObject = {}
        self._answered: dict[Cue, str] = {}

    def observe(self, application: JsonObject) -> bool:
        """A version of the Application, in any order; False when a newer one is known."""
        version = int(application["metadata"]["resourceVersion"])
        if self.application and version <= int(self.application["metadata"]["resourceVersion"]):
            return False
        if not self.application:
            compared = sources_of(at(application, "status", "sync", "comparedTo"))
            self._answered[Cue.SOURCES] = canonical(compared) if compared else ""
        self.application = application
        for cue in (Cue.OPERATION, Cue.REFRESH, Cue.TERMINATE, Cue.ANNOTATE):
            if not self.said(cue):
                self._answered.pop(cue, None)
        return True

    def said(self, cue: Cue) -> str:
        """What the Application says now of this kind of cue; "" for nothing."""
        return _SAID[cue](self.application)

    def due(self, *, annotations: bool = False) -> Cue | None:
        """What is to be answered next; foreign annotations only when asked for."""
        if self._fresh(Cue.DELETE):
            return Cue.DELETE
        if at(self.application, "metadata", "deletionTimestamp"):
            return None
        if self.said(Cue.SKIP):
            return Cue.SKIP if self._fresh(Cue.SKIP) else None
        if self._answered.get(Cue.SKIP):
            return Cue.RESUME
        kinds = (Cue.REFRESH, Cue.TERMINATE, Cue.SOURCES, Cue.OPERATION, *([Cue.ANNOTATE] if annotations else []))
        found = next(filter(self._fresh, kinds), None)
        never_compared = not at(self.application, "status", "sync", "status")
        return Cue.CREATE if found is Cue.SOURCES and never_compared else found

    def acknowledge(self, cue: Cue) -> None:
        """Answered as the Application is now."""
        if cue is Cue.RESUME:
            self._answered.pop(Cue.SKIP, None)
            return
        changed = cue in (Cue.SOURCES, Cue.CREATE)
        for kind in (Cue.SOURCES, Cue.OPERATION) if changed else (cue,):  # both may come in one patch (09b)
            self._answered[kind] = self.said(kind)

    def own(self, cue: Cue, application: JsonObject) -> None:
        """This version's is an own write and nobody's cue, even if a newer version is known by now."""
        self._answered[cue] = _SAID[cue](application)

    def reopen(self, cue: Cue) -> None:
        """Let it be due again."""
        self._answered[cue] = ""

    def _fresh(self, cue: Cue) -> bool:
        said = self.said(cue)
        return bool(said) and said != self._answered.get(cue, "")


def _sources(application: Mapping[str, Any]) -> str:
    sources = sources_of(application["spec"])
    return canonical(sources) if sources else ""


def _terminating(application: Mapping[str, Any]) -> str:
    state = at(application, "status", "operationState") or {}
    return str(state["startedAt"]) if state.get("phase") == "Terminating" else ""


def _leaving(application: Mapping[str, Any]) -> str:
    finalizers = at(application, "metadata", "finalizers") or ()
    held = any(name.startswith(CASCADE) for name in finalizers)
    return str(at(application, "metadata", "deletionTimestamp") or "") if held else ""


def _foreign(application: Mapping[str, Any]) -> str:
    annotations = at(application, "metadata", "annotations") or {}
    return ",".join(sorted(key for key in annotations if not key.startswith(_KNOWN_ANNOTATIONS)))


def _operation(application: Mapping[str, Any]) -> str:
    return canonical(application["operation"]) if "operation" in application else ""


def _refresh(application: Mapping[str, Any]) -> str:
    return str(at(application, "metadata", "annotations", REFRESH) or "")


def _skip(application: Mapping[str, Any]) -> str:
    return "true" if at(application, "metadata", "annotations", SKIP) == "true" else ""


_SAID: Mapping[Cue, Callable[[Mapping[str, Any]], str]] = {
    Cue.SOURCES: _sources,
    Cue.OPERATION: _operation,
    Cue.TERMINATE: _terminating,
    Cue.REFRESH: _refresh,
    Cue.SKIP: _skip,
    Cue.ANNOTATE: _foreign,
    Cue.DELETE: _leaving,
}
