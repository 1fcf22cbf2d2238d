"""Quotas: read where a registry tells them, told once, and a reason to ask more slowly."""

import logging

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import RateLimited
from bundlewatch.registry.client import Access, HostLimits
from bundlewatch.registry.quotas import Quota, parse
from unit.registry.scripted import REPOSITORY, TokenRegistry, in_turn, page, play, refused

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


async def test_few_left_is_said_once_and_slows_the_host_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    limits = HostLimits(rate_per_s=100, burst=200)
    played = play(in_turn(answer(11), answer(9), answer(8), answer(7), answer(90), page(["1.0.0"])), host_limits=limits)
    for _ in range(2):
        await played.client.list_tags(REPOSITORY, access=Access())
    assert played.time.slept == []
    for _ in range(3):
        await played.client.list_tags(REPOSITORY, access=Access())
    assert played.time.slept == pytest.approx([0.02, 2, 2])  # no burst, and 0.5 a second
    for _ in range(10):
        await played.client.list_tags(REPOSITORY, access=Access())
    assert sum(played.time.slept[3:]) < 0.2
    assert [record.message.split(" and ")[0] for record in caplog.records] == [
        f"{HOST} has 9 of 100 requests left in 21600 s",
        f"{HOST} has 90 of 100 requests left again",
    ]


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
