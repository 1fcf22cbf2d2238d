"""What a manifest is, of whatever kind: for a person who looks at one, not for a choice.

A choice asks only whether it is a chart (`chart`). This also names images, indexes, signatures and attestations
by what their media types say, and lists layers and annotations. All of it is from a registry, and cleaned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bundlewatch.bundle import provenance
from bundlewatch.bundle.chart import (
    CONFIG_LIMIT_BYTES,
    HELM_CONFIG,
    LEGACY_LAYER,
    Chart,
    ChartManifest,
    NotAChart,
    read_config,
    read_manifest,
    size_bytes,
)
from bundlewatch.bundle.inspection import ReadsManifests
from bundlewatch.bundle.provenance import LAYER_LIMIT_BYTES, Provenance
from bundlewatch.errors import BundleWatchError, NotInRegistry, RegistryMisbehaved, UnusableContent
from bundlewatch.registry.client import Access
from bundlewatch.registry.documents import load
from bundlewatch.registry.reference import Repository, is_digest
from bundlewatch.registry.untrusted import clean

_ANNOTATIONS: Final = 64
_LAYERS: Final = 256
_TEXT: Final = 300
_COSIGN_SIGNATURE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGSTORE_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
_NOTATION: Final = "application/vnd.cncf.notary.signature"
_ATTESTATIONS: Final = ("application/vnd.dsse.envelope.v1+json", "application/vnd.in-toto+json")
_SBOMS: Final = ("application/spdx+json", "application/vnd.cyclonedx+json", "text/spdx+json")


@dataclass(frozen=True, slots=True)
class Layer:
    digest: str
    media_type: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Artifact:
    """`kind`: werf bundle, Helm chart, container image, index, signature, attestation, SBOM or other artifact."""

    kind: str
    digest: str
    media_type: str
    size: int  # bytes of manifest, config and layers
    chart: Chart | None
    problem: str | None
    """Why what claims to be a chart cannot be deployed."""

    layers: tuple[Layer, ...]
    """The first 256, or those of an index' manifests."""

    layers_in_all: int
    annotations: Mapping[str, str]
    provenance: Provenance
    unread: str | None
    """Why the chart layer could not be read just now, and the provenance may lack something."""


async def describe(
    registry: ReadsManifests, repository: Repository, reference: str, *, access: Access, lenient: bool = False
) -> Artifact:
    """Everything that manifest, chart config and chart layer tell of a tag or digest.

    Raises NotInRegistry where there is no such manifest, and the other errors of the registry client. A config or
    layer that is no good, or not there, raises nothing: the manifest is worth showing all the same. `lenient`: nor
    does a layer that cannot be had for any other reason; `unread` has it.
    """
    manifest = await registry.get_manifest(repository, reference, access=access)
    body = load(manifest.raw)
    assert isinstance(body, Mapping), "the client gives no other manifest out"
    listed = body.get("layers") or body.get("manifests")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    layers = _layers(entries)
    annotations = _annotations(body.get("annotations"))
    config = body.get("config")
    config = config if isinstance(config, Mapping) else {}
    known = provenance.of_annotations(annotations)
    kind, chart, problem, unread = _kind(body, layers), None, None, None
    claimed = read_manifest(manifest.raw, media_type=manifest.media_type)
    if isinstance(claimed, NotAChart):
        problem = claimed.message if kind == "Helm chart" else None
    else:
        found = await _chart(registry, repository, claimed, access=access)
        if isinstance(found, NotAChart):
            problem = found.message
        else:
            chart = found
        try:
            known = await _of_layer(registry, repository, claimed, access=access, known=known)
        except BundleWatchError as error:
            if not lenient:
                raise
            unread = str(error)
        kind = "werf bundle" if known.werf or claimed.layer_type == LEGACY_LAYER else "Helm chart"
    return Artifact(
        kind=kind,
        digest=manifest.digest,
        media_type=manifest.media_type,
        size=len(manifest.raw)
        + size_bytes(config.get("size"))
        + sum(size_bytes(entry.get("size")) for entry in entries),
        chart=chart,
        problem=problem,
        layers=layers,
        layers_in_all=len(entries),
        annotations=annotations,
        provenance=known,
        unread=unread,
    )


async def _chart(
    registry: ReadsManifests, repository: Repository, claimed: ChartManifest, *, access: Access
) -> Chart | NotAChart:
    """The chart, or why it cannot be deployed."""
    if claimed.config_size_bytes > CONFIG_LIMIT_BYTES:
        return NotAChart(f"its chart config has {claimed.config_size_bytes} bytes; 1 MiB is allowed")
    try:
        blob = await registry.get_blob(repository, claimed.config_digest, access=access, max_bytes=CONFIG_LIMIT_BYTES)
    except (NotInRegistry, RegistryMisbehaved) as error:
        return NotAChart(f"its chart config cannot be read: {error}")
    try:
        return read_config(blob, manifest=claimed)
    except UnusableContent as error:
        return NotAChart(str(error))


async def _of_layer(
    registry: ReadsManifests, repository: Repository, claimed: ChartManifest, *, access: Access, known: Provenance
) -> Provenance:
    if not is_digest(claimed.layer_digest) or claimed.layer_size_bytes > LAYER_LIMIT_BYTES:
        return known
    try:
        raw = await registry.get_blob(repository, claimed.layer_digest, access=access, max_bytes=LAYER_LIMIT_BYTES)
    except (NotInRegistry, RegistryMisbehaved):  # such as longer than its manifest says
        return known
    return provenance.of_layer(raw, known=known)


def _kind(body: Mapping[str, Any], layers: tuple[Layer, ...]) -> str:
    config = body.get("config")
    config_type = str(config.get("mediaType", "")) if isinstance(config, Mapping) else ""
    types = {str(body.get("artifactType", "")), config_type, *(layer.media_type for layer in layers)}
    if "manifests" in body:
        return "index"
    if _COSIGN_SIGNATURE in types or _NOTATION in types or any(kind.startswith(_SIGSTORE_BUNDLE) for kind in types):
        return "signature"
    if types.intersection(_ATTESTATIONS):
        return "attestation"
    if types.intersection(_SBOMS):
        return "SBOM"
    if config_type == HELM_CONFIG:
        return "Helm chart"
    return "container image" if "image" in config_type else "other artifact"


def _layers(entries: list[Mapping[str, Any]]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            digest=clean(str(entry.get("digest", "")), _TEXT),
            media_type=clean(str(entry.get("mediaType", "")), _TEXT),
            size=size_bytes(entry.get("size")),
        )
        for entry in entries[:_LAYERS]
    )


def _annotations(value: object) -> Mapping[str, str]:
    entries = value if isinstance(value, Mapping) else {}
    return {
        clean(str(key), _TEXT): clean(text, _TEXT)
        for key, text in list(entries.items())[:_ANNOTATIONS]
        if isinstance(text, str)
    }
