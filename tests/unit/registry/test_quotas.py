"""Quotas: read where a registry tells them, told once, and a reason to ask more slowly."""

import asyncio
import logging

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import RateLimited
from bundlewatch.registry.client import Access, HostLimits, RegistryClient, Timeouts
from bundlewatch.registry.manifests import digest_of
from bundlewatch.registry.quotas import Quota, Quotas, parse
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.throttle import Timing
from bundlewatch.registry.transport import Transport
from unit.registry.scripted import REPOSITORY, Time, TokenRegistry, in_turn, play, refused

HOST = "registry.example.com"


def answer(remaining: int, *, limit: int = 100, source: str = "192.0.2.1") -> httpx.Response:
    return httpx.Response(
        200,
        json={"tags": ["1.0.0"]},
        headers={
            "ratelimit-limit": f"{limit};w=21600",
            "ratelimit-remaining": f"{remaining};w=21600",
            "docker-ratelimit-source": source,
        },
    )


def manifest(remaining: int) -> httpx.Response:
    headers = {name: value for name, value in answer(remaining).headers.items() if "ratelimit" in name}
    return httpx.Response(200, json={"config": {}}, headers=headers)


@pytest.mark.parametrize(
    ("limit", "remaining", "quota"),
    [
        ("100;w=21600", "20;w=21600", Quota(100, 20, 21600, "")),
        ("100", "20", Quota(100, 20, 21600, "")),
        (" 200 ; w=3600 ", "0;w=3600", Quota(200, 0, 3600, "")),
        ("0;w=60", "0;w=60", None),
        ("many", "20", None),
        ("100;w=21600", None, None),
        ("100;w=x", "1", None),
        ("٣", "1", None),
        ("9" * 5000, "1", None),
    ],
)
def test_the_headers_are_read(limit: str, remaining: str | None, quota: Quota | None) -> None:
    assert parse(limit=limit, remaining=remaining, source=None) == quota


@given(*[st.none() | st.text(max_size=100)] * 3)
def test_any_headers_are_read_without_a_word(limit: str | None, remaining: str | None, source: str | None) -> None:
    quota = parse(limit=limit, remaining=remaining, source=source)
    assert quota is None or quota.source.isprintable()


async def test_what_is_left_can_be_asked_for_and_ages() -> None:
    played = play(in_turn(answer(73)))
    assert played.client.quotas() == {}
    await played.client.list_tags(REPOSITORY, access=Access())
    assert played.client.quotas() == {HOST: Quota(100, 73, 21600, "192.0.2.1")}
    played.time.now_s += 21_601
    assert played.client.quotas() == {}


async def test_of_several_sources_the_scarcest_counts() -> None:
    played = play(in_turn(answer(5), answer(199, limit=200, source="an account")))
    for _ in range(2):
        await played.client.list_tags(REPOSITORY, access=Access())
    assert played.client.quotas()[HOST].source == "192.0.2.1"


async def test_a_token_server_may_tell_for_its_registry() -> None:
    registry = TokenRegistry({}, public=True)

    def handler(request: httpx.Request) -> httpx.Response:
        answer = registry(request)
        if request.url.path == "/token":
            answer.headers.update({"ratelimit-limit": "100;w=60", "ratelimit-remaining": "3;w=60"})
        return answer

    played = play(handler)
    await played.client.list_tags(REPOSITORY, access=Access())
    assert played.client.quotas() == {HOST: Quota(100, 3, 60, "")}


async def test_few_left_is_said_once_and_slows_manifests_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    left = [11, 9, 8, 7, 90, 89]
    played = play(lambda _: manifest(left.pop(0) if len(left) > 1 else left[0]))
    for _ in range(2):
        await played.client.get_manifest(REPOSITORY, "1.0.0", access=Access())
    assert played.time.slept == []
    for _ in range(3):
        await played.client.get_manifest(REPOSITORY, "1.0.0", access=Access())
    assert played.time.slept == pytest.approx([2, 2])  # no burst, and 0.5 a second
    for _ in range(10):
        await played.client.get_manifest(REPOSITORY, "1.0.0", access=Access())
    assert played.time.slept == pytest.approx([2, 2])
    assert [record.message.split(" and ")[0] for record in caplog.records] == [
        f"{HOST} has 9 of 100 requests left in 21600 s",
        f"{HOST} has 90 of 100 requests left again",
    ]


