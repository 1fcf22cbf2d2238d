"""What an Application tells of its bundle: what is known, bounded and plain, and nothing where nothing is known."""

import pytest

from bundlewatch.api.status import Bundle
from bundlewatch.argocd.application import Application, parse
from bundlewatch.argocd.patch import application_patch
from bundlewatch.argocd.provenance import ALLOW, NEWER, PIPELINE, TAKEN_BACK, provenance, taken_back

BUNDLE = Bundle(
    tag="v1.0.1",
    digest="sha256:4d5b",
    version="1.0.1",
    chart="shop",
    commit="4f1c9d2",
    pipeline="https://ci.example.com/pipelines/7?tab=all#log",
)


def application(**annotations: str) -> Application:
    named = {f"bundlewatch.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    source = {"repoURL": "oci://registry.example.com/shop", "path": ".", "targetRevision": "1.0.1"}
    return parse({"metadata": {"uid": "u-1", "annotations": named}, "spec": {"source": source}})


def test_what_is_known_of_a_bundle_is_told() -> None:
    assert provenance(BUNDLE, watch="argocd/shop", newer="1.0.2 waits for its window") == {
        "bundlewatch.dev/watch": "argocd/shop",
        "bundlewatch.dev/version": "1.0.1",
        "bundlewatch.dev/digest": "sha256:4d5b",
        "bundlewatch.dev/commit": "4f1c9d2",
        "bundlewatch.dev/pipeline": "https://ci.example.com/pipelines/7?tab=all#log",
        "bundlewatch.dev/newer": "1.0.2 waits for its window",
    }


def test_what_is_not_known_is_not_left_over_from_the_bundle_before() -> None:
    told = provenance(Bundle(tag="1.0.2"), watch="argocd/shop")

    assert {key: value for key, value in told.items() if value is not None} == {
        "bundlewatch.dev/watch": "argocd/shop",
        "bundlewatch.dev/version": "1.0.2",
    }
    assert provenance(None, watch="argocd/shop").keys() == told.keys()


def test_neither_the_consent_of_people_nor_the_mark_of_a_take_back_is_among_them() -> None:
    assert not provenance(BUNDLE, watch="argocd/shop").keys() & {ALLOW, TAKEN_BACK}


def test_all_of_it_may_be_written() -> None:
    live = application()

    assert application_patch(live, live.sources[0], annotations=provenance(BUNDLE, watch="argocd/shop"))


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "ftp://ci.example.com/7",
        "https://",
        "https:///7",
        "https://user:secret@ci.example.com/7",
        "https://ci.example.com/7 onclick",
        'https://ci.example.com/"><script>',
        "https://ci.example.com/\u202e7",
        "https://ci.example.com/" + "7" * 2000,
        "",
    ],
)
def test_only_a_plain_web_address_becomes_a_link(link: str) -> None:
    assert provenance(Bundle(tag="1", pipeline=link), watch="a/b")[PIPELINE] is None


def test_a_reason_is_one_line_of_three_hundred_characters_at_most() -> None:
    told = provenance(BUNDLE, watch="a/b", newer="1.0.2 is\nheld: " + "x" * 400)[NEWER]

    assert told is not None
    assert told.startswith("1.0.2 is held: x")
    assert len(told) == 300


@pytest.mark.parametrize("digest", ["sha256:a", None])
def test_a_mark_names_the_tag_and_its_digest(digest: str | None) -> None:
    assert taken_back(tag="1.0.1", digest=digest) == f"1.0.1@{digest or ''}"
