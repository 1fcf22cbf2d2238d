"""Tells a chart from an image, an index, a signature or anything else, by what its manifest says.

Only `config.mediaType` decides: the manifest's own type and the tag's name do not, since werf keeps images,
service records and bundles in one repository. werf writes the chart layer under a type that Helm gave up long
ago; both are charts. Everything here comes from a registry and is not trusted: it is measured and cleaned
before anybody sees it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundlewatch.errors import UnusableContent
from bundlewatch.registry.documents import DocumentError, load
from bundlewatch.registry.reference import is_digest
from bundlewatch.registry.untrusted import clean

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
LEGACY_LAYER = "application/tar+gzip"

CONFIG_LIMIT_BYTES = 1024 * 1024
_NAME_LIMIT = 253
_TYPE_LIMIT = 120


@dataclass(frozen=True, slots=True)
class Chart:
    """A deployable chart: what its config blob says of it."""

    name: str
    version: str
    layer_type: str
    """Media type of the archive: Helm's, or the one werf still writes."""


@dataclass(frozen=True, slots=True)
class ChartManifest:
    """A manifest that claims to be a chart, before its config blob was read."""

    config_digest: str
    config_size_bytes: int
    layer_type: str
    layer_digest: str
    """As the manifest has it: whether it is one shows when it is fetched."""

    layer_size_bytes: int


@dataclass(frozen=True, slots=True)
class NotAChart:
    """Why it is none, in plain words."""

    message: str


def read_manifest(raw: bytes, *, media_type: str) -> ChartManifest | NotAChart:
    """What a manifest is. Raises UnusableContent when it is no JSON object."""
    manifest = _json_object(raw, "manifest")
    if "manifests" in manifest:
        return NotAChart("it is an index of several manifests, not a chart")
    config = manifest.get("config")
    config_type = str(config.get("mediaType", "")) if isinstance(config, Mapping) else ""
    if not isinstance(config, Mapping) or not config_type:
        return NotAChart(f"its manifest ({clean(media_type, _TYPE_LIMIT)}) has no config, so it is no chart")
    if config_type != HELM_CONFIG:
        return NotAChart(f"it is {_kind(config_type)}, not a chart")
    layers = manifest.get("layers")
    content = [
        layer
        for layer in (layers if isinstance(layers, list) else ())
        if isinstance(layer, Mapping) and layer.get("mediaType") in (HELM_LAYER, LEGACY_LAYER)
    ]
    if len(content) != 1:
        return NotAChart(f"it has a chart's config but {len(content)} chart layers, where one is needed")
    digest = config.get("digest")
    if not isinstance(digest, str) or not is_digest(digest):
        return NotAChart("its config has a digest that cannot be checked")
    return ChartManifest(
        config_digest=digest,
        config_size_bytes=size_bytes(config.get("size")),
        layer_type=content[0]["mediaType"],
        layer_digest=str(content[0].get("digest", "")),
        layer_size_bytes=size_bytes(content[0].get("size")),
    )


def read_config(raw: bytes, *, manifest: ChartManifest) -> Chart | NotAChart:
    """The chart a config blob describes. Raises UnusableContent when it is no JSON object."""
    config = _json_object(raw, "chart config")
    name, version = config.get("name"), config.get("version")
    if not isinstance(name, str) or not name:
        return NotAChart("its chart config names no chart")
    return Chart(
        name=clean(name, _NAME_LIMIT),
        version=clean(version, _NAME_LIMIT) if isinstance(version, str) else "",
        layer_type=manifest.layer_type,
    )


def size_bytes(value: object) -> int:
    """A descriptor's size; 0 where it is none, as of what no signed number of 64 bits can be."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else 0


def _kind(config_type: str) -> str:
    if "image" in config_type:
        return "a container image"
    return f"an artifact of type {clean(config_type, _TYPE_LIMIT)}"


def _json_object(raw: bytes, what: str) -> Mapping[str, Any]:
    try:
        value = load(raw)
    except DocumentError as error:
        raise UnusableContent(f"the {what} {error}") from None
    if not isinstance(value, Mapping):
        raise UnusableContent(f"the {what} is not a JSON object")
    return value
