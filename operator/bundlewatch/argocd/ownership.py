"""Who may move an Application: one BundleWatch per source, and nobody who would put it back at once.

An Application made by an ApplicationSet, or applied by a parent Application, is restored to what its maker
says, within milliseconds or at the maker's next sync. The cure is a rule that only the maker's author can
add: here it is spelled out for the very Application. Names
of writers are for people; nothing is decided by them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import yaml

from bundlewatch.argocd.application import TRACKING_ID, Application, Source

_INSTANCE_LABEL = "app.kubernetes.io/instance"
_TRACKED = ":argoproj.io/Application:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A BundleWatch that wants to move a source."""

    namespace: str
    name: str
    uid: str
    creation_timestamp: str
    """As the API server writes it: RFC 3339, UTC, seconds; so it sorts as text."""


def winner(claims: Iterable[Claim]) -> Claim:
    """The one claim that counts: the oldest, by uid where two are of the same second.

    Every process comes to the same answer from the objects alone, whoever asks first. One without a time has
    not been stored yet and comes last.
    """
    return min(claims, key=lambda claim: (not claim.creation_timestamp, claim.creation_timestamp, claim.uid))


class MakerKind(StrEnum):
    APPLICATION_SET = "ApplicationSet"
    PARENT_APPLICATION = "Application"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What an Application was made by, and may be put back by."""

    kind: MakerKind
    namespace: str
    name: str
    certain: bool
    """False: only a label says so, which Argo CD may use for tracking, and Helm always writes."""


def maker_of(application: Application) -> Maker | None:
    """By owner reference, then by Argo CD's tracking annotation, then, uncertainly, by its tracking label."""
    for owner in application.owner_references:
        if owner.kind == "ApplicationSet" and owner.controller:
            return Maker(
                kind=MakerKind.APPLICATION_SET,
                namespace=application.namespace,
                name=owner.name,
                certain=True,
            )
    parent, tracked, child = application.annotations.get(TRACKING_ID, "").partition(_TRACKED)
    # On a copy of an Application the annotation still speaks of the original; Argo CD ignores it too.
    if parent and tracked and child == application.full_name:
        return _parent(parent, application=application, certain=True)
    instance = application.labels.get(_INSTANCE_LABEL, "")
    if instance and instance != application.name and not tracked:
        return _parent(instance, application=application, certain=False)
    return None


def warning(application: Application, source: Source, *, maker: Maker) -> str:
    """One line for status and Events: what will happen, and what to add where."""
    doubt = "" if maker.certain else "if Argo CD tracks by label, "
    rule = yaml.safe_dump(
        ignore_rule(application, source, maker=maker),
        default_flow_style=True,
        sort_keys=False,
        width=float("inf"),
    ).strip()
    return (
        f"{doubt}{maker.kind} {maker.namespace}/{maker.name} owns Application {application.full_name} and "
        f"puts its targetRevision back; add to that {maker.kind}: {rule}"
    )


def ignore_rule(application: Application, source: Source, *, maker: Maker) -> Mapping[str, object]:
    """What makes `maker` leave this one field of this one Application alone, as a part of its body.

    In a list of sources it holds until anything else in the list differs: then the whole list is restored.
    """
    field = _field(application, source)
    if maker.kind is MakerKind.APPLICATION_SET:
        return {"spec": {"ignoreApplicationDifferences": [{"name": application.name, **field}]}}
    target = {
        "group": "argoproj.io",
        "kind": "Application",
        "name": application.name,
        "namespace": application.namespace,
    }
    return {
        "spec": {
            "ignoreDifferences": [{**target, **field}],
            # Without it the difference is only hidden, and the next sync of the parent overwrites it.
            "syncPolicy": {"syncOptions": ["RespectIgnoreDifferences=true"]},
        }
    }


def _parent(name: str, *, application: Application, certain: bool) -> Maker:
    # A parent in another namespace than Argo CD's own is written `namespace_name`; no name contains a `_`.
    namespace, separator, rest = name.partition("_")
    return Maker(
        kind=MakerKind.PARENT_APPLICATION,
        namespace=namespace if separator else application.controller_namespace or application.namespace,
        name=rest if separator else name,
        certain=certain,
    )


def _field(application: Application, source: Source) -> dict[str, list[str]]:
    if not application.multi_source:
        return {"jsonPointers": ["/spec/source/targetRevision"]}
    # By what the source is, not by its place: a pointer to an index would follow a reordered list.
    same = [f".repoURL == {json.dumps(source.repo_url)}"]
    same += [f".chart == {json.dumps(source.chart)}"] if source.chart else []
    same += [f".name == {json.dumps(source.name)}"] if source.name else []
    return {"jqPathExpressions": [f".spec.sources[] | select({' and '.join(same)}) | .targetRevision"]}
