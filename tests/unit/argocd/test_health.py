"""Where an Application stands is told from what belongs to the wanted version, and health only with Synced.

Each row of the table is one version of an Application that differs from a healthy one in what it names.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.argocd.health import HELD_AFTER, MESSAGE_LIMIT, Assessment, Cause, Phase, assess

NOW = datetime(2026, 11, 24, 0, 10, 0, tzinfo=UTC)
PATCHED = NOW - timedelta(seconds=30)
DIGEST, OTHER_DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64
HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": "."}


def at(seconds: float) -> str:
    """A time as Argo CD writes it, so many seconds after our patch."""
    return (PATCHED + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def source(target: str = "1.0.1", base: Mapping[str, str] = HELM) -> dict[str, str]:
    return {**base, "targetRevision": target}


def operation(
    phase: str = "Succeeded", *, of: str = "1.0.1", start: float = 1, end: float | None = 2, **more: Any
) -> dict[str, Any]:
    return {
        "phase": phase,
        "startedAt": at(start),
        **({} if end is None else {"finishedAt": at(end)}),
        "operation": {"sync": {"source": source(of)}},
        "syncResult": {"source": source(of)},
        **more,
    }


def body(**different: Any) -> dict[str, Any]:
    """A settled, healthy Application at 1.0.1, except for what is named; None leaves a part out."""
    parts: dict[str, Any] = {
        "spec": source(),
        "compared": source(),
        "revision": "1.0.1",
        "sync": "Synced",
        "health": "Healthy",
        "words": None,
        "conditions": [],
        "operation_state": operation(),
        "reconciled_at": at(3),
        "operation": None,
        "policy": {"automated": {}},
        "metadata": {},
        **different,
    }
    live = {
        "metadata": {"namespace": "argocd", "name": "shop", **parts["metadata"]},
        "spec": {"source": parts["spec"], "syncPolicy": parts["policy"]},
        "operation": parts["operation"],
        "status": {
            "sync": {
                "status": parts["sync"],
                "revision": parts["revision"],
                "comparedTo": {"source": parts["compared"]},
            },
            "health": {"status": parts["health"], "message": parts["words"]},
            "conditions": parts["conditions"],
            "reconciledAt": parts["reconciled_at"],
            "operationState": parts["operation_state"],
        },
    }
    if parts["operation"] is None:
        del live["operation"]
    return live


def judge(
    *,
    target: str = "1.0.1",
    digest: str | None = None,
    patched_at: datetime | None = PATCHED,
    now: datetime = NOW,
    shut: str = "",
    **different: Any,
) -> Assessment:
    live = parse(body(**different))
    return assess(live, 0, target=target, digest=digest, patched_at=patched_at, now=now, shut=shut)


def error(kind: str, words: str = "because") -> list[dict[str, str]]:
    return [{"type": kind, "message": words}]


OLD = source("1.0.0")
RUNNING = operation("Running", end=None)


@pytest.mark.parametrize(
    ("different", "phase", "cause"),
    [
        pytest.param({}, Phase.HEALTHY, Cause.HEALTHY, id="synced and healthy"),
        pytest.param({"operation_state": None}, Phase.HEALTHY, Cause.HEALTHY, id="without any operation"),
        pytest.param(
            {"operation_state": operation(of="1.0.0", start=-900, end=-899)},
            Phase.HEALTHY,
            Cause.HEALTHY,
            id="without an operation of its own",
        ),
        pytest.param(
            {"operation_state": operation("Failed", of="1.0.2", start=-90, end=-80)},
            Phase.HEALTHY,
            Cause.HEALTHY,
            id="after the failure of an abandoned version",
        ),
        pytest.param({"metadata": {"deletionTimestamp": at(1)}}, Phase.WAITING, Cause.DELETING, id="being deleted"),
        pytest.param({"spec": OLD}, Phase.OUT_OF_SYNC, Cause.TARGET_REVISION_DIFFERS, id="spec says something else"),
        pytest.param({"spec": None}, Phase.OUT_OF_SYNC, Cause.TARGET_REVISION_DIFFERS, id="the source is gone"),
        pytest.param(
            {"metadata": {"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}}},
            Phase.SUSPENDED,
            Cause.SKIP_RECONCILE,
            id="Argo CD told to look away",
        ),
        pytest.param(
            {"conditions": error("InvalidSpecError"), "compared": OLD, "sync": "Unknown"},
            Phase.FAILED,
            Cause.NOT_PERMITTED,
            id="refused, and never compared",
        ),
        pytest.param(
            {"conditions": error("UnknownError"), "compared": OLD},
            Phase.FAILED,
            Cause.INTERNAL_ERROR,
            id="Argo CD's own fault",
        ),
        pytest.param({"compared": OLD}, Phase.WAITING, Cause.NOT_OBSERVED, id="compared with the old version"),
        pytest.param({"compared": None}, Phase.WAITING, Cause.NOT_OBSERVED, id="never compared"),
        pytest.param(
            {"compared": source(base=NATIVE)}, Phase.WAITING, Cause.NOT_OBSERVED, id="compared with another source"
        ),
        pytest.param(
            {"compared": OLD, "conditions": error("ComparisonError"), "sync": "Unknown"},
            Phase.WAITING,
            Cause.NOT_OBSERVED,
            id="the error is the old version's",
        ),
        pytest.param(
            {"conditions": error("ComparisonError"), "sync": "Unknown"},
            Phase.FAILED,
            Cause.CANNOT_RENDER,
            id="cannot be rendered",
        ),
        pytest.param({"sync": "Unknown"}, Phase.FAILED, Cause.CANNOT_RENDER, id="cannot be compared"),
        pytest.param({"operation": {"sync": {}}}, Phase.SYNCING, Cause.SYNCING, id="Synced, but a sync was requested"),
        pytest.param({"operation_state": RUNNING}, Phase.SYNCING, Cause.SYNCING, id="an operation runs"),
        pytest.param(
            {"operation_state": operation("Terminating", end=None)},
            Phase.SYNCING,
            Cause.SYNCING,
            id="an operation is being ended",
        ),
        pytest.param(
            {"operation_state": operation("Running", retryCount=2)},
            Phase.SYNCING,
            Cause.RETRYING,
            id="running with an end time is retrying",
        ),
        pytest.param(
            {"operation_state": operation("Running", of="1.0.0", end=None)},
            Phase.WAITING,
            Cause.OTHER_OPERATION,
            id="Synced and Healthy while another version's operation runs",
        ),
        pytest.param(
            {"operation_state": operation("Failed"), "sync": "OutOfSync"},
            Phase.FAILED,
            Cause.SYNC_FAILED,
            id="its sync failed",
        ),
        pytest.param({"operation_state": operation("Error")}, Phase.FAILED, Cause.SYNC_FAILED, id="its sync broke off"),
        pytest.param(
            {"operation_state": operation("Failed", start=-900, end=-890), "sync": "OutOfSync", "policy": {}},
            Phase.OUT_OF_SYNC,
            Cause.MANUAL_SYNC,
            id="it failed long ago and is wanted again",
        ),
        pytest.param(
            {"operation_state": operation("Failed", start=-3, end=-2), "sync": "OutOfSync"},
            Phase.FAILED,
            Cause.SYNC_FAILED,
            id="its sync failed, by a clock that is behind ours",
        ),
        pytest.param(
            {"conditions": error("SyncError"), "sync": "OutOfSync", "operation_state": None},
            Phase.FAILED,
            Cause.SYNC_FAILED,
            id="Argo CD gave up",
        ),
        pytest.param(
            {"sync": "OutOfSync", "reconciled_at": at(2)},
            Phase.WAITING,
            Cause.HEALTH_STALE,
            id="not compared since its sync",
        ),
        pytest.param({"sync": "OutOfSync"}, Phase.OUT_OF_SYNC, Cause.DRIFT, id="synced, and still different"),
        pytest.param(
            {"sync": "OutOfSync", "operation_state": operation("Succeeded", of="1.0.0")},
            Phase.WAITING,
            Cause.AUTO_SYNC_EXPECTED,
            id="another version was synced",
        ),
        pytest.param(
            {
                "sync": "OutOfSync",
                "operation_state": operation(operation={"sync": {"source": source(), "dryRun": True}}),
            },
            Phase.WAITING,
            Cause.AUTO_SYNC_EXPECTED,
            id="only tried out",
        ),
        pytest.param(
            {"sync": "OutOfSync", "operation_state": None, "policy": {}},
            Phase.OUT_OF_SYNC,
            Cause.MANUAL_SYNC,
            id="nobody syncs by himself",
        ),
        pytest.param(
            {"sync": "OutOfSync", "operation_state": operation(end=None)},
            Phase.OUT_OF_SYNC,
            Cause.STUCK_OPERATION,
            id="an operation that never ended",
        ),
        pytest.param(
            {"reconciled_at": at(1)}, Phase.WAITING, Cause.HEALTH_STALE, id="health from before the sync ended"
        ),
        pytest.param({"health": "Progressing"}, Phase.PROGRESSING, Cause.PROGRESSING, id="progressing"),
        pytest.param({"health": "Missing"}, Phase.PROGRESSING, Cause.MISSING, id="missing"),
        pytest.param({"health": "Unknown"}, Phase.WAITING, Cause.HEALTH_UNKNOWN, id="health unknown"),
        pytest.param({"health": "Brilliant"}, Phase.WAITING, Cause.HEALTH_UNKNOWN, id="a word of tomorrow"),
        pytest.param({"health": "Suspended"}, Phase.SUSPENDED, Cause.SUSPENDED, id="suspended"),
        pytest.param({"health": "Degraded"}, Phase.DEGRADED, Cause.DEGRADED, id="degraded"),
        pytest.param({"sync": ""}, Phase.WAITING, Cause.NOT_OBSERVED, id="no word on sync"),
    ],
)
def test_where_it_stands(different: Mapping[str, Any], phase: Phase, cause: Cause) -> None:
    found = judge(**different)

    assert (found.phase, found.cause) == (phase, cause)


def test_every_word_can_come_up() -> None:
    rows = next(mark for mark in test_where_it_stands.pytestmark if mark.name == "parametrize").args[1]
    shown = {row.values[2] for row in rows}

    assert set(Cause) - shown == {Cause.TAG_MOVED, Cause.AUTO_SYNC_HELD, Cause.OPERATION_HELD}, (
        "each of these has a test of its own"
    )


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        pytest.param(RUNNING, Cause.OPERATION_HELD, id="it runs, and gets no further"),
        pytest.param(operation("Running", retryCount=2), Cause.OPERATION_HELD, id="it waits to be tried again"),
        pytest.param(operation("Terminating", end=None), Cause.SYNCING, id="it is ended all the same"),
    ],
)
def test_a_sync_window_holds_what_runs(state: Mapping[str, Any], cause: Cause) -> None:
    found = judge(operation_state=state, shut="the window holds every sync back")

    assert found.cause is cause


def test_what_runs_for_a_while_is_looked_at_again() -> None:
    found = judge(operation_state=operation("Running", start=26, end=None))

    assert found.recheck_at == PATCHED + timedelta(seconds=26) + HELD_AFTER


def test_a_result_outweighs_what_an_older_operation_was_asked() -> None:
    # The request of the operation before survives in `operation`, the result is this one's.
    left_over = operation(of="1.0.0", syncResult={"source": source()})

    assert judge(sync="OutOfSync", operation_state=left_over).cause is Cause.DRIFT


def test_what_was_asked_counts_where_there_is_no_result() -> None:
    assert judge(operation_state=operation("Error", syncResult=None)).cause is Cause.SYNC_FAILED


def test_a_native_source_is_held_to_the_digest_that_was_inspected() -> None:
    native: dict[str, Any] = {"spec": source(base=NATIVE), "compared": source(base=NATIVE), "operation_state": None}

    assert judge(**native, revision=DIGEST, digest=DIGEST).phase is Phase.HEALTHY
    assert judge(**native, revision=DIGEST, digest=None).phase is Phase.HEALTHY
    moved = judge(**native, revision=OTHER_DIGEST, digest=DIGEST)
    assert (moved.phase, moved.cause) == (Phase.WAITING, Cause.TAG_MOVED)
    assert DIGEST in moved.message
    assert OTHER_DIGEST in moved.message


def test_a_digest_in_the_target_revision_is_the_one_expected() -> None:
    target = f"1.0.1@{DIGEST}"
    native: dict[str, Any] = {
        "spec": source(target, NATIVE),
        "compared": source(target, NATIVE),
        "operation_state": None,
    }

    assert judge(target=target, **native, revision=DIGEST, digest=OTHER_DIGEST).phase is Phase.HEALTHY
    assert judge(target=target, **native, revision=OTHER_DIGEST).cause is Cause.TAG_MOVED


def test_a_helm_source_is_held_to_its_version_and_a_range_to_nothing() -> None:
    ranged: dict[str, Any] = {"spec": source("~1.0"), "compared": source("~1.0"), "operation_state": None}

    assert judge(revision="1.0.0").cause is Cause.TAG_MOVED
    assert judge(target="~1.0", **ranged, revision="1.0.7").phase is Phase.HEALTHY


def test_only_the_chosen_one_of_several_sources_counts() -> None:
    live = body()
    spec = [source(), source("7", NATIVE)]
    live["spec"] = {"sources": spec}
    live["status"]["sync"] = {
        "status": "Synced",
        "revisions": ["1.0.1", DIGEST],
        "comparedTo": {"sources": [source("0.9.0"), source("7", NATIVE)]},
    }
    application = parse(live)

    def cause(index: int, target: str) -> Cause:
        return assess(application, index, target=target, digest=DIGEST, patched_at=PATCHED, now=NOW).cause

    assert cause(0, "1.0.1") is Cause.NOT_OBSERVED
    assert cause(1, "7") is Cause.HEALTHY
    assert cause(2, "7") is Cause.TARGET_REVISION_DIFFERS


def test_a_silently_held_sync_is_called_so_after_two_minutes() -> None:
    held: dict[str, Any] = {"sync": "OutOfSync", "operation_state": None}

    early = judge(**held)
    assert early.recheck_at is not None
    assert early.recheck_at == PATCHED + timedelta(minutes=2)
    late = judge(**held, now=early.recheck_at)
    assert (late.phase, late.cause, late.recheck_at) == (Phase.OUT_OF_SYNC, Cause.AUTO_SYNC_HELD, None)
    assert "sync window" in late.message


def test_the_two_minutes_start_anew_when_another_operation_was_in_the_way() -> None:
    after_it = operation(of="1.0.0", start=-400, end=300)

    found = judge(sync="OutOfSync", operation_state=after_it, now=PATCHED + timedelta(seconds=301))

    assert found.cause is Cause.AUTO_SYNC_EXPECTED
    assert found.recheck_at == PATCHED + timedelta(seconds=420)


def test_a_sync_that_nobody_remembers_asking_for_is_held_at_once() -> None:
    assert judge(sync="OutOfSync", operation_state=None, patched_at=None).cause is Cause.AUTO_SYNC_HELD


def test_a_patch_that_goes_unnoticed_names_what_to_check() -> None:
    early = judge(compared=OLD)
    assert early.recheck_at is not None
    assert early.recheck_at == PATCHED + timedelta(seconds=60)
    late = judge(compared=OLD, now=early.recheck_at)
    assert late.recheck_at is None
    assert "check that its application-controller runs and serves namespace argocd" in late.message


def test_a_version_of_somebody_else_that_goes_unnoticed_is_only_waited_for() -> None:
    found = judge(compared=OLD, patched_at=None)

    assert (found.message, found.recheck_at) == ("Argo CD has not looked at 1.0.1 yet", None)


def test_a_difference_right_after_the_sync_is_given_seconds_to_settle() -> None:
    just_over = PATCHED + timedelta(seconds=4)

    early = judge(sync="OutOfSync", now=just_over)
    assert early.recheck_at is not None
    assert (early.cause, early.recheck_at) == (Cause.HEALTH_STALE, PATCHED + timedelta(seconds=7))
    assert judge(sync="OutOfSync", now=early.recheck_at).cause is Cause.DRIFT


@pytest.mark.parametrize("reconciled", [2, 3], ids=["in the same second", "in the next"])
def test_health_is_not_believed_right_after_the_operation_of_another_version(reconciled: int) -> None:
    other: dict[str, Any] = {"operation_state": operation(of="1.0.2"), "reconciled_at": at(reconciled)}

    early = judge(**other, now=PATCHED + timedelta(seconds=3))
    assert early.recheck_at is not None
    assert (early.cause, early.recheck_at) == (Cause.HEALTH_STALE, PATCHED + timedelta(seconds=7))
    assert judge(**other, now=early.recheck_at).phase is Phase.HEALTHY


def test_health_is_believed_at_once_after_its_own_operation() -> None:
    now = PATCHED + timedelta(seconds=2)

    assert judge(reconciled_at=at(2), now=now).phase is Phase.HEALTHY


@pytest.mark.parametrize(
    ("different", "words"),
    [
        ({"conditions": error("ComparisonError", "no such tag")}, "Argo CD cannot render 1.0.1: no such tag"),
        ({"conditions": error("InvalidSpecError", "no repo")}, "Argo CD refuses the Application: no repo"),
        ({"conditions": error("SyncError", "again")}, "Argo CD gave up syncing 1.0.1: again"),
        ({"operation_state": operation("Failed", message="bad")}, "the sync of 1.0.1 failed: bad"),
        (
            {"operation_state": operation("Running", message="no", retryCount=2)},
            "the sync of 1.0.1 failed and will be tried again (retry 2): no",
        ),
        ({"operation_state": {**RUNNING, "message": "wait"}}, "Argo CD is syncing 1.0.1: wait"),
        ({"health": "Degraded", "words": "pod x"}, "1.0.1 is applied, and Argo CD calls its resources degraded: pod x"),
        ({"spec": {**HELM}}, "1.0.1 is wanted, but targetRevision is empty"),
    ],
)
def test_argo_cds_own_words_are_passed_on(different: Mapping[str, Any], words: str) -> None:
    assert judge(**different).message == words


def test_the_words_of_the_operation_before_are_not_passed_on() -> None:
    stale = operation("Running", end=None, operation={"sync": {}}, syncResult={"source": OLD}, message="all done")

    assert judge(operation_state=stale).message == "Argo CD is syncing 1.0.1"


def test_a_message_is_one_short_printable_line_with_its_end_kept() -> None:
    words = "Failed \x1b[31m" + "x" * 10_000 + "\nError: the cause"

    # What is read at all is bounded; within that the end is what tells.
    message = judge(conditions=error("ComparisonError", words[-3000:])).message
    assert len(message) <= MESSAGE_LIMIT
    assert message.isprintable()
    assert message.endswith("Error: the cause")
    assert len(judge(conditions=error("ComparisonError", words)).message) <= MESSAGE_LIMIT
