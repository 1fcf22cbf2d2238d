"""A trace cut into scenes: what the controller does each time somebody else has done something.

Whoever recorded a trace also played the other side: patched, annotated, deleted. Each of those writes is a cue,
and the scene is all that Argo CD did and that happened around it until the next cue. On stage the cue comes from
whoever gives it, the operator under test above all, and then the scene is played. Knows nothing of a cluster.
"""

from dataclasses import dataclass, replace

from kit.argocd_cues import Cue, cue_of
from kit.argocd_traces import Beat, Trace, Write, load


@dataclass(frozen=True, slots=True)
class Scene:
    cue: Cue
    at_ms: int
    given: Write | None  # the recorded cue; None for START
    steps: tuple[Beat | Write, ...]  # what Argo CD wrote and what happened, in order

    @property
    def writes(self) -> tuple[Write, ...]:
        return tuple(step for step in self.steps if isinstance(step, Write))


def cut(trace: Trace) -> tuple[Scene, ...]:
    """The scenes in order. What happens after a scene's last write is left out: it only ends the recording."""
    scenes = []
    given: Write | None = None
    steps: list[Beat | Write] = []
    for line in trace.lines:
        if isinstance(line, Write) and not line.by_argocd:
            scenes.append(_scene(given, steps))
            given, steps = line, []
        else:
            steps.append(line)
    scenes.append(_scene(given, steps))
    return tuple(scene for scene in scenes if scene.cue is not Cue.START or scene.writes)


def scene(scenario: str, cue: Cue, *, number: int = 0) -> Scene:
    """One scene of a recorded scenario, by its cue; `number` counts those with the same cue."""
    return [found for found in cut(load(scenario)) if found.cue is cue][number]


def without_resyncs(scene: Scene) -> Scene:
    """Without the periodic writes at its end that say nothing but when."""
    steps = list(scene.steps)
    while steps and (not isinstance(steps[-1], Write) or _only_says_when(steps[-1])):
        steps.pop()
    return replace(scene, steps=tuple(steps))


def after_opening(opening: Scene, scene: Scene) -> Scene:
    """The scene with what led up to it just before, without its pauses."""
    led_up = tuple(replace(step, at_ms=scene.at_ms) for step in opening.writes)
    return replace(scene, steps=led_up + scene.steps)


def _only_says_when(write: Write) -> bool:
    return set(write.patch) == {"status"} and set(write.patch["status"]) == {"reconciledAt"}


def _scene(given: Write | None, steps: list[Beat | Write]) -> Scene:
    last = max((index for index, step in enumerate(steps) if isinstance(step, Write)), default=-1)
    cue = Cue.START if given is None else cue_of(given)
    return Scene(cue, given.at_ms if given else 0, given, tuple(steps[: last + 1]))
