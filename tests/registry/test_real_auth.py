"""Logging in to the real distribution registry: htpasswd, and tokens that it verifies itself."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from bundlewatch.errors import AccessDenied, NotTrusted, RateLimited, RegistryUnavailable
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.reference import Repository, parse_repository
from kit.registry import Auth, Registry


@pytest.fixture
async def client() -> AsyncIterator[RegistryClient]:
    client = RegistryClient()
    yield client
    await client.aclose()


@contextmanager
def started(auth: Auth, *, tls: bool = False) -> Iterator[tuple[Registry, Repository]]:
    with Registry.start(auth, tls=tls) as registry:
        registry.push_chart("shop/bundle", "shop", "1.0.0")
        yield registry, parse_repository(f"{registry.host}/shop/bundle")


def access(registry: Registry, credential: Credential) -> Access:
    return Access(credential, ca_pem=registry.ca_pem, insecure=registry.ca_pem is None)


def robot(registry: Registry) -> Credential:
    return Credential(registry.username, registry.password)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("auth", ["basic", "token"])
async def test_the_right_password_opens_and_others_do_not(client: RegistryClient, auth: Auth, *, tls: bool) -> None:
    with started(auth, tls=tls) as (registry, repository):
        assert await client.list_tags(repository, access=access(registry, robot(registry))) == ("1.0.0",)
        with pytest.raises(AccessDenied, match="refuses our credentials") as error:
            await client.list_tags(repository, access=access(registry, Credential(registry.username, "wr0ng")))
        assert "wr0ng" not in str(error.value)
        assert str(repository) in str(error.value)
        with pytest.raises(AccessDenied, match="without credentials"):
            await client.list_tags(repository, access=access(registry, Credential()))


@pytest.mark.parametrize("auth", ["basic", "token"])
async def test_a_docker_config_secret_opens_it(client: RegistryClient, auth: Auth) -> None:
    with started(auth) as (registry, repository):
        encoded = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        config = json.dumps({"auths": {f"http://{registry.host}/v2/": {"auth": encoded}}}).encode()
        credential = Credential.from_secret(
            "kubernetes.io/dockerconfigjson", {".dockerconfigjson": config}, repository=repository
        )
        assert await client.list_tags(repository, access=access(registry, credential)) == ("1.0.0",)


async def test_one_token_serves_a_repository_for_its_life(client: RegistryClient) -> None:
    with started("token") as (registry, repository):
        assert registry.token_server is not None
        registry.token_server.requests.clear()
        with registry.recording() as recording:
            for _ in range(5):
                await client.list_tags(repository, access=access(registry, robot(registry)))
            await client.get_manifest(repository, "1.0.0", access=access(registry, robot(registry)))
        assert [request.status for request in recording.requests] == [401, 200, 200, 200, 200, 200, 200]
        assert len(registry.token_server.requests) == 1
        assert registry.token_server.requests[0].scopes == ("repository:shop/bundle:pull",)


async def test_a_token_that_the_registry_no_longer_takes_is_replaced(client: RegistryClient) -> None:
    with started("token") as (registry, repository):
        assert registry.token_server is not None
        registry.token_server.lifetime_s = -3600  # it lies about the life of its tokens
        with pytest.raises(AccessDenied):
            await client.list_tags(repository, access=access(registry, robot(registry)))
        registry.token_server.lifetime_s = 300
        assert await client.list_tags(repository, access=access(registry, robot(registry))) == ("1.0.0",)


async def test_a_public_repository_needs_no_password(client: RegistryClient) -> None:
    with started("token") as (registry, _):
        registry.push_chart("public/bundle", "shop", "1.0.0")
        public = parse_repository(f"{registry.host}/public/bundle")
        assert await client.list_tags(public, access=access(registry, Credential())) == ("1.0.0",)


async def test_an_identity_token_is_exchanged(client: RegistryClient) -> None:
    with started("token") as (registry, repository):
        assert registry.token_server is not None
        credential = Credential(identity_token=registry.token_server.refresh_token)
        assert await client.list_tags(repository, access=access(registry, credential)) == ("1.0.0",)
        with pytest.raises(AccessDenied):
            await client.list_tags(repository, access=access(registry, Credential(identity_token="stale-one")))


@pytest.mark.parametrize(("status", "kind"), [(500, RegistryUnavailable), (429, RateLimited)])
async def test_a_token_server_s_bad_moment_passes(status: int, kind: type[Exception]) -> None:
    client = RegistryClient()
    with started("token") as (registry, repository):
        assert registry.token_server is not None
        registry.token_server.failures.append(status)
        with pytest.raises(kind, match=registry.token_server.realm.split("/")[2]):
            await client.list_tags(repository, access=access(registry, robot(registry)))
        await client.aclose()
        client = RegistryClient()
        assert await client.list_tags(repository, access=access(registry, robot(registry))) == ("1.0.0",)
    await client.aclose()


async def test_a_certificate_nobody_vouches_for_is_refused_with_the_cure(client: RegistryClient) -> None:
    with started("basic", tls=True) as (registry, repository):
        with pytest.raises(NotTrusted, match=r"cannot be verified \(.*\); .*spec\.access\.caSecretRef") as error:
            await client.list_tags(repository, access=Access(robot(registry)))
        assert not isinstance(error.value.__context__, ssl.SSLError)


async def test_a_certificate_for_another_host_is_refused(client: RegistryClient) -> None:
    with started("basic", tls=True) as (registry, _):
        elsewhere = parse_repository(f"[::ffff:127.0.0.1]:{registry.port}/shop/bundle")
        with pytest.raises(NotTrusted, match="cannot be verified"):
            await client.list_tags(elsewhere, access=access(registry, robot(registry)))


async def test_plain_http_to_a_tls_port_is_recognised(client: RegistryClient) -> None:
    with started("basic", tls=True) as (_, repository):
        listing = client.list_tags(repository, access=Access(insecure=True))
        with pytest.raises(RegistryUnavailable, match=r"speaks TLS; set spec\.access\.insecure to false"):
            await listing
