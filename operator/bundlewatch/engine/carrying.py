"""Carries out the steps of a plan: one patch each, decided anew where somebody else was faster.

Between our look and our write anything may have happened: a patch tests what the decision rested on, and when a test
fails we look again and decide again.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application
from bundlewatch.cluster.client import Forbidden
from bundlewatch.errors import BundleWatchError, ObjectChanged, ObjectGone, Refused
from bundlewatch.rollout.plan import Action, Step
from bundlewatch.rollout.targets import Target, Unmet, find_targets

_ATTEMPTS = 4  # how often a write is decided anew after somebody else was faster

Operations = Sequence[Mapping[str, Any]]
"""A JSON Patch."""


class Known(Protocol):
    """The Applications of the cluster, as far as we have heard."""

    def named(self, namespace: str) -> Mapping[str, Application]: ...

    def rivals(self, watch: BundleWatch, application: Application) -> Iterable[BundleWatch]: ...


class Applications(Known, Protocol):
    """The same, and the one way to change them."""

    def stands(self, watch: BundleWatch) -> bool: ...

    async def confirm(self, watch: BundleWatch) -> None: ...

    async def patch(self, application: Application, operations: Operations) -> Application: ...

    async def reread(self, application: Application) -> Application | None: ...


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a step."""

    step: Step
    moved_from: str | None = None
    """Its target revision before we moved it; None: we did not."""

    problem: BundleWatchError | None = None
    """Why the write that was wanted did not happen."""


Decide = Callable[[Sequence[Target]], Sequence[Step]]
"""The steps for targets as they are now; a target that needs nothing may have none."""

Compose = Callable[[Step], Awaitable[tuple[Step, Operations]]]
"""The patch for a step; or another step, where it turns out that the first must not be taken."""


def aim(watch: BundleWatch, applications: Known) -> tuple[tuple[Target, ...], tuple[Unmet, ...]]:
    """The targets of a BundleWatch among the live Applications, and its wishes that lead nowhere."""
    return find_targets(
        watch,
        applications=applications.named(watch.namespace),
        rivals=lambda application: applications.rivals(watch, application),
    )


async def carry_out(
    steps: Sequence[Step], *, watch: BundleWatch, applications: Applications, decide: Decide, compose: Compose
) -> list[Done]:
    """What became of each step; one whose target is not ours to move any more is left out.

    A write that fails takes nothing from those before it, and nothing from those after it unless the API server
    does not answer at all: then the others need not wait for its deadline one by one. Raises ObjectGone when the
    BundleWatch has come to ask for something else.
    """
    results: list[Done] = []
    silence: BundleWatchError | None = None
    for step in steps:
        if step.writes and not applications.stands(watch):
            # Suspended, pinned or narrowed while a manifest was read: the pass that is due decides by that.
            raise ObjectGone(f"{watch} asks for something else by now")
        if silence is not None and step.writes:
            results.append(Done(step, problem=silence))
            continue
        try:
            done = await _write(step, watch=watch, applications=applications, decide=decide, compose=compose)
        except ObjectGone:
            raise
        except BundleWatchError as error:
            done = Done(step, problem=error)
            silence = None if isinstance(error, Forbidden) else error
        if done is not None:
            results.append(done)
    return results


async def _write(
    step: Step, *, watch: BundleWatch, applications: Applications, decide: Decide, compose: Compose
) -> Done | None:
    """Carry out one step; None: the target is not ours to move any more."""
    refused: Refused | None = None
    for _ in range(_ATTEMPTS):
        operations: Operations = ()
        if step.writes:
            step, operations = await compose(step)
        if not operations:
            return Done(step)
        application, source = step.target.application, step.target.source
        try:
            written = await applications.patch(application, operations)
        except Refused as error:
            refused = error
            target = await _look_again(step.target, watch=watch, applications=applications)
            if target is None:
                return None
            await applications.confirm(watch)  # whoever was faster may be another process of the operator
            step = next(iter(decide([target])), Step(target, Action.KEEP, target.live))
            continue
        now = replace(step.target, application=written, source=written.sources[source.index])
        moved = step.action in {Action.MOVE, Action.TAKE_BACK}
        return Done(replace(step, target=now), moved_from=(source.target_revision or "") if moved else None)
    if not step.writes:
        return Done(step)
    # The API server tells a failed test and a change that its own rules refuse by the same status code.
    return Done(
        step,
        problem=ObjectChanged(
            "somebody else changes it faster than we can decide, or the API server does not allow the change "
            f"({refused}); trying again later"
        ),
    )


async def _look_again(target: Target, *, watch: BundleWatch, applications: Applications) -> Target | None:
    if await applications.reread(target.application) is None:
        return None
    targets, _ = aim(watch, applications)
    return next((found for found in targets if found.key == target.key), None)
