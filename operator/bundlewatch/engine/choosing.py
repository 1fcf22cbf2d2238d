"""From a selection to the bundle that goes: the best tag that turns out to be a chart which can be deployed.

Looks at manifests one by one, the best first, until one can go. What was found stands also when a look fails.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bundlewatch.api.v1alpha1 import Spec
from bundlewatch.bundle.chart import LEGACY_LAYER, NotAChart
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.errors import NotInRegistry
from bundlewatch.policy.selection import Candidate, Selection
from bundlewatch.policy.verdict import Reason, Verdict
from bundlewatch.rollout.plan import Choice, fits
from bundlewatch.rollout.targets import Target

LOOKS = 64
"""How many tags a pass looks at before it asks for a narrower pattern."""

Look = Callable[[str], Awaitable[Inspected]]
"""What a tag turns out to be. Raises NotInRegistry when it is gone, other errors when it cannot be told."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The best bundle that may go, and what it is."""

    candidate: Candidate
    digest: str
    chart: str
    version: str


@dataclass(slots=True)
class Findings:
    """What was found among the tags."""

    selection: Selection | None = None
    chosen: Chosen | None = None
    rejected: dict[str, Verdict] = field(default_factory=dict)
    exhausted: bool = False
    """So many of the best tags were rejected that the rest was not looked at."""

    @property
    def why_none(self) -> str | None:
        """Why nothing was chosen; None: something was, or nobody has selected yet."""
        if self.chosen is not None or self.selection is None:
            return None
        return self.selection.problem or self._nothing_fits

    @property
    def _nothing_fits(self) -> str:
        best = next(iter(self.rejected.values()), None)
        if best is None:
            return "no tag of the repository may be taken"
        more = f" ({len(self.rejected) - 1} more rejected)" if len(self.rejected) > 1 else ""
        rest = f"; no more than {LOOKS} are looked at: narrow spec.tags to leave out what is no bundle"
        return f"{best.tag} cannot be taken: {best.message}{more}{rest if self.exhausted else ''}"


async def choose(findings: Findings, targets: Sequence[Target], *, spec: Spec, look: Look) -> Choice | None:
    """The best tag that is a chart some target can deploy; the verdicts of better ones say why not.

    Fills `findings`, whose selection is there already. Raises what `look` raises.
    """
    assert findings.selection is not None
    for looked, candidate in enumerate(findings.selection.ranked):
        if looked == LOOKS:
            findings.exhausted = True
            return None
        try:
            found = await look(candidate.tag)
        except NotInRegistry as error:
            findings.rejected[candidate.tag] = _verdict(candidate, Reason.VANISHED, str(error))
            continue
        if isinstance(found.found, NotAChart):
            findings.rejected[candidate.tag] = _verdict(candidate, Reason.NOT_A_CHART, found.found.message)
            continue
        choice = Choice(
            tag=candidate.tag,
            reading=candidate.reading,
            chart_name=found.found.name,
            legacy_layer=found.found.layer_type == LEGACY_LAYER,
            pinned=spec.pin is not None,
            downgrade=spec.rollout.allow_downgrade,
        )
        problems = [fits(choice, target) for target in targets]
        if problems and all(problems):
            assert problems[0] is not None
            findings.rejected[candidate.tag] = _verdict(candidate, Reason(problems[0].reason), problems[0].message)
            continue
        findings.chosen = Chosen(candidate, found.digest, found.found.name, found.found.version)
        return choice
    return None


def _verdict(candidate: Candidate, reason: Reason, message: str) -> Verdict:
    return Verdict(
        tag=candidate.tag,
        version=str(candidate.reading) if candidate.reading is not None else None,
        reason=reason,
        message=message,
    )
