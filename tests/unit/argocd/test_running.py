"""What runs is read from the live object alone; what it says is the floor under every choice."""

from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.argocd.running import is_range, running_revisions

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def helm(target: str | None) -> dict[str, str]:
    return {"repoURL": "r/shop", "chart": "bundle"} | ({} if target is None else {"targetRevision": target})


def native(target: str) -> dict[str, str]:
    return {"repoURL": "oci://r/shop/bundle", "path": ".", "targetRevision": target}


def running(
    spec: dict[str, str],
    *,
    compared: dict[str, str] | None = None,
    revision: str = "",
    sync: str = "Synced",
    deployed: tuple[dict[str, str], str] | None = None,
) -> tuple[str, ...]:
    status: dict[str, Any] = {
        "sync": {"status": sync, "revision": revision, "comparedTo": {"source": spec if compared is None else compared}}
    }
    if deployed is not None:
        status["history"] = [{"source": deployed[0], "revision": deployed[1]}]
    application = parse({"spec": {"source": spec}, "status": status})
    return running_revisions(application, application.sources[0])


@pytest.mark.parametrize("text", ["~1.0", "^1", ">=1 <2", "1.2.*", "*", "1.x", "1.2.X", "x", "1 - 2", "1 || 3", "!=1"])
def test_a_range_is_recognised(text: str) -> None:
    assert is_range(text)


@pytest.mark.parametrize("text", ["1.2", "v1.2.3", "1.2.3+b1", "1.2.3_b1", "latest", "xenial", "1.0.0-x", "rc.x1", ""])
def test_an_exact_revision_is_no_range(text: str) -> None:
    assert not is_range(text)


def test_an_exact_target_revision_was_asked_for_and_comes_first() -> None:
    assert running(helm("1.1.0"), compared=helm("1.0.0"), revision="1.0.0", deployed=(helm("1.0.0"), "1.0.0")) == (
        "1.1.0",
        "1.0.0",
    )


def test_a_person_who_went_back_is_the_floor_and_not_what_ran_before() -> None:
    texts = running(helm("1.0.0"), compared=helm("2.0.0"), revision="2.0.0", deployed=(helm("2.0.0"), "2.0.0"))

    assert texts[0] == "1.0.0"


def test_a_range_runs_what_it_was_resolved_to() -> None:
    assert running(helm("~1.0"), revision="1.0.7", deployed=(helm("~1.0"), "1.0.6")) == ("1.0.7", "1.0.6")


def test_a_comparison_with_another_source_tells_nothing() -> None:
    assert running(helm("~1.0"), compared={"repoURL": "elsewhere", "chart": "x"}, revision="9.9.9") == ()
    assert running(helm("~1.0"), compared=helm("~2.0"), revision="2.0.0") == ()


def test_a_failed_comparison_repeats_the_target_and_tells_nothing() -> None:
    assert running(helm("~1.0"), revision="1.0.9", sync="Unknown", deployed=(helm("~1.0"), "1.0.6")) == ("1.0.6",)


def test_what_another_repository_deployed_is_no_floor() -> None:
    assert running(helm("~1.0"), sync="Unknown", deployed=({"repoURL": "elsewhere", "chart": "x"}, "9.9.9")) == ()


def test_a_native_range_still_knows_the_last_exact_tag_and_the_digests() -> None:
    assert running(native("1.*"), revision=NEW, deployed=(native("1.5.0"), OLD)) == (NEW, "1.5.0", OLD)


def test_a_tag_pinned_to_a_digest_gives_both() -> None:
    assert running(native(f"1.5.0@{NEW}"), revision=NEW) == ("1.5.0", NEW)


@pytest.mark.parametrize("target", [None, ""])
def test_an_application_that_never_ran_has_no_floor(target: str | None) -> None:
    assert running(helm(target), compared={}, sync="") == ()
