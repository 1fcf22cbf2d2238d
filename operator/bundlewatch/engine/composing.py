"""From a step to the patch that carries it out, with all that belongs into the same request.

Before the first write to an Application that somebody else made, that somebody is looked at: who would put the
target revision back at once is not fought with, but told of with the rule to add.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from bundlewatch.api.rollout import REQUEST
from bundlewatch.api.v1alpha1 import Bundle, BundleWatch
from bundlewatch.argocd.application import Application
from bundlewatch.argocd.ignore_rules import keeps_annotations, leaves_alone
from bundlewatch.argocd.operation import Abandoned, SyncRequest, busy_with
from bundlewatch.argocd.ownership import Maker, MakerKind, warning
from bundlewatch.argocd.patch import application_patch
from bundlewatch.argocd.provenance import TAKEN_BACK, WATCH, provenance, taken_back
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.engine.carrying import Operations
from bundlewatch.engine.memory import Memory
from bundlewatch.engine.neighbours import Neighbours
from bundlewatch.rollout.plan import Action, Step


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes the patches of one pass. `chosen`: the bundle that targets are moved to."""

    watch: BundleWatch
    memory: Memory
    neighbours: Neighbours
    now: datetime
    annotate: bool
    chosen: Bundle | None = None

    async def compose(self, step: Step) -> tuple[Step, Operations]:
        """The patch for a step; none where it turns out that nothing may be written now, and a step that says why."""
        target = step.target
        if step.action is Action.END:
            return step, application_patch(target.application, target.source, ends=self._abandoned(step))
        if step.action is Action.REFRESH:
            return step, application_patch(target.application, target.source, refresh=True)
        made = await self.neighbours.maker(target.application) if step.action is not Action.SYNC else None
        if step.action is Action.MOVE and made is not None:
            maker, body = made
            if leaves_alone(body, target.application, target.source, maker=maker) is False:
                why = warning(target.application, target.source, maker=maker)
                live = target.live
                return replace(step, action=Action.REFUSE, desired=live, message=why), ()
        sync, closed = await self._request(step)
        if step.action is Action.SYNC:
            if sync is None:
                return replace(step, action=Action.KEEP, message=closed), ()
            return step, application_patch(target.application, target.source, sync=sync)
        return step, application_patch(
            target.application,
            target.source,
            to=step.desired,
            sync=sync,
            ends=self._abandoned(step),
            annotations=self._annotations(step, made),
            refresh=self._is_pushed_anew(step),
        )

    async def told(self, step: Step, *, newer: str) -> Operations:
        """The patch that brings the annotations of a target up to date which we have given some; mostly there is
        nothing to patch.
        """
        application, source = step.target.application, step.target.source
        if not self.annotate or application.annotations.get(WATCH) != self._name:
            return ()
        tag = tag_of(source.target_revision or "")
        bundle = self.memory.bundle_of(step.target) or self._bundle(tag)
        wanted = provenance(bundle, watch=self._name, newer=newer)
        kept = self._kept(application, wanted, await self.neighbours.maker(application))
        return application_patch(application, source, annotations=kept)

    async def _request(self, step: Step) -> tuple[SyncRequest | None, str]:
        """The sync to ask for, if any is, and why none may be."""
        application = step.target.application
        if self.watch.spec.rollout.sync != REQUEST or application.automated:
            return None, ""  # with automatic syncs Argo CD needs no asking
        found = await self.neighbours.sync(application, self.now)
        if found is not None and not found.may_auto and not found.may_manual:
            return None, f"{step.desired} is not synced: {found.message}"
        bundle = self._bundle(tag_of(step.desired))
        request = SyncRequest(
            watch=self._name,
            uid=self.watch.uid,
            tag=tag_of(step.desired),
            digest=(bundle.digest if bundle is not None else None) or "",
            manual=found is not None and not found.may_auto,
        )
        return request, ""

    def _abandoned(self, step: Step) -> Abandoned | None:
        failed = step.target.live
        if step.action is Action.END:
            failed = busy_with(step.target.application, step.target.source)
        elif step.action is not Action.TAKE_BACK:
            return None
        return Abandoned(target_revision=failed, digest=self.memory.digest_of(tag_of(failed)) or "")

    def _annotations(self, step: Step, made: tuple[Maker, Mapping[str, object]] | None) -> Mapping[str, str | None]:
        failed = step.target.tag
        back = step.action is Action.TAKE_BACK
        ours = step.target.application.annotations.get(WATCH, self._name) == self._name
        mark: dict[str, str | None] = {TAKEN_BACK: None} if ours else {}  # another's tells of another source
        if back:
            mark = {TAKEN_BACK: taken_back(tag=failed, digest=self.memory.digest_of(failed))}
        told = provenance(self._bundle(tag_of(step.desired)), watch=self._name) if self.annotate else {}
        wanted = {**told, **mark}
        return self._kept(step.target.application, wanted, made)

    def _kept(
        self,
        application: Application,
        wanted: Mapping[str, str | None],
        made: tuple[Maker, Mapping[str, object]] | None,
    ) -> Mapping[str, str | None]:
        """What the maker does not keep would be gone at once, and come back with every write."""
        if made is None or made[0].kind is not MakerKind.APPLICATION_SET:
            return wanted
        maker, body = made
        kept = partial(keeps_annotations, body, application, maker=maker)
        return {key: value for key, value in wanted.items() if kept(keys=(key,))}

    def _is_pushed_anew(self, step: Step) -> bool:
        """Whether the tag was another bundle before, of which Argo CD keeps what it has made."""
        if step.action is not Action.MOVE or self.chosen is None or self.chosen.digest is None:
            return False
        return self.memory.had_other_content(self.chosen.tag, self.chosen.digest)

    def _bundle(self, tag: str) -> Bundle | None:
        """The bundle of this tag, as far as it is known; where it comes from is read once, and then remembered."""
        known, chosen = self.memory.bundle(tag), self.chosen
        if chosen is None or chosen.tag != tag:
            return known
        if known is None or known.digest != chosen.digest:
            return chosen
        return replace(chosen, commit=chosen.commit or known.commit, pipeline=chosen.pipeline or known.pipeline)

    @property
    def _name(self) -> str:
        return f"{self.watch.namespace}/{self.watch.name}"
