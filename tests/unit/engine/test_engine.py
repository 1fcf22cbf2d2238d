"""The engine from what the watch tells to what stands in the cluster, in virtual time."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from bundlewatch.argocd.application import parse
from bundlewatch.cluster.client import APPLICATIONS
from bundlewatch.cluster.watch import Event, Relisted, Seen
from bundlewatch.engine.engine import Engine
from bundlewatch.engine.table import read_watch
from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    ClusterUnavailable,
    NotTrusted,
    ObjectGone,
    RateLimited,
    RegistryUnavailable,
    RepositoryNotFound,
)
from unit.engine.setting import Setting, shop, until
from unit.engine.world import (
    NAMESPACE,
    REPOSITORY,
    at,
    basic_auth,
    in_virtual_time,
)

DOWN = RegistryUnavailable("registry.example.com does not answer")


@in_virtual_time
async def test_a_new_bundle_reaches_the_application_within_the_interval_and_everybody_is_told() -> None:
    setting = shop(interval="1m")
    async with setting.running():
        await asyncio.sleep(1)
        assert setting.server.ready() == ("True", "UpToDate")
        setting.registry.publish("1.0.1")
        await asyncio.sleep(64)

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status()["candidate"]["tag"] == "1.0.1"
    assert setting.server.told("Moved") == ["moved Application shop from 1.0.0 to 1.0.1"]


@in_virtual_time
async def test_an_idle_system_writes_nothing() -> None:
    setting = shop(interval="10s")
    async with setting.running():
        await asyncio.sleep(5)
        written, told = setting.server.status_writes, len(setting.server.events)
        await asyncio.sleep(3600)

    assert setting.listings > 300
    assert (setting.server.status_writes, len(setting.server.events)) == (written, told)
    assert setting.server.patched == []


@in_virtual_time
async def test_nothing_is_decided_before_everything_has_been_seen() -> None:
    """The older BundleWatch owns the Application, and has not been told of yet."""
    setting = shop()
    setting.registry.publish("1.0.1")
    setting.server.create_watch("older", metadata={"creationTimestamp": at(-9000)}, suspend=True)
    async with setting.running(told=False) as engine:
        setting.server.watcher = engine.tell
        setting.server.tell_everything(but="older")
        await asyncio.sleep(60)
        assert "still reading" in str(engine.ready())
        assert setting.server.patched == []
        assert setting.listings == 0

        setting.server.tell_everything()
        await asyncio.sleep(5)
        assert engine.ready() is None

    assert setting.server.revision() == "1.0.0"
    assert setting.server.ready() == ("False", "Conflict")


@in_virtual_time
async def test_a_watch_that_somebodys_finalizer_keeps_from_being_deleted_holds_up_nobody() -> None:
    setting = shop()
    setting.registry.publish("1.0.1")
    setting.server.create_watch("leaving", metadata={"deletionTimestamp": at(-5), "finalizers": ["example.com/keep"]})
    async with setting.running() as engine:
        await asyncio.sleep(5)
        assert engine.ready() is None

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status("leaving") == {}


@in_virtual_time
async def test_an_api_server_that_is_down_at_the_start_is_waited_for() -> None:
    setting = shop()
    setting.registry.publish("1.0.1")
    setting.server.refusing["uids"] = ClusterUnavailable("the Kubernetes API did not answer")
    async with setting.running() as engine:
        await asyncio.sleep(60)
        assert engine.healthy() is None
        assert setting.server.patched == []
        setting.server.refusing.clear()
        await asyncio.sleep(10)

    assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_an_api_server_that_is_slow_at_the_start_does_not_make_us_unhealthy() -> None:
    setting = shop()
    setting.server.listing = asyncio.Event()
    async with setting.running() as engine:
        for _ in range(60):
            await asyncio.sleep(10)
            assert engine.healthy() is None
        setting.server.listing.set()
        await asyncio.sleep(5)

        assert engine.ready() is None


@pytest.mark.parametrize(
    ("refusal", "lines"),
    [
        pytest.param(ClusterUnavailable("reading BundleWatches was refused"), 1, id="refused"),
        pytest.param(ObjectGone("not found"), 0, id="not served yet, which whoever waits for the CRDs says"),
    ],
)
@in_virtual_time
async def test_what_keeps_us_from_reading_the_cluster_is_logged_once(
    refusal: Exception, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    setting = shop()
    setting.server.refusing["uids"] = refusal
    async with setting.running():
        await asyncio.sleep(60)

        assert len([line for line in caplog.messages if line == str(refusal)]) == lines


@in_virtual_time
async def test_a_changed_spec_is_acted_on_at_once() -> None:
    setting = shop(interval="1h", tags={"range": "~1.0"})
    setting.registry.publish("2.0.0")
    async with setting.running():
        await asyncio.sleep(2)
        assert setting.server.revision() == "1.0.0"
        setting.server.edit_watch(tags={})
        await asyncio.sleep(1)

        assert setting.server.revision() == "2.0.0"


@in_virtual_time
async def test_another_repository_is_looked_at_at_once_and_the_old_one_no_more() -> None:
    setting = shop(interval="10s", applications=[{"selector": {}}])
    async with setting.running():
        await asyncio.sleep(2)
        setting.server.edit_watch(repository=f"{REPOSITORY}-other")
        await asyncio.sleep(60)
        setting.registry.listed.clear()
        await asyncio.sleep(60)

    assert {repository for repository, _ in setting.registry.listed} == {f"{REPOSITORY}-other"}


@in_virtual_time
async def test_whoever_asks_is_served_at_once_and_told_when_it_was_done() -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.publish("1.0.1")
        setting.registry.gate = asyncio.Event()
        setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"})
        await asyncio.sleep(10)
        assert "lastHandledReconcileAt" not in setting.server.status()
        setting.registry.gate.set()
        await asyncio.sleep(1)

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status()["lastHandledReconcileAt"] == "now"


@in_virtual_time
async def test_whoever_asks_has_also_that_looked_at_again_which_was_no_chart() -> None:
    setting = shop(interval="1h")
    setting.registry.publish_image("1.0.1")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.publish("1.0.1")
        setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"})
        await asyncio.sleep(1)

    assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_listing_that_takes_long_is_said_to_be_under_way() -> None:
    setting = shop()
    setting.registry.gate = asyncio.Event()
    async with setting.running():
        await asyncio.sleep(10)

        assert setting.server.ready() == ("Unknown", "Progressing")
        assert setting.server.status()["summary"] == f"listing the tags of {REPOSITORY}"


@in_virtual_time
async def test_a_failing_registry_is_asked_ever_less_and_used_again_once_it_answers() -> None:
    setting = shop(interval="10s")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.fault, setting.registry.listed = DOWN, []
        await asyncio.sleep(3600)
        assert setting.server.ready() == ("False", "RegistryUnavailable")
        assert 5 <= setting.listings <= 60
        assert len(setting.server.told("RegistryUnavailable")) == 1

        setting.registry.fault = None
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=601)
        setting.registry.listed.clear()
        await asyncio.sleep(60)
        assert setting.listings >= 5
        setting.server.sync()
        await asyncio.sleep(12)

        assert setting.server.ready() == ("True", "UpToDate")


@in_virtual_time
async def test_a_registry_that_says_when_to_come_back_is_not_asked_before() -> None:
    setting = shop(interval="10s")
    setting.registry.fault = RateLimited("registry.example.com asks us to slow down", retry_after_s=900)
    async with setting.running():
        await asyncio.sleep(890)
        assert setting.listings == 1
        await asyncio.sleep(20)

        assert setting.listings == 2


@in_virtual_time
async def test_a_registry_that_fails_anew_is_asked_again_as_soon_as_the_first_time() -> None:
    setting = shop(interval="10s")
    setting.registry.fault = DOWN
    async with setting.running():
        await asyncio.sleep(3600)
        setting.registry.fault = None
        await until(lambda: setting.server.ready() == ("True", "UpToDate"), within_s=601)
        setting.registry.fault, setting.registry.listed = DOWN, []
        await asyncio.sleep(30)

        assert setting.listings >= 2


@in_virtual_time
async def test_of_a_mistake_status_says_the_newest_words() -> None:
    setting = shop(interval="10s")
    setting.registry.fault = RepositoryNotFound("there is no such repository")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.fault = RepositoryNotFound("there is no such project")
        await asyncio.sleep(120)

        assert "no such project" in setting.server.status()["summary"]


@in_virtual_time
async def test_a_refused_credential_is_sent_ever_less_often_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Every refusal of a registry may have its own number; in as many words it is still the same."""
    setting = shop(interval="1h", access={"secretRef": {"name": "regcred"}})
    setting.server.secrets["regcred"] = basic_auth("ci")
    setting.registry.refusals = (AccessDenied(f"denied, request {number}") for number in itertools.count(1))
    async with setting.running():
        await asyncio.sleep(3 * 3600)

        assert 4 <= setting.listings <= 9
        assert setting.server.status_writes == 1
        assert "request 1" in setting.server.status()["summary"]
        assert len([line for line in caplog.messages if "denied, request" in line]) <= 2  # the listing, the Event


