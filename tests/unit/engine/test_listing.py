"""One listing and one look for everybody who may see the same, and for nobody else."""

import asyncio
import contextlib
import itertools
from dataclasses import replace
from typing import Any

import pytest

from bundlewatch.bundle.chart import Chart, NotAChart
from bundlewatch.engine.keychain import Keychain
from bundlewatch.engine.listing import Listings
from bundlewatch.engine.route import Route
from bundlewatch.errors import (
    AccessDenied,
    InvalidSecret,
    NotInRegistry,
    NotTrusted,
    ObjectGone,
    RegistryUnavailable,
    SecretNotFound,
)
from bundlewatch.registry.client import Access
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.reference import parse_repository
from unit.engine.world import REPOSITORY, ROUTE, ApiServer, Registry, VirtualTime, basic_auth, in_virtual_time, settle

DENIED = AccessDenied("registry.example.com/team/shop: access denied")


class Setting:
    """A registry with 1.0.0 in it, Secrets, and what lists the one by the other."""

    def __init__(self, *, timeout_s: float = 300.0) -> None:
        self.registry, self.cluster = Registry(), ApiServer()
        self.registry.publish("1.0.0")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTime)
        self.loop = loop
        self.listings = Listings(
            registry=self.registry,
            keychain=Keychain(cluster=self.cluster),
            clock=self.loop.time,
            timeout_s=timeout_s,
        )

    @property
    def now(self) -> float:
        return self.loop.time()

    def route(self, user: str | None = None, *, namespace: str = "argocd", path: str = REPOSITORY) -> Route:
        """A way to the repository, with a Secret for `user` in its namespace."""
        repository = parse_repository(path)
        if user is None:
            return replace(ROUTE, repository=repository)
        self.cluster.secrets[f"{namespace}-secret-of-{user}"] = basic_auth(user)
        return replace(ROUTE, repository=repository, namespace=namespace, secret=f"{namespace}-secret-of-{user}")

    async def refresh(self, route: Route = ROUTE) -> tuple[str, ...]:
        """A listing that begins now; it takes a second."""
        try:
            return (await self.listings.refresh(route, fresh_since=self.now, asked_at=0, interval_s=60)).tags
        finally:
            self.loop.now_s += 1


@in_virtual_time
async def test_a_listing_is_all_tags_and_the_latest_until_the_next() -> None:
    setting = Setting()
    assert setting.listings.latest(ROUTE) is None

    assert await setting.refresh() == ("1.0.0",)
    setting.registry.publish("1.0.1")

    latest = setting.listings.latest(ROUTE)
    assert latest is not None
    assert latest.tags == ("1.0.0",)


@in_virtual_time
async def test_the_same_credential_from_two_secrets_is_one_request() -> None:
    setting = Setting()
    setting.registry.gate = asyncio.Event()
    first, second = setting.route("ci"), setting.route("ci", namespace="staging")
    flights = [asyncio.create_task(setting.refresh(route)) for route in (first, second)]
    await settle()
    setting.registry.gate.set()

    assert await asyncio.gather(*flights) == [("1.0.0",), ("1.0.0",)]
    assert setting.registry.listed == [(REPOSITORY, "ci")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"user": "ci"}, {"user": "dev"}, id="another user"),
        pytest.param({"user": "ci"}, {}, id="nobody"),
        pytest.param({}, {"path": f"{REPOSITORY}-other"}, id="another repository"),
    ],
)
@in_virtual_time
async def test_who_may_see_something_else_never_gets_anothers_answer(
    one: dict[str, str], other: dict[str, str]
) -> None:
    setting = Setting()
    setting.registry.gate = asyncio.Event()
    mine, theirs = setting.route(**one), setting.route(**other)
    flights = [asyncio.create_task(setting.refresh(route)) for route in (mine, theirs)]
    await settle()

    assert len(setting.registry.listed) == len(set(setting.registry.listed)) == 2
    setting.registry.gate.set()
    await asyncio.gather(*flights)


