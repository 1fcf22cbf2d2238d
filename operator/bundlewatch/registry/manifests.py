"""Manifests as they came: raw bytes, what they hash to and what they say they are.

The digest is always our own, over the bytes received; a registry's word for it is only ever compared. What a
manifest is *for* is the room `bundle`'s business. Rules: OCI distribution specification §"Pulling manifests",
OCI image specification §"Digests".
"""

import hashlib
from dataclasses import dataclass

from bundlewatch.registry import media_types
from bundlewatch.registry.documents import DocumentError, load
from bundlewatch.registry.reference import is_digest
from bundlewatch.registry.transport import Answer
from bundlewatch.registry.untrusted import clean

MANIFEST_LIMIT_BYTES = 4 << 20  # what registries accept, and clients are asked to support


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a tag points at."""

    media_type: str
    digest: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    raw: bytes
    digest: str  # sha256 or sha512, of `raw`
    media_type: str


class ContentError(ValueError):
    """The content is not what it says; the message says how, in a clause about the registry."""


class MalformedError(ContentError):
    """It is what was stored, as far as can be told, and no manifest."""


def verify(content: bytes, *, digest: str) -> None:
    """Raises ContentError when `content` does not hash to `digest` (sha256 or sha512)."""
    if digest_of(content, algorithm=digest.partition(":")[0]) != digest:
        raise ContentError("sent content that does not match its digest")


def digest_of(content: bytes, *, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def read(answer: Answer, *, digest: str | None) -> Manifest:
    """The manifest in an answer, checked against the digest it was asked by, if any. Raises ContentError.

    What the registry says itself is not what it has there was damaged on the way, whatever it looks like: its word
    counts where it was not asked by a digest.
    """
    told = (answer.header("docker-content-digest") or "").strip()
    if digest is not None:
        verify(answer.body, digest=digest)
    elif is_digest(told):
        verify(answer.body, digest=told)
    try:
        document = load(answer.body)
    except DocumentError as error:
        raise MalformedError(f"sent a manifest that {error.with_cure}") from None
    if not isinstance(document, dict):
        raise MalformedError("sent a manifest that is no object")
    header = media_types.bare(answer.header("content-type") or "")
    media_type = media_types.of_manifest(header, document)
    if media_type is None:
        shown = clean(header, 80) or "nothing"
        raise MalformedError(f"sent a manifest whose media type is in doubt: the header says {shown}, the body another")
    return Manifest(raw=answer.body, digest=digest or digest_of(answer.body), media_type=media_type)