@pytest.mark.parametrize(
    "cure",
    [
        pytest.param({"annotations": {"bundlewatch.dev/reconcile": "now"}}, id="a request"),
        pytest.param({"tags": {"range": "~1.0"}}, id="an edit"),
    ],
)
@in_virtual_time
async def test_a_refused_credential_is_sent_again_at_once_for_somebody_who_acts(cure: dict[str, Any]) -> None:
    setting = shop(interval="1h")
    setting.registry.fault = AccessDenied("denied, request 1")
    async with setting.running():
        await asyncio.sleep(3 * 3600)
        setting.registry.listed.clear()
        setting.registry.fault = AccessDenied("denied for another reason")
        setting.server.edit_watch(**cure)
        await asyncio.sleep(1)

        assert setting.listings == 1
        assert "denied for another reason" in setting.server.status()["summary"]


@in_virtual_time
async def test_a_corrected_credential_is_used_within_five_seconds_however_long_the_wrong_one_was_there() -> None:
    setting = shop(interval="24h", access={"secretRef": {"name": "regcred"}})
    setting.server.secrets["regcred"] = basic_auth("ci")
    setting.registry.publish("1.0.1")
    setting.registry.fault = AccessDenied("denied")
    async with setting.running():
        await asyncio.sleep(3 * 3600)
        setting.registry.fault = None
        setting.server.secrets["regcred"] = basic_auth("ci", "the right one")
        await asyncio.sleep(6)

        assert setting.server.revision() == "1.0.1"


