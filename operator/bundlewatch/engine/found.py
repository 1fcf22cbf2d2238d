"""What a pass found and did, as values: of which status, Events and the next pass are made."""

from dataclasses import dataclass, field
from datetime import datetime

from bundlewatch.api.v1alpha1 import Quarantined
from bundlewatch.argocd.health import Assessment
from bundlewatch.argocd.matching import SourceKind
from bundlewatch.engine.choosing import Findings
from bundlewatch.engine.gatekeeping import Gatekeeper
from bundlewatch.engine.policies import Judge
from bundlewatch.errors import BundleWatchError
from bundlewatch.policy.order import Reading
from bundlewatch.rollout.plan import Step
from bundlewatch.rollout.progress import Progress
from bundlewatch.rollout.quarantine import Quarantine
from bundlewatch.rollout.targets import Unmet


@dataclass(frozen=True, slots=True)
class Seen:
    """A target after the pass: what was done, how Argo CD fares with it, and how the release does."""

    step: Step
    assessment: Assessment
    progress: Progress
    fallback: str | None = None
    """The target revision it goes back to if the release that is under way fails."""

    moved_from: str | None = None
    """Its target revision before we moved it, now or in a pass that could not tell of it; None: we did not."""

    problem: BundleWatchError | None = None
    """Why the write that was wanted did not happen."""

    done_at: datetime | None = None
    """When we wrote what the step says; None: we did not."""


@dataclass(slots=True)
class Outcome(Findings):
    """What a pass found and did. `problem` is why it ended early; what was found before it still stands."""

    policy: Judge | None = None
    suspended: bool = False
    unread: bool = False
    """The spec says something impossible: nothing was looked at."""

    mistaken: bool = False
    """The spec says something impossible: nothing new was chosen, and what runs was followed on."""

    pending: bool = False
    """There is no listing yet: nothing is known and nothing is said."""

    problem: BundleWatchError | None = None
    seen: tuple[Seen, ...] = ()
    unmet: tuple[Unmet, ...] = ()
    quarantine: Quarantine = field(default_factory=Quarantine)
    failures: tuple[Quarantined, ...] = ()
    """What was found to have failed in this pass; the next one acts on it."""

    gatekeeper: Gatekeeper | None = None
    again: bool = False
    """Something that should have happened did not, and may if it is tried again."""

    at_once: bool = False
    """There is more to do, for which status has to be written first."""

    @property
    def recheck_at(self) -> datetime | None:
        """When time alone may change what is said or done; None: only an Application or the registry can."""
        moments = [seen.progress.recheck_at for seen in self.seen]
        moments.append(self.gatekeeper.next_transition if self.gatekeeper is not None else None)
        return min((found for found in moments if found is not None), default=None)

    @property
    def tags(self) -> frozenset[str]:
        """The tags that the targets are set to."""
        return frozenset(seen.step.target.tag for seen in self.seen)

    @property
    def by_digest(self) -> bool:
        """Whether Argo CD itself finds out what a tag means by now."""
        return any(seen.step.target.kind is SourceKind.NATIVE_OCI for seen in self.seen)

    def is_settled(self, applications: int) -> bool:
        """Whether all the Applications that are meant, so many, are healthy and not only just now."""
        return 0 < len(self.seen) == applications and all(seen.progress.settled for seen in self.seen)

    def read(self, tag: str) -> Reading | None:
        """How a tag reads in the order of the spec; None: it does not, or there is no such order."""
        return self.policy.read(tag) if self.policy is not None else None
