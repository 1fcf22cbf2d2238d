"""Which source of which Application a BundleWatch means, and which of its wishes lead nowhere.

Rules: an Application in the own namespace; the source must deploy from exactly the watched repository; of
several BundleWatches that mean one source, the oldest owns it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bundlewatch.api.status import APPLICATIONS_MAX
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application, Manager, Source
from bundlewatch.argocd.matching import (
    SourceKind,
    canonical_repository,
    choose_source,
    kind_of,
    repository_of,
)
from bundlewatch.argocd.ownership import Claim, winner
from bundlewatch.argocd.provenance import WATCH
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.errors import InvalidSpec

NOT_FOUND = "ApplicationNotFound"
CONFLICT = "Conflict"
DELETING = "ApplicationDeleting"
TOO_MANY = "TooManyApplications"


@dataclass(frozen=True, slots=True)
class Target:
    """One source of one Application that is this BundleWatch's to move."""

    application: Application
    source: Source
    kind: SourceKind
    wave: int = 0

    @property
    def key(self) -> tuple[str, int]:
        return (self.application.name, self.source.index)

    @property
    def live(self) -> str:
        """The target revision it is set to; "" where there is none."""
        return self.source.target_revision or ""

    @property
    def tag(self) -> str:
        """The tag that this means."""
        return tag_of(self.live)

    def writer(self, *, asked_by: str) -> Manager | None:
        """Who set the target revision last, as far as the API server can tell. `asked_by`: a BundleWatch, as
        namespace/name.

        Of a list of sources it knows who wrote the list. Where another BundleWatch moved a source beside this one
        since, somebody may have been here before it, and nobody can be named.
        """
        mover = self.application.annotations.get(WATCH, asked_by)
        if self.application.multi_source and mover != asked_by:
            return None
        return self.application.target_revision_managers.get(self.source.index)


@dataclass(frozen=True, slots=True)
class Unmet:
    """A wish that leads nowhere: the Application's name, why, and the cure.

    `reason` is the condition reason it shows as; `waits`: it may come right without a change of the BundleWatch.
    """

    application: str
    source: int | None
    reason: str
    waits: bool
    message: str
    wave: int = 0

    @property
    def key(self) -> tuple[str, int | None]:
        return (self.application, self.source)


def find_targets(
    watch: BundleWatch,
    *,
    applications: Mapping[str, Application],
    rivals: Callable[[Application], Iterable[BundleWatch]],
) -> tuple[tuple[Target, ...], tuple[Unmet, ...]]:
    """The targets of a BundleWatch among the Applications of its namespace (by name), in order of name.

    `rivals` gives the other BundleWatches that mean an Application.
    """
    found: dict[tuple[str, int], Target] = {}
    unmet: dict[tuple[str, int | None], Unmet] = {}
    named = {wish.name for wish in watch.spec.applications}
    for wish in watch.spec.applications:
        if wish.name is None:
            assert wish.selector is not None
            # A selector that names no source says nothing of an Application that is named as well.
            said = named if wish.source is None else ()
            chosen = [
                application
                for application in applications.values()
                if application.name not in said
                and wish.selector.matches(application.labels)
                and _deploys(application, watch)
            ]
        elif wish.name in applications:
            chosen = [applications[wish.name]]
        else:
            unmet[wish.name, None] = Unmet(
                wish.name,
                None,
                NOT_FOUND,
                True,
                f"there is no Application {watch.namespace}/{wish.name}; create it, or correct the name in "
                "spec.applications",
                wish.wave,
            )
            continue
        for application in chosen:
            result = _aim(watch, application, wish.source, rivals(application))
            # Meant by several selectors, it belongs to the first of them.
            if isinstance(result, Target):
                found.setdefault(result.key, replace(result, wave=wish.wave))
            else:
                unmet.setdefault(result.key, replace(result, wave=wish.wave))
    targets = [found[key] for key in sorted(found)]
    if len(targets) > APPLICATIONS_MAX:
        # What status has no room for could not be remembered: a person's decision there would be overwritten.
        beyond = targets[APPLICATIONS_MAX]
        unmet[beyond.key] = Unmet(
            beyond.application.name,
            beyond.source.index,
            TOO_MANY,
            False,
            f"{len(targets)} Applications are meant and one BundleWatch follows {APPLICATIONS_MAX}: from "
            f"{beyond.application.name} on, in order of name, they are left alone; share them out among several "
            "BundleWatches, each with labels of its own",
        )
    return tuple(targets[:APPLICATIONS_MAX]), tuple(
        unmet[key] for key in sorted(unmet, key=lambda key: (key[0], -1 if key[1] is None else key[1]))
    )


def _aim(
    watch: BundleWatch, application: Application, source: int | str | None, rivals: Iterable[BundleWatch]
) -> Target | Unmet:
    try:
        chosen = choose_source(
            application, repository=watch.spec.repository, source=source, insecure=watch.spec.access.insecure
        )
    except InvalidSpec as error:
        return Unmet(application.name, None, error.reason, False, str(error))
    if application.deleting:
        message = f"Application {application.name} is being deleted"
        return Unmet(application.name, chosen.index, DELETING, True, message)
    owner = winner([_claim(watch), *(_claim(rival) for rival in rivals if _claims(rival, application, chosen))])
    if owner.uid != watch.uid:
        return Unmet(
            application.name,
            chosen.index,
            CONFLICT,
            False,
            f"Application {application.name} is already moved by BundleWatch {owner.name}, which is older; "
            "take it out of spec.applications of one of the two",
        )
    kind = kind_of(chosen)
    assert kind is not None  # a chosen source deploys from a repository
    return Target(application, chosen, kind)


def _claims(rival: BundleWatch, application: Application, source: Source) -> bool:
    for wish in rival.spec.applications:
        named = wish.name == application.name
        if not named and (wish.selector is None or not wish.selector.matches(application.labels)):
            continue
        try:
            chosen = choose_source(
                application,
                repository=rival.spec.repository,
                source=wish.source,
                insecure=rival.spec.access.insecure,
            )
        except InvalidSpec:
            continue
        if chosen.index == source.index:
            return True
    return False


def _claim(watch: BundleWatch) -> Claim:
    return Claim(
        namespace=watch.namespace,
        name=watch.name,
        uid=watch.uid,
        creation_timestamp=watch.creation_timestamp,
    )


def _deploys(application: Application, watch: BundleWatch) -> bool:
    wanted = canonical_repository(watch.spec.repository, insecure=watch.spec.access.insecure)
    return any(repository_of(source, insecure=watch.spec.access.insecure) == wanted for source in application.sources)
