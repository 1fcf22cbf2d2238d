"""From a selection to the bundle that goes: the best tag that turns out to be a chart which can be deployed, and may.

Looks at manifests one by one, the best first, until one can go. What was found stands also when a look fails.

What only has to wait (it is too young, not approved, not proven upstream) does not keep the next best from going: a
gate that never lets the newest through would else let nothing through. What is quarantined does: what is older than a
release that failed was passed over for it, and goes only where it runs already. One failure is to be followed by
a person or by something newer, not by the next try of the same day.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bundlewatch.api.v1alpha1 import Bundle, Quarantined, Spec
from bundlewatch.bundle.chart import LEGACY_LAYER, NotAChart
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.bundle.provenance import Provenance
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
    origin: Provenance | None = None
    """Where it comes from; read only when it begins to go out."""

    @property
    def bundle(self) -> Bundle:
        """The same as status tells it."""
        return Bundle(
            tag=self.candidate.tag,
            digest=self.digest,
            version=self.version,
            chart=self.chart,
            commit=self.origin.commit if self.origin is not None else None,
            pipeline=self.origin.pipeline if self.origin is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """Why a bundle that could be deployed may not go, now or ever; `until`: when time alone may change that."""

    reason: Reason
    message: str
    until: datetime | None = None
    failed: Quarantined | None = None
    """By what failure, where it is quarantined."""


Rule = Callable[[Chosen], Ruling | None]
"""Whether a bundle may go; None: it may."""


def anything(_: Chosen) -> None:
    """The rule that lets everything go."""


@dataclass(slots=True)
class Findings:
    """What was found among the tags."""

    selection: Selection | None = None
    chosen: Chosen | None = None
    rejected: dict[str, Verdict] = field(default_factory=dict)
    exhausted: bool = False
    """So many of the best tags were rejected that the rest was not looked at."""

    waiting: tuple[Chosen, Ruling] | None = None
    """The best bundle that has to wait, and for what."""

    failed: tuple[Verdict, Quarantined] | None = None
    """The best bundle that is quarantined, where it would have been the choice, and by what failure."""

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


async def choose(
    findings: Findings, targets: Sequence[Target], *, spec: Spec, look: Look, rule: Rule = anything
) -> Choice | None:
    """The best tag that is a chart some target can deploy, and that `rule` lets go; the verdicts of better ones say
    why not.

    Fills `findings`, whose selection is there already. Raises what `look` raises.
    """
    assert findings.selection is not None
    looked = 0
    for candidate in findings.selection.ranked:
        patient = looked == LOOKS and findings.waiting is not None
        if (patient or findings.failed is not None) and not findings.selection.runs(candidate.tag):
            _pass_over(findings, candidate)
            continue
        if looked == LOOKS and not patient:
            findings.exhausted = True
            return None
        looked += 1
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
        chosen = Chosen(candidate, found.digest, found.found.name, found.found.version)
        ruling = rule(chosen)
        if ruling is None:
            findings.chosen = chosen
            return choice
        _reject(findings, chosen, ruling)
    return None


def _reject(findings: Findings, chosen: Chosen, ruling: Ruling) -> None:
    verdict = _verdict(chosen.candidate, ruling.reason, ruling.message)
    findings.rejected[chosen.candidate.tag] = verdict
    if ruling.failed is not None:
        findings.failed = findings.failed or (verdict, ruling.failed)
    elif findings.waiting is None:
        findings.waiting = (chosen, ruling)


def _pass_over(findings: Findings, candidate: Candidate) -> None:
    if len(findings.rejected) >= 2 * LOOKS:
        return
    reason, message = Reason.SUPERSEDED, f"not looked at: {LOOKS} newer ones were, and have to wait"
    if findings.failed is not None:
        newer, entry = findings.failed
        message = f"passed over for {newer.tag}, which failed; only something newer goes, or what is pinned"
        if candidate.tag == entry.tag:
            reason, message = Reason.QUARANTINED, newer.message
    findings.rejected[candidate.tag] = _verdict(candidate, reason, message)


def _verdict(candidate: Candidate, reason: Reason, message: str) -> Verdict:
    return Verdict(
        tag=candidate.tag,
        version=str(candidate.reading) if candidate.reading is not None else None,
        reason=reason,
        message=message,
    )
