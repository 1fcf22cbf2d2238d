"""What Argo CD was recorded to do: the traces of `tests/data/argocd-traces/`, read and made whole.

A trace is one Application's life in JSON lines: what the recording script did (`Beat`), and every version of the
object (`Write`) as a merge patch against the version before it. Loading adds the two things a player needs and the
lines do not say: the full state before and after each write, and who wrote it. Knows nothing of a cluster; the
format is described in the README beside the traces.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]

TRACES = Path(__file__).parent.parent / "data" / "argocd-traces"

CONTROLLER = "argocd-application-controller"
APPLICATION_SET = "argocd-applicationset-controller"
PARENT = "argocd-controller"
CONTROLLERS = frozenset({CONTROLLER, APPLICATION_SET, PARENT})


@dataclass(frozen=True, slots=True)
class Beat:
    """Something that happened around the Application: a chart was published, a Deployment became ready."""

    at_ms: int
    act: str
    detail: Mapping[str, Any]

    @property
    def label(self) -> str:
        """How a test names this moment, such as `set Deployment status ready`."""
        return " ".join(str(part) for part in (self.act, self.detail.get("kind"), self.detail.get("result")) if part)


@dataclass(frozen=True, slots=True)
class Write:
    """One version of the Application; `patch` is a merge patch without the bookkeeping of the API server."""

    at_ms: int
    manager: str
    patch: JsonObject
    before: JsonObject
    after: JsonObject
    generation: int
    event: str  # ADDED, MODIFIED or DELETED

    @property
    def by_argocd(self) -> bool:
        return self.manager in CONTROLLERS


@dataclass(frozen=True, slots=True)
class Trace:
    name: str
    initial: Write | None  # None: the trace starts before the Application exists
    lines: tuple[Beat | Write, ...]

    @property
    def writes(self) -> tuple[Write, ...]:
        return tuple(line for line in self.lines if isinstance(line, Write))

    @property
    def application(self) -> str:
        """The recorded Application's name; the recording named everything of a scenario after it."""
        first = self.initial or self.writes[0]
        return str(first.after["spec"]["destination"]["namespace"]).removesuffix("-ns")


def merge(target: Mapping[str, Any], patch: Mapping[str, Any]) -> JsonObject:
    """RFC 7386: objects are merged, null removes, anything else replaces."""
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in TRACES.glob("*.jsonl")))


@functools.cache
def load(scenario: str) -> Trace:
    """The trace of that name, or of that number: `03-upgrade-degraded-then-rolled-back`, or `03`."""
    found = [name for name in names() if scenario in (name, name.partition("-")[0])]
    if not found:
        raise LookupError(f"no recorded scenario {scenario!r}; there are: {', '.join(names())}")
    lines = tuple(_lines(TRACES / f"{found[0]}.jsonl"))
    first = next(index for index, line in enumerate(lines) if isinstance(line, Write))
    opening = lines[first]
    if isinstance(opening, Write) and opening.event == "initial":
        return Trace(found[0], opening, lines[:first] + lines[first + 1 :])
    return Trace(found[0], None, lines)


def _lines(path: Path) -> Iterator[Beat | Write]:
    state: JsonObject = {}
    act = ""
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if "act" in line:
            act = line.pop("act")
            yield Beat(line.pop("t_ms"), act, line)
            continue
        before = state
        patch = line["state"] if "state" in line else line["patch"]
        state = merge(before, patch)
        yield Write(
            at_ms=line["t_ms"],
            manager=_writer(before, state, patch, act=act, event=line.get("event", "")),
            patch=_bare(patch),
            before=before,
            after=state,
            generation=line["generation"],
            event=line.get("event", "MODIFIED"),
        )


def _bare(patch: JsonObject) -> JsonObject:
    """Without what the API server or the recorder wrote: `managedFields` and the count of the history."""
    bare = dict(patch)
    for part, noise in (("metadata", "managedFields"), ("status", "historyLen")):
        if isinstance(bare.get(part), dict):
            kept = {key: value for key, value in bare[part].items() if key != noise}
            bare[part] = kept
            if not kept:
                del bare[part]
    return bare


def _writer(before: JsonObject, after: JsonObject, patch: JsonObject, *, act: str, event: str) -> str:
    """Whose write this was. Only a new entry in `managedFields` names the writer for sure: the times there move
    with writes of others too, and a writer that repeats itself within a second leaves no mark at all.
    """
    if event in ("initial", "ADDED"):
        return _owner(after, "spec.project")
    if event == "DELETED":
        return CONTROLLER if before["metadata"].get("finalizers") else _owner(before, "spec.project")
    if act == "remove skip-reconcile" and set(patch) == {"metadata"}:
        return _owner(before, "metadata.annotations.argocd.argoproj.io/skip-reconcile")
    gained = [
        manager.partition("/")[0]
        for manager, entry in after["metadata"]["managedFields"].items()
        if _owned(entry) - _owned(before["metadata"]["managedFields"].get(manager, {}))
    ]
    others: list[str] = [manager for manager in gained if manager != CONTROLLER]
    if others:
        return others[0]
    if "spec" in patch:
        return _owner(after, "spec.sources" if "sources" in patch["spec"] else "spec.source.targetRevision")
    if "status" in patch or "operation" in patch:
        return CONTROLLER
    metadata = patch.get("metadata", {})
    if "deletionTimestamp" in metadata:
        return _owner(before, "spec.project")
    if metadata.get("annotations"):
        return _owner(after, "metadata.annotations." + next(iter(metadata["annotations"])))
    return APPLICATION_SET  # what is left is a foreign annotation that went without anybody asking


def _owned(entry: Mapping[str, Any]) -> set[str]:
    """The owned paths; the status is recorded as one item listing its keys and is opened here."""
    paths: set[str] = set()
    for field in entry.get("fields", ()):
        if field.startswith("status{"):
            paths.update("status." + key for key in field[len("status{") : -1].split(","))
        else:
            paths.add(field)
    return paths


def _owner(state: JsonObject, path: str) -> str:
    managers: Mapping[str, Any] = state["metadata"]["managedFields"]
    owners = [manager.partition("/")[0] for manager, entry in managers.items() if path in _owned(entry)]
    if not owners:
        raise LookupError(f"nobody owns {path} in {sorted(managers)}")
    return owners[-1]
