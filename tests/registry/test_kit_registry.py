"""What the kit puts into registries is what people's tools put there, and requests are counted where they arrive."""

from pathlib import Path

import pytest
import yaml

from kit import bundles
from kit.helm import Helm
from kit.publisher import Publisher, RegistryError
from kit.registry import Registry


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    return Helm(tmp_path)


def rendered_version(helm: Helm, registry: Registry, repository: str, version: str) -> str:
    manifest = yaml.safe_load(helm.template(registry, repository, version))
    return str(manifest["data"]["version"])


def test_helm_renders_the_charts_we_push(helm: Helm, registry: Registry, repository: str) -> None:
    registry.push_chart(repository, "shop", "1.0.0+build.5")
    registry.push_werf_bundle(repository, "shop", "v1.0.1")

    assert rendered_version(helm, registry, repository, "1.0.0+build.5") == "1.0.0+build.5"
    assert rendered_version(helm, registry, repository, "v1.0.1") == "1.0.1"


def test_our_chart_is_written_as_helm_writes_it(helm: Helm, registry: Registry, repository: str) -> None:
    namespace = repository.removesuffix("/shop")
    helm.push(helm.package("shop", "1.0.0"), registry, namespace)
    registry.push_chart(f"{namespace}/ours/shop", "shop", "1.0.0")

    theirs, ours = (
        yaml.safe_load(registry.request("GET", f"/v2/{name}/manifests/1.0.0").body)
        for name in (repository, f"{namespace}/ours/shop")
    )

    assert ours.keys() == theirs.keys()
    assert ours["config"]["mediaType"] == theirs["config"]["mediaType"]
    assert [layer["mediaType"] for layer in ours["layers"]] == [layer["mediaType"] for layer in theirs["layers"]]
    assert theirs["annotations"].keys() <= ours["annotations"].keys()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("auth", ["basic", "token"])
def test_a_closed_registry_wants_its_password(auth: str, helm: Helm, *, tls: bool) -> None:
    with Registry.start(auth, tls=tls) as closed:  # type: ignore[arg-type] # of the two literals
        closed.push_chart("charts/shop", "shop", "1.0.0")
        anonymous = Publisher(url=closed.url, tls=closed._tls)
        with pytest.raises(RegistryError, match="401"):
            anonymous.request("GET", "/v2/charts/shop/tags/list")
        anonymous.close()

        helm.login(closed)

        assert rendered_version(helm, closed, "charts/shop", "1.0.0") == "1.0.0"


def test_each_request_is_counted_once(registry: Registry, repository: str) -> None:
    registry.push_image(repository, "1.0.0")

    with registry.recording() as recording:
        for _ in range(3):
            registry.request("GET", f"/v2/{repository}/tags/list", agent="somebody")
        registry.request("GET", f"/v2/{repository}/tags/list")  # the kit's own

    assert [request.path for request in recording.listings] == [f"/v2/{repository}/tags/list"] * 3


def test_one_of_many_tags_moves_alone(registry: Registry, repository: str) -> None:
    image = registry.bulk_tags(repository, [f"meta-{number:04}" for number in range(2000)])

    chart = registry.push_chart(repository, "shop", "1.0.0", tag="meta-0007")

    def digest_of(tag: str) -> str:
        return registry.request("HEAD", f"/v2/{repository}/manifests/{tag}").headers["Docker-Content-Digest"]

    assert digest_of("meta-0007") == chart
    assert digest_of("meta-0008") == image
    tags = yaml.safe_load(registry.request("GET", f"/v2/{repository}/tags/list").body)["tags"]
    assert len(tags) == 2000


def test_a_dangling_tag_is_listed_and_not_found(registry: Registry, repository: str) -> None:
    registry.push_chart(repository, "shop", "1.0.0")
    registry.dangle(repository, "1.0.1")

    assert b'"1.0.1"' in registry.request("GET", f"/v2/{repository}/tags/list").body
    with pytest.raises(RegistryError, match="404"):
        registry.request("GET", f"/v2/{repository}/manifests/1.0.1")


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("1.2", "1.2.0"),
        ("2024.01.05", "2024.1.5"),
        ("12-abc", "12.0.0-abc"),
        ("1.2.3_b5", "0.0.0-1767225600-1-2-3-b5"),
        ("main", "0.0.0-1767225600-main"),
    ],
)
def test_a_bundles_version_comes_from_its_tag_as_werf_makes_it(tag: str, version: str) -> None:
    assert bundles.werf_version(tag) == version