@pytest.mark.parametrize(
    "fault", [AccessDenied("denied"), NotTrusted("unknown authority")], ids=lambda fault: fault.reason
)
@in_virtual_time
async def test_while_a_registry_refuses_us_the_secret_is_read_every_five_seconds_and_the_registry_left_alone(
    fault: BundleWatchError,
) -> None:
    setting = shop(interval="1h", access={"secretRef": {"name": "regcred"}})
    setting.server.secrets["regcred"] = basic_auth("ci")
    setting.registry.fault = fault
    async with setting.running():
        await asyncio.sleep(5)
        setting.server.secrets_read.clear()
        setting.registry.listed.clear()
        written = setting.server.status_writes
        await asyncio.sleep(24)

        assert 4 <= len(setting.server.secrets_read) <= 5
        assert setting.listings == 0
        assert setting.server.status_writes == written


@in_virtual_time
async def test_a_certificate_that_is_mended_at_the_registry_is_trusted_within_half_a_minute() -> None:
    setting = shop(interval="24h")
    setting.registry.publish("1.0.1")
    setting.registry.fault = NotTrusted("expired")
    async with setting.running():
        await asyncio.sleep(3600)
        setting.registry.fault = None
        await asyncio.sleep(36)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_many_edits_while_a_registry_refuses_us_are_few_tries() -> None:
    setting = shop(interval="1h")
    setting.registry.fault = AccessDenied("denied")
    async with setting.running():
        await asyncio.sleep(600)
        setting.registry.listed.clear()
        for number in range(100):
            setting.server.edit_watch(tags={"range": f"<{number + 2}"})
            await asyncio.sleep(0.1)

        assert setting.listings <= 2


@in_virtual_time
async def test_a_person_who_asks_while_a_registry_fails_is_served_at_once() -> None:
    setting = shop(interval="1h")
    setting.registry.fault = DOWN
    async with setting.running():
        await asyncio.sleep(900)
        setting.registry.fault = None
        setting.registry.publish("1.0.1")
        setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"})
        await asyncio.sleep(1)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_secret_that_was_missing_is_used_within_five_seconds_of_its_coming() -> None:
    setting = shop(interval="1h", access={"secretRef": {"name": "regcred"}})
    setting.registry.publish("1.0.1")
    async with setting.running():
        await asyncio.sleep(600)
        assert setting.server.ready() == ("False", "SecretNotFound")
        setting.server.secrets["regcred"] = basic_auth("ci")
        await asyncio.sleep(6)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_the_same_mistake_is_logged_once_however_often_it_is_met(caplog: pytest.LogCaptureFixture) -> None:
    setting = shop(interval="10s")
    setting.registry.fault = AccessDenied("registry.example.com/team/shop: access denied")
    async with setting.running():
        await asyncio.sleep(600)

    assert setting.listings > 1
    assert len([line for line in caplog.messages if line == str(setting.registry.fault)]) <= 2  # the listing, the Event


@in_virtual_time
async def test_one_repository_is_listed_once_an_interval_however_many_watch_it() -> None:
    setting = shop(interval="1m")
    for number in range(30):
        setting.server.create_watch(f"shop-{number}", applications=[{"name": f"shop-{number}"}], interval="1m")
    async with setting.running():
        await asyncio.sleep(5)
        setting.registry.listed.clear()
        await asyncio.sleep(600)

    assert 9 <= setting.listings <= 11


@pytest.mark.parametrize("routes", [2, 5, 20])
@in_virtual_time
async def test_one_repository_is_listed_once_an_interval_however_many_secrets_hold_the_same_credential(
    routes: int,
) -> None:
    setting = Setting()
    async with setting.running():
        for number in range(routes):
            setting.server.secrets[f"regcred-{number}"] = basic_auth("ci")
            setting.server.create_watch(f"shop-{number}", access={"secretRef": {"name": f"regcred-{number}"}})
            await asyncio.sleep(60 / routes + 1)
        setting.registry.listed.clear()
        await asyncio.sleep(3600)

    assert 56 <= setting.listings <= 64


