"""What an Application runs or was asked to run: the texts from which the floor under a choice is found.

Nothing lower than what runs may be chosen, also when our own status was lost, so this reads the live object
alone. It does not say which text is a version; the caller takes the first that reads as one.
"""

import re
from typing import TypeVar

from bundlewatch.argocd.application import Application, Source, SourceRevision
from bundlewatch.argocd.matching import SourceKind, kind_of

_DIGEST = re.compile(r"[a-z0-9]+:[0-9a-f]{32,}")
_T = TypeVar("_T")
# What no tag can contain, and Argo CD's wildcards; `1.2` is a version to Argo CD, not a range.
_RANGE = re.compile(r"[*^~<>=|,!\s]|^v?(?:\d+\.)*[xX](?:\.[xX\d]+)*$")


def is_range(target_revision: str) -> bool:
    """Whether Argo CD chooses the version itself."""
    return _RANGE.search(target_revision) is not None


def is_digest(text: str) -> bool:
    """Whether it is a digest alone: no tag, and no version to any pattern, although it has numbers in it."""
    return _DIGEST.fullmatch(text) is not None


def asked_for(source: Source) -> tuple[str, ...]:
    """The target revision, where it is exact; of `tag@digest` both parts."""
    return _exact(source.target_revision or "")


def running_revisions(application: Application, source: Source) -> tuple[str, ...]:
    """Texts that tell what runs or was asked for, the most telling first, each once.

    1. The target revision, where it is exact: what was asked for, by us or by a person. A person who went
       back on purpose is thereby the floor, not what ran before. Of `tag@digest` both parts.
    2. What Argo CD resolved it to, where that comparison is about this very source and target revision and
       did not fail (a failed one repeats the target revision). It is what a range runs on a Helm-OCI source.
    3. What the last successful full sync deployed from this source.

    On a native source Argo CD records digests, not the tag that a range resolved to. They are given too: a
    digest that is known to belong to a tag names it, and to anybody else it is no version (`is_digest`).
    """
    here = SourceRevision.of(source)
    texts = asked_for(source)
    compared = _at(application.compared_to, source.index)
    if compared == here and application.sync_status in {"Synced", "OutOfSync"}:
        texts += _exact(_at(application.sync_revisions, source.index) or "")
    deployed = application.last_deployed
    before = _at(deployed.sources, source.index) if deployed else None
    if deployed and before and (before.repo_url, before.chart) == (here.repo_url, here.chart):
        if kind_of(source) is SourceKind.NATIVE_OCI:
            texts += _exact(before.target_revision)
        texts += _exact(_at(deployed.revisions, source.index) or "")
    return tuple(dict.fromkeys(texts))


def _exact(text: str) -> tuple[str, ...]:
    if not text or is_range(text):
        return ()
    tag, _, digest = text.partition("@")
    return (tag, digest) if is_digest(digest) else (text,)


def _at(values: tuple[_T, ...], index: int) -> _T | None:
    return values[index] if index < len(values) else None