async def test_what_no_quota_counts_is_not_slowed_down_where_little_is_left() -> None:
    """Docker Hub counts pulls, and those are manifests that are fetched: neither lists nor HEAD."""
    digest = "sha256:" + "0" * 64

    def handler(request: httpx.Request) -> httpx.Response:
        found = answer(3)
        found.headers.update({"docker-content-digest": digest, "content-length": "7"})
        return found if request.method == "GET" else httpx.Response(200, headers=found.headers)

    played = play(handler, host_limits=HostLimits(rate_per_s=1e9, burst=10**9, concurrency=2))
    for number in range(500):
        repository = Repository(HOST, f"shop/bundle-{number}")
        await played.client.list_tags(repository, access=Access())
        await played.client.head_manifest(repository, "1.0.0", access=Access())
    assert played.time.slept == []


async def test_manifests_that_wait_for_a_quota_hold_nobody_else_up() -> None:
    held = asyncio.Event()

    async def sleep(_: float) -> None:
        await held.wait()

    limits = HostLimits(rate_per_s=1e9, burst=10**9, concurrency=2)
    time = Time()
    transport = Transport(
        timeouts=Timeouts(),
        inner=httpx.MockTransport(lambda request: (manifest if "manifests" in request.url.path else answer)(3)),
    )
    client = RegistryClient(host_limits=limits, transport=transport, timing=Timing(clock=time.clock, sleep=sleep))
    await client.list_tags(REPOSITORY, access=Access())
    await client.get_manifest(REPOSITORY, "1.0.0", access=Access())
    waiting = [asyncio.create_task(client.get_manifest(REPOSITORY, "1.0.0", access=Access())) for _ in range(5)]
    async with asyncio.timeout(5):
        assert await client.list_tags(REPOSITORY, access=Access()) == ("1.0.0",)
    assert not any(task.done() for task in waiting)
    held.set()
    await asyncio.gather(*waiting)


async def test_where_we_are_redirected_to_has_no_say_in_the_registrys_quota() -> None:
    digest = digest_of(b"{}")

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == HOST:
            return httpx.Response(307, headers={"location": "https://storage.example/blob"})
        return httpx.Response(200, content=b"{}", headers=dict(answer(0).headers) | {"content-length": "2"})

    played = play(handler)
    await played.client.get_blob(REPOSITORY, digest, access=Access(), max_bytes=9)
    assert played.client.quotas() == {}


def test_a_host_that_was_forgotten_is_told_of_anew(caplog: pytest.LogCaptureFixture) -> None:
    quotas = Quotas(clock=lambda: 0.0)
    scarce, plenty = Quota(100, 1, 60, ""), Quota(100, 99, 60, "")
    quotas.note(HOST, scarce)
    for number in range(1024):
        quotas.note(f"{number}.example", plenty)
    quotas.note(HOST, scarce)
    assert [record.message.split()[0] for record in caplog.records] == [HOST, HOST]


async def test_ghcr_s_hint_of_microseconds_makes_no_tight_loop() -> None:
    told = refused(429, "TOOMANYREQUESTS", "retry-after: 880.092µs, allowed: 44000/minute")
    played = play(in_turn(told))
    waits = []
    for _ in range(6):
        with pytest.raises(RateLimited) as error:
            await played.client.list_tags(REPOSITORY, access=Access())
        assert error.value.retry_after_s is not None
        waits.append(error.value.retry_after_s)
        with pytest.raises(RateLimited):  # at once again: nothing is sent
            await played.client.list_tags(REPOSITORY, access=Access())
        played.time.now_s += error.value.retry_after_s
    assert len(played.requests) == 6
    assert waits == pytest.approx([2, 4, 8, 16, 32, 64])
