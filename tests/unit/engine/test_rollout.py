"""After the patch: healthy, or taken back and never tried again; and told at every turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from bundlewatch.errors import ClusterUnavailable, RegistryUnavailable
from unit.engine.mishaps import Act, argocd_says
from unit.engine.setting import Setting, shop, until
from unit.engine.world import NOW, at, in_virtual_time

QUICK: dict[str, Any] = {"interval": "10s", "rollout": {"timeout": "5m", "degradedFor": "1m"}}


def entry(setting: Setting, name: str = "shop", *, watch: str = "shop") -> dict[str, Any]:
    return next(found for found in setting.server.status(watch)["applications"] if found["name"] == name)


async def release(setting: Setting, tag: str, *, health: str = "Healthy", name: str = "shop") -> None:
    """A new bundle reaches the Application, and Argo CD applies it."""
    setting.registry.publish(tag)
    await until(lambda: setting.server.revision(name) == tag, within_s=30)
    setting.server.sync(name, health=health)


@asynccontextmanager
async def started(**spec: Any) -> AsyncIterator[Setting]:
    """The operator runs, and has seen that shop is healthy with 1.0.0."""
    setting = shop(**spec)
    async with setting.running():
        await asyncio.sleep(1)
        yield setting


async def goes_back(setting: Setting) -> None:
    """1.0.1 goes out, degrades and is taken back; 1.0.0 is healthy again."""
    await release(setting, "1.0.1", health="Degraded")
    await until(lambda: setting.server.revision() == "1.0.0", within_s=120)
    setting.server.sync()


@in_virtual_time
async def test_a_good_release_is_followed_until_it_was_healthy_for_a_while() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Progressing")
        await asyncio.sleep(1)
        assert entry(setting)["deadline"] > at()
        assert (entry(setting)["fallback"], entry(setting)["lastHealthy"]) == ("1.0.0", "1.0.0")
        assert setting.server.ready() == ("Unknown", "Progressing")

        setting.server.sync()
        await asyncio.sleep(5)
        assert setting.server.ready() == ("Unknown", "Progressing")
        assert "shop is healthy with 1.0.1; that counts if it still is at" in setting.server.status()["summary"]
        await asyncio.sleep(25)

    assert "deadline" not in entry(setting)
    assert entry(setting)["lastHealthy"] == "1.0.1"
    assert setting.server.ready() == ("True", "UpToDate")
    assert setting.server.status()["history"][0]["healthySince"]


@in_virtual_time
async def test_a_bad_release_is_taken_back_quarantined_and_not_tried_again() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(50)
        assert setting.server.revision() == "1.0.1"
        await until(lambda: setting.server.revision() == "1.0.0", within_s=30)
        setting.server.sync()
        await asyncio.sleep(3600)

    assert setting.server.revision() == "1.0.0"
    (quarantined,) = setting.server.status()["quarantine"]
    assert (quarantined["tag"], quarantined["reason"]) == ("1.0.1", "Degraded")
    assert setting.server.ready() == ("False", "RolledBack")
    (told,) = setting.server.told("TakenBack")
    assert told.startswith("took 1.0.1 back from Application shop, to 1.0.0: shop: Degraded for 1m without a break: ")
    assert told.endswith("Argo CD calls its resources degraded")
    assert {found["tag"]: found["reason"] for found in setting.server.status()["verdicts"]} == {
        "1.0.0": "Chosen",
        "1.0.1": "Quarantined",
    }
    annotations = setting.server.applications["shop"]["metadata"]["annotations"]
    assert annotations["bundlewatch.dev/taken-back"].startswith("1.0.1@sha256:")


@in_virtual_time
async def test_history_tells_how_long_each_bundle_was_healthy() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1")
        await asyncio.sleep(60)
        await release(setting, "1.0.2")
        await asyncio.sleep(60)

    newest, *older = setting.server.status()["history"]
    assert (newest["tag"], "healthyUntil" in newest) == ("1.0.2", False)
    assert [found["tag"] for found in older] == ["1.0.1", "1.0.0"]
    assert all(found["healthySince"] < found["healthyUntil"] <= newest["time"] for found in older)


@in_virtual_time
async def test_a_fixed_bundle_goes_out_after_a_bad_one_and_ends_the_quarantine() -> None:
    async with started(**QUICK) as setting:
        await goes_back(setting)
        await release(setting, "1.0.2")
        await asyncio.sleep(30)

    assert setting.server.ready() == ("True", "UpToDate")
    assert "quarantine" not in setting.server.status()
    assert "bundlewatch.dev/taken-back" not in setting.server.applications["shop"]["metadata"]["annotations"]


@in_virtual_time
async def test_the_failure_is_in_status_before_anything_is_taken_back() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(5)
        setting.server.refusing["status"] = ClusterUnavailable("the Kubernetes API did not answer")
        await asyncio.sleep(300)
        assert setting.server.revision() == "1.0.1"

        setting.server.refusing.clear()
        await until(lambda: setting.server.revision() == "1.0.0", within_s=60)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param({"tags": {"pattern": "("}}, "InvalidPattern", id="a pattern"),
        pytest.param({"gates": {"after": [{"name": "shop"}]}}, "InvalidSpec", id="a circle"),
    ],
)
@in_virtual_time
async def test_a_mistake_in_the_spec_keeps_nothing_from_being_taken_back(spec: dict[str, Any], reason: str) -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(5)
        setting.server.edit_watch(**spec)
        await until(lambda: setting.server.revision() == "1.0.0", within_s=120)
        setting.server.sync()
        await asyncio.sleep(60)

    assert setting.server.ready() == ("False", reason)
    assert [found["tag"] for found in setting.server.status()["quarantine"]] == ["1.0.1"]


@in_virtual_time
async def test_a_registry_that_is_down_keeps_nothing_from_being_taken_back() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(15)
        setting.registry.fault = RegistryUnavailable("registry.example.com does not answer")
        await until(lambda: setting.server.revision() == "1.0.0", within_s=120)


@in_virtual_time
async def test_what_goes_back_and_stays_ill_is_not_moved_on() -> None:
    setting = shop(**QUICK)
    setting.registry.publish("0.9.0")
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", health="Degraded")
        await until(lambda: setting.server.revision() == "1.0.0", within_s=120)
        setting.server.sync(health="Degraded")
        await asyncio.sleep(7200)

    assert setting.server.revision() == "1.0.0"
    assert [found["tag"] for found in setting.server.status()["quarantine"]] == ["1.0.1"]


@in_virtual_time
async def test_a_bundle_that_was_passed_over_is_not_the_next_try() -> None:
    async with started(**QUICK) as setting:
        setting.registry.publish("1.0.1")
        await release(setting, "1.0.2", health="Degraded")
        await until(lambda: setting.server.revision() == "1.0.0", within_s=120)
        setting.server.sync()
        await asyncio.sleep(3600)

    assert setting.server.revision() == "1.0.0"
    verdicts = {found["tag"]: found["reason"] for found in setting.server.status()["verdicts"]}
    assert verdicts == {"1.0.0": "Chosen", "1.0.1": "Superseded", "1.0.2": "Quarantined"}


@in_virtual_time
async def test_on_hold_it_stays_as_it_is_and_says_so() -> None:
    async with started(interval="10s", rollout={"degradedFor": "1m", "onFailure": "Hold"}) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(3600)
        assert setting.server.revision() == "1.0.1"
        assert setting.server.ready() == ("False", "ReleaseFailed")
        assert (
            "it stays on shop; to go back, set spec.pin to 1.0.0;"
            in setting.server.status()["conditions"][0]["message"]
        )
        assert [found["tag"] for found in setting.server.status()["quarantine"]] == ["1.0.1"]

        await release(setting, "1.0.2")
        await asyncio.sleep(30)
    assert setting.server.ready() == ("True", "UpToDate")


@in_virtual_time
async def test_ignored_failures_are_shown_and_nothing_else() -> None:
    async with started(interval="10s", rollout={"degradedFor": "1m", "onFailure": "Ignore"}) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(3600)

    assert setting.server.revision() == "1.0.1"
    assert "quarantine" not in setting.server.status()
    assert setting.server.ready() == ("False", "Degraded")


@in_virtual_time
async def test_what_is_pinned_is_not_taken_back() -> None:
    async with started(**QUICK) as setting:
        setting.registry.publish("1.0.1")
        setting.server.edit_watch(pin="1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        setting.server.sync(health="Degraded")
        await asyncio.sleep(3600)

    assert setting.server.revision() == "1.0.1"
    assert "quarantine" not in setting.server.status()


@in_virtual_time
async def test_a_person_may_have_it_tried_again() -> None:
    async with started(**QUICK) as setting:
        await goes_back(setting)
        await asyncio.sleep(60)
        setting.server.edit_watch(annotations={"bundlewatch.dev/retry": "1.0.1 please"})
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        setting.server.sync()
        await asyncio.sleep(60)

    assert setting.server.ready() == ("True", "UpToDate")
    assert setting.server.status()["lastHandledRetryAt"] == "1.0.1 please"
    assert "quarantine" not in setting.server.status()


@in_virtual_time
async def test_another_digest_under_the_tag_is_another_bundle() -> None:
    async with started(**QUICK) as setting:
        await goes_back(setting)
        setting.registry.publish("1.0.1", description="mended")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=60)

    # Argo CD keeps what it has made of a version; of the mended one it has made nothing yet.
    assert setting.server.applications["shop"]["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "hard"


@in_virtual_time
async def test_a_lost_status_leads_to_no_second_try() -> None:
    async with started(**QUICK) as setting:
        await goes_back(setting)
        await asyncio.sleep(30)
    del setting.server.watches["shop"]["status"]
    setting.table = type(setting.table)()
    async with setting.running():
        await asyncio.sleep(3600)

    assert setting.server.revision() == "1.0.0"
    (quarantined,) = setting.server.status()["quarantine"]
    assert (quarantined["tag"], quarantined["reason"]) == ("1.0.1", "TakenBack")


@in_virtual_time
async def test_waves_go_one_after_the_other_and_a_failure_goes_no_further() -> None:
    setting = Setting()
    for name in ("canary", "shop"):
        setting.server.create_application(name)
    setting.server.create_watch(applications=[{"name": "canary"}, {"name": "shop", "wave": 1}], **QUICK)
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", name="canary")
        await asyncio.sleep(3)
        assert setting.server.revision("shop") == "1.0.0"
        assert entry(setting)["phase"] == "Queued"
        assert "wave 0: canary" in entry(setting)["message"]
        await until(lambda: setting.server.revision("shop") == "1.0.1", within_s=30)
        setting.server.sync("shop")
        await asyncio.sleep(30)
        assert setting.server.ready() == ("True", "UpToDate")

        await release(setting, "1.0.2", name="canary", health="Degraded")
        await until(lambda: setting.server.revision("canary") == "1.0.1", within_s=120)
        setting.server.sync("canary")
        await asyncio.sleep(3600)
    assert setting.server.revision("shop") == "1.0.1"
    assert setting.server.ready() == ("False", "RolledBack")


@in_virtual_time
async def test_a_failure_in_a_later_wave_leaves_what_is_healthy_alone() -> None:
    setting = Setting()
    for name in ("canary", "shop"):
        setting.server.create_application(name)
    setting.server.create_watch(applications=[{"name": "canary"}, {"name": "shop", "wave": 1}], **QUICK)
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", name="canary")
        await until(lambda: setting.server.revision("shop") == "1.0.1", within_s=60)
        setting.server.sync("shop", health="Degraded")
        await until(lambda: setting.server.revision("shop") == "1.0.0", within_s=120)
        setting.server.sync("shop")
        await asyncio.sleep(600)

    assert setting.server.revision("canary") == "1.0.1"
    assert setting.server.revision("shop") == "1.0.0"
    ready = setting.server.status()["conditions"][0]["message"]
    assert "it was taken back; shop is set to 1.0.0; canary keeps it, and was healthy with it;" in ready
    annotations = {name: setting.server.applications[name]["metadata"]["annotations"] for name in ("canary", "shop")}
    assert "bundlewatch.dev/newer" not in annotations["canary"]
    assert annotations["shop"]["bundlewatch.dev/newer"].startswith("1.0.1 is not taken: quarantined")


@in_virtual_time
async def test_a_window_holds_moves_back_and_never_a_way_back() -> None:
    # It is noon; the window opens at one o'clock for five minutes.
    gates = {"windows": [{"kind": "Allow", "schedule": "0 13 * * *", "duration": "5m"}]}
    async with started(gates=gates, **QUICK) as setting:
        setting.registry.publish("1.0.1")
        await asyncio.sleep(60)
        assert setting.server.revision() == "1.0.0"
        assert setting.server.ready() == ("True", "OutsideWindow")
        assert setting.server.status()["nextTransition"] == at(3600)
        written = setting.server.status_writes
        await asyncio.sleep(3500)
        assert setting.server.status_writes == written
        await until(lambda: setting.server.revision() == "1.0.1", within_s=60)
        await asyncio.sleep(250)
        setting.server.sync(health="Degraded")
        await until(lambda: setting.server.revision() == "1.0.0", within_s=300)


@in_virtual_time
async def test_age_is_counted_from_the_first_sight_also_after_a_restart() -> None:
    async with started(gates={"minAge": "1h"}, **QUICK) as setting:
        setting.registry.publish("1.0.1")
        await asyncio.sleep(1800)
    async with setting.running():
        await asyncio.sleep(1700)
        assert setting.server.revision() == "1.0.0"
        assert setting.server.ready() == ("True", "TooYoung")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=150)


@in_virtual_time
async def test_the_newest_that_is_old_enough_goes_while_newer_ones_are_too_young() -> None:
    async with started(gates={"minAge": "1h"}, **QUICK) as setting:
        for number in range(1, 8):
            setting.registry.publish(f"1.0.{number}")
            await asyncio.sleep(1200)

    assert setting.server.revision() == "1.0.4"


@in_virtual_time
async def test_nothing_goes_before_a_person_has_approved_it() -> None:
    async with started(gates={"approval": "Manual"}, **QUICK) as setting:
        setting.registry.publish("1.0.1")
        setting.registry.publish("1.0.2")
        await asyncio.sleep(600)
        assert setting.server.revision() == "1.0.0"
        assert setting.server.ready() == ("True", "AwaitingApproval")
        setting.server.edit_watch(annotations={"bundlewatch.dev/approve": "1.0.1"})
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        setting.server.sync()
        await asyncio.sleep(600)

    assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_chain_takes_what_was_healthy_before_it() -> None:
    setting = Setting()
    for name in ("staging", "production"):
        setting.server.create_application(name)
    setting.server.create_watch("staging", applications=[{"name": "staging"}], **QUICK)
    setting.server.create_watch(
        "production",
        applications=[{"name": "production"}],
        gates={"after": [{"name": "staging", "soak": "10m"}]},
        **QUICK,
    )
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", name="staging")
        await asyncio.sleep(500)
        assert setting.server.revision("production") == "1.0.0"
        assert setting.server.ready("production") == ("True", "AwaitingUpstream")
        await until(lambda: setting.server.revision("production") == "1.0.1", within_s=200)


@in_virtual_time
async def test_what_waits_for_itself_is_a_mistake() -> None:
    setting = Setting()
    setting.server.create_application()
    setting.server.create_watch("shop", gates={"after": [{"name": "other"}]})
    setting.server.create_watch("other", gates={"after": [{"name": "shop"}]})
    async with setting.running():
        await asyncio.sleep(5)

    assert setting.server.ready("shop") == ("False", "InvalidSpec")
    assert "shop -> other -> shop" in setting.server.status("shop")["summary"]


@in_virtual_time
async def test_what_an_application_set_would_put_back_is_not_written_at_all() -> None:
    setting = shop(**QUICK)
    owner = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "shops", "controller": True}]
    setting.server.applications["shop"]["metadata"]["ownerReferences"] = owner
    setting.server.application_sets["shops"] = {"spec": {"template": {}}}
    async with setting.running():
        await asyncio.sleep(1)
        setting.registry.publish("1.0.1")
        await asyncio.sleep(60)
        assert setting.server.patched == []
        assert setting.server.ready() == ("False", "Blocked")
        assert "ignoreApplicationDifferences" in entry(setting)["message"]

        rule = {"jsonPointers": ["/spec/source/targetRevision"]}
        setting.server.application_sets["shops"]["spec"]["ignoreApplicationDifferences"] = [rule]
        await until(lambda: setting.server.revision() == "1.0.1", within_s=60)


@in_virtual_time
async def test_what_is_under_way_is_judged_also_while_nothing_newer_may_follow() -> None:
    setting = shop(**QUICK)
    owner = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "shops", "controller": True}]
    setting.server.applications["shop"]["metadata"]["ownerReferences"] = owner
    rules = [{"jsonPointers": ["/spec/source/targetRevision"]}]
    setting.server.application_sets["shops"] = {"spec": {"template": {}, "ignoreApplicationDifferences": rules}}
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", health="Progressing")
        rules.clear()
        setting.registry.publish("1.0.2")
        await asyncio.sleep(240)
        assert setting.server.ready() == ("Unknown", "Progressing")

        await until(lambda: setting.server.revision() == "1.0.0", within_s=120)
    assert [found["reason"] for found in setting.server.status()["quarantine"]] == ["TimedOut"]


@in_virtual_time
async def test_with_override_a_fight_ends_after_three_times() -> None:
    async with started(interval="10s", rollout={"onExternalChange": "Override"}) as setting:
        await release(setting, "1.0.1")
        for _ in range(6):
            await asyncio.sleep(15)
            if setting.server.revision() == "1.0.1":
                setting.server.edit_application(revision="1.0.0", manager="flux")
        await asyncio.sleep(1200)

    assert setting.server.revision() == "1.0.0"
    first, *again = setting.server.told("Moved")
    assert first == "moved Application shop from 1.0.0 to 1.0.1"
    why = "flux had set 1.0.0; rollout.onExternalChange is Override"
    assert again == [f"moved Application shop from 1.0.0 to 1.0.1: {why}"] * 3
    assert setting.server.ready() == ("False", "Reverted")
    assert "flux" in entry(setting)["message"]


@in_virtual_time
async def test_a_sync_is_asked_for_where_nobody_else_would() -> None:
    setting = shop(interval="10s", rollout={"sync": "Request"})
    setting.server.applications["shop"]["spec"]["syncPolicy"] = {}
    async with setting.running():
        await asyncio.sleep(1)
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)

    operation = setting.server.applications["shop"]["operation"]
    assert operation["initiatedBy"] == {"username": "bundlewatch", "automated": True}
    assert "operationState" not in setting.server.applications["shop"]["status"]


@pytest.mark.parametrize("kind", ["deny", "allow"])
@in_virtual_time
async def test_no_sync_is_asked_for_against_a_sync_window_which_is_named(kind: str) -> None:
    setting = shop(interval="10s", rollout={"sync": "Request"})
    setting.server.applications["shop"]["spec"] |= {"syncPolicy": {}, "project": "web"}
    schedule = "0 0 1 1 *" if kind == "allow" else "* * * * *"
    window = {"kind": kind, "schedule": schedule, "duration": "1h", "applications": ["*"]}
    setting.server.app_projects["web"] = {"spec": {"syncWindows": [window]}}
    async with setting.running():
        await asyncio.sleep(1)
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        await asyncio.sleep(30)

    assert "operation" not in setting.server.applications["shop"]


@in_virtual_time
async def test_the_time_stands_still_while_a_sync_window_holds_a_running_operation() -> None:
    setting = shop(**QUICK)
    setting.server.applications["shop"]["spec"]["project"] = "web"
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    setting.server.app_projects["web"] = {"spec": {"syncWindows": [window]}}
    async with setting.running():
        await asyncio.sleep(1)
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        syncing = argocd_says(setting.server.applications["shop"], Act.SYNCING, now=NOW + timedelta(seconds=30))
        setting.server.applications["shop"] = syncing
        setting.server.touch_application()
        await asyncio.sleep(3600)
        assert (setting.server.revision(), entry(setting)["phase"]) == ("1.0.1", "Waiting")
        assert "window" in entry(setting)["message"]
        written = setting.server.status_writes
        await asyncio.sleep(3600)
        assert setting.server.status_writes == written

        setting.server.app_projects["web"] = {"spec": {}}
        setting.server.touch_application()
        await asyncio.sleep(60)
        assert entry(setting)["phase"] == "Syncing"
        await until(lambda: setting.server.revision() == "1.0.0", within_s=300)

    assert setting.server.status()["quarantine"][0]["reason"] == "TimedOut"


@in_virtual_time
async def test_what_a_range_runs_is_the_way_back_from_what_replaced_it() -> None:
    setting = shop(revision="1.0.0", **QUICK)
    ranged = setting.server.applications["shop"]
    ranged["spec"]["source"]["targetRevision"] = "~1.0"
    ranged["status"]["sync"] |= {"comparedTo": {"source": ranged["spec"]["source"]}, "revision": "1.0.0"}
    async with setting.running():
        await asyncio.sleep(1)
        await goes_back(setting)
        await asyncio.sleep(30)

    assert setting.server.revision() == "1.0.0"
    assert setting.server.ready() == ("False", "RolledBack")


@in_virtual_time
async def test_an_application_tells_what_it_was_given_and_why_nothing_newer_runs() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1")
        await asyncio.sleep(30)
        told = setting.server.applications["shop"]["metadata"]["annotations"]
        assert (told["bundlewatch.dev/version"], told["bundlewatch.dev/watch"]) == ("1.0.1", "argocd/shop")
        assert "argocd.argoproj.io/refresh" not in told
        assert "bundlewatch.dev/newer" not in told

        setting.server.edit_watch(gates={"approval": "Manual"})
        setting.registry.publish("1.0.2")
        await asyncio.sleep(30)
        written = len(setting.server.patched)
        await asyncio.sleep(600)

    told = setting.server.applications["shop"]["metadata"]["annotations"]
    assert told["bundlewatch.dev/newer"].startswith("1.0.2 waits for a person's approval")
    assert len(setting.server.patched) == written


@in_virtual_time
async def test_what_was_never_given_anything_is_told_nothing() -> None:
    setting = shop(**QUICK)
    async with setting.running():
        await asyncio.sleep(600)

    assert setting.server.patched == []


@in_virtual_time
async def test_what_another_leader_has_quarantined_meanwhile_is_not_lost() -> None:
    setting = shop(**QUICK)

    def other() -> None:
        setting.server.write_status(quarantine=[{"tag": "2.0.0", "reason": "Degraded"}])

    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(30)
        setting.server.before_status.append(other)
        await until(lambda: setting.server.revision() == "1.0.0", within_s=120)

    assert {found["tag"] for found in setting.server.status()["quarantine"]} == {"1.0.1", "2.0.0"}


@in_virtual_time
async def test_time_that_all_was_suspended_is_nobodys_fault() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Progressing")
        await asyncio.sleep(5)
        setting.server.edit_watch(suspend=True)
        await asyncio.sleep(3600)
        setting.server.edit_watch(suspend=False)
        await asyncio.sleep(200)
        assert setting.server.revision() == "1.0.1"
        await until(lambda: setting.server.revision() == "1.0.0", within_s=200)


@in_virtual_time
async def test_what_was_taken_back_is_not_left_to_run_on_in_argo_cd() -> None:
    async with started(**QUICK) as setting:
        await goes_back(setting)
        body = setting.server.applications["shop"]
        source = body["spec"]["source"] | {"targetRevision": "1.0.1"}
        body["operation"] = {"sync": {}}
        body["status"]["operationState"] = {
            "phase": "Running",
            "startedAt": at(),
            "operation": {"sync": {"source": source}},
        }
        setting.server.touch_application()
        await asyncio.sleep(5)

    assert setting.server.applications["shop"]["status"]["operationState"]["phase"] == "Terminating"
    assert len(setting.server.told("TakenBack")) == 1


@in_virtual_time
async def test_what_cannot_be_rendered_is_asked_for_anew_once_and_then_taken_back() -> None:
    async with started(**QUICK) as setting:
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        setting.server.sync()
        body = setting.server.applications["shop"]
        body["status"]["sync"]["status"] = "Unknown"
        body["status"]["conditions"] = [{"type": "ComparisonError", "message": "no such file"}]
        setting.server.touch_application()
        await asyncio.sleep(140)
        annotations = setting.server.applications["shop"]["metadata"]["annotations"]
        assert "argocd.argoproj.io/refresh" not in annotations
        await asyncio.sleep(30)
        assert setting.server.applications["shop"]["metadata"]["annotations"]["argocd.argoproj.io/refresh"] == "hard"
        assert entry(setting)["refreshedAt"]
        await until(lambda: setting.server.revision() == "1.0.0", within_s=200)

    assert setting.server.patched == ["shop"] * 4  # moved, refreshed, taken back, and told why nothing newer runs
    assert setting.server.status()["quarantine"][0]["reason"] == "CannotRender"


@in_virtual_time
async def test_a_degraded_release_is_no_alarm_before_it_has_failed() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await asyncio.sleep(5)
        assert setting.server.ready() == ("Unknown", "Progressing")
        message = setting.server.status()["conditions"][0]["message"]
        assert "the release fails at 2026-11-24 12:01" in message
        assert "UTC if this lasts" in message


@in_virtual_time
async def test_trying_again_what_runs_gives_it_all_its_time_again() -> None:
    async with started(interval="10s", rollout={"timeout": "5m", "degradedFor": "1m", "onFailure": "Hold"}) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await until(lambda: "quarantine" in setting.server.status(), within_s=90)
        setting.server.edit_watch(annotations={"bundlewatch.dev/retry": "1.0.1"})
        await asyncio.sleep(50)
        assert "quarantine" not in setting.server.status()
        await asyncio.sleep(20)
        assert "quarantine" in setting.server.status()


@in_virtual_time
async def test_what_heals_on_hold_is_quarantined_no_more() -> None:
    async with started(interval="10s", rollout={"degradedFor": "1m", "onFailure": "Hold"}) as setting:
        await release(setting, "1.0.1", health="Degraded")
        await until(lambda: "quarantine" in setting.server.status(), within_s=90)
        setting.server.sync()
        await asyncio.sleep(60)

    assert "quarantine" not in setting.server.status()
    assert setting.server.ready() == ("True", "UpToDate")


@in_virtual_time
async def test_the_same_bundle_under_another_tag_is_named_with_the_tag_to_try_again() -> None:
    async with started(**QUICK) as setting:
        await goes_back(setting)
        setting.registry.publish_as("1.0.2", "1.0.1")
        await asyncio.sleep(60)
        message = setting.server.status()["conditions"][0]["message"]
        assert message.startswith("1.0.2 is the same bundle as 1.0.1; 1.0.1 failed (Degraded)")
        assert 'bundlewatch.dev/retry="1.0.1 $(date)"' in message
        verdicts = {found["tag"]: found["reason"] for found in setting.server.status()["verdicts"]}
        assert verdicts == {"1.0.2": "Quarantined", "1.0.1": "Quarantined", "1.0.0": "Chosen"}

        setting.server.edit_watch(annotations={"bundlewatch.dev/retry": "1.0.1"})
        await until(lambda: setting.server.revision() == "1.0.2", within_s=30)


@in_virtual_time
async def test_annotations_that_an_application_set_removes_are_not_written_again_and_again() -> None:
    setting = shop(**QUICK)
    owner = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "shops", "controller": True}]
    setting.server.applications["shop"]["metadata"]["ownerReferences"] = owner
    setting.server.application_sets["shops"] = {
        "spec": {
            "ignoreApplicationDifferences": [{"jsonPointers": ["/spec/source/targetRevision"]}],
            "preservedFields": {"annotations": ["bundlewatch.dev/watch"]},
        }
    }
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1")
        await asyncio.sleep(600)

    assert setting.server.patched == ["shop"]
    assert setting.server.applications["shop"]["metadata"]["annotations"] == {"bundlewatch.dev/watch": "argocd/shop"}


@in_virtual_time
async def test_a_fix_does_not_wait_for_the_retries_of_what_it_supersedes() -> None:
    async with started(**QUICK) as setting:
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=30)
        body = setting.server.applications["shop"]
        body["operation"] = {"sync": {}}
        body["status"]["operationState"] = {
            "phase": "Running",
            "startedAt": at(),
            "finishedAt": at(5),
            "retryCount": 3,
            "operation": {"sync": {"source": dict(body["spec"]["source"])}},
        }
        setting.server.touch_application()
        setting.registry.publish("1.0.2")
        await until(lambda: setting.server.revision() == "1.0.2", within_s=30)
        body = setting.server.applications["shop"]
        body["status"]["sync"] |= {"comparedTo": {"source": dict(body["spec"]["source"])}, "revision": "1.0.2"}
        setting.server.touch_application()
        await asyncio.sleep(2)

    assert setting.server.applications["shop"]["status"]["operationState"]["phase"] == "Terminating"


@in_virtual_time
async def test_after_a_restart_a_chain_goes_by_how_its_upstream_is_and_not_by_what_it_was() -> None:
    setting = Setting()
    for name in ("staging", "production"):
        setting.server.create_application(name)
    setting.server.create_watch("staging", applications=[{"name": "staging"}], **QUICK)
    after = [{"name": "staging", "soak": "30m"}]
    applications = [{"name": "production"}]
    setting.server.create_watch("production", applications=applications, gates={"after": after}, **QUICK)
    async with setting.running():
        await asyncio.sleep(1)
        await release(setting, "1.0.1", name="staging")
        await asyncio.sleep(600)
    setting.server.sync("staging", health="Degraded")
    await asyncio.sleep(3600)
    async with setting.running():
        await asyncio.sleep(60)

    assert setting.server.revision("production") == "1.0.0"
    assert setting.server.ready("production") == ("True", "AwaitingUpstream")


@in_virtual_time
async def test_what_could_not_be_set_again_was_put_back_once() -> None:
    async with started(interval="10s", rollout={"onExternalChange": "Override"}) as setting:
        await release(setting, "1.0.1")
        await asyncio.sleep(15)
        setting.server.refusing["shop"] = ClusterUnavailable("the Kubernetes API did not answer")
        setting.server.edit_application(revision="1.0.0", manager="flux")
        await asyncio.sleep(300)
        setting.server.refusing.clear()
        await until(lambda: setting.server.revision() == "1.0.1", within_s=60)
        await asyncio.sleep(1)

    assert len(entry(setting)["reverts"]) == 1


@in_virtual_time
async def test_what_was_lost_with_a_status_gets_all_its_time_again() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1")
        await asyncio.sleep(1200)
    del setting.server.watches["shop"]["status"]
    setting.table = type(setting.table)()
    setting.server.sync(health="Progressing")
    async with setting.running():
        await asyncio.sleep(60)
        assert "quarantine" not in setting.server.status()
        setting.server.sync()
        await asyncio.sleep(30)
    assert setting.server.ready() == ("True", "UpToDate")


@in_virtual_time
async def test_what_is_held_tells_so_in_argo_cd_too() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1")
        await asyncio.sleep(30)
        setting.server.edit_application(revision="0.9.0", manager="kubectl-edit")
        await asyncio.sleep(30)

    told = setting.server.applications["shop"]["metadata"]["annotations"]
    assert told["bundlewatch.dev/newer"].startswith(
        "kubectl-edit set targetRevision to 0.9.0 after BundleWatch had set"
    )
    assert (told["bundlewatch.dev/version"], told.get("bundlewatch.dev/digest")) == ("0.9.0", None)


@in_virtual_time
async def test_what_is_pinned_says_so_wherever_one_looks() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1")
        setting.server.edit_watch(pin="1.0.0")
        await until(lambda: setting.server.revision() == "1.0.0", within_s=30)
        setting.server.sync()
        await asyncio.sleep(60)

    assert setting.server.status()["summary"] == "shop runs 1.0.0, Synced and Healthy; spec.pin keeps it at 1.0.0"
    told = setting.server.applications["shop"]["metadata"]["annotations"]
    assert told["bundlewatch.dev/newer"] == "spec.pin asks for exactly 1.0.0"


@in_virtual_time
async def test_a_tag_pushed_anew_is_told_and_what_runs_keeps_its_digest() -> None:
    async with started(**QUICK) as setting:
        await release(setting, "1.0.1")
        await asyncio.sleep(30)
        before = setting.server.status()["current"]["digest"]
        setting.registry.publish("1.0.1", description="another bundle")
        await asyncio.sleep(60)

    assert setting.server.status()["current"]["digest"] == before != setting.server.status()["candidate"]["digest"]
    assert "1.0.1 was pushed anew since, which deploys nothing" in setting.server.status()["summary"]
