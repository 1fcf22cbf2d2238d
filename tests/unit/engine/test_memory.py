"""What status remembers goes before what the API server does, which is only when we wrote anything last."""

from datetime import timedelta
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import ApplicationStatus, Bundle, HistoryEntry, Quarantined, Status
from bundlewatch.argocd.application import parse
from bundlewatch.argocd.matching import SourceKind
from bundlewatch.engine.memory import Memory
from bundlewatch.rollout.plan import Action, Step
from bundlewatch.rollout.targets import Target
from unit.engine.world import NOW, application_body, at, watch

DIGEST = "sha256:" + "a" * 64


def target(revision: str = "1.0.1", *, manager: str = "bundlewatch", **annotations: str) -> Target:
    """Set two hours ago, as the API server has it."""
    metadata = {"annotations": {f"bundlewatch.dev/{key.replace('_', '-')}": text for key, text in annotations.items()}}
    found = parse(application_body(revision=revision, manager=manager, metadata=metadata))
    return Target(found, found.sources[0], SourceKind.HELM_OCI)


def memory(*, asked: str | None = None, **status: Any) -> Memory:
    metadata = {"annotations": {"bundlewatch.dev/retry": asked}} if asked else {}
    return Memory.of(watch(metadata=metadata, status=Status(**status)))


def remembered(**different: Any) -> ApplicationStatus:
    return ApplicationStatus(**{"name": "shop", "source": 0, "target": "1.0.1", **different})


@pytest.mark.parametrize(
    ("entry", "manager", "seconds"),
    [
        pytest.param(remembered(moved_at=at(-7000)), "bundlewatch", -7000, id="status tells"),
        pytest.param(remembered(), "bundlewatch", -7200, id="the API server tells"),
        pytest.param(remembered(moved_at=at(-9000)), "kubectl-edit", -9000, id="somebody wrote something else"),
        pytest.param(remembered(), "kubectl-edit", None, id="it was not us"),
    ],
)
def test_when_it_was_set(entry: ApplicationStatus, manager: str, seconds: int | None) -> None:
    found = memory(applications=(entry,)).set_at(target(manager=manager))

    assert found == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_of_another_target_revision_status_tells_nothing() -> None:
    assert memory(applications=(remembered(moved_at=at(-100)),)).set_at(target("1.0.7", manager="kubectl")) is None


@pytest.mark.parametrize(
    ("status", "annotations", "tags"),
    [
        pytest.param(
            {}, {"taken_back": f"1.0.2@{DIGEST}"}, ["1.0.2"], id="the Application tells, where status was lost"
        ),
        pytest.param({}, {"taken_back": "1.0.2@", "watch": "argocd/shop"}, ["1.0.2"], id="and says that it was us"),
        pytest.param({}, {"taken_back": "1.0.2@", "watch": "argocd/other"}, [], id="it was another BundleWatch"),
        pytest.param({"applications": (remembered(),)}, {"taken_back": "1.0.2@"}, [], id="status is there, and knows"),
    ],
)
def test_what_was_taken_back_is_in_quarantine(
    status: dict[str, Any], annotations: dict[str, str], tags: list[str]
) -> None:
    found = memory(**status).quarantine([target(**annotations)], now=NOW)

    assert [entry.tag for entry in found.entries] == tags


@pytest.mark.parametrize(
    ("asked", "handled", "kept"),
    [
        pytest.param("1.0.2 now", None, False, id="asked for"),
        pytest.param("1.0.2 now", "1.0.2 now", True, id="and answered"),
        pytest.param("1.0.3", None, True, id="of another tag"),
        pytest.param(None, None, True, id="not asked for"),
    ],
)
def test_a_person_lifts_a_quarantine_once(*, asked: str | None, handled: str | None, kept: bool) -> None:
    entry = Quarantined(tag="1.0.2", digest=DIGEST, reason="Degraded")
    ready = {"type": "Ready", "status": "True", "reason": "UpToDate", "message": "", "lastTransitionTime": at()}
    status = Status.parse(
        {
            "conditions": [ready],
            "quarantine": [{"tag": entry.tag, "digest": entry.digest, "reason": entry.reason}],
            "lastHandledRetryAt": handled,
        }
    )
    about = Memory.of(watch(metadata={"annotations": {"bundlewatch.dev/retry": asked} if asked else {}}, status=status))

    assert about.quarantine([target()], now=NOW).has("1.0.2") is kept


@pytest.mark.parametrize(
    ("entry", "manager", "moved_from"),
    [
        pytest.param(remembered(), "bundlewatch", None, id="status tells"),
        pytest.param(remembered(target="1.0.0"), "bundlewatch", "1.0.0", id="status tells of the one before"),
        pytest.param(remembered(target=None, current="1.0.0"), "bundlewatch", "1.0.0", id="seen before it was moved"),
        pytest.param(remembered(target=None, current="1.0.1"), "bundlewatch", None, id="seen as it is"),
        pytest.param(remembered(target=None, current="1.0.0"), "kubectl-edit", None, id="it was not us"),
        pytest.param(remembered(target=None, current="1.0.0"), "argocd/other", None, id="it was another BundleWatch"),
    ],
)
def test_a_move_that_no_status_tells_of(entry: ApplicationStatus, manager: str, moved_from: str | None) -> None:
    history = (HistoryEntry(tag="1.0.0"),)
    about = target(watch=manager) if "/" in manager else target(manager=manager)

    found = memory(applications=(entry,), history=history).moved_untold(Step(about, Action.KEEP, "1.0.1"))

    assert found == moved_from


def test_whoever_remembers_nothing_takes_no_old_wish_for_a_new_one() -> None:
    assert memory(asked="1.0.2 now").retried is None


@pytest.mark.parametrize(
    ("told", "digest"),
    [
        pytest.param({"version": "1.0.1", "digest": DIGEST}, DIGEST, id="what it was given"),
        pytest.param({"version": "1.0.0", "digest": DIGEST}, "sha256:c", id="what it was given before"),
        pytest.param({"version": "1.0.1"}, "sha256:c", id="not all of it"),
        pytest.param({"version": "1.0.1", "digest": DIGEST, "watch": "argocd/other"}, "sha256:c", id="by another"),
    ],
)
def test_an_application_tells_what_it_was_given_where_no_status_does(told: dict[str, str], digest: str) -> None:
    about = memory(candidate=Bundle(tag="1.0.1", digest="sha256:c"))

    found = about.bundle_of(target(**{"watch": "argocd/shop", **told}))

    assert found is not None
    assert found.digest == digest
