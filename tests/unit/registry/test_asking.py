"""How a registry is reached: where, how often, how long, and what becomes of a host that does not answer."""

import asyncio
import re

import httpx
import pytest

from bundlewatch.errors import RegistryMisbehaved, RegistryUnavailable
from bundlewatch.registry.client import Access, HostLimits, ListingLimits, Timeouts
from bundlewatch.registry.reference import parse_repository
from unit.registry.scripted import REPOSITORY, in_turn, play

PLAIN = Access()


@pytest.mark.parametrize(
    ("text", "insecure", "url"),
    [
        ("registry.example.com/a", False, "https://registry.example.com/v2/a/tags/list?n=1000"),
        ("registry.example.com/a", True, "http://registry.example.com/v2/a/tags/list?n=1000"),
        ("localhost:5000/a/b", True, "http://localhost:5000/v2/a/b/tags/list?n=1000"),
        ("[2001:db8::1]:5000/a", False, "https://[2001:db8::1]:5000/v2/a/tags/list?n=1000"),
        ("nginx", False, "https://registry-1.docker.io/v2/library/nginx/tags/list?n=1000"),
    ],
)
async def test_a_repository_is_asked_where_it_lives(text: str, url: str, *, insecure: bool) -> None:
    played = play(in_turn(httpx.Response(200, json={"tags": []})))
    await played.client.list_tags(parse_repository(text), access=Access(insecure=insecure))
    assert played.urls == [url]


@pytest.mark.parametrize(
    ("named", "text", "insecure"),
    [
        ("reg.local:80", "reg.local:80/a", True),
        ("reg.local:80", "reg.local/a", True),
        ("reg.local", "reg.local/a", True),
        ("reg.local", "reg.local/a", False),
        ("[2001:db8::1]:80", "[2001:db8::1]:80/a", True),
        ("docker.io", "nginx", False),
    ],
)
async def test_the_limits_of_a_host_hold_however_it_is_written(named: str, text: str, *, insecure: bool) -> None:
    limits = {named: HostLimits(rate_per_s=1, burst=1)}
    played = play(in_turn(httpx.Response(200, json={"tags": []})), limits_by_host=limits)
    for _ in range(3):
        await played.client.list_tags(parse_repository(text), access=Access(insecure=insecure))
    assert played.time.slept == pytest.approx([1, 1])


async def test_of_a_host_with_its_port_and_one_without_the_one_with_it_goes_first() -> None:
    limits = {"reg.local:80": HostLimits(rate_per_s=1, burst=1), "reg.local": HostLimits(rate_per_s=2, burst=1)}
    played = play(in_turn(httpx.Response(200, json={"tags": []})), limits_by_host=limits)
    for insecure in (True, True, False, False):
        await played.client.list_tags(parse_repository("reg.local/a"), access=Access(insecure=insecure))
    assert played.time.slept == pytest.approx([1, 0.5])


@pytest.mark.parametrize("text", ["169.254.169.254/latest/meta-data", "metadata.google.internal/x", "[fe80::1]/x"])
async def test_a_metadata_service_is_no_registry(text: str) -> None:
    played = play(in_turn(httpx.Response(200, json={"tags": []})))
    with pytest.raises(RegistryMisbehaved, match="metadata"):
        await played.client.list_tags(parse_repository(text), access=Access(insecure=True))
    assert played.requests == []


async def test_an_insecure_registry_that_speaks_tls_is_recognised() -> None:
    answer = httpx.Response(400, text="Client sent an HTTP request to an HTTPS server.\n")
    with pytest.raises(RegistryUnavailable, match=r"set spec\.access\.insecure to false"):
        await play(in_turn(answer)).client.list_tags(REPOSITORY, access=Access(insecure=True))


async def test_a_drip_is_ended_by_the_deadline_of_the_call() -> None:
    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204 - an endless iterator
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    played = play(in_turn(httpx.Response(200, stream=Drip())), timeouts=Timeouts(call_s=0.1))
    with pytest.raises(RegistryUnavailable, match="took too long over its answer"):
        await played.client.list_tags(REPOSITORY, access=PLAIN)


async def test_a_host_that_hangs_delays_no_other() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "hangs.example":
            await asyncio.Event().wait()
        return httpx.Response(200, json={"tags": ["1"]})

    client = play(handler, host_limits=HostLimits(concurrency=2), timeouts=Timeouts(call_s=0.3)).client
    hanging = [
        asyncio.create_task(client.list_tags(parse_repository(f"hangs.example/{n}"), access=PLAIN)) for n in range(20)
    ]
    await asyncio.sleep(0)
    for number in range(10):
        assert await client.list_tags(parse_repository(f"ok-{number}.example/a"), access=PLAIN) == ("1",)
    assert not any(task.done() for task in hanging)
    outcomes = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(outcome, RegistryUnavailable) for outcome in outcomes)


async def test_a_dead_host_is_left_alone_after_a_while_and_its_message_names_no_neighbour() -> None:
    played = play(in_turn(httpx.ConnectError("refused")), host_limits=HostLimits(failures_to_open=3))
    for number in range(3):
        with pytest.raises(RegistryUnavailable, match=f"tenant-{number}"):
            await played.client.list_tags(parse_repository(f"r.example/tenant-{number}"), access=PLAIN)
    with pytest.raises(RegistryUnavailable, match="left alone") as error:
        await played.client.list_tags(parse_repository("r.example/another"), access=PLAIN)
    assert len(played.requests) == 3
    assert "tenant" not in str(error.value)


async def test_a_deadline_of_our_own_says_nothing_about_the_host() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    hurried = play(hang, listing_limits=ListingLimits(wire_s=0.01), host_limits=HostLimits(failures_to_open=2))
    patient = play(hang, timeouts=Timeouts(call_s=0.01), host_limits=HostLimits(failures_to_open=2))
    for played, asked in ((hurried, 4), (patient, 2)):
        for _ in range(4):
            with pytest.raises(RegistryUnavailable):
                await played.client.list_tags(REPOSITORY, access=PLAIN)
        assert len(played.requests) == asked


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (500, RegistryUnavailable, "redirects to storage.example.com, which cannot serve just now (500)"),
        (503, RegistryUnavailable, "redirects to storage.example.com, which cannot serve just now (503)"),
        (403, RegistryMisbehaved, "redirects to storage.example.com, which refuses (403)"),
    ],
)
async def test_where_a_blob_is_redirected_to_may_have_an_outage(status: int, kind: type[Exception], says: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage.example.com":
            return httpx.Response(status)
        return httpx.Response(307, headers={"location": "https://storage.example.com/blob"})

    with pytest.raises(kind, match=re.escape(says)) as error:
        await play(handler).client.get_blob(REPOSITORY, "sha256:" + "0" * 64, access=PLAIN, max_bytes=100)
    assert type(error.value) is kind