@in_virtual_time
async def test_a_denied_user_does_not_see_what_another_was_shown() -> None:
    setting = Setting()
    await setting.refresh(setting.route("ci"))
    setting.registry.fault = DENIED

    with pytest.raises(AccessDenied):
        await setting.refresh(setting.route("dev"))

    assert setting.listings.latest(setting.route("dev")) is None


@in_virtual_time
async def test_of_those_who_share_a_refusal_each_is_told_of_the_secret_of_its_own() -> None:
    setting = Setting()
    setting.registry.fault = AccessDenied("refused", cure="check what somebody else uses")
    said = []
    for route in (setting.route("ci"), setting.route("ci", namespace="staging"), setting.route("ci")):
        with pytest.raises(AccessDenied) as denial:
            await setting.refresh(route)
        said.append(str(denial.value))

    assert len(setting.registry.listed) == 1
    assert [text.partition(" (spec")[0] for text in said] == [
        "refused; check Secret argocd/argocd-secret-of-ci",
        "refused; check Secret staging/staging-secret-of-ci",
        "refused; check Secret argocd/argocd-secret-of-ci",
    ]


@in_virtual_time
async def test_whoever_is_refused_a_bundle_is_told_of_the_secret_of_its_own() -> None:
    setting = Setting()
    routes = setting.route("ci"), setting.route("ci", namespace="staging")
    for route in routes:
        await setting.refresh(route)
    setting.registry.manifest_fault = AccessDenied("refused", cure="check what somebody else uses")

    said = await asyncio.gather(*(setting.listings.inspect(route, "1.0.0") for route in routes), return_exceptions=True)

    assert [str(error).partition(" (spec")[0] for error in said] == [
        "refused; check Secret argocd/argocd-secret-of-ci",
        "refused; check Secret staging/staging-secret-of-ci",
    ]


@in_virtual_time
async def test_a_changed_credential_sees_nothing_of_what_the_old_one_saw() -> None:
    setting = Setting()
    route = setting.route("ci")
    await setting.refresh(route)
    setting.cluster.secrets[str(route.secret)] = basic_auth("dev")
    setting.registry.fault = DENIED

    with pytest.raises(AccessDenied):
        await setting.refresh(route)

    assert setting.listings.latest(route) is None


@in_virtual_time
async def test_a_listing_that_is_new_enough_is_not_made_again() -> None:
    setting = Setting()
    made = setting.now
    await setting.refresh()
    await asyncio.sleep(20)

    await setting.listings.refresh(ROUTE, fresh_since=made, asked_at=0, interval_s=60)
    assert len(setting.registry.listed) == 1

    await setting.listings.refresh(ROUTE, fresh_since=made + 1, asked_at=0, interval_s=60)
    assert len(setting.registry.listed) == 2


@in_virtual_time
async def test_who_asked_after_a_listing_began_gets_one_that_began_later() -> None:
    setting = Setting()
    setting.registry.gate = asyncio.Event()
    early = asyncio.create_task(setting.refresh())
    await asyncio.sleep(5)
    setting.registry.publish("1.0.1")
    late = asyncio.create_task(setting.refresh())
    await settle()
    assert len(setting.registry.listed) == 1  # one after the other, so that a slow registry is not asked twice at once
    setting.registry.gate.set()
    await early

    assert await late == ("1.0.0", "1.0.1")
    assert len(setting.registry.listed) == 2


@in_virtual_time
async def test_a_failed_listing_leaves_the_last_complete_one_as_it_was() -> None:
    setting = Setting()
    await setting.refresh()
    setting.registry.fault = RegistryUnavailable("the third page did not come")

    with pytest.raises(RegistryUnavailable, match="third page"):
        await setting.refresh()

    latest = setting.listings.latest(ROUTE)
    assert latest is not None
    assert latest.tags == ("1.0.0",)