@in_virtual_time
async def test_whoever_shares_the_listings_of_another_has_a_new_bundle_within_their_own_interval() -> None:
    setting = shop(access={"secretRef": {"name": "regcred"}})
    setting.server.secrets.update({"regcred": basic_auth("ci"), "regcred-2": basic_auth("ci")})
    setting.server.create_application("second")
    async with setting.running():
        await asyncio.sleep(30)
        setting.server.create_watch(
            "second", applications=[{"name": "second"}], access={"secretRef": {"name": "regcred-2"}}
        )
        await asyncio.sleep(600)
        setting.registry.publish("1.0.1")
        await asyncio.sleep(64)

    assert (setting.server.revision("shop"), setting.server.revision("second")) == ("1.0.1", "1.0.1")


@pytest.mark.parametrize("secrets", ["one Secret", "a Secret each"])
@in_virtual_time
async def test_many_watches_applied_at_once_to_a_repository_that_was_just_listed_list_it_no_more(secrets: str) -> None:
    setting = shop(access={"secretRef": {"name": "regcred"}})
    setting.server.secrets["regcred"] = basic_auth("ci")
    setting.registry.delay_s = 0.05
    async with setting.running():
        await asyncio.sleep(5)
        setting.registry.listed.clear()
        for number in range(200):
            secret = f"regcred-{number}" if secrets == "a Secret each" else "regcred"
            setting.server.secrets[secret] = basic_auth("ci")
            setting.server.create_application(f"shop-{number}")
            setting.server.create_watch(
                f"shop-{number}", applications=[{"name": f"shop-{number}"}], access={"secretRef": {"name": secret}}
            )
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)

        assert setting.listings == 0
        assert {setting.server.ready(f"shop-{number}") for number in range(200)} == {("True", "UpToDate")}


@in_virtual_time
async def test_an_edit_of_what_is_wanted_of_a_fresh_listing_asks_no_registry() -> None:
    setting = shop(interval="1h", tags={"range": "~1.0"})
    setting.registry.publish("2.0.0")
    async with setting.running():
        await asyncio.sleep(60)
        setting.registry.listed.clear()
        setting.server.edit_watch(tags={})
        await asyncio.sleep(1)

        assert setting.server.revision() == "2.0.0"
        assert setting.listings == 0


@in_virtual_time
async def test_an_interval_shortened_below_the_age_of_the_listing_looks_at_once() -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(1800)
        setting.registry.publish("1.0.1")
        setting.server.edit_watch(interval="1m")
        await asyncio.sleep(1)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_shortened_interval_counts_from_the_last_listing() -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(20)
        setting.registry.publish("1.0.1")
        setting.server.edit_watch(interval="1m")
        await asyncio.sleep(45)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_request_that_comes_together_with_an_edit_is_answered_too() -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.publish("1.0.1")
        setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"}, tags={"range": "~1.0"})
        await asyncio.sleep(1)

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status()["lastHandledReconcileAt"] == "now"


@in_virtual_time
async def test_a_deleted_watch_is_polled_no_more_and_moves_nothing() -> None:
    setting = shop(interval="10s")
    async with setting.running():
        await asyncio.sleep(2)
        setting.server.delete_watch()
        setting.registry.listed.clear()
        setting.registry.publish("1.0.1")
        await asyncio.sleep(600)

    assert setting.listings == 0
    assert setting.server.revision() == "1.0.0"


@in_virtual_time
async def test_a_watch_deleted_while_its_status_is_written_is_polled_no_more_and_its_rival_takes_over() -> None:
    setting = shop(interval="10s")
    setting.server.secrets["regcred"] = basic_auth("ci")
    younger: dict[str, Any] = {
        "access": {"secretRef": {"name": "regcred"}},
        "interval": "1h",
        "metadata": {"creationTimestamp": at()},
    }
    setting.server.create_watch("younger", **younger)
    async with setting.running():
        await asyncio.sleep(2)
        assert setting.server.ready("younger") == ("False", "Conflict")
        body = setting.server.watches.pop("shop")  # the watch of the cluster is a moment behind
        setting.registry.fault = DOWN
        await asyncio.sleep(12)
        setting.server.watches["shop"] = body
        setting.server.delete_watch()
        await asyncio.sleep(1)
        assert setting.server.ready("younger") == ("True", "UpToDate")
        setting.registry.listed.clear()
        await asyncio.sleep(3000)

    assert setting.listings == 0  # the younger one looks once an hour


