"""Every recorded life of an Application ends in the word a person would use for it, and says nothing rash on the way.

The recordings are those of `tests/data/argocd-traces/`. Each version is read and judged at the moment it was
written, against what the recording's author wanted then: the last version that was patched in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from bundlewatch.argocd.application import Application, parse, relevant_change
from bundlewatch.argocd.health import Assessment, Cause, Phase, assess
from bundlewatch.argocd.running import running_revisions
from kit.argocd_traces import Beat, load, names

HEALTHY, FAILED, PROGRESSING = Phase.HEALTHY, Phase.FAILED, Phase.PROGRESSING
WAITING, SYNCING, OUT_OF_SYNC = Phase.WAITING, Phase.SYNCING, Phase.OUT_OF_SYNC


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    target: str
    index: int
    patched_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    at_ms: int
    now: datetime
    body: Mapping[str, Any]
    application: Application
    wish: Wish
    assessment: Assessment


@cache
def replay(name: str) -> tuple[Moment, ...]:
    """Each version of the recorded Application, and the last one once more at the end of the recording."""
    trace = load(name)
    start = next(line for line in trace.lines if isinstance(line, Beat)).detail["wall"]
    wall = datetime.fromisoformat(start)
    wish: Wish | None = None
    moments: list[Moment] = []

    def look(body: Mapping[str, Any], at_ms: int) -> None:
        nonlocal wish
        application = parse(body)
        wish = wish or Wish(target=application.sources[0].target_revision or "", index=0, patched_at=None)
        now = wall + timedelta(milliseconds=at_ms)
        moments.append(
            Moment(
                at_ms=at_ms,
                now=now,
                body=body,
                application=application,
                wish=wish,
                assessment=judged(application, wish, now=now),
            )
        )

    if trace.initial is not None:
        look(with_metadata(trace.initial.after, name), trace.initial.at_ms)
    for line in trace.lines:
        if isinstance(line, Beat):
            wish = wished(line, wall=wall) or wish
            if line.act == "scenario end" and trace.writes[-1].event != "DELETED":
                look(moments[-1].body, line.at_ms)
        elif line.event != "DELETED":
            look(with_metadata(line.after, name), line.at_ms)
    return tuple(moments)


def wished(beat: Beat, *, wall: datetime) -> Wish | None:
    target = beat.detail.get("to")
    if target is None and beat.act in {"create Application", "set source"}:
        target = beat.detail.get("targetRevision")
    if target is None:
        return None
    *_, index = str(beat.detail.get("path", "")).rpartition("/sources/")
    return Wish(
        target=target,
        index=int(index) if index.isdigit() else 0,
        patched_at=wall + timedelta(milliseconds=beat.at_ms),
    )


def judged(application: Application, wish: Wish, *, now: datetime) -> Assessment:
    return assess(application, wish.index, target=wish.target, digest=None, patched_at=wish.patched_at, now=now)


def with_metadata(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What the recording has left out or rewritten of `metadata`, as an API server has it."""
    metadata = state["metadata"]
    managed = metadata.get("managedFields", {})
    return {
        **state,
        "metadata": {
            **metadata,
            "namespace": "argocd",
            "name": f"s{name.partition('-')[0]}",
            "uid": "0d9a3c5e-0000-4000-8000-000000000001",
            "managedFields": [managed_fields(key, entry) for key, entry in managed.items()],
        },
    }


