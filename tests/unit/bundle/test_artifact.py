"""What is shown of a manifest: all that is good, and of a chart that is not, why."""

import gzip
import json
from typing import Any

import pytest

from bundlewatch.bundle.artifact import Artifact, describe
from bundlewatch.bundle.chart import CONFIG_LIMIT_BYTES, HELM_CONFIG, HELM_LAYER, LEGACY_LAYER
from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    NotInRegistry,
    RateLimited,
    RegistryMisbehaved,
    RegistryUnavailable,
    UnusableContent,
)
from bundlewatch.registry.client import Access, Descriptor, Manifest
from bundlewatch.registry.manifests import digest_of
from bundlewatch.registry.media_types import OCI_MANIFEST
from bundlewatch.registry.reference import Repository, parse_repository

REPOSITORY = parse_repository("registry.example.com/shop")
CONFIG = json.dumps({"name": "shop", "version": "1.0.0"}).encode()
ARCHIVE = gzip.compress(b"")
LAYER: dict[str, Any] = {"mediaType": HELM_LAYER, "digest": digest_of(ARCHIVE), "size": len(ARCHIVE)}
OTHER: dict[str, Any] = {"mediaType": "text/plain", "digest": digest_of(b"notes"), "size": 5}

Blobs = dict[str, bytes | BundleWatchError]


class Registry:
    """Has one manifest; an error in the place of a blob is raised."""

    def __init__(self, manifest: dict[str, Any], blobs: Blobs) -> None:
        self._raw, self._blobs = json.dumps(manifest).encode(), blobs

    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None:
        raise AssertionError("nothing is looked up twice")

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest:
        return Manifest(self._raw, digest_of(self._raw), OCI_MANIFEST)

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes:
        found = self._blobs[digest]
        if isinstance(found, BundleWatchError):
            raise found
        return found


async def described(
    *,
    layers: list[Any] | None = None,
    config: bytes | BundleWatchError = CONFIG,
    archive: bytes | BundleWatchError = ARCHIVE,
    **fields: Any,
) -> Artifact:
    content = {"mediaType": HELM_CONFIG, "digest": digest_of(CONFIG), "size": len(CONFIG), **fields}
    manifest = {"config": content, "layers": layers or [LAYER], "annotations": {"team": "shop"}}
    blobs: Blobs = {digest_of(CONFIG): config, digest_of(ARCHIVE): archive}
    return await describe(Registry(manifest, blobs), REPOSITORY, "1.0.0", access=Access())


async def test_a_chart_is_shown_with_name_and_version() -> None:
    found = await described()

    assert found.chart is not None
    assert (found.kind, found.chart.name, found.chart.version, found.problem) == ("Helm chart", "shop", "1.0.0", None)


async def test_a_chart_layer_behind_hundreds_of_others_is_found() -> None:
    found = await described(layers=[*[OTHER] * 300, LAYER])

    assert (found.kind, found.problem) == ("Helm chart", None)
    assert (len(found.layers), found.layers_in_all) == (256, 301)
    assert found.size > 300 * OTHER["size"] + LAYER["size"]


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        pytest.param({"config": b"no JSON"}, "the chart config is no JSON", id="no JSON"),
        pytest.param({"config": b"[]"}, "the chart config is not a JSON object", id="no object"),
        pytest.param({"config": b"{}"}, "names no chart", id="no name"),
        pytest.param({"config": NotInRegistry("gone")}, "cannot be read: gone", id="not there"),
        pytest.param({"config": RegistryMisbehaved("another digest")}, "another digest", id="something else"),
        pytest.param({"config": UnusableContent("too large")}, "too large", id="longer than it says"),
        pytest.param({"size": CONFIG_LIMIT_BYTES + 1}, "1 MiB is allowed", id="too large"),
        pytest.param({"digest": "sha256:0"}, "a digest that cannot be checked", id="no digest"),
        pytest.param({"layers": [OTHER]}, "0 chart layers", id="no chart layer"),
        pytest.param({"layers": [LAYER, LAYER]}, "2 chart layers", id="two chart layers"),
    ],
)
async def test_a_chart_that_cannot_be_deployed_is_shown_with_the_reason(spoilt: dict[str, Any], says: str) -> None:
    found = await described(**spoilt)

    assert (found.kind, found.chart) == ("Helm chart", None)
    assert says in (found.problem or "")
    assert found.layers
    assert found.annotations == {"team": "shop"}


@pytest.mark.parametrize("error", [NotInRegistry("gone"), RegistryMisbehaved("another digest")])
async def test_a_chart_whose_archive_cannot_be_had_is_shown_without_its_origin(error: BundleWatchError) -> None:
    found = await described(archive=error)

    assert (found.kind, found.provenance.commit) == ("Helm chart", None)


@pytest.mark.parametrize("digest", ["", "sha256:0", 5, None])
async def test_a_layer_without_a_digest_is_not_asked_for(digest: object) -> None:
    found = await described(layers=[{"mediaType": LEGACY_LAYER, "digest": digest}])

    assert (found.kind, found.problem) == ("werf bundle", None)


@pytest.mark.parametrize("error", [RegistryUnavailable("down"), AccessDenied("not yours"), RateLimited("less")])
async def test_whoever_only_looks_is_shown_the_rest_where_the_archive_cannot_be_had(error: BundleWatchError) -> None:
    content = {"mediaType": HELM_CONFIG, "digest": digest_of(CONFIG), "size": len(CONFIG)}
    blobs: Blobs = {digest_of(CONFIG): CONFIG, digest_of(ARCHIVE): error}
    registry = Registry({"config": content, "layers": [LAYER]}, blobs)

    found = await describe(registry, REPOSITORY, "1.0.0", access=Access(), lenient=True)

    assert found.chart is not None
    assert (found.kind, found.unread) == ("Helm chart", str(error))


@pytest.mark.parametrize("size", [1 << 63, int("9" * 4300), -1, 1.5, "5", True])
async def test_a_size_that_cannot_be_is_none(size: object) -> None:
    found = await described(size=size, layers=[{**LAYER, "size": size}])

    assert (found.problem, found.layers[0].size) == (None, 0)
    assert found.size < 10_000


@pytest.mark.parametrize("where", ["config", "archive"])
async def test_a_registry_that_fails_meanwhile_is_an_error(where: str) -> None:
    spoilt: dict[str, Any] = {where: RegistryUnavailable("down")}

    with pytest.raises(RegistryUnavailable):
        await described(**spoilt)
