"""What the controller does when no test said anything: the ordinary scenes, and the hurried one of benchmarks.

Chosen from the object as the real controller decides: its sync policy, what was deployed last, whether a state was
left. Pure; each scene names the recorded scenario it is taken from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kit.argocd_cues import Cue
from kit.argocd_render import HISTORY_LIMIT, Resolve, Times
from kit.argocd_scenes import Scene, scene, without_resyncs
from kit.argocd_shape import REFRESH, at, sources_of
from kit.argocd_traces import JsonObject


@dataclass(frozen=True, slots=True)
class Chosen:
    scenario: str
    scene: Scene


def choose(cue: Cue, application: Mapping[str, Any]) -> Chosen | None:
    """The ordinary answer, None where the controller does nothing."""
    match cue:
        case Cue.CREATE:
            first = scene("01", cue)
            if not automated(application):
                compared = [write for write in first.writes if at(write.patch, "status", "sync", "status")]
                first = replace(first, steps=tuple(compared[:1]))
            return Chosen("01", without_resyncs(first))
        case Cue.SOURCES:
            return _release(application)
        case Cue.OPERATION:
            if at(application, "status", "operationState"):
                return Chosen("09", without_resyncs(scene("09", cue)))
            cleared = scene("09b", Cue.SOURCES)
            return Chosen("09b", without_resyncs(replace(cleared, steps=cleared.steps[1:])))
        case Cue.REFRESH:
            hard = at(application, "metadata", "annotations", REFRESH) == "hard"
            answer = scene("18", cue, number=int(hard))
            return Chosen("18", replace(answer, steps=answer.writes[:1]))
        case Cue.DELETE:
            return Chosen("22b", scene("22b", cue))
        case _:
            return None


def automated(application: Mapping[str, Any]) -> bool:
    policy = at(application, "spec", "syncPolicy", "automated")
    return policy is not None and policy.get("enabled") is not False


def _release(application: Mapping[str, Any]) -> Chosen:
    history = at(application, "status", "history") or [{}]
    if application.get("operation"):
        scenario, found = "09b", scene("09b", Cue.SOURCES)
    elif sources_of(history[-1]) == sources_of(application["spec"]):
        scenario, found = "05", scene("05", Cue.SOURCES, number=1)  # nothing else was ever applied
    elif automated(application):
        scenario, found = "02", scene("02", Cue.SOURCES)
    else:
        scenario, found = "09", scene("09", Cue.SOURCES)
    return Chosen(scenario, without_resyncs(found))


def hurried(
    application: Mapping[str, Any], times: Times, resolve: Resolve
) -> Sequence[Callable[[Mapping[str, Any]], JsonObject]]:
    """A sync of the sources of now in two writes: compared and Running, then done, Synced and Healthy."""
    sources = sources_of(application["spec"])
    revisions = [resolve(source) for source in sources]
    several = bool(at(application, "spec", "sources"))
    named: JsonObject = {"source": {"repoURL": ""}, "sources": list(sources)} if several else {"source": sources[0]}
    found: JsonObject = {"revisions": revisions} if several else {"revision": revisions[0]}
    compared = {"destination": application["spec"]["destination"], **named}

    def start(_: Mapping[str, Any]) -> JsonObject:
        operation = {"initiatedBy": {"automated": True}, "sync": {**named, **found}}
        state = {
            "phase": "Running",
            "startedAt": times.live("start"),
            "operation": operation,
            "syncResult": None,
        }
        sync = {"status": "OutOfSync", "comparedTo": compared, **found}
        return {
            "status": {
                "sync": sync,
                "conditions": None,
                "operationState": state | {"finishedAt": None},
                "reconciledAt": times.live("start"),
            }
        }

    def finish(now: Mapping[str, Any]) -> JsonObject:
        history = at(now, "status", "history") or []
        when = times.live("end")
        entry = {"id": history[-1]["id"] + 1 if history else 0, "deployedAt": when, **named, **found}
        state = {
            "phase": "Succeeded",
            "message": "successfully synced (all tasks run)",
            "finishedAt": when,
            "syncResult": {"revision": "", **named, **found},
        }
        return {
            "operation": None,
            "status": {
                "sync": {"status": "Synced"},
                "health": {"status": "Healthy"},
                "history": [*history, entry][-HISTORY_LIMIT:],
                "operationState": state,
                "reconciledAt": when,
            },
        }

    return start, finish
