"""The media types a manifest can have, as the OCI image specification and Docker's registry API name them.

Knows nothing of what an artifact is for; telling a chart from an image is the room `bundle`'s business.
"""

from collections.abc import Mapping
from typing import Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"

# One header, no parameters and no weights: distribution knows neither, and `*/*` alone gets a 404 from it.
ACCEPT: Final = f"{OCI_MANIFEST}, {OCI_INDEX}, {DOCKER_MANIFEST}, {DOCKER_LIST}"

# What servers write that do not know what they serve; then the body says, and else its shape.
_SAYS_NOTHING: Final = frozenset({"", "application/json", "application/octet-stream", "text/plain"})


def bare(content_type: str) -> str:
    """A `Content-Type` without its parameters, which nobody agrees on."""
    return content_type.partition(";")[0].strip().lower()


def of_manifest(header: str, document: Mapping[str, object]) -> str | None:
    """The media type of a manifest, from its header and its parsed body; None: the two disagree."""
    claimed = document.get("mediaType")
    if claimed is not None and not isinstance(claimed, str):
        return None
    if header in _SAYS_NOTHING:
        return bare(claimed) if claimed else _by_shape(document)
    return header if not claimed or bare(claimed) == header else None


def _by_shape(document: Mapping[str, object]) -> str | None:
    if "manifests" in document:
        return OCI_INDEX
    return OCI_MANIFEST if "config" in document or "layers" in document else None
