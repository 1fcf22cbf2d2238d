"""What we know of the cluster: BundleWatches and Applications as values, and who concerns whom.

Fed by the watch and by the answers to our own writes; read by everything else. An older version of an object
never replaces a newer one: the answer to a write can be here before the watch tells of the state before it, and
the watch keeps no order between an object and its successor of the same name. All of one kind share a counter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self, TypeVar

from bundlewatch.api.v1alpha1 import BundleWatch, Identity
from bundlewatch.argocd.application import Application
from bundlewatch.errors import InvalidSpec

K = TypeVar("K")

Name = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Identity):
    """A BundleWatch whose spec cannot be read, and why."""

    error: InvalidSpec

    @classmethod
    def of_body(cls, body: Mapping[str, Any], *, error: InvalidSpec) -> Self:
        identity = Identity.of(body)
        return cls(**{part.name: getattr(identity, part.name) for part in fields(Identity)}, error=error)


@dataclass(slots=True)
class Table:
    """All objects, by name; a uid tells an object from its successor of the same name."""

    watches: dict[Name, BundleWatch | Unreadable] = field(default_factory=dict)
    applications: dict[Name, Application] = field(default_factory=dict)
    _by_namespace: dict[str, dict[str, Application]] = field(default_factory=dict)
    _naming: dict[Name, set[Name]] = field(default_factory=dict)
    _selecting: dict[str, set[Name]] = field(default_factory=dict)
    _following: dict[Name, set[Name]] = field(default_factory=dict)

    def put_watch(self, watch: BundleWatch | Unreadable) -> bool:
        """Remember a BundleWatch; False: what we have is newer."""
        name = (watch.namespace, watch.name)
        known = self.watches.get(name)
        if known is not None and not _newer(watch.resource_version, known.resource_version):
            return False
        if known is not None:
            self._unlink(known)
        self.watches[name] = watch
        self._link(watch)
        return True

    def drop_watch(self, name: Name, *, uid: str) -> bool:
        """Forget a BundleWatch that was deleted; False: it is not known, or another one by now."""
        known = self.watches.get(name)
        if known is None or known.uid != uid:
            return False
        self._unlink(known)
        del self.watches[name]
        return True

    def put_application(self, application: Application) -> Application | None:
        """Remember an Application and return the one before; itself, when what we have is newer."""
        name = (application.namespace, application.name)
        known = self.applications.get(name)
        if known is not None and not _newer(application.resource_version, known.resource_version):
            return application
        self.applications[name] = application
        self._by_namespace.setdefault(application.namespace, {})[application.name] = application
        return known

    def drop_application(self, name: Name, *, uid: str) -> bool:
        known = self.applications.get(name)
        if known is None or known.uid != uid:
            return False
        del self.applications[name]
        near = self._by_namespace[known.namespace]
        del near[known.name]
        if not near:
            del self._by_namespace[known.namespace]
        return True

    def named(self, namespace: str) -> Mapping[str, Application]:
        """The Applications of a namespace by name."""
        return self._by_namespace.get(namespace, {})

    def uids(self) -> frozenset[str]:
        """The uids of everything that is known."""
        return frozenset(
            (
                *(watch.uid for watch in self.watches.values()),
                *(found.uid for found in self.applications.values()),
            )
        )

    def meant_by(self, watch: BundleWatch | Unreadable) -> list[Application]:
        """The Applications that a BundleWatch means, by name or by label."""
        if not isinstance(watch, BundleWatch):
            return []
        near = self.named(watch.namespace)
        named = {target.name for target in watch.spec.applications}
        return [found for found in near.values() if found.name in named or selects(watch, found)]

    def concerned(self, application: Application) -> Iterator[BundleWatch]:
        """The BundleWatches that mean this Application, by name or by label; the same repository or not."""
        name = (application.namespace, application.name)
        for key in self._naming.get(name, ()):
            found = self.watches.get(key)
            if isinstance(found, BundleWatch):
                yield found
        named = self._naming.get(name, set())
        for key in self._selecting.get(application.namespace, ()):
            found = self.watches.get(key)
            if key not in named and isinstance(found, BundleWatch) and selects(found, application):
                yield found

    def rivals(self, watch: BundleWatch, application: Application) -> Iterator[BundleWatch]:
        """The other BundleWatches that mean this Application."""
        return (rival for rival in self.concerned(application) if rival.uid != watch.uid)

    def watch(self, namespace: str, name: str) -> BundleWatch | Unreadable | None:
        """The BundleWatch of that name, if there is one."""
        return self.watches.get((namespace, name))

    def downstream(self, name: Name) -> list[Name]:
        """The BundleWatches that take only what this one has had healthy."""
        return list(self._following.get(name, ()))

    def _link(self, watch: BundleWatch | Unreadable) -> None:
        if not isinstance(watch, BundleWatch):
            return
        key = (watch.namespace, watch.name)
        for target in watch.spec.applications:
            if target.name is not None:
                self._naming.setdefault((watch.namespace, target.name), set()).add(key)
            else:
                self._selecting.setdefault(watch.namespace, set()).add(key)
        for upstream in watch.spec.gates.after:
            self._following.setdefault((watch.namespace, upstream.name), set()).add(key)

    def _unlink(self, watch: BundleWatch | Unreadable) -> None:
        if not isinstance(watch, BundleWatch):
            return
        key = (watch.namespace, watch.name)
        for target in watch.spec.applications:
            if target.name is not None:
                _remove(self._naming, (watch.namespace, target.name), key)
            else:
                _remove(self._selecting, watch.namespace, key)
        for upstream in watch.spec.gates.after:
            _remove(self._following, (watch.namespace, upstream.name), key)


def read_watch(body: Mapping[str, Any]) -> BundleWatch | Unreadable:
    """A BundleWatch, or what can still be said of one that is wrong."""
    try:
        return BundleWatch.parse(body)
    except InvalidSpec as error:
        return Unreadable.of_body(body, error=error)


def selects(watch: BundleWatch, application: Application) -> bool:
    """Whether one of the watch's selectors fits the Application's labels."""
    return any(
        target.selector is not None and target.selector.matches(application.labels)
        for target in watch.spec.applications
    )


def _remove(index: dict[K, set[Name]], key: K, member: Name) -> None:
    members = index.get(key)
    if members is not None:
        members.discard(member)
        if not members:
            del index[key]


def _newer(candidate: str, known: str) -> bool:
    """Whether a resourceVersion is the same or newer; they are integers, or compared for equality only."""
    if candidate.isdigit() and known.isdigit():
        return int(candidate) >= int(known)
    return True
