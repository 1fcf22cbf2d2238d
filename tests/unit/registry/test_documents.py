"""Documents of a registry: what is no JSON, or would become far more in memory than it is, is refused unread."""

import json
import tracemalloc

import pytest

from bundlewatch.registry.documents import DocumentError, load

DEEP = b'{"":' * 900 + b"0" + b"}" * 900


def many(entry: bytes, *, mib: float) -> bytes:
    return b'{"config":{},"x":[' + b",".join([entry] * (int(mib * (1 << 20)) // (len(entry) + 1))) + b"]}"


@pytest.mark.parametrize(
    "entry",
    [DEEP, b"[]", b"{}", b"0", b'""', b'{"":0}'],
    ids=["nested", "lists", "objects", "numbers", "texts", "pairs"],
)
def test_a_document_of_nothing_but_parts_is_refused_before_it_takes_memory(entry: bytes) -> None:
    body = many(entry, mib=4)
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError, match="more parts than are read"):
            load(body)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_is_let_in_takes_no_more_than_some_megabytes() -> None:
    body = many(DEEP, mib=0.4)
    tracemalloc.start()
    try:
        load(body)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_an_answer_of_googles_registries_is_read() -> None:
    entry = {"imageSizeBytes": "1", "layerId": "", "tag": ["1.0.0"], "timeCreatedMs": "1", "timeUploadedMs": "2"}
    page = {"child": [], "manifest": {f"sha256:{number:064}": entry for number in range(20_000)}, "tags": ["1.0.0"]}

    assert load(json.dumps(page).encode(), commas=1_000_000) == page


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 90_000, b'"\xff"', b"9" * 5000])
def test_what_is_no_json_says_so(body: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^is no JSON$"):
        load(body)
