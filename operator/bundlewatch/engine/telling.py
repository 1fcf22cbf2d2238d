"""What Applications that were given a bundle of ours tell, kept true: which one it is, and why nothing newer runs."""

import logging

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.engine.carrying import Applications
from bundlewatch.engine.composing import Composer
from bundlewatch.engine.found import Outcome
from bundlewatch.errors import BundleWatchError
from bundlewatch.rollout.plan import Action

logger = logging.getLogger(__name__)

_JUST_TOLD = frozenset({Action.MOVE, Action.TAKE_BACK})
_HELD_BACK = frozenset({Action.QUEUE, Action.REFUSE, Action.HOLD})


async def tell_applications(
    outcome: Outcome, *, watch: BundleWatch, composer: Composer, applications: Applications
) -> None:
    """Write what has become untrue, if anything; where that fails, the next pass does."""
    if outcome.selection is None:
        return
    passed_over, general = _passed_over(watch, outcome)
    for seen in outcome.seen:
        if seen.step.action in _JUST_TOLD:
            continue
        if not applications.stands(watch):
            return
        runs_it = seen.step.target.tag == passed_over
        newer = seen.step.message if seen.step.action in _HELD_BACK else "" if runs_it else general
        operations = await composer.told(seen.step, newer=newer)
        if operations:
            try:
                await applications.patch(seen.step.target.application, operations)
            except BundleWatchError as error:
                logger.debug("an Application was not told: %s", error)


def _passed_over(watch: BundleWatch, outcome: Outcome) -> tuple[str, str]:
    """The tag that goes nowhere now although it would be the choice, and why; "", "": there is none."""
    if watch.spec.pin is not None:
        return "", f"spec.pin asks for exactly {watch.spec.pin}"
    if outcome.failed is not None:
        verdict, _ = outcome.failed
        return verdict.tag, f"{verdict.tag} is not taken: {verdict.message}"
    if outcome.waiting is not None:
        waiting, ruling = outcome.waiting
        return waiting.candidate.tag, ruling.message
    return "", ""