@in_virtual_time
async def test_a_listing_that_takes_too_long_is_an_unavailable_registry() -> None:
    setting = Setting(timeout_s=120)
    setting.registry.gate = asyncio.Event()

    with pytest.raises(RegistryUnavailable, match=r"listing the tags of registry.example.com/team/shop.* 120 s"):
        await setting.refresh()

    setting.registry.gate.set()
    assert await setting.refresh() == ("1.0.0",)


@in_virtual_time
async def test_a_denial_holds_for_a_minute_and_is_not_asked_for_again() -> None:
    setting = Setting()
    setting.registry.fault = DENIED
    for _ in range(4):
        with pytest.raises(AccessDenied):
            await setting.refresh()
        await asyncio.sleep(14)
    assert len(setting.registry.listed) == 1

    setting.registry.fault = None
    assert await setting.refresh() == ("1.0.0",)


@pytest.mark.parametrize(
    ("interval_s", "tries"),
    [
        pytest.param(60, [0, 1, 3, 7, 15, 31, 63, 123, 183], id="at most an hour"),
        pytest.param(90 * 60, [0, 1, 3, 7, 15, 31, 63, 127, 217], id="or the interval"),
    ],
)
@in_virtual_time
async def test_a_denial_holds_twice_as_long_each_time(interval_s: float, tries: list[int]) -> None:
    """Minutes after the first."""
    setting = Setting()
    setting.registry.fault = DENIED
    tried = []
    for minute in range(220 if interval_s > 60 else 190):
        before = len(setting.registry.listed)
        with pytest.raises(AccessDenied):
            await setting.listings.refresh(ROUTE, fresh_since=setting.now, asked_at=0, interval_s=interval_s)
        if len(setting.registry.listed) > before:
            tried.append(minute)
        await asyncio.sleep(60)

    assert tried == tries


@in_virtual_time
async def test_a_denial_after_a_success_holds_as_long_as_the_first() -> None:
    setting = Setting()
    for fault in (DENIED, DENIED, None, DENIED):
        setting.registry.fault = fault
        with contextlib.suppress(AccessDenied):
            await setting.refresh()
        await asyncio.sleep(121)

    setting.registry.fault = None
    assert await setting.refresh() == ("1.0.0",)


@in_virtual_time
async def test_however_a_registry_words_it_the_first_denial_stands_until_somebody_asks() -> None:
    setting = Setting()
    setting.registry.refusals = (AccessDenied(f"denied, request {number}") for number in itertools.count(1))
    said = []
    for asked_at in (0.0, 0.0, 0.0, setting.now + 3 * 3600):
        with pytest.raises(AccessDenied) as denial:
            await setting.listings.refresh(ROUTE, fresh_since=setting.now, asked_at=asked_at, interval_s=60)
        said.append(str(denial.value))
        await asyncio.sleep(3600)

    assert said == ["denied, request 1"] * 3 + ["denied, request 4"]


@in_virtual_time
async def test_a_denial_that_is_told_for_days_does_not_grow() -> None:
    setting = Setting()
    setting.registry.fault = DENIED
    depths = []
    for _ in range(5):
        with pytest.raises(AccessDenied) as denial:
            await setting.refresh()
        depths.append(len(denial.traceback))

    assert len(set(depths[1:])) == 1


@in_virtual_time
async def test_a_denial_holds_no_longer_once_somebody_asks() -> None:
    setting = Setting()
    setting.registry.fault = DENIED
    with pytest.raises(AccessDenied):
        await setting.refresh()
    await asyncio.sleep(1)
    setting.registry.fault = None

    listing = await setting.listings.refresh(ROUTE, fresh_since=0, asked_at=setting.now, interval_s=60)

    assert listing.tags == ("1.0.0",)
    assert await setting.refresh() == ("1.0.0",)  # nobody has to ask a second time


