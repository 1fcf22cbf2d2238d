"""Where every target stands, by what Argo CD wrote and what status remembers: the look that a pass begins with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bundlewatch.api.moments import rfc3339
from bundlewatch.api.v1alpha1 import BundleWatch, Quarantined
from bundlewatch.argocd.assessment import Cause
from bundlewatch.argocd.health import Assessment, assess
from bundlewatch.argocd.running import is_digest, is_range, running_revisions
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.engine.memory import Memory
from bundlewatch.rollout.progress import Limits, Progress, follow
from bundlewatch.rollout.quarantine import Quarantine
from bundlewatch.rollout.take_back import is_judged
from bundlewatch.rollout.targets import Target


@dataclass(frozen=True, slots=True)
class Standing:
    """A target's assessment, and its progress."""

    target: Target
    assessment: Assessment
    progress: Progress


@dataclass(slots=True)
class Following:
    """What is needed to tell where the targets of one BundleWatch stand at one moment.

    `tags`: a complete listing, where there is one. `shut`: by target, what lets no sync through at present.
    """

    watch: BundleWatch
    memory: Memory
    now: datetime
    tags: Collection[str] | None = None
    shut: Mapping[tuple[str, int], str] = field(default_factory=dict)
    _limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        rollout = self.watch.spec.rollout
        self._limits = Limits(
            timeout=timedelta(seconds=rollout.timeout_s), degraded_for=timedelta(seconds=rollout.degraded_for_s)
        )

    def of(self, target: Target, *, moved: bool = False) -> Standing:
        """`moved`: it was moved a moment ago, in this pass."""
        live = target.live
        assessment = self._assess(target)
        vanished = assessment.cause is Cause.CANNOT_RENDER and self.tags is not None and tag_of(live) not in self.tags
        progress = follow(
            assessment,
            live=live,
            record=self.memory.record(target),
            moved_at=self.now if moved else self._began(target),
            limits=self._limits,
            now=self.now,
            vanished=vanished,
            runs=_what_runs(target),
        )
        return Standing(target, assessment, progress)

    def of_all(self, targets: Sequence[Target]) -> dict[tuple[str, int], Standing]:
        return {target.key: self.of(target) for target in targets}

    def failures(
        self, targets: Sequence[Target], standings: Mapping[tuple[str, int], Standing], *, quarantine: Quarantine
    ) -> tuple[Quarantined, ...]:
        """The bundles that have failed and are not quarantined yet."""
        found: dict[str, Quarantined] = {}
        for target in targets:
            failure = standings[target.key].progress.failure
            tag = target.tag
            if failure is None or quarantine.has(tag) or tag in found:
                continue
            if not is_judged(self.watch.spec, target.application):
                continue
            bundle = self.memory.bundle_of(target)
            found[tag] = Quarantined(
                tag=tag,
                digest=bundle.digest if bundle is not None else None,
                reason=failure.reason,
                message=f"{target.application.name}: {failure.message}",
                since=rfc3339(self.now),
            )
        return tuple(found.values())

    def _began(self, target: Target) -> datetime | None:
        """When a release began that status does not tell of. One that a person wants tried again begins now, and so
        does one that nobody followed while all was suspended.
        """
        live = target.live
        record = self.memory.record(target)
        under_way = record is not None and record.target == live and record.deadline is not None
        if under_way and (self.memory.was_suspended or tag_of(live) == self.memory.retried):
            return self.now
        return self.memory.began_untold(target, now=self.now)

    def _assess(self, target: Target) -> Assessment:
        live = target.live
        candidate = self.watch.status.candidate
        known = self.memory.digest_of(tag_of(live))
        digest = candidate.digest if candidate is not None and candidate.tag == tag_of(live) else known
        return assess(
            target.application,
            target.source.index,
            target=live,
            digest=digest,
            patched_at=self.memory.set_at(target),
            now=self.now,
            shut=self.shut.get(target.key, ""),
        )


def _what_runs(target: Target) -> str | None:
    """The target revision by which what runs now could be had again; None: nobody can tell."""
    if not is_range(target.live):
        return target.live
    # A range would be resolved anew, and to the bundle that it is left for.
    return next((text for text in running_revisions(target.application, target.source) if not is_digest(text)), None)
