"""Commit, time and pipeline are read from a bundle's archive, and nothing in it can do harm."""

import gzip
import io
import json
import tarfile
import time
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


MERGED = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))]


def header(name: str, *, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(records: bytes) -> bytes:
    return header("pax", size=len(records), kind=tarfile.XHDTYPE) + records + bytes(-len(records) % 512)


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
        pytest.param("9" * 5000, None, id="thousands of digits"),
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
        pytest.param(layer(values__yaml="werf: " + "{a: " * 101 + "}" * 101), id="YAML nested too deep"),
        pytest.param(layer(values__yaml="a: [" * 200_000), id="YAML nested without end"),
        pytest.param(layer(values__yaml="[" * 1_000_000), id="YAML that overflows the stack of who loads it"),
        pytest.param(layer(values__yaml="\n".join(MERGED)), id="merges"),
        pytest.param(layer(values__yaml="b: !!bool maybe\nc: !!int ''\nd: !!timestamp x\ne: !!python/none"), id="tags"),
        pytest.param(layer(values__yaml="".join(f"%TAG !{n}! x\n" for n in range(70_000)) + "--- a"), id="directives"),
        pytest.param(gzip.compress(pax(b"1" * (1 << 20)) + bytes(1024)), id="a header to match for hours"),
        pytest.param(gzip.compress(header("shop/a", size=-512) + bytes(1024)), id="a member before itself"),
    ],
)
def test_what_cannot_be_read_says_nothing_at_once(raw: bytes) -> None:
    known, began = Provenance(commit=COMMIT), time.process_time()

    assert of_layer(raw, known=known) == known
    assert time.process_time() - began < 5


def test_a_link_in_the_archive_is_not_followed() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        link = tarfile.TarInfo("shop/values.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    assert of_layer(gzip.compress(packed.getvalue()), known=NOTHING) == NOTHING


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(f"image: x\nwerf:\n  commit:\n    hash: {COMMIT}\nafter: [a, {{b: c}}]\n", id="block"),
        pytest.param(f'{{list: [{{werf: no}}], "werf": {{"commit": {{"hash": "{COMMIT}"}}}}}}', id="flow"),
        pytest.param(f"? [a, b]\n: x\n? {{werf: no}}\n: werf\nwerf: {{commit: {{hash: {COMMIT}}}}}\n", id="odd keys"),
        pytest.param(f"all: &a {{x: 1}}\nfew: {{<<: *a}}\nwerf: {{commit: {{hash: {COMMIT}}}}}\n", id="aliases"),
        pytest.param(f"global: {{werf: &a {{commit: {{hash: {COMMIT}}}}}}}\nwerf: *a\n", id="an alias of its mirror"),
        pytest.param(f"werf: {{commit: {{hash: {COMMIT}}}}}\nglobal: {{werf: {{commit: {{hash: x}}}}}}\n", id="both"),
        pytest.param(f"--- {{werf: {{commit: {{hash: {COMMIT}}}}}}}\n--- {{werf: {{}}}}\n", id="the first document"),
    ],
)
def test_the_commit_is_found_however_the_values_are_written(written: str) -> None:
    found = of_layer(layer(values__yaml=written), known=NOTHING)

    assert found == Provenance(commit=COMMIT, werf=True)


@pytest.mark.parametrize("written", ["werf:", "werf: {}", "werf: [commit]", "x: {werf: {commit: {hash: a}}}", "- werf"])
def test_values_without_anything_of_werf_are_not_werfs(written: str) -> None:
    assert of_layer(layer(values__yaml=written), known=NOTHING) == NOTHING


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_a_commit_that_is_null_is_none(written: str) -> None:
    found = of_layer(layer(values__yaml=f"werf: {{commit: {{hash: {written}}}}}"), known=Provenance(commit=COMMIT))

    assert found.commit == COMMIT


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
