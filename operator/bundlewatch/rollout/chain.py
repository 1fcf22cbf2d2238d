"""Chains of BundleWatches: what an upstream (`spec.gates.after`) says of a bundle, and what it keeps for the others.

The word of an upstream is its history: since when, and until when, all of its Applications were healthy with the
bundle. The same repository means the same digest; another repository, as where bundles are copied from a staging
registry to another, can only mean the same version. A bundle that failed there goes nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bundlewatch.api.gates import Upstream
from bundlewatch.api.moments import moment, rfc3339, shown
from bundlewatch.api.status import HistoryEntry
from bundlewatch.api.text import clean
from bundlewatch.api.v1alpha1 import BundleWatch, Identity
from bundlewatch.argocd.matching import canonical_repository
from bundlewatch.errors import InvalidReference
from bundlewatch.policy.gates import Candidate, Soak

_SAID_LIMIT = 200


@dataclass(frozen=True, slots=True)
class _Healthy:
    """One span for which all Applications of the upstream were healthy with the bundle."""

    since: datetime
    until: datetime | None  # None: they still are


def soak_of(
    after: Upstream, upstream: Identity | None, *, watch: BundleWatch, bundle: Candidate, now: datetime
) -> Soak:
    """Whether `upstream`, which `watch` names in `after`, has had `bundle` healthy for as long as is asked.

    `upstream`: None when there is no such BundleWatch, an Identity when its spec cannot be read. The messages go
    behind "BundleWatch NAME ".
    """
    if upstream is None or upstream.deleting:
        return Soak(
            met=False,
            message=f"does not exist in namespace {watch.namespace}: create it, or correct spec.gates.after",
        )
    if not isinstance(upstream, BundleWatch):
        return Soak(met=False, message=f"has a mistake in its spec, and is not followed{_said(upstream)}")
    by_digest = _repository(upstream) == _repository(watch)
    entries = [
        (position, entry)
        for position, entry in enumerate(upstream.status.history)
        if _same_bundle(bundle, entry, by_digest=by_digest)
    ]
    if _failed(upstream, bundle, [entry for _, entry in entries], by_digest=by_digest):
        return Soak(met=False, message=f"has it in quarantine{_said(upstream)}")
    spans = [span for position, entry in entries if (span := _span(upstream, position, entry)) is not None]
    lasting = timedelta(seconds=after.soak_s)
    for span in spans:
        if span.until is not None and span.until - span.since >= lasting:
            return Soak(met=True, message=f"had it healthy from {shown(span.since)} until {shown(span.until)}")
    running = next((span for span in spans if span.until is None), None)
    if running is not None:
        return _running(running, lasting, after, upstream, now)
    if spans:
        assert spans[0].until is not None
        return Soak(
            met=False,
            message=(
                f"had it healthy from {shown(spans[0].since)} until {shown(spans[0].until)} only, and not for "
                f"{after.soak}{_said(upstream)}"
            ),
        )
    return Soak(met=False, message=f"has not had it healthy yet{_said(upstream)}")


def cycle(watch: BundleWatch, by_name: Mapping[str, BundleWatch]) -> tuple[str, ...] | None:
    """The names on the shortest way from `watch` through gates.after back to itself, both ends included; None: no way.

    `by_name`: the BundleWatches of its namespace. All that are on such a way wait for each other for ever.
    """
    ways: list[tuple[str, ...]] = [(watch.name,)]
    visited: set[str] = set()
    while ways:
        way = ways.pop(0)
        last = watch if way[-1] == watch.name else by_name.get(way[-1])
        for upstream in last.spec.gates.after if last is not None else ():
            if upstream.name == watch.name:
                return (*way, watch.name)
            if upstream.name not in visited:
                visited.add(upstream.name)
                ways.append((*way, upstream.name))
    return None


def health_of_release(entry: HistoryEntry, *, all_healthy: bool, now: datetime) -> HistoryEntry:
    """The newest move in history, with what became of its health: it changes at transitions only.

    `all_healthy`: every Application runs the bundle and is healthy with it. Once healthy again after a break, a
    new span begins, and the one before is forgotten: a soak is without a break.
    """
    if all_healthy and (entry.healthy_since is None or entry.healthy_until is not None):
        return replace(entry, healthy_since=rfc3339(now), healthy_until=None)
    if not all_healthy and entry.healthy_since is not None and entry.healthy_until is None:
        return replace(entry, healthy_until=rfc3339(now))
    return entry


def _running(span: _Healthy, lasting: timedelta, after: Upstream, upstream: BundleWatch, now: datetime) -> Soak:
    until = span.since + lasting
    if not lasting:
        return Soak(met=True, message=f"has had it healthy since {shown(span.since)}")
    if upstream.spec.suspend:
        message = (
            f"had it healthy from {shown(span.since)} on, but is suspended, so nobody knows whether it still is: "
            "set its spec.suspend to false"
        )
        return Soak(met=False, message=message)
    if until <= now:
        return Soak(met=True, message=f"has had it healthy since {shown(span.since)}")
    message = f"has had it healthy since {shown(span.since)}, and {after.soak} are over {shown(until)}"
    return Soak(met=False, message=message, until=until)


def _span(upstream: BundleWatch, position: int, entry: HistoryEntry) -> _Healthy | None:
    since, until = moment(entry.healthy_since), moment(entry.healthy_until)
    if since is None:
        return None
    if until is None and position > 0:
        # It ended with the next move at the latest, even where that was never written.
        until = moment(upstream.status.history[position - 1].time) or since
    return _Healthy(since, max(since, until) if until is not None else None)


def _same_bundle(bundle: Candidate, entry: HistoryEntry, *, by_digest: bool) -> bool:
    if by_digest:
        return entry.digest == bundle.digest
    return bundle.version is not None and entry.version == bundle.version


def _failed(upstream: BundleWatch, bundle: Candidate, entries: list[HistoryEntry], *, by_digest: bool) -> bool:
    digests = {entry.digest for entry in entries} | ({bundle.digest} if by_digest else set())
    return any(each.digest is not None and each.digest in digests for each in upstream.status.quarantine)


def _repository(watch: BundleWatch) -> str:
    try:
        return canonical_repository(watch.spec.repository, insecure=watch.spec.access.insecure)
    except InvalidReference:
        return watch.spec.repository


def _said(upstream: Identity) -> str:
    """What the upstream says of itself, in short; it ends a message."""
    status = upstream.status
    stalled = next((found.reason for found in status.conditions if found.type == "Stalled"), "")
    verb = f"is stalled ({stalled}) and says" if stalled else "says"
    ready = next((condition.message for condition in status.conditions if condition.type == "Ready"), "")
    said = clean(status.summary or ready, max_length=_SAID_LIMIT)
    return f'; it {verb}: "{said}"' if said else ""
