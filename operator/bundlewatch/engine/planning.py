"""What is done with each target, as a pass carries it out and an explanation tells it: one decision, two readers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bundlewatch.api.rollout import OVERRIDE
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.engine.following import Standing
from bundlewatch.engine.gatekeeping import Gatekeeper
from bundlewatch.engine.memory import Memory
from bundlewatch.policy.order import Reader
from bundlewatch.rollout.plan import Action, Choice, Step, Terms, plan
from bundlewatch.rollout.quarantine import Quarantine
from bundlewatch.rollout.take_back import take_backs
from bundlewatch.rollout.targets import Target, Unmet
from bundlewatch.rollout.waves import Hurdle, hurdle

Standings = Mapping[tuple[str, int], Standing]


@dataclass(frozen=True, slots=True)
class Planner:
    """Of one BundleWatch at one moment. `read`: how a tag reads in its order."""

    watch: BundleWatch
    memory: Memory
    read: Reader
    now: datetime

    @property
    def terms(self) -> Terms:
        return Terms(
            watch=self.watch.name,
            read=self.read,
            now=self.now,
            released=self.memory.resumed,
            override=self.watch.spec.rollout.on_external_change == OVERRIDE,
        )

    def of_released(self, quarantine: Quarantine) -> Quarantine:
        """What of it failed as the very bundle that we released last under its tag."""
        return quarantine.of_released(self.memory.digest_of)

    def take_backs(self, targets: Sequence[Target], *, quarantine: Quarantine) -> tuple[Step, ...]:
        """The targets that go back. What is pinned is a person's own decision."""
        if self.watch.spec.pin is not None:
            return ()
        return take_backs(
            targets,
            records=self.memory.records(targets),
            quarantine=self.of_released(quarantine),
            rollout=self.watch.spec.rollout,
        )

    def steps(self, choice: Choice, targets: Sequence[Target]) -> tuple[Step, ...]:
        """What is to become of each target, wherever it stands in the order."""
        return plan(choice, targets, records=self.memory.records(targets), terms=self.terms)

    def hurdle(
        self,
        choice: Choice,
        steps: Sequence[Step],
        unmet: Sequence[Unmet],
        *,
        standings: Standings,
        gatekeeper: Gatekeeper,
    ) -> Hurdle:
        """What a move has to wait for: a window for all of them, then the lower waves. `steps`: of all targets."""
        progress = {key: standing.progress for key, standing in standings.items()}
        waves = hurdle(choice.tag, steps, unmet, progress=progress)
        moves = any(step.action is Action.MOVE for step in steps)
        closed = gatekeeper.closed(choice.tag) if moves else None  # else every opening and closing would be written
        return lambda step: closed or waves(step)
