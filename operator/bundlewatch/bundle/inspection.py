"""Fetches what is needed to know what a tag is, and no more: manifest, then config blob.

A digest never changes its meaning, so a tag that still points where it did costs one HEAD; what it points at else is
read by its digest.
"""

from dataclasses import dataclass
from typing import Protocol

from bundlewatch.bundle.chart import CONFIG_LIMIT_BYTES, Chart, NotAChart, read_config, read_manifest
from bundlewatch.errors import UnusableContent
from bundlewatch.registry.client import Access, Descriptor, Manifest
from bundlewatch.registry.reference import Repository


class ReadsManifests(Protocol):
    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None: ...

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest: ...

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a tag pointed at when we looked."""

    tag: str
    digest: str
    """Empty where not even the manifest was any good."""

    found: Chart | NotAChart


async def inspect(
    registry: ReadsManifests, repository: Repository, tag: str, *, access: Access, known: Inspected | None
) -> Inspected:
    """Look at a tag; `known` is what was found before, and comes back when the tag has not moved.

    Raises NotInRegistry when the tag is gone, other Faults or a Mistake when it cannot be told. Content that is
    no good, and will be none the next time, makes that tag no chart: one bad artifact must not hide the others.
    """
    try:
        before = known.digest if known is not None and known.digest else None
        head = await registry.head_manifest(repository, tag, access=access, etag=before)
        if known is not None and (head is None or head.digest == before):
            return known
        # By digest: what is read is what the tag pointed at, whatever becomes of the tag meanwhile.
        manifest = await registry.get_manifest(repository, head.digest if head is not None else tag, access=access)
    except UnusableContent as error:
        return Inspected(tag=tag, digest="", found=NotAChart(str(error)))
    try:
        claimed = read_manifest(manifest.raw, media_type=manifest.media_type)
        if isinstance(claimed, NotAChart):
            return Inspected(tag=tag, digest=manifest.digest, found=claimed)
        if claimed.config_size_bytes > CONFIG_LIMIT_BYTES:
            too_large = NotAChart(f"its chart config has {claimed.config_size_bytes} bytes; 1 MiB is allowed")
            return Inspected(tag=tag, digest=manifest.digest, found=too_large)
        blob = await registry.get_blob(repository, claimed.config_digest, access=access, max_bytes=CONFIG_LIMIT_BYTES)
        return Inspected(tag=tag, digest=manifest.digest, found=read_config(blob, manifest=claimed))
    except UnusableContent as error:
        return Inspected(tag=tag, digest=manifest.digest, found=NotAChart(str(error)))
