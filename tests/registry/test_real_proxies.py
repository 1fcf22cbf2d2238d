"""Through a forward proxy to the real registry: tunnels and whole URLs, and never to where nobody may lead us."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bundlewatch.errors import NotTrusted, RegistryMisbehaved, RegistryUnavailable
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.proxies import Proxies
from bundlewatch.registry.reference import Repository, parse_repository
from bundlewatch.registry.tls import ClientCertificate
from kit.certificates import issue
from kit.forward_proxy import ForwardProxy
from kit.registry import Registry

NAME = "registry.corp.example"  # no resolver knows it: only through the proxy it can be reached


@pytest.fixture(scope="module")
def secure() -> Iterator[Registry]:
    with Registry.start(tls=True) as registry:
        registry.push_chart("shop/bundle", "shop", "1.0.0")
        yield registry


@pytest.fixture(scope="module")
def plain(registry: Registry) -> Registry:
    registry.bulk_tags("proxied/bundle", [f"1.0.{number}" for number in range(1500)])
    return registry


@asynccontextmanager
async def through(proxy: str, *, no_proxy: str = "") -> AsyncIterator[RegistryClient]:
    client = RegistryClient(
        proxies=Proxies.from_environment({"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": no_proxy})
    )
    try:
        yield client
    finally:
        await client.aclose()


def named(registry: Registry, path: str = "shop/bundle") -> Repository:
    return parse_repository(f"{NAME}:{registry.port}/{path}")


async def test_plain_http_goes_through_with_whole_urls(plain: Registry) -> None:
    with ForwardProxy.start(names={NAME: plain.host}, username="us er", password="pä@ss") as proxy:
        url = proxy.url.replace("http://", "http://us%20er:p%C3%A4%40ss@")
        async with through(url) as client:
            tags = await client.list_tags(named(plain, "proxied/bundle"), access=Access(insecure=True))
    assert len(tags) == 1500
    assert proxy.requests[0] == f"GET http://{NAME}:{plain.port}/v2/proxied/bundle/tags/list?n=1000"


async def test_a_tunnel_does_not_vouch_for_the_registry_s_name(secure: Registry) -> None:
    with ForwardProxy.start(names={NAME: secure.host}, username="user", password="pass") as proxy:
        async with through(proxy.url.replace("http://", "http://user:pass@")) as client:
            with pytest.raises(NotTrusted, match="cannot be verified"):
                await client.list_tags(named(secure), access=Access(ca_pem=secure.ca_pem))
        assert proxy.requests == [f"CONNECT {NAME}:{secure.port}"]


@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
async def test_tags_come_through_a_tunnel(tmp_path: Path, *, secured: bool) -> None:
    with Registry.start(tls=True, names=("localhost", NAME)) as registry:
        registry.push_chart("shop/bundle", "shop", "1.0.0")
        assert registry.ca_pem is not None
        certificates = issue(tmp_path) if secured else None
        ca_pem = registry.ca_pem + (certificates.ca.read_bytes() if certificates else b"")
        with ForwardProxy.start(names={NAME: registry.host}, tls=certificates) as proxy:
            async with through(proxy.url) as client:
                for _ in range(3):
                    assert await client.list_tags(named(registry), access=Access(ca_pem=ca_pem)) == ("1.0.0",)
        assert proxy.requests == [f"CONNECT {NAME}:{registry.port}"]  # one tunnel, kept


async def test_what_no_proxy_names_and_loopback_are_reached_directly(plain: Registry) -> None:
    with ForwardProxy.start() as proxy:
        async with through(proxy.url) as client:
            target = parse_repository(f"{plain.host}/proxied/bundle")
            assert len(await client.list_tags(target, access=Access(insecure=True))) == 1500
        async with through(proxy.url, no_proxy=f".corp.example:{plain.port}") as client:
            with pytest.raises(RegistryUnavailable, match="cannot be resolved"):
                await client.list_tags(named(plain), access=Access(insecure=True))
    assert proxy.requests == []


@pytest.mark.parametrize("insecure", [True, False], ids=["http", "https"])
async def test_a_proxy_that_wants_another_login_is_named_without_the_one_it_got(
    plain: Registry, *, insecure: bool
) -> None:
    with ForwardProxy.start(username="user", password="right") as proxy:
        async with through(proxy.url.replace("http://", "http://user:hunter2@")) as client:
            with pytest.raises(
                RegistryUnavailable, match=rf"the proxy {proxy.url} wants another login .*\(407\)"
            ) as error:
                await client.list_tags(named(plain), access=Access(insecure=insecure))
    assert "HTTPS_PROXY" in str(error.value)
    assert "hunter2" not in f"{error.value!r} {error.value.__cause__} {error.value.__context__}"


async def test_a_proxy_that_refuses_or_is_not_there_is_named(plain: Registry) -> None:
    with ForwardProxy.start() as proxy:
        proxy.refusal = 403
        async with through(proxy.url) as client:
            with pytest.raises(RegistryUnavailable, match=rf"the proxy {proxy.url} does not connect to it \(403\)"):
                await client.list_tags(named(plain), access=Access())
    async with through(proxy.url) as client:
        with pytest.raises(
            RegistryUnavailable, match=rf"the proxy {proxy.url} refused the connection; check HTTPS_PROXY"
        ):
            await client.list_tags(named(plain), access=Access())
    async with through("http://no-such-proxy.invalid:3128") as client:
        with pytest.raises(
            RegistryUnavailable, match=r"proxy http://no-such-proxy\.invalid:3128 has a name that cannot"
        ):
            await client.list_tags(named(plain), access=Access())


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]", "[::ffff:169.254.1.1]"]
)
async def test_no_proxy_is_asked_for_a_metadata_service(host: str) -> None:
    with ForwardProxy.start() as proxy:
        async with through(proxy.url) as client:
            for access in (Access(), Access(insecure=True)):
                with pytest.raises(RegistryMisbehaved, match="link-local or metadata address"):
                    await client.list_tags(Repository(host, "latest/meta-data"), access=access)
    assert proxy.requests == []


async def test_a_client_certificate_is_never_shown_to_an_https_proxy(tmp_path: Path, secure: Registry) -> None:
    made = issue(tmp_path)
    shown = ClientCertificate(made.certificate.read_bytes(), made.key.read_bytes())
    with ForwardProxy.start(tls=made) as proxy:
        async with through(proxy.url) as client:
            with pytest.raises(NotTrusted, match="cannot go through the proxy"):
                await client.list_tags(named(secure), access=Access(ca_pem=secure.ca_pem, certificate=shown))
    assert proxy.requests == []
