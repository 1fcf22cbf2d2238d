"""A request by annotation is noticed once for every new value, whatever the value is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundlewatch.api import annotations
from bundlewatch.api.status import Status

VALUES = st.text(st.characters(exclude_categories=()), min_size=1, max_size=400)


def test_without_the_annotation_nothing_is_asked() -> None:
    assert annotations.reconcile_requested({}) is None
    assert annotations.reconcile_requested({annotations.RECONCILE: ""}) is None
    assert annotations.resume_requested({annotations.RECONCILE: "now"}) is None
    assert annotations.retry_requested({annotations.RETRY: ""}) is None
    assert annotations.approval({}) is None


def test_an_ordinary_value_is_its_own_token() -> None:
    assert annotations.reconcile_requested({annotations.RECONCILE: "2026-11-24T04:26:50Z"}) == "2026-11-24T04:26:50Z"
    assert annotations.reconcile_requested({annotations.FLUX_RECONCILE: "1764000000"}) == "1764000000"
    assert annotations.resume_requested({annotations.RESUME: "please"}) == "please"
    assert annotations.retry_requested({annotations.RETRY: "1.0.3 once more"}) == "1.0.3 once more"


@pytest.mark.parametrize(
    ("value", "approved"),
    [
        ("1.0.3", "1.0.3"),
        (" 1.0.3@sha256:4d5b\n", "1.0.3@sha256:4d5b"),
        ("1.0.3\x1b[31m", None),
        ("t" * 401, None),
        (" ", None),
    ],
    ids=["tag", "with-space-around", "not-printable", "too-long", "empty"],
)
def test_an_approval_is_a_tag_or_none(value: str, approved: str | None) -> None:
    assert annotations.approval({annotations.APPROVE: value}) == approved


@given(VALUES, VALUES, VALUES)
def test_a_new_value_of_either_annotation_is_a_new_request(ours: str, before: str, after: str) -> None:
    one = annotations.reconcile_requested({annotations.RECONCILE: ours, annotations.FLUX_RECONCILE: before})
    two = annotations.reconcile_requested({annotations.RECONCILE: ours, annotations.FLUX_RECONCILE: after})

    assert (one == two) == (before == after)


@given(VALUES)
@example(" now")
@example("now\n")
@example("n" * 129)
@example("\ud800")
def test_a_request_equals_its_answer_once_status_holds_it(value: str) -> None:
    token = annotations.reconcile_requested({annotations.RECONCILE: value})

    answered = Status.parse(Status(last_handled_reconcile_at=token).to_dict())

    assert answered.last_handled_reconcile_at == token


def test_annotations_that_are_none_are_no_annotations() -> None:
    assert dict(annotations.ours(None)) == {}
    assert dict(annotations.ours({"bundlewatch.dev/reconcile": 7, 3: "x", "else": "y"})) == {}


@pytest.mark.parametrize(
    ("value", "tag"),
    [("1.0.1", "1.0.1"), ("1.0.1 2026-11-24", "1.0.1"), ("  ", None), ("v" * 128 + " again and again", "v" * 128)],
)
def test_the_first_word_of_a_wish_to_try_again_is_the_tag(value: str, tag: str | None) -> None:
    assert annotations.retried_tag({annotations.RETRY: value}) == tag
    assert annotations.retried_tag({}) is None
