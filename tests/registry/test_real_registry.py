"""The client against the real distribution registry, requests counted in the registry's own log."""

from collections.abc import AsyncIterator

import pytest

from bundlewatch.errors import NotInRegistry, RegistryUnavailable, RepositoryNotFound
from bundlewatch.registry import media_types
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.reference import Repository, parse_repository
from kit import bundles
from kit.registry import Registry

PLAIN = Access(insecure=True)


@pytest.fixture
async def client() -> AsyncIterator[RegistryClient]:
    client = RegistryClient()
    yield client
    await client.aclose()


@pytest.fixture
def target(registry: Registry, repository: str) -> Repository:
    return parse_repository(f"oci://{registry.host}/{repository}")


async def test_tags_are_listed(client: RegistryClient, registry: Registry, repository: str, target: Repository) -> None:
    for version in ("1.0.0", "1.0.1", "1.0.2+build.7"):
        registry.push_chart(repository, "shop", version)
    assert set(await client.list_tags(target, access=PLAIN)) == {"1.0.0", "1.0.1", "1.0.2_build.7"}


@pytest.mark.parametrize(("count", "requests"), [(999, 1), (1000, 2), (2750, 3)])
async def test_many_tags_are_listed_in_pages_of_a_thousand(
    client: RegistryClient, registry: Registry, target: Repository, *, count: int, requests: int
) -> None:
    tags = {f"1.0.{number}" for number in range(count)}
    registry.bulk_tags(target.path, tags)
    with registry.recording() as recording:
        assert set(await client.list_tags(target, access=PLAIN)) == tags
    assert len(recording.requests) == requests


async def test_a_registry_that_wants_smaller_pages_gets_them(client: RegistryClient) -> None:
    tags = {f"v{number}-a_b.c" for number in range(777)}
    with Registry.start(max_tags=50) as small:
        small.bulk_tags("shop/bundle", tags)
        with small.recording() as recording:
            found = await client.list_tags(parse_repository(f"{small.host}/shop/bundle"), access=PLAIN)
    assert set(found) == tags
    assert len(recording.listings) == 16


async def test_a_repository_without_tags_is_empty(
    client: RegistryClient, registry: Registry, repository: str, target: Repository
) -> None:
    registry.push_chart(repository, "shop", "1.0.0")
    registry.delete_tag(repository, "1.0.0")
    assert await client.list_tags(target, access=PLAIN) == ()


async def test_an_unknown_repository_says_so(client: RegistryClient, target: Repository) -> None:
    with pytest.raises(RepositoryNotFound, match=rf"{target.host} knows no such repository \(404 NAME_UNKNOWN"):
        await client.list_tags(target, access=PLAIN)


async def test_a_bundle_is_looked_up_and_fetched(
    client: RegistryClient, registry: Registry, repository: str, target: Repository
) -> None:
    digest = registry.push_chart(repository, "shop", "1.0.0")

    found = await client.head_manifest(target, "1.0.0", access=PLAIN)
    manifest = await client.get_manifest(target, "1.0.0", access=PLAIN)
    again = await client.get_manifest(target, digest, access=PLAIN)

    assert (found.digest, found.media_type, found.size) == (digest, media_types.OCI_MANIFEST, len(manifest.raw))
    assert manifest == again
    assert manifest.digest == digest
    config = bundles.digest_of(b"")
    with pytest.raises(NotInRegistry):
        await client.get_blob(target, config, access=PLAIN, max_bytes=100)


async def test_an_unchanged_tag_costs_one_answer_without_content(
    client: RegistryClient, registry: Registry, repository: str, target: Repository
) -> None:
    digest = registry.push_chart(repository, "shop", "1.0.0")
    with registry.recording() as recording:
        assert await client.head_manifest(target, "1.0.0", access=PLAIN, etag=digest) is None
    assert [(request.method, request.status) for request in recording.requests] == [("HEAD", 304)]

    moved = registry.push_chart(repository, "shop", "1.0.1", tag="1.0.0")
    found = await client.head_manifest(target, "1.0.0", access=PLAIN, etag=digest)
    assert found is not None
    assert found.digest == moved


async def test_a_blob_is_fetched_and_checked(
    client: RegistryClient, registry: Registry, repository: str, target: Repository
) -> None:
    artifact = bundles.helm_chart(name="shop", version="1.0.0")
    registry.push(repository, artifact, tag="1.0.0")
    config = artifact.blobs[0]
    assert await client.get_blob(target, config.digest, access=PLAIN, max_bytes=1 << 20) == config.data


@pytest.mark.parametrize("kind", [bundles.OCI_INDEX, bundles.DOCKER_LIST])
async def test_an_index_is_told_by_its_media_type(
    client: RegistryClient, registry: Registry, repository: str, target: Repository, kind: str
) -> None:
    registry.push_index(repository, "1.0.0", media_type=kind)
    assert (await client.get_manifest(target, "1.0.0", access=PLAIN)).media_type == kind


async def test_a_tag_that_points_nowhere_is_not_there(
    client: RegistryClient, registry: Registry, repository: str, target: Repository
) -> None:
    registry.push_chart(repository, "shop", "1.0.0")
    registry.dangle(repository, "2.0.0")
    assert "2.0.0" in await client.list_tags(target, access=PLAIN)
    for look in (client.head_manifest, client.get_manifest):
        with pytest.raises(NotInRegistry, match=r"looking up 2\.0\.0"):
            await look(target, "2.0.0", access=PLAIN)


async def test_connections_are_kept(
    client: RegistryClient, registry: Registry, repository: str, target: Repository
) -> None:
    registry.push_chart(repository, "shop", "1.0.0")
    for _ in range(20):
        await client.head_manifest(target, "1.0.0", access=PLAIN)
    inner = client._asker._transport._pools[b""].doors[False, False, None]
    connector = inner.client.connector  # type: ignore[attr-defined] # aiohttp's own pool
    assert sum(len(connections) for connections in connector._conns.values()) == 1


async def test_plain_http_is_only_spoken_when_told_to(client: RegistryClient, target: Repository) -> None:
    with pytest.raises(RegistryUnavailable, match=r"does not speak TLS; .*set spec\.access\.insecure to true"):
        await client.list_tags(target, access=Access())
