"""The one write to an Application: a JSON Patch of the target revision of one source, and of what belongs to the move.

That is a sync asked for, the operation of a version taken back ended, and annotations of our own; all of it in one
request, so that no state in between is ever seen or left behind.

Everything the decision rested on is tested within the patch, so that whatever changed between reading and
writing makes the API server refuse the whole of it (422), and a person's concurrent edit is never lost.
Fields are tested rather than resourceVersion: Argo CD writes status so often that a version would hardly
ever hold. A refused patch does not say which test failed; the caller reads again and decides again.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bundlewatch.api.annotations import PREFIX
from bundlewatch.argocd import operation
from bundlewatch.argocd.application import Application, Source
from bundlewatch.argocd.operation import Abandoned, SyncRequest
from bundlewatch.argocd.provenance import ALLOW, TAKEN_BACK

FIELD_MANAGER = "bundlewatch"
"""Fixed and documented: a parent Application can be told to ignore what this manager owns."""

REFRESH = "argocd.argoproj.io/refresh"
"""Argo CD's own: it looks again, and removes the annotation when it has."""

_NONE: Mapping[str, str | None] = MappingProxyType({})


def application_patch(
    application: Application,
    source: Source,
    *,
    to: str | None = None,
    sync: SyncRequest | None = None,
    ends: Abandoned | None = None,
    annotations: Mapping[str, str | None] = _NONE,
    refresh: bool = False,
) -> list[dict[str, object]]:
    """The operations that do all of this to `application`, as it was read; none when there is nothing to do.

    `to`: the target revision that `source` moves to; None leaves it as it is.
    `sync`: asks Argo CD to sync; left out while an operation is asked for or at work, to be asked for again later.
    `ends`: ends the operation of this version, if it is running or retrying.
    `annotations`: values to set, None to remove; only what differs is written. Raises ValueError at a key that is not
    BundleWatch's to write.
    `refresh`: has Argo CD drop what it keeps of this version: under the same tag there is something else now.
    """
    parts = [
        *_target_revision(application, source, to=to),
        *(operation.termination(application, source, ends) if ends is not None else []),
        *(operation.request(application, sync) if sync is not None else []),
        *_annotations(application, annotations, refresh=refresh),
    ]
    if not parts:
        return []
    return [*_tests(application, source), *(_tests_of_the_mark(application) if to is not None else []), *parts]


def _tests(application: Application, source: Source) -> list[dict[str, object]]:
    # A field that was absent is tested against null, which the API server grants for an absent member.
    at = _path(application, source)
    return [
        # Deleted and created again under the same name, it is somebody else's Application.
        _test("/metadata/uid", application.uid),
        # A hydrator, or `sources` beside `source`, would make what we write mean nothing.
        _test("/spec/sourceHydrator", None),
        *_tests_of_the_list(application, source, at=at),
        # The same repository as the one that was matched: a BundleWatch moves nothing out of its repository.
        _test(f"{at}/repoURL", source.repo_url),
        _test(f"{at}/chart", source.chart),
        # What was there when we decided; whoever wrote another value since is not overwritten.
        _test(f"{at}/targetRevision", source.target_revision),
    ]


def _tests_of_the_list(application: Application, source: Source, *, at: str) -> list[dict[str, object]]:
    if application.multi_source:
        # Two sources may share repository and version and differ in values: the name tells a reordered list.
        return [_test(f"{at}/name", source.name)]
    return [_test("/spec/sources", [] if application.empty_sources else None)]


def _tests_of_the_mark(application: Application) -> list[dict[str, object]]:
    # By the target revision alone, an Application that was moved and taken back meanwhile is as it was before.
    if not application.has_annotations:
        return [_test("/metadata/annotations", None)]
    return [_test(f"/metadata/annotations/{_escaped(TAKEN_BACK)}", application.annotations.get(TAKEN_BACK))]


def _target_revision(application: Application, source: Source, *, to: str | None) -> list[dict[str, object]]:
    if to is None or source.target_revision == to:
        return []
    # It is optional in the schema, and `replace` of an absent member is refused.
    verb = "add" if source.target_revision is None else "replace"
    return [{"op": verb, "path": f"{_path(application, source)}/targetRevision", "value": to}]


def _annotations(
    application: Application, wanted: Mapping[str, str | None], *, refresh: bool
) -> list[dict[str, object]]:
    for key in wanted:
        if not key.startswith(PREFIX) or key == ALLOW:
            raise ValueError(f"the annotation {key} is not BundleWatch's to write")
    changed = {key: value for key, value in wanted.items() if application.annotations.get(key) != value}
    if refresh:
        changed[REFRESH] = "hard"
    writes: list[dict[str, object]] = []
    if changed and not application.has_annotations:
        # `add` would replace the annotations that somebody has given it meanwhile.
        writes += [_test("/metadata/annotations", None), {"op": "add", "path": "/metadata/annotations", "value": {}}]
    for key, value in changed.items():
        path = f"/metadata/annotations/{_escaped(key)}"
        writes.append({"op": "remove", "path": path} if value is None else {"op": "add", "path": path, "value": value})
    return writes


def _path(application: Application, source: Source) -> str:
    return f"/spec/sources/{source.index}" if application.multi_source else "/spec/source"


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _test(path: str, value: object) -> dict[str, object]:
    return {"op": "test", "path": path, "value": value}
