"""Looking at a tag: one bad artifact is told as what it is; a bad moment is not taken for a bad artifact."""

import json

import pytest

from bundlewatch.bundle.chart import HELM_CONFIG, HELM_LAYER, Chart, NotAChart
from bundlewatch.bundle.inspection import Inspected, inspect
from bundlewatch.errors import BundleWatchError, NotInRegistry, RegistryMisbehaved, RegistryUnavailable, UnusableContent
from bundlewatch.registry.client import Access, Descriptor, Manifest
from bundlewatch.registry.manifests import digest_of
from bundlewatch.registry.media_types import OCI_MANIFEST
from bundlewatch.registry.reference import Repository, parse_repository

REPOSITORY = parse_repository("registry.example.com/shop")
CONFIG = json.dumps({"name": "shop", "version": "1.0.0"}).encode()
CHART = json.dumps(
    {
        "config": {"mediaType": HELM_CONFIG, "digest": digest_of(CONFIG), "size": len(CONFIG)},
        "layers": [{"mediaType": HELM_LAYER}],
    }
).encode()
DIGEST = digest_of(CHART)


class Registry:
    """Answers with what it was made of; an error is raised instead. `asked` lists the calls."""

    def __init__(
        self,
        *,
        head: str | BundleWatchError = DIGEST,
        manifest: bytes | BundleWatchError = CHART,
        blob: bytes | BundleWatchError = CONFIG,
    ) -> None:
        self._head, self._manifest, self._blob = head, manifest, blob
        self.asked: list[str] = []
        self.read: list[str] = []

    async def head_manifest(
        self, repository: Repository, reference: str, *, access: Access, etag: str | None
    ) -> Descriptor | None:
        self.asked.append("HEAD")
        if isinstance(self._head, BundleWatchError):
            raise self._head
        return None if self._head == etag else Descriptor(OCI_MANIFEST, self._head, 1)

    async def get_manifest(self, repository: Repository, reference: str, *, access: Access) -> Manifest:
        self.asked.append("GET")
        self.read.append(reference)
        if isinstance(self._manifest, BundleWatchError):
            raise self._manifest
        return Manifest(self._manifest, digest_of(self._manifest), OCI_MANIFEST)

    async def get_blob(self, repository: Repository, digest: str, *, access: Access, max_bytes: int) -> bytes:
        self.asked.append("blob")
        if isinstance(self._blob, BundleWatchError):
            raise self._blob
        return self._blob


async def look(registry: Registry, *, known: Inspected | None = None) -> Inspected:
    return await inspect(registry, REPOSITORY, "1.0.0", access=Access(), known=known)


async def test_a_chart_is_known_by_its_config_and_pinned_by_its_digest() -> None:
    found = await look(Registry())

    assert found == Inspected("1.0.0", DIGEST, Chart("shop", "1.0.0", HELM_LAYER))


async def test_what_is_read_is_what_the_tag_pointed_at_whatever_becomes_of_the_tag() -> None:
    registry = Registry()

    await look(registry)

    assert registry.asked == ["HEAD", "GET", "blob"]
    assert registry.read == [DIGEST]


async def test_a_tag_that_has_not_moved_costs_one_head() -> None:
    first = await look(Registry())
    registry = Registry()

    assert await look(registry, known=first) is first
    assert registry.asked == ["HEAD"]


async def test_a_tag_that_has_moved_is_looked_at_anew() -> None:
    before = Inspected("1.0.0", digest_of(b"another"), NotAChart("it is a container image, not a chart"))
    registry = Registry()

    assert (await look(registry, known=before)).digest == DIGEST
    assert registry.asked == ["HEAD", "GET", "blob"]


@pytest.mark.parametrize(
    "registry",
    [
        pytest.param(Registry(manifest=UnusableContent("it is too large")), id="manifest"),
        pytest.param(Registry(manifest=b"[]"), id="manifest without a config"),
        pytest.param(Registry(blob=UnusableContent("it is too large")), id="config"),
        pytest.param(Registry(blob=b"no JSON"), id="config that is no JSON"),
        pytest.param(Registry(blob=b"{}"), id="config without a name"),
    ],
)
async def test_content_that_is_no_good_makes_that_tag_no_chart(registry: Registry) -> None:
    assert isinstance((await look(registry)).found, NotAChart)


async def test_what_was_no_manifest_is_fetched_again_when_it_is_looked_at_again() -> None:
    before = await look(Registry(manifest=UnusableContent("it is too large")))
    registry = Registry()

    assert isinstance((await look(registry, known=before)).found, Chart)
    assert registry.asked == ["HEAD", "GET", "blob"]


@pytest.mark.parametrize("error", [RegistryMisbehaved("lies"), RegistryUnavailable("down"), NotInRegistry("gone")])
@pytest.mark.parametrize("where", ["manifest", "blob"])
async def test_a_bad_moment_of_the_registry_is_an_error_and_no_verdict(where: str, error: BundleWatchError) -> None:
    with pytest.raises(type(error)):
        await look(Registry(**{where: error}))


async def test_a_head_that_fails_is_an_error_too() -> None:
    known = await look(Registry())

    with pytest.raises(RegistryUnavailable):
        await look(Registry(head=RegistryUnavailable("down")), known=known)
