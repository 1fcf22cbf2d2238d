"""How a tag is written as a target revision, and whether Argo CD can deploy what is behind it from a source.

The two kinds of source go opposite ways: a Helm-OCI source wants a version with `+`, and maps it to the tag
itself; a native `oci://` source wants the tag as it stands in the registry, with `_`. What would only fail
in Argo CD, after the write, is said before it, with the cure. Whether a text is a version is asked of the
caller: ordering and reading versions is another room's.
"""

from dataclasses import dataclass

from bundlewatch.api.text import clean
from bundlewatch.argocd.application import Source
from bundlewatch.argocd.matching import SourceKind, kind_of

LEGACY_CHART_LAYER = "application/tar+gzip"

_SHOWN_LIMIT = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a bundle cannot be deployed from a source; `reason` is a verdict's reason."""

    reason: str
    message: str


def target_revision(tag: str, kind: SourceKind) -> str:
    """How `tag` has to be written into a source of this kind."""
    # Every `_`, as Helm does it when it reads tags: none can be part of a version.
    return tag.replace("_", "+") if kind is SourceKind.HELM_OCI else tag


def tag_of(target_revision: str) -> str:
    """The tag that a target revision means; a range, or a digest alone, comes back as it is."""
    tag = target_revision.partition("@")[0]
    return tag.replace("+", "_")


def preflight(source: Source, *, tag: str, is_version: bool, chart_name: str, legacy_layer: bool) -> Problem | None:
    """Why Argo CD could not deploy this bundle from `source`; None when nothing speaks against it.

    `is_version`: the target revision reads as a version as Helm reads it (leniently: `v1`, `1.2`).
    `chart_name`: as the chart calls itself. `legacy_layer`: its layer has the type that werf writes.
    """
    return (
        _tag_fits(tag, source=source, is_version=is_version)
        or chart_fits(chart_name, source)
        or (_native_needs_current_layer(source) if legacy_layer else None)
    )


def chart_fits(chart_name: str, source: Source) -> Problem | None:
    """A Helm-OCI source looks in the archive for the directory that the repository is named after."""
    if kind_of(source) is not SourceKind.HELM_OCI:
        return None
    expected = _last_component(source.chart or "")
    if chart_name == expected:
        return None
    return Problem(
        reason="ChartNameMismatch",
        message=(
            f"the chart is named '{_shown(chart_name)}', but its repository ends in '{_shown(expected)}', "
            "and Argo CD looks for a directory of that name in the archive: publish with "
            f"`werf bundle publish --helm-compatible-chart`, or set `name: {_shown(expected)}` in Chart.yaml"
        ),
    )


def _tag_fits(tag: str, *, source: Source, is_version: bool) -> Problem | None:
    if is_version or kind_of(source) is not SourceKind.HELM_OCI:
        return None
    return Problem(
        reason="NotDeployable",
        message=(
            f"tag '{_shown(tag)}' is no version, and Helm, which Argo CD runs for this source, takes only "
            "versions: publish under one, as `werf bundle publish --tag 1.2.3` and `helm push` do"
        ),
    )


def _native_needs_current_layer(source: Source) -> Problem | None:
    # Argo CD refuses it since 3.3, and before that unless an administrator has added the type by hand.
    if kind_of(source) is not SourceKind.NATIVE_OCI:
        return None
    parent, _, name = source.repo_url.strip()[len("oci://") :].rstrip("/").rpartition("/")
    return Problem(
        reason="NotDeployable",
        message=(
            f"the chart's layer has the type {LEGACY_CHART_LAYER}, as werf writes it, which Argo CD refuses "
            f"in an oci:// source: use a Helm source, `repoURL: {_shown(parent)}` (without oci://) and "
            f"`chart: {_shown(name)}`, and publish with `werf bundle publish --helm-compatible-chart`"
        ),
    )


def _last_component(chart: str) -> str:
    return chart.strip("/").rpartition("/")[2]


def _shown(text: str) -> str:
    return clean(text, max_length=_SHOWN_LIMIT)