@pytest.mark.parametrize("moment", ["at rest", "while its Secret is read", "while its repository is listed"])
@in_virtual_time
async def test_a_deleted_watch_leaves_nothing_of_its_listings_behind(moment: str) -> None:
    setting = shop(interval="10s", access={"secretRef": {"name": "regcred"}})
    setting.server.secrets["regcred"] = basic_auth("ci")
    gate = asyncio.Event()
    setting.server.reading = gate if moment == "while its Secret is read" else None
    setting.registry.gate = gate if moment == "while its repository is listed" else None
    async with setting.running() as engine:
        await asyncio.sleep(1)
        setting.server.delete_watch()
        gate.set()
        await asyncio.sleep(5)

        assert (engine._listings._keys, engine._listings._shared) == ({}, {})


@pytest.mark.parametrize(
    ("newest", "gone"),
    [
        pytest.param("1.0.0", "uid-of-shop", id="a watch, by the answer to writing its status"),
        pytest.param("1.0.1", "uid-of-application-shop", id="an Application, by the answer to moving it"),
    ],
)
@in_virtual_time
async def test_what_was_deleted_is_not_brought_back_by_an_answer_that_comes_later(newest: str, gone: str) -> None:
    setting = shop(interval="1h")
    setting.registry.publish(newest)
    setting.server.answering = asyncio.Event()
    async with setting.running():
        await asyncio.sleep(1)
        setting.server.delete_watch() if gone == "uid-of-shop" else setting.server.delete_application()
        setting.server.answering.set()
        await asyncio.sleep(1)

        assert gone not in setting.table.uids()


@in_virtual_time
async def test_what_was_deleted_unseen_is_swept_away_and_whoever_waited_for_it_takes_over() -> None:
    setting = shop(interval="10s")
    setting.server.create_watch("younger", metadata={"creationTimestamp": at(-60)}, interval="1h")
    setting.registry.publish("1.0.1")
    async with setting.running() as engine:
        await asyncio.sleep(2)
        setting.server.watches.pop("shop")
        setting.server.applications.pop("shop")
        setting.registry.publish("1.0.2")
        engine.tell(Relisted())
        await asyncio.sleep(5)
        assert setting.server.ready("younger") == ("False", "ApplicationNotFound")
        setting.registry.listed.clear()
        await asyncio.sleep(600)

    assert setting.listings == 0


@in_virtual_time
async def test_an_application_deleted_unseen_is_noticed_soon_after_the_others_are_listed_again() -> None:
    setting = shop(interval="1h")
    setting.server.create_application("other")
    async with setting.running() as engine:
        await asyncio.sleep(2)
        setting.server.applications.pop("shop")
        engine.tell(Seen(APPLICATIONS, parse(setting.server.applications["other"]), listed=True))
        await asyncio.sleep(5)

        assert setting.server.ready() == ("False", "ApplicationNotFound")


