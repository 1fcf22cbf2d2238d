"""By which way the API server is reached: never by the environment's proxies, which are for registries."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from bundlewatch.cluster.client import BUNDLE_WATCHES, KubernetesClient
from bundlewatch.cluster.watch import ClusterWatch
from kit.certificates import Certificates, issue
from kit.forward_proxy import ForwardProxy
from kit.local_server import Asked, LocalServer, Reply

RESOURCES = {"kind": "APIResourceList", "resources": [{"name": BUNDLE_WATCHES.plural}]}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return issue(tmp_path / "pki")


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def api_server(certificates: Certificates, asked: list[str]) -> Iterator[LocalServer]:
    def answer(request: Asked) -> Reply:
        asked.append(f"{request.headers['user-agent'].partition('/')[0]} {request.path}")
        return Reply.json(RESOURCES)

    with LocalServer(answer, tls=certificates) as started:
        yield started


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForwardProxy]:
    with ForwardProxy.start() as started:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, started.url)
        for name in ("NO_PROXY", "no_proxy", "KUBERNETES_SERVICE_HOST"):
            monkeypatch.delenv(name, raising=False)
        yield started


def kubeconfig(directory: Path, server: LocalServer, certificates: Certificates) -> str:
    cluster = {"server": server.url, "certificate-authority": str(certificates.ca)}
    written = {
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": {"token": "of-a-user"}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    file = directory / "kubeconfig"
    file.write_text(json.dumps(written))  # JSON is YAML
    return str(file)


async def calls(client: KubernetesClient, _: list[str]) -> None:
    assert await client.serves(BUNDLE_WATCHES)


async def watches(client: KubernetesClient, asked: list[str]) -> None:
    async def serves(_: object) -> bool:
        return True

    watch = ClusterWatch(
        parsers={BUNDLE_WATCHES: lambda found: found}, sink=lambda _: None, login=client.login, serves=serves
    )
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(20):
        while not any(line.startswith("kopf ") for line in asked):
            await asyncio.sleep(0.05)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("ask", [calls, watches])
async def test_the_api_server_is_not_asked_through_a_proxy_that_is_set_for_registries(
    ask: Callable[[KubernetesClient, list[str]], Awaitable[None]],
    api_server: LocalServer,
    certificates: Certificates,
    proxy: ForwardProxy,
    asked: list[str],
) -> None:
    file = kubeconfig(certificates.ca.parent, api_server, certificates)

    async with KubernetesClient.connect(kubeconfig=file, context=None, timeout_s=5) as client:
        await ask(client, asked)

    assert asked
    assert proxy.requests == []
