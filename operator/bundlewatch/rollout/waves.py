"""In which order targets are moved: a higher wave once everything in the lower ones is healthy with the bundle.

What is in a lower wave and does not get there, for whatever reason, holds the higher ones back: an order that is
kept only as long as all goes well is none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bundlewatch.rollout.plan import Action, Step
from bundlewatch.rollout.progress import Progress
from bundlewatch.rollout.targets import Unmet

Hurdle = Callable[[Step], str | None]
"""Why a target has to wait before it is moved; None: it need not."""


def hurdle(
    tag: str,
    steps: Sequence[Step],
    unmet: Sequence[Unmet],
    *,
    progress: Mapping[tuple[str, int], Progress],
) -> Hurdle:
    """The waves of one pass. `progress`: where each target stands with what it is set to now."""
    pending: dict[int, str] = {}
    for step in steps:
        why = _pending(step, progress.get(step.target.key))
        if why is not None:
            pending.setdefault(step.target.wave, f"{step.target.application.name} {why.format(tag)}")
    for found in unmet:
        pending.setdefault(found.wave, f"{found.application} cannot be moved: {found.reason}")
    waves = sorted(pending)

    def waits(step: Step) -> str | None:
        lowest = waves[0] if waves else step.target.wave
        return f"{tag} waits for wave {lowest}: {pending[lowest]}" if lowest < step.target.wave else None

    return waits


def queued(steps: Sequence[Step], *, hurdle: Hurdle) -> tuple[Step, ...]:
    """The steps, those of targets that have to wait turned into waiting."""
    return tuple(queue(step, hurdle=hurdle) for step in steps)


def queue(step: Step, *, hurdle: Hurdle) -> Step:
    """The same of one."""
    why = hurdle(step) if step.action is Action.MOVE else None
    return replace(step, action=Action.QUEUE, message=why) if why is not None else step


def _pending(step: Step, progress: Progress | None) -> str | None:
    """Why what is above it has to wait; None: it is done."""
    match step.action:
        case Action.KEEP if progress is not None and progress.settled:
            return None
        case Action.KEEP | Action.MOVE | Action.QUEUE | Action.SYNC | Action.END | Action.REFRESH:
            return "is not healthy with {} yet"
        case Action.HOLD:
            return "is held back by somebody"
        case Action.REFUSE:
            return "must not be moved to {}"
    return "is being taken back"
