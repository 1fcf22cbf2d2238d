"""What a manifest turns out to be."""

import json

import pytest

from bundlewatch.bundle.chart import Chart, ChartManifest, NotAChart, read_config, read_manifest
from bundlewatch.errors import UnusableContent

HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
WERF_LAYER = "application/tar+gzip"
PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"
OCI = "application/vnd.oci.image.manifest.v1+json"


def manifest(config: object, *layers: str) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "config": config, "layers": [{"mediaType": layer} for layer in layers]}
    ).encode()


def claims(layer_type: str) -> ChartManifest:
    return ChartManifest(
        config_digest="sha256:0", config_size_bytes=53, layer_type=layer_type, layer_digest="", layer_size_bytes=0
    )


def helm(digest: str = "sha256:" + "0" * 64) -> dict[str, object]:
    return {"mediaType": HELM_CONFIG, "digest": digest, "size": 53}


@pytest.mark.parametrize(
    ("layers", "layer_type"),
    [
        pytest.param([HELM_LAYER], HELM_LAYER, id="helm push"),
        pytest.param([HELM_LAYER, PROVENANCE], HELM_LAYER, id="helm push with provenance"),
        pytest.param([WERF_LAYER], WERF_LAYER, id="werf bundle publish"),
    ],
)
def test_a_chart_is_told_by_its_config(layers: list[str], layer_type: str) -> None:
    found = read_manifest(manifest(helm(), *layers), media_type=OCI)

    assert isinstance(found, ChartManifest)
    assert found.layer_type == layer_type


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(
            manifest({"mediaType": "application/vnd.docker.container.image.v1+json"}, "x"),
            "a container image",
            id="docker image",
        ),
        pytest.param(
            manifest({"mediaType": "application/vnd.oci.image.config.v1+json"}, "x"),
            "a container image",
            id="oci image",
        ),
        pytest.param(manifest({"mediaType": "application/vnd.oci.empty.v1+json"}), "an artifact", id="artifact"),
        pytest.param(json.dumps({"schemaVersion": 2, "manifests": []}).encode(), "an index", id="index"),
        pytest.param(json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(), "no config", id="docker schema 1"),
        pytest.param(manifest(helm()), "0 chart layers", id="chart without content"),
        pytest.param(manifest(helm(), HELM_LAYER, WERF_LAYER), "2 chart layers", id="chart with two contents"),
        pytest.param(manifest(helm(""), HELM_LAYER), "a digest that cannot be checked", id="empty digest"),
        pytest.param(
            manifest(helm("latest"), HELM_LAYER), "a digest that cannot be checked", id="garbage for a digest"
        ),
        pytest.param(
            manifest(helm("sha384:" + "0" * 96), HELM_LAYER), "a digest that cannot be checked", id="digest of sha384"
        ),
        pytest.param(
            manifest({"mediaType": HELM_CONFIG, "digest": 7}, HELM_LAYER),
            "a digest that cannot be checked",
            id="a number for a digest",
        ),
    ],
)
def test_what_is_no_chart_says_what_it_is(raw: bytes, says: str) -> None:
    found = read_manifest(raw, media_type=OCI)

    assert isinstance(found, NotAChart)
    assert says in found.message


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"x":[%b0]}' % (b"[]," * 200_000)],
    ids=["empty", "list", "cut", "binary", "deep", "many"],
)
def test_what_is_no_json_object_is_the_registrys_fault(raw: bytes) -> None:
    with pytest.raises(UnusableContent, match="manifest"):
        read_manifest(raw, media_type=OCI)


def test_name_and_version_come_from_the_config() -> None:
    claimed = claims(WERF_LAYER)

    assert read_config(b'{"name":"shop","version":"1.0.1","apiVersion":"v2"}', manifest=claimed) == Chart(
        name="shop", version="1.0.1", layer_type=WERF_LAYER
    )


def test_a_hostile_chart_name_cannot_reach_a_terminal() -> None:
    claimed = claims(HELM_LAYER)

    found = read_config(json.dumps({"name": "\x1b[31mshop\n" + "x" * 9999}).encode(), manifest=claimed)

    assert isinstance(found, Chart)
    assert found.name.isprintable()
    assert len(found.name) <= 253


def test_a_config_without_a_name_is_no_chart() -> None:
    claimed = claims(HELM_LAYER)

    assert isinstance(read_config(b'{"version":"1.0.0"}', manifest=claimed), NotAChart)
