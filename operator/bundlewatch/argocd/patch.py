"""The one write to an Application: a JSON Patch of the target revision of one source, and nothing beside it.

Everything the decision rested on is tested within the patch, so that whatever changed between reading and
writing makes the API server refuse the whole of it (422), and a person's concurrent edit is never lost.
Fields are tested rather than resourceVersion: Argo CD writes status so often that a version would hardly
ever hold. A refused patch does not say which test failed; the caller reads again and decides again.
"""

from bundlewatch.argocd.application import Application, Source

FIELD_MANAGER = "bundlewatch"
"""Fixed and documented: a parent Application can be told to ignore what this manager owns."""


def target_revision_patch(application: Application, source: Source, *, to: str) -> list[dict[str, object]]:
    """The operations that move `source` of `application`, as it was read, to `to`; none when it is there.

    A field that was absent is tested against null, which the API server grants for an absent member.
    """
    if source.target_revision == to:
        return []
    at = f"/spec/sources/{source.index}" if application.multi_source else "/spec/source"
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
        {
            # It is optional in the schema, and `replace` of an absent member is refused.
            "op": "add" if source.target_revision is None else "replace",
            "path": f"{at}/targetRevision",
            "value": to,
        },
    ]


def _tests_of_the_list(application: Application, source: Source, *, at: str) -> list[dict[str, object]]:
    if application.multi_source:
        # Two sources may share repository and version and differ in values: the name tells a reordered list.
        return [_test(f"{at}/name", source.name)]
    return [_test("/spec/sources", [] if application.empty_sources else None)]


def _test(path: str, value: object) -> dict[str, object]:
    return {"op": "test", "path": path, "value": value}