class Unheard:
    """Takes the place of the engine at a watch that tells nothing, and remembers what there was to tell."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)


@in_virtual_time
async def test_a_watch_that_tells_of_nothing_new_is_started_over_and_we_are_not_ready_until_it_has_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    setting = shop(interval="1h")
    async with setting.running() as engine:
        setting.server.watcher = unheard = Unheard()
        for number in range(3):
            setting.server.create_application(f"unheard-{number}")
        await asyncio.sleep(630)

        assert setting.restarts == 1
        assert "3 missing" in str(engine.ready())
        assert [line for line in caplog.messages if "3 missing" in line and "started over" in line]
        for event in unheard.events:
            engine.tell(event)
        assert engine.ready() is None
        await asyncio.sleep(3600)

        assert setting.restarts == 1


@in_virtual_time
async def test_what_the_watch_has_not_told_of_yet_is_no_reason_to_start_it_over() -> None:
    setting = shop(interval="1h")
    async with setting.running() as engine:
        for number in range(20):
            setting.server.watcher = unheard = Unheard()
            setting.server.create_application(f"late-{number}")
            engine.tell(Relisted())  # has the cluster looked at in two seconds
            await asyncio.sleep(4)
            for event in unheard.events:
                engine.tell(event)
            await asyncio.sleep(4)
            assert engine.ready() is None

        assert setting.restarts == 0


@in_virtual_time
async def test_a_watch_that_stays_deaf_is_started_over_ever_less_often() -> None:
    setting = shop(interval="1h")
    async with setting.running() as engine:
        setting.server.watcher = Unheard()
        setting.server.create_application("unheard")
        await asyncio.sleep(2 * 3600)
        assert 8 <= setting.restarts <= 16
        assert engine.ready() is not None

        setting.server.applications.pop("unheard")
        await asyncio.sleep(600)
        assert engine.ready() is None


@in_virtual_time
async def test_a_sweep_that_cannot_read_the_cluster_forgets_nothing_and_comes_again() -> None:
    setting = shop(interval="10s")
    async with setting.running() as engine:
        await asyncio.sleep(2)
        setting.server.refusing["uids"] = ClusterUnavailable("the Kubernetes API did not answer")
        setting.server.watches.pop("shop")
        engine.tell(Relisted())
        await asyncio.sleep(10)
        assert setting.table.uids() == {"uid-of-shop", "uid-of-application-shop"}
        setting.server.refusing.clear()
        await asyncio.sleep(30)

        assert setting.table.uids() == {"uid-of-application-shop"}


@in_virtual_time
async def test_an_application_that_comes_or_changes_is_seen_to_at_once() -> None:
    setting = Setting()
    setting.registry.publish("1.0.1")
    setting.server.create_watch(interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        assert setting.server.ready() == ("False", "ApplicationNotFound")
        setting.server.create_application()
        await asyncio.sleep(1)
        assert setting.server.revision() == "1.0.1"
        setting.server.sync()
        await asyncio.sleep(12)
        assert setting.server.ready() == ("True", "UpToDate")
        setting.server.delete_application()
        await asyncio.sleep(1)
        assert setting.server.ready() == ("False", "ApplicationNotFound")


@in_virtual_time
async def test_an_application_that_loses_its_label_is_at_once_no_longer_followed() -> None:
    setting = Setting()
    setting.server.create_application(metadata={"labels": {"team": "web"}})
    setting.server.create_watch(interval="1h", applications=[{"selector": {"matchLabels": {"team": "web"}}}])
    async with setting.running():
        await asyncio.sleep(2)
        assert setting.server.ready() == ("True", "UpToDate")
        setting.server.create_application(metadata={"labels": {"team": "data"}})
        await asyncio.sleep(1)

        assert setting.server.ready() == ("False", "NoApplication")


@in_virtual_time
async def test_an_application_given_up_by_its_owner_is_at_once_the_next_ones() -> None:
    setting = shop(interval="1h")
    setting.server.create_watch("younger", metadata={"creationTimestamp": at(-60)}, interval="1h")
    async with setting.running():
        await asyncio.sleep(3)
        assert setting.server.ready("younger") == ("False", "Conflict")
        setting.server.edit_watch(applications=[{"name": "other"}], repository=f"{REPOSITORY}-other")
        await asyncio.sleep(1)

        assert setting.server.ready("younger") == ("True", "UpToDate")


@in_virtual_time
async def test_an_argo_cd_that_does_not_look_is_told_of_after_a_minute_although_nothing_happens() -> None:
    setting = shop(interval="1h")
    setting.registry.publish("1.0.1")
    async with setting.running():
        await asyncio.sleep(30)
        assert "check that its application-controller runs" not in setting.server.status()["summary"]
        await asyncio.sleep(40)

        assert "check that its application-controller runs" in setting.server.status()["summary"]


@in_virtual_time
async def test_a_suspended_watch_asks_no_registry() -> None:
    setting = shop(suspend=True, interval="10s")
    async with setting.running():
        await asyncio.sleep(600)

        assert setting.server.ready() == ("True", "Suspended")
        assert setting.listings == 0


@in_virtual_time
async def test_an_application_found_missing_by_one_watch_is_told_to_all_it_concerns() -> None:
    setting = shop(interval="10s")
    setting.server.create_watch("younger", metadata={"creationTimestamp": at(-60)}, interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        assert setting.server.ready("younger") == ("False", "Conflict")
        setting.server.applications.pop("shop")  # the watch of the cluster is a moment behind
        setting.registry.publish("1.0.1")
        await asyncio.sleep(12)

        assert setting.server.ready("shop") == ("False", "ApplicationNotFound")
        assert setting.server.ready("younger") == ("False", "ApplicationNotFound")


@in_virtual_time
async def test_a_status_that_could_not_be_written_is_written_later_and_the_move_is_told_then() -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.publish("1.0.1")
        setting.server.refusing["status"] = ClusterUnavailable("the Kubernetes API did not answer")
        setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"})
        await asyncio.sleep(30)
        assert setting.server.revision() == "1.0.1"
        setting.server.refusing.clear()
        await asyncio.sleep(60)

    assert setting.server.status()["history"][0]["message"] == "moved shop from 1.0.0"
    assert setting.server.told("Moved") == ["moved Application shop from 1.0.0 to 1.0.1"]


@in_virtual_time
async def test_a_write_that_failed_is_tried_again_without_waiting_for_the_next_listing() -> None:
    setting = shop(interval="1h")
    setting.registry.publish("1.0.1")
    setting.server.refusing["shop"] = ClusterUnavailable("the Kubernetes API did not answer")
    async with setting.running():
        await asyncio.sleep(30)
        assert setting.server.ready() == ("False", "ClusterUnavailable")
        assert setting.server.patched.count("shop") < 10
        setting.server.refusing.clear()
        await asyncio.sleep(60)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_somebody_who_overwrites_our_status_is_corrected() -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        await setting.server.patch_watch_status(NAMESPACE, "shop", uid="uid-of-shop", status={"summary": "nonsense"})
        await asyncio.sleep(1)

        assert setting.server.status()["summary"] == "shop runs 1.0.0, Synced and Healthy"


WRONG = "registry.example.com/wrong/shop"


def behind(setting: Setting, engine: Engine, change: Callable[[], None]) -> None:
    """What `change` does lands just before our next write of a status, and the watch tells of it after the answer."""
    late = Unheard()

    def tell() -> None:
        setting.server.watcher = engine.tell
        for event in late.events:
            engine.tell(event)

    def edit() -> None:
        setting.server.watcher = late
        change()
        asyncio.get_running_loop().call_later(0.01, tell)

    setting.server.before_status.append(edit)


@in_virtual_time
async def test_a_spec_edited_just_before_our_status_is_written_is_acted_on() -> None:
    setting = shop(repository=WRONG, interval="10s")
    setting.registry.publish("5.0.0", repository=WRONG)
    setting.registry.publish("1.0.1")
    engine: Engine
    async with setting.running(told=False) as engine:
        behind(setting, engine, lambda: setting.server.edit_watch(repository=REPOSITORY))
        setting.server.watcher = engine.tell
        setting.server.tell_everything()
        await asyncio.sleep(5)

        assert setting.server.revision() == "1.0.1"
        setting.registry.listed.clear()
        await asyncio.sleep(60)
        assert {repository for repository, _ in setting.registry.listed} == {REPOSITORY}


@in_virtual_time
async def test_a_request_made_just_before_our_status_is_written_is_answered() -> None:
    setting = shop(interval="1h")
    async with setting.running() as engine:
        behind(setting, engine, lambda: setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"}))
        setting.server.sync(health="Progressing")
        setting.registry.publish("1.0.1")
        await asyncio.sleep(1)

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status()["lastHandledReconcileAt"] == "now"


@in_virtual_time
async def test_a_hold_ended_just_before_our_status_is_written_is_ended() -> None:
    setting = shop(interval="1h")
    setting.registry.publish("1.0.1")
    async with setting.running() as engine:
        await asyncio.sleep(1)
        setting.server.sync()
        await asyncio.sleep(1)
        behind(setting, engine, lambda: setting.server.edit_watch(annotations={"bundlewatch.dev/resume": "now"}))
        setting.server.edit_application(revision="1.0.0")
        await asyncio.sleep(1)

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status()["lastHandledResumeAt"] == "now"


@in_virtual_time
async def test_somebody_who_overwrites_our_status_just_before_we_write_it_is_corrected() -> None:
    setting = shop(interval="1h")

    def overwrite() -> None:
        status = {**setting.server.status(), "verdicts": []}
        setting.server.watches["shop"] = {**setting.server.watches["shop"], "status": status}

    async with setting.running() as engine:
        behind(setting, engine, overwrite)
        setting.server.sync(health="Progressing")
        await asyncio.sleep(1)

    assert [verdict["tag"] for verdict in setting.server.status()["verdicts"]] == ["1.0.0"]


@in_virtual_time
async def test_the_answer_to_our_own_write_is_no_reason_to_look_again(caplog: pytest.LogCaptureFixture) -> None:
    setting = shop(interval="1h")
    caplog.set_level(logging.DEBUG)
    async with setting.running(told=False) as engine:
        behind(setting, engine, lambda: None)
        setting.server.watcher = engine.tell
        setting.server.tell_everything()
        await asyncio.sleep(60)

    assert [line for line in caplog.messages if line.startswith("looked")] == ["looked, and told what is new"]


@in_virtual_time
async def test_a_pass_never_decides_by_the_tags_of_a_repository_that_the_spec_has_left() -> None:
    """Whatever way a BundleWatch took into the table."""
    setting = shop(repository=WRONG, interval="1h")
    setting.registry.publish("5.0.0", repository=WRONG)
    setting.registry.publish("1.0.1")
    async with setting.running() as engine:
        setting.server.watcher = None
        setting.server.edit_watch(repository=REPOSITORY)
        setting.table.put_watch(read_watch(setting.server.watches["shop"]))
        setting.server.watcher = engine.tell
        setting.server.sync(health="Progressing")
        await asyncio.sleep(5)

    assert setting.server.revision() == "1.0.1"


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return len([record for record in caplog.records if record.exc_info and record.levelno == logging.ERROR])


@in_virtual_time
async def test_a_defect_in_a_listing_is_told_retried_ever_later_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    setting = shop(interval="10s")
    setting.registry.fault = KeyError("a defect")
    async with setting.running():
        await asyncio.sleep(3600)
        assert setting.server.ready() == ("False", "InternalError")
        assert "KeyError" in setting.server.status()["summary"]
        assert "the operator's log" in setting.server.status()["summary"]
        assert 5 <= setting.listings <= 60
        assert tracebacks(caplog) == 1

        setting.registry.fault = None
        setting.registry.publish("1.0.1")
        await until(lambda: setting.server.revision() == "1.0.1", within_s=601)


@in_virtual_time
async def test_a_defect_in_a_pass_is_told_retried_ever_later_and_outlived(caplog: pytest.LogCaptureFixture) -> None:
    setting = shop(interval="1h")
    setting.registry.publish("1.0.1")
    setting.registry.manifest_fault = KeyError("a defect")
    async with setting.running():
        await asyncio.sleep(1800)
        assert setting.server.ready() == ("False", "InternalError")
        assert setting.server.status_writes == 1
        assert tracebacks(caplog) == 1

        setting.registry.manifest_fault = None
        await until(lambda: setting.server.revision() == "1.0.1", within_s=301)


@in_virtual_time
async def test_a_defect_while_status_is_written_is_retried_too(caplog: pytest.LogCaptureFixture) -> None:
    setting = shop(interval="1h")
    async with setting.running():
        await asyncio.sleep(2)
        setting.registry.publish("1.0.1")
        setting.server.refusing["status"] = KeyError("a defect")
        setting.server.edit_watch(annotations={"bundlewatch.dev/reconcile": "now"})
        await asyncio.sleep(30)
        assert tracebacks(caplog) == 1
        setting.server.refusing.clear()
        await asyncio.sleep(60)

    assert setting.server.status()["lastHandledReconcileAt"] == "now"


@in_virtual_time
async def test_a_defect_while_reading_the_cluster_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    setting = shop(interval="10s")
    defect = KeyError("a defect")
    setting.server.refusing["uids"] = defect
    async with setting.running() as engine:
        await asyncio.sleep(10)
        setting.server.refusing.clear()
        await asyncio.sleep(10)
        assert engine.ready() is None

        setting.server.refusing["uids"] = defect
        setting.server.watches.pop("shop")
        engine.tell(Relisted())
        await asyncio.sleep(60)
        setting.server.refusing.clear()
        await asyncio.sleep(60)

        assert setting.table.uids() == {"uid-of-application-shop"}
    assert tracebacks(caplog) == 1


@in_virtual_time
async def test_an_api_server_that_hangs_while_it_is_swept_holds_up_no_listing() -> None:
    setting = shop(interval="10s")
    async with setting.running() as engine:
        await asyncio.sleep(2)
        setting.server.listing = asyncio.Event()
        engine.tell(Relisted())
        await asyncio.sleep(5)
        setting.registry.publish("1.0.1")
        await asyncio.sleep(300)
        assert engine.healthy() is None
        setting.server.listing.set()

    assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_hung_registry_holds_up_no_other() -> None:
    setting = Setting()
    setting.registry.gate = asyncio.Event()
    for number in range(20):
        setting.server.create_watch(f"hung-{number}", repository=f"hung.example.com/{number}")
    setting.server.create_application()
    setting.server.create_watch(interval="10s")
    setting.registry.hangs = "hung.example.com"
    setting.registry.publish("1.0.1")
    async with setting.running():
        await asyncio.sleep(10)

        assert setting.server.revision() == "1.0.1"


@in_virtual_time
async def test_a_restart_spreads_its_first_listings_and_forgets_nobody() -> None:
    setting = Setting()
    for number in range(400):
        setting.server.create_watch(f"shop-{number}", repository=f"registry.example.com/shop/{number}")
    async with setting.running():
        first = setting.listings
        await asyncio.sleep(5)

    assert first < 200
    assert len({repository for repository, _ in setting.registry.listed}) == 400


@in_virtual_time
async def test_closing_lets_a_write_that_has_begun_end_and_its_status_be_written() -> None:
    setting = shop()
    setting.registry.publish("1.0.1")
    engine = setting.build()
    setting.server.watcher = engine.tell
    setting.server.tell_everything()
    setting.server.answering = asyncio.Event()
    running = asyncio.create_task(engine.run())
    await asyncio.sleep(1)
    running.cancel()
    closing = asyncio.create_task(engine.close(grace_s=10))
    await asyncio.sleep(1)
    setting.server.answering.set()
    await closing
    await asyncio.gather(running, return_exceptions=True)

    assert setting.server.revision() == "1.0.1"
    assert setting.server.status()["history"][0]["tag"] == "1.0.1"


@pytest.mark.parametrize("edit", [{"suspend": True}, {"pin": "1.0.0"}], ids=["suspended", "pinned"])
@in_virtual_time
async def test_what_is_asked_while_a_bundle_is_looked_at_counts_before_anything_is_moved(edit: dict[str, Any]) -> None:
    setting = shop(interval="1m")
    async with setting.running():
        setting.registry.manifest_gate = asyncio.Event()
        setting.registry.publish("1.0.1")
        await until(lambda: "1.0.1" in setting.registry.fetched, within_s=70)

        setting.server.edit_watch(**edit)
        setting.registry.manifest_gate.set()
        await asyncio.sleep(300)

        assert setting.server.patched == []
