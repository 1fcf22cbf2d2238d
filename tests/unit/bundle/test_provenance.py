"""Commit, time and pipeline are read from a bundle's archive, and nothing in it can do harm."""

import gzip
import io
import json
import tarfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.bundle.provenance import Provenance, of_annotations, of_layer

COMMIT = "1b28a4f36c2d7e90b5f1a3c8d6e7f9012345051c"
NOTHING = Provenance()


def layer(**files: bytes | str) -> bytes:
    """A chart layer; `values__yaml` is shop/values.yaml."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"shop/{name.replace('__', '.')}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return gzip.compress(packed.getvalue())


def values(commit: Any = COMMIT, unix: Any = 1767225000) -> str:
    return json.dumps({"werf": {"name": "shop", "commit": {"hash": commit, "date": {"unix": unix}}}})


def test_werf_says_commit_and_time_in_the_values_and_the_pipeline_beside_them() -> None:
    extra = {"gitlab.ci.werf.io/pipeline-url": "https://gitlab.example.com/p/42", "project.werf.io/name": "shop"}

    found = of_layer(layer(values__yaml=values(), extra_annotations__json=json.dumps(extra)), known=NOTHING)

    assert found == Provenance(
        commit=COMMIT, commit_time="2025-12-31T23:50:00Z", pipeline="https://gitlab.example.com/p/42", werf=True
    )


def test_a_manifests_own_annotations_are_what_other_publishers_say() -> None:
    annotations = {"org.opencontainers.image.revision": COMMIT, "org.opencontainers.image.created": "2026-01-01"}

    found = of_layer(layer(values__yaml="replicas: 1\n"), known=of_annotations(annotations))

    assert found == Provenance(commit=COMMIT, created="2026-01-01")


@pytest.mark.parametrize(
    ("unix", "time"),
    [
        pytest.param("1767225000", "2025-12-31T23:50:00Z", id="as text"),
        pytest.param(0, None, id="never"),
        pytest.param(-5, None, id="before time"),
        pytest.param(10**20, None, id="after time"),
        pytest.param(True, None, id="no number"),
        pytest.param("soon", None, id="words"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_time_that_is_none_is_left_out(unix: Any, time: str | None) -> None:
    found = of_layer(layer(values__yaml=values(unix=unix)), known=NOTHING)

    assert (found.commit, found.commit_time) == (COMMIT, time)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "ftp://example.com", "//example.com", "", 5, None], ids=str)
def test_only_a_web_address_is_a_pipeline(link: object) -> None:
    extra = json.dumps({"gitlab.ci.werf.io/pipeline-url": link})

    assert of_layer(layer(extra_annotations__json=extra), known=NOTHING).pipeline is None


def test_control_characters_are_cleaned_and_length_is_cut() -> None:
    found = of_layer(layer(values__yaml=values(commit="\x1b[31m" + "a" * 5000)), known=NOTHING)

    assert found.commit is not None
    assert found.commit.isprintable()
    assert len(found.commit) <= 200


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no gzip", id="no gzip"),
        pytest.param(gzip.compress(b"no tar"), id="no tar"),
        pytest.param(layer(values__yaml=values())[:-20], id="cut"),
        pytest.param(gzip.compress(bytes(64 << 20)), id="a bomb"),
        pytest.param(layer(values__yaml=": {"), id="no YAML"),
        pytest.param(layer(values__yaml="- a list\n"), id="no map"),
        pytest.param(layer(extra_annotations__json="{"), id="no JSON"),
        pytest.param(layer(extra_annotations__json="[" * 100_000), id="nested without end"),
        pytest.param(layer(values__yaml=b" " * (2 << 20)), id="a file too large"),
    ],
)
def test_what_cannot_be_read_says_nothing(raw: bytes) -> None:
    known = Provenance(commit=COMMIT)

    assert of_layer(raw, known=known) == known


def test_a_link_in_the_archive_is_not_followed() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        link = tarfile.TarInfo("shop/values.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    assert of_layer(gzip.compress(packed.getvalue()), known=NOTHING) == NOTHING


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise(raw: bytes) -> None:
    assert isinstance(of_layer(raw, known=NOTHING), Provenance)
    assert isinstance(of_layer(gzip.compress(raw), known=NOTHING), Provenance)


@given(
    st.dictionaries(
        st.text(max_size=5) | st.sampled_from(["werf"]),
        st.recursive(
            st.none() | st.text(max_size=3) | st.integers(),
            lambda inner: st.dictionaries(st.sampled_from(["commit", "hash", "date", "unix"]), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=3,
    )
)
def test_no_values_whatever_raise(content: dict[str, object]) -> None:
    assert isinstance(of_layer(layer(values__yaml=json.dumps(content)), known=NOTHING), Provenance)