@in_virtual_time
async def test_a_denial_holds_no_longer_once_the_credential_has_changed() -> None:
    setting = Setting()
    route = setting.route("ci")
    setting.registry.fault = DENIED
    with pytest.raises(AccessDenied):
        await setting.refresh(route)
    setting.registry.fault = None
    setting.cluster.secrets[str(route.secret)] = basic_auth("ci", "a new password")

    assert await setting.refresh(route) == ("1.0.0",)


class Renewing:
    """A cloud that gives out another token each time, for the same identity."""

    def __init__(self) -> None:
        self.count = itertools.count(1)

    async def access(self, route: Route) -> Access:
        return Access(
            credential=Credential(f"token-{next(self.count)}", "made-up", identity="aws registry.example.com")
        )


@in_virtual_time
async def test_a_renewed_token_is_used_and_what_the_one_before_was_shown_is_kept() -> None:
    setting = Setting()
    listings = Listings(registry=setting.registry, keychain=Renewing(), clock=setting.loop.time, timeout_s=300)
    first = await listings.refresh(ROUTE, fresh_since=setting.now, asked_at=0, interval_s=60)
    await listings.inspect(ROUTE, "1.0.0")
    setting.loop.now_s += 60

    second = await listings.refresh(ROUTE, fresh_since=setting.now, asked_at=0, interval_s=60)

    assert [user for _, user in setting.registry.listed] == ["token-1", "token-2"]
    assert second.tags is first.tags
    assert second.round == 2


@in_virtual_time
async def test_a_certificate_that_is_not_trusted_is_not_looked_at_again_for_half_a_minute() -> None:
    setting = Setting()
    setting.registry.fault = NotTrusted("unknown authority")
    for _ in range(28):
        with pytest.raises(NotTrusted, match="unknown authority"):
            await setting.refresh()
    assert len(setting.registry.listed) == 1

    setting.registry.fault = None
    await asyncio.sleep(5)
    assert await setting.refresh() == ("1.0.0",)


@in_virtual_time
async def test_a_missing_secret_asks_no_registry() -> None:
    setting = Setting()

    with pytest.raises(SecretNotFound):
        await setting.refresh(replace(ROUTE, namespace="argocd", secret="missing"))

    assert setting.registry.listed == []


@pytest.mark.parametrize(
    ("route", "says"),
    [
        pytest.param({"secret": "regcred"}, "Secret argocd/regcred", id="credentials"),
        pytest.param({"ca_secret": "regcred"}, "Secret argocd/regcred: it has no key ca.crt", id="authorities"),
    ],
)
@in_virtual_time
async def test_a_secret_without_what_is_needed_is_named(route: dict[str, Any], says: str) -> None:
    setting = Setting()
    setting.cluster.secrets["regcred"] = {"type": "Opaque", "data": {}}

    with pytest.raises(InvalidSecret, match=says):
        await setting.refresh(replace(ROUTE, namespace="argocd", **route))


@in_virtual_time
async def test_a_tag_is_looked_at_once_a_round_by_all_who_ask() -> None:
    setting = Setting()
    await setting.refresh()
    setting.registry.manifest_gate = asyncio.Event()
    looks = [asyncio.create_task(setting.listings.inspect(ROUTE, "1.0.0")) for _ in range(3)]
    await settle()
    setting.registry.manifest_gate.set()

    found = {inspected.found for inspected in await asyncio.gather(*looks)}
    await setting.listings.inspect(ROUTE, "1.0.0")

    assert [chart.name for chart in found if isinstance(chart, Chart)] == ["shop"]
    assert setting.registry.fetched == ["1.0.0"]


@in_virtual_time
async def test_in_the_next_round_a_moved_tag_is_seen_as_what_it_is_now() -> None:
    setting = Setting()
    await setting.refresh()
    before = await setting.listings.inspect(ROUTE, "1.0.0")
    setting.registry.publish("1.0.0", name="other")
    await setting.refresh()

    after = await setting.listings.inspect(ROUTE, "1.0.0")

    assert isinstance(after.found, Chart)
    assert after.found.name == "other"
    assert after.digest != before.digest


