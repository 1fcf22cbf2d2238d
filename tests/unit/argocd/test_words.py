"""Argo CD's words are shown short, the same each time, and without what nobody may read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.argocd.words import readable

PULL = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = "
    "error pulling OCI chart: failed to pull OCI chart: failed running helm: `helm pull "
    "oci://localhost:5000/charts/demo --version 9.9.9 --destination /tmp/{directory} --plain-http` failed exit "
    'status 1: Error: failed to perform "FetchReference" on source: localhost:5000/charts/demo:9.9.9: not found'
)


def test_the_cause_is_left_when_the_wrappers_are_gone() -> None:
    text = readable(PULL.format(directory="3064d1ec-38eb-41b0-a5dc-45db436f0b76"), max_length=240)

    assert text.startswith("error pulling OCI chart: ")
    assert text.endswith("on source: localhost:5000/charts/demo:9.9.9: not found")
    assert " … " in text
    assert len(text) <= 240


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            PULL.format(directory="3064d1ec-38eb-41b0-a5dc-45db436f0b76"),
            PULL.format(directory="4c8f38c7-0dd2-4bc3-ba5c-e5dc4afaeb78"),
            id="a directory per attempt",
        ),
        pytest.param("lstat /tmp/helm123/x: no", "lstat /tmp/helm98/x: no", id="a numbered directory"),
        pytest.param('patching "/dev/shm/38760": bad', 'patching "/dev/shm/4970684": bad', id="a numbered file"),
        pytest.param("read tcp 10.0.0.1:4711->10.0.0.2:443: x", "read tcp 10.0.0.1:815->10.0.0.2:443: x", id="a port"),
    ],
)
def test_the_same_error_reads_the_same(one: str, other: str) -> None:
    assert readable(one, max_length=400) == readable(other, max_length=400)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("charts/demo:1.0.0: not found", "charts/demo:1.0.1: not found"),
        ("lstat /tmp/x1/app: no", "lstat /tmp/x1/other: no"),
        ("dial tcp 10.0.0.2:443: refused", "dial tcp 10.0.0.2:8443: refused"),
    ],
)
def test_another_error_reads_differently(one: str, other: str) -> None:
    assert readable(one, max_length=400) != readable(other, max_length=400)


def test_credentials_in_an_address_do_not_pass() -> None:
    assert "s3cr3t" not in readable("Get https://bot:s3cr3t@r.example.com/v2/: denied", max_length=400)


@given(st.text(st.characters(exclude_categories=()), max_size=500), st.integers(20, 300))
def test_any_text_becomes_one_short_printable_line(text: str, max_length: int) -> None:
    shown = readable(text, max_length=max_length)

    assert len(shown) <= max_length
    assert shown.isprintable()
    shown.encode("utf-8")