def managed_fields(key: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    manager, _, operation = key.rpartition("/")
    fields: dict[str, Any] = {}
    for path in entry["fields"]:
        if path.startswith("spec."):
            owned = fields
            for part in path.split("."):
                owned = owned.setdefault(f"f:{part}", {})
    return {"manager": manager, "operation": operation, "time": entry["time"], "fieldsV1": fields}


LAST_WORDS = {
    "01-first-sync-healthy": (HEALTHY, "its first Deployment became ready"),
    "02-upgrade-healthy": (HEALTHY, "so did the next one"),
    "03-upgrade-degraded-then-rolled-back": (HEALTHY, "the old version is wanted, and ready again"),
    "04-degraded-then-recovers": (HEALTHY, "the Deployment came round by itself"),
    "05-missing-tag": (HEALTHY, "back at the old tag, which never stopped running"),
    "05b-tag-appears-late": (HEALTHY, "the tag was published, found at a resync and became ready"),
    "05c-tag-appears-after-a-minute": (HEALTHY, "the same after a minute"),
    "06-render-error": (HEALTHY, "the fixed chart was rendered after a hard refresh"),
    "07-sync-failed-retry-2": (HEALTHY, "the rollback was applied"),
    "07b-sync-failed-retry-0": (HEALTHY, "the rollback was applied"),
    "07c-sync-failed-default-retry": (HEALTHY, "the rollback was applied"),
    "07d-sync-failed-patch-while-retrying": (HEALTHY, "applied, though only after five minutes of retries"),
    "07e-sync-failed-patch-while-retrying-refresh": (WAITING, "the retries of the bad version go on"),
    "07f-sync-failed-terminate-while-retrying": (HEALTHY, "the retries were ended, the rollback applied"),
    "08-no-diff-release": (HEALTHY, "the same manifests need no operation"),
    "09-manual-sync": (HEALTHY, "somebody synced it, and it is ready"),
    "09b-manual-sync-one-patch": (HEALTHY, "the same in one request"),
    "09c-manual-sync-hook-state-cleared": (HEALTHY, "the hook and the Deployment are done"),
    "09d-manual-sync-hook-stale-state": (HEALTHY, "the hook and the Deployment are done"),
    "10-operation-while-running": (HEALTHY, "the second version ran after the first"),
    "10b-rollback-while-hook-hangs": (HEALTHY, "the hanging operation was ended; nothing of it was applied"),
    "11-sync-window-deny": (HEALTHY, "the window went, the requested sync went through"),
    "11b-sync-window-deny-manual-allowed": (HEALTHY, "the window lets manual syncs pass"),
    "11c-sync-window-deny-stale-state": (HEALTHY, "a second request with a cleared state did apply it"),
    "11d-sync-window-ends": (HEALTHY, "the window went, the automatic sync came"),
    "12-appset-reverts": (OUT_OF_SYNC, "the wanted version was taken out again by the ApplicationSet"),
    "12b-appset-ignores": (HEALTHY, "the ApplicationSet leaves the field alone"),
    "12c-parent-app-self-heals": (OUT_OF_SYNC, "the wanted version was taken out again by the parent"),
    "12d-parent-app-ignores-manager": (HEALTHY, "the parent leaves our fields alone"),
    "12e-parent-app-ignores-pointer": (HEALTHY, "the parent leaves the field alone"),
    "13-multi-source": (HEALTHY, "the second source is back at a tag that exists"),
    "14-werf-bundle": (HEALTHY, "a werf bundle by way of Helm deploys"),
    "14b-werf-chart-name-mismatch": (PROGRESSING, "with the right name it deploys; nobody made it ready"),
    "14c-werf-native-oci-source": (FAILED, "Argo CD cannot read that layer"),
    "15-presync-hook-fails": (HEALTHY, "nothing of the bad version was applied; the old one runs"),
    "16-suspended": (HEALTHY, "the version after the paused one became ready"),
    "16b-cronjob-suspended": (HEALTHY, "a suspended CronJob is no fault"),
    "17-resource-missing": (HEALTHY, "the next version brought everything back"),
    "18-refresh-only": (HEALTHY, "nothing happened"),
    "19-controller-restart": (HEALTHY, "the controller went on where it was killed"),
    "19b-patched-while-controller-down": (HEALTHY, "the controller came back and noticed"),
    "20-repo-server-down": (HEALTHY, "the repo-server came back"),
    "20b-registry-down": (HEALTHY, "the registry came back"),
    "21-range": (HEALTHY, "whatever the range resolved to is ready"),
    "22-app-deleted-while-rolling": (PROGRESSING, "it went while its Deployment was rolling"),
    "22b-app-deleted-with-finalizer": (WAITING, "it is being deleted, and promises nothing any more"),
    "23-two-patches-in-a-row": (HEALTHY, "the second version is ready"),
    "24-native-oci-chart": (FAILED, "the last wanted tag does not exist"),
    "25-retag-selfheal-off": (OUT_OF_SYNC, "the tag has other content, and nobody applies it"),
    "26-revision-spellings": (FAILED, "an empty target revision is no reference"),
    "27-skip-reconcile": (HEALTHY, "Argo CD may look again, and all is ready"),
    "28-project-forbids-source": (HEALTHY, "the project permits it again"),
}


def test_every_recording_is_judged() -> None:
    assert set(LAST_WORDS) == set(names())


@pytest.mark.parametrize("name", LAST_WORDS)
def test_a_recording_ends_in_the_word_a_person_would_use(name: str) -> None:
    phase, why = LAST_WORDS[name]

    assert replay(name)[-1].assessment.phase is phase, why


@pytest.mark.parametrize(
    ("name", "at_ms", "phase", "cause"),
    [
        ("03", 14100, Phase.DEGRADED, Cause.DEGRADED),
        ("04", 5000, Phase.DEGRADED, Cause.DEGRADED),
        ("05", 30000, FAILED, Cause.CANNOT_RENDER),
        ("06", 100000, FAILED, Cause.CANNOT_RENDER),
        ("07", 3200, SYNCING, Cause.RETRYING),
        ("07", 30000, FAILED, Cause.SYNC_FAILED),
        ("07b", 20000, FAILED, Cause.SYNC_FAILED),
        ("07c", 309500, SYNCING, Cause.RETRYING),
        ("07c", 320000, FAILED, Cause.SYNC_FAILED),
        ("07d", 250000, WAITING, Cause.OTHER_OPERATION),
        ("07d", 311840, WAITING, Cause.AUTO_SYNC_EXPECTED),
        ("09", 20000, OUT_OF_SYNC, Cause.MANUAL_SYNC),
        ("10", 15000, SYNCING, Cause.SYNCING),
        ("10", 30000, WAITING, Cause.OTHER_OPERATION),
        ("11", 28000, WAITING, Cause.AUTO_SYNC_EXPECTED),
        ("11", 50500, SYNCING, Cause.SYNCING),
        ("11c", 50000, SYNCING, Cause.SYNCING),
        ("11c", 72000, OUT_OF_SYNC, Cause.DRIFT),
        ("14b", 20000, FAILED, Cause.CANNOT_RENDER),
        ("15", 60000, FAILED, Cause.SYNC_FAILED),
        ("16", 17000, Phase.SUSPENDED, Cause.SUSPENDED),
        ("17", 18500, OUT_OF_SYNC, Cause.DRIFT),
        ("19", 11000, SYNCING, Cause.SYNCING),
        ("20", 26000, FAILED, Cause.CANNOT_RENDER),
        ("27", 25000, Phase.SUSPENDED, Cause.SKIP_RECONCILE),
        ("28", 25000, FAILED, Cause.NOT_PERMITTED),
    ],
)
def test_what_is_said_on_the_way(name: str, at_ms: int, phase: Phase, cause: Cause) -> None:
    moment = [moment for moment in replay(load(name).name) if moment.at_ms <= at_ms][-1]

    assert (moment.assessment.phase, moment.assessment.cause) == (phase, cause)


@pytest.mark.parametrize(
    ("name", "from_ms", "until_ms"),
    [
        pytest.param("01", 0, 4500, id="01: until the first Deployment is ready"),
        pytest.param("02", 1018, 4300, id="02: while it is the old release that is healthy"),
        pytest.param("03", 1031, 21400, id="03: neither the bad release nor the rollback before it is ready"),
        pytest.param("07", 1035, 42100, id="07: a release that never applies, though the old one is healthy"),
        pytest.param("07d", 1017, 312260, id="07d: a rollback that waits for the retries of the bad release"),
        pytest.param("10b", 4584, 29660, id="10b: Synced and Healthy, while the other operation runs"),
        pytest.param("11c", 4028, 76300, id="11c: Succeeded, and nothing was applied"),
        pytest.param("12", 1017, 60735, id="12: a version that is not even asked for any more"),
        pytest.param("14c", 0, 30023, id="14c: healthy, since it never rendered anything"),
        pytest.param("15", 1019, 66430, id="15: a failed hook before an untouched old release"),
        pytest.param("22b", 3345, 18379, id="22b: what is being deleted"),
    ],
)
def test_it_is_never_called_healthy(name: str, from_ms: int, until_ms: int) -> None:
    between = [moment for moment in replay(load(name).name) if from_ms < moment.at_ms <= until_ms]

    assert between
    assert [moment.at_ms for moment in between if moment.assessment.phase is HEALTHY] == []


def test_a_version_put_back_is_not_healthy_while_what_ran_in_between_may_still_be_applied() -> None:
    # In 12 the reverted version is Synced and Healthy at 1388 ms, in the second in which the other was applied.
    states = [moment for moment in replay("12-appset-reverts") if 1075 <= moment.at_ms < 26956]
    back = Wish(target="1.0.0", index=0, patched_at=None)

    assert [at.at_ms for at in states if judged(at.application, back, now=at.now).phase is HEALTHY] == []


@pytest.mark.parametrize("name", names())
def test_healthy_is_said_only_of_a_finished_comparison_with_the_wanted_version(name: str) -> None:
    for moment in replay(name):
        if moment.assessment.phase is HEALTHY:
            status = moment.body["status"]
            compared = status["sync"]["comparedTo"]
            source = (compared.get("sources") or [compared["source"]])[moment.wish.index]
            assert source["targetRevision"] == moment.wish.target
            assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
            assert "operation" not in moment.body
            assert (status.get("operationState") or {}).get("phase") not in {"Running", "Terminating"}


@pytest.mark.parametrize("name", names())
def test_versions_that_are_the_same_to_us_are_judged_the_same(name: str) -> None:
    moments = replay(name)
    for old, new in pairwise(moments):
        if not relevant_change(old.application, new.application):
            assert judged(old.application, new.wish, now=new.now) == new.assessment


@pytest.mark.parametrize("name", names())
def test_every_message_fits_into_one_short_line(name: str) -> None:
    for moment in replay(name):
        message = moment.assessment.message
        assert 0 < len(message) <= 300
        assert message.isprintable()


def changes(name: str, *, after_ms: int, until_ms: int) -> int:
    moments = replay(name)
    return sum(
        relevant_change(old.application, new.application)
        for old, new in pairwise(moments)
        if after_ms < new.at_ms <= until_ms
    )


def test_the_resyncs_of_an_idle_application_are_no_change() -> None:
    assert len(replay("18-refresh-only")) > 6
    assert changes("18-refresh-only", after_ms=10, until_ms=80000) == 0
    assert changes("02-upgrade-healthy", after_ms=18508, until_ms=30000) == 0


def test_the_same_error_again_with_another_temporary_directory_is_no_change() -> None:
    raw = {
        moment.body["status"]["conditions"][0]["message"]
        for moment in replay("05c-tag-appears-after-a-minute")
        if moment.body["status"].get("conditions")
    }
    assert len(raw) > 3
    assert changes("05c-tag-appears-after-a-minute", after_ms=1150, until_ms=70000) == 0


@pytest.mark.parametrize(
    ("name", "before_ms", "after_ms", "wrote_first", "wrote_last"),
    [
        ("12", 1030, 2000, "bundlewatch", "argocd-applicationset-controller"),
        ("12c", 1100, 1600, "bundlewatch", "argocd-controller"),
        ("12d", 500, 40000, "argocd-controller", "bundlewatch"),
        ("13", 1000, 2000, "lab", "bundlewatch"),
    ],
)
def test_the_last_writer_of_a_target_revision_is_known_by_name(
    name: str, before_ms: int, after_ms: int, wrote_first: str, wrote_last: str
) -> None:
    def writer(at_ms: int) -> str:
        moment = [moment for moment in replay(load(name).name) if moment.at_ms <= at_ms][-1]
        return moment.application.target_revision_managers[0].name

    assert (writer(before_ms), writer(after_ms)) == (wrote_first, wrote_last)


def test_who_put_the_version_back_is_named() -> None:
    message = replay("12-appset-reverts")[-1].assessment.message

    assert message == "1.0.1 is wanted, but targetRevision is 1.0.0, last written by argocd-applicationset-controller"


@pytest.mark.parametrize(
    ("name", "at_ms", "index", "texts"),
    [
        pytest.param("02", 1000, 0, ("1.0.0",), id="an exact version"),
        pytest.param("02", 1100, 0, ("1.0.1", "1.0.0"), id="asked for, before what ran until now"),
        pytest.param("21", 1000, 0, ("1.0.1",), id="what a range was resolved to"),
        pytest.param("21", 170000, 0, ("1.0.2",), id="what the range moved to by itself"),
        pytest.param("05", 30000, 0, ("9.9.9", "1.0.0"), id="a tag that does not exist was asked for"),
        pytest.param(
            "24",
            1000,
            0,
            ("1.0.0", "sha256:6f0ce587c9feff2371b40462d15c21143b190eebe5568e77fbf846294585135e"),
            id="a native source knows its digest",
        ),
        pytest.param(
            "13",
            20000,
            1,
            ("1.0.1", "sha256:28d0dc52215b48183aa9df2dea0b433cac2812f1b0b8f949e084baa66e3cd16a"),
            id="the second of several sources",
        ),
    ],
)
def test_what_runs_is_read_from_the_live_object(name: str, at_ms: int, index: int, texts: tuple[str, ...]) -> None:
    moment = [moment for moment in replay(load(name).name) if moment.at_ms <= at_ms][-1]

    assert running_revisions(moment.application, moment.application.sources[index]) == texts