@in_virtual_time
async def test_what_was_no_chart_is_believed_for_ten_minutes() -> None:
    setting = Setting()
    setting.registry.publish_image("9.9.9")
    for _ in range(10):
        await setting.refresh()
        await setting.listings.inspect(ROUTE, "9.9.9")
        await asyncio.sleep(58)
    assert setting.registry.fetched == ["9.9.9"]

    await asyncio.sleep(60)
    await setting.refresh()
    setting.registry.publish("9.9.9")

    assert isinstance((await setting.listings.inspect(ROUTE, "9.9.9")).found, Chart)


@pytest.mark.parametrize("uptime_s", [5.0, 10_000.0], ids=["just booted", "up for hours"])
@in_virtual_time
async def test_doubt_makes_everything_looked_at_again_also_what_was_no_chart(uptime_s: float) -> None:
    setting = Setting()
    setting.loop.now_s = uptime_s
    setting.registry.publish_image("9.9.9")
    await setting.refresh()
    await setting.listings.inspect(ROUTE, "9.9.9")
    await setting.listings.inspect(ROUTE, "1.0.0")
    setting.registry.publish("9.9.9")

    setting.listings.doubt(ROUTE)

    assert isinstance((await setting.listings.inspect(ROUTE, "9.9.9")).found, Chart)
    await setting.listings.inspect(ROUTE, "1.0.0")
    assert setting.registry.fetched.count("1.0.0") == 2


@pytest.mark.parametrize("again", ["in the next round", "when somebody asks"])
@in_virtual_time
async def test_a_tag_that_vanished_is_looked_for_once_and_again(again: str) -> None:
    setting = Setting()
    await setting.refresh()
    manifest = setting.registry.charts[REPOSITORY].pop("1.0.0")
    for _ in range(3):
        with pytest.raises(NotInRegistry):
            await setting.listings.inspect(ROUTE, "1.0.0")
    assert setting.registry.fetched == ["1.0.0"]
    setting.registry.charts[REPOSITORY]["1.0.0"] = manifest

    if again == "in the next round":
        await setting.refresh()
    else:
        setting.listings.doubt(ROUTE)

    assert not isinstance((await setting.listings.inspect(ROUTE, "1.0.0")).found, NotAChart)


@in_virtual_time
async def test_what_nobody_uses_any_more_is_ended_and_forgotten() -> None:
    setting = Setting()
    await setting.refresh()
    setting.registry.gate, setting.registry.manifest_gate = asyncio.Event(), asyncio.Event()
    work = [
        asyncio.create_task(setting.refresh()),
        asyncio.create_task(setting.listings.inspect(ROUTE, "1.0.0")),
    ]
    await settle()

    setting.listings.forget(ROUTE)

    results = await asyncio.gather(*work, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    assert setting.listings.latest(ROUTE) is None
    with pytest.raises(ObjectGone):
        await setting.listings.inspect(ROUTE, "1.0.0")


@in_virtual_time
async def test_forgetting_one_of_two_who_share_takes_nothing_from_the_other() -> None:
    setting = Setting()
    setting.registry.gate = asyncio.Event()
    mine, theirs = setting.route("ci"), setting.route("ci", namespace="staging")
    flights = {route: asyncio.create_task(setting.refresh(route)) for route in (mine, theirs)}
    await settle()

    setting.listings.forget(theirs)
    setting.registry.gate.set()

    assert await flights[mine] == ("1.0.0",)
    await flights[theirs]
    assert setting.listings.latest(mine) is not None
    assert setting.listings.latest(theirs) is None


@in_virtual_time
async def test_an_unchanged_repository_is_the_same_tuple_of_tags_so_that_it_is_judged_once() -> None:
    setting = Setting()
    setting.registry.publish("1.0.1")
    first = await setting.refresh()
    setting.registry.charts[REPOSITORY] = dict(reversed(setting.registry.charts[REPOSITORY].items()))

    assert await setting.refresh() is first
