"""Whatever the network or the registry does to an answer: a named error in time, and never a partial list."""

import asyncio
import gzip
import itertools
import json
import math
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from bundlewatch.errors import BundleWatchError, RateLimited, RegistryMisbehaved, RegistryUnavailable
from bundlewatch.registry.client import Access, HostLimits, RegistryClient, Timeouts
from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.mirrors import MirroredRegistry
from bundlewatch.registry.reference import Repository, parse_repository
from kit import faults
from kit.proxy import Proxy
from kit.registry import Registry

PLAIN = Access(insecure=True)
TIMEOUTS = Timeouts(connect_s=1, read_s=0.5, call_s=1)
BOMB = gzip.compress(b" " * (64 << 20))  # 65 kB
DEEP = b'{"":' * 900 + b"0" + b"}" * 900 + b","
HOPS = itertools.count(1)
TAGS = frozenset(f"1.0.{number}" for number in range(2500))


@pytest.fixture
async def client() -> AsyncIterator[RegistryClient]:
    client = RegistryClient(timeouts=TIMEOUTS, host_limits=HostLimits(failures_to_open=1000))
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def listed(registry: Registry) -> str:
    registry.bulk_tags("hostile/bundle", TAGS)
    return "hostile/bundle"


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with Proxy.start(registry.host) as proxy:
        yield proxy


@pytest.fixture
def target(proxy: Proxy, listed: str) -> Repository:
    return parse_repository(f"{proxy.host}/{listed}")


def with_header(name: str, value: str) -> faults.Lie:
    return faults.Lie(lambda response: response.with_header(name, value))


def with_body(body: bytes) -> faults.Lie:
    return faults.Lie(lambda response: faults.Response(response.status, response.headers, body))


CASES: dict[str, tuple[faults.Fault, type[BundleWatchError], str]] = {
    "it hangs": (faults.Hang(), RegistryUnavailable, "stopped sending"),
    "it hangs in the body": (faults.HangInBody(100), RegistryUnavailable, "stopped sending"),
    "it drips": (faults.Drip(), RegistryUnavailable, "took too long over its answer"),
    "it is reset at once": (faults.Reset(), RegistryUnavailable, "without an answer|broke off"),
    "it is reset in the body": (faults.Reset(at_byte=500), RegistryUnavailable, "broke off"),
    "it stops half way": (faults.HalfBody(), RegistryUnavailable, "broke off"),
    "it announces too much": (faults.WrongLength(by_bytes=10), RegistryUnavailable, "broke off"),
    "it announces too little": (faults.WrongLength(by_bytes=-10), RegistryMisbehaved, "is no JSON|not proper HTTP"),
    "it cuts its chunks": (faults.CutChunks(), RegistryUnavailable, "broke off"),
    "it is busy": (faults.Status(503), RegistryUnavailable, "503"),
    "its proxy is lost": (faults.Status(502, {}, b"<h1>Bad gateway</h1>"), RegistryUnavailable, "502"),
    "it wants less": (faults.too_many_requests(), RateLimited, "fewer requests"),
    "it speaks something else": (faults.Garbage(), RegistryMisbehaved, "not proper HTTP"),
    "it says nothing": (faults.Garbage(b""), RegistryUnavailable, "without an answer"),
    "its header never ends": (
        faults.Garbage(b"HTTP/1.1 200 OK\r\nLink: " + b"x" * (2 << 20)),
        RegistryMisbehaved,
        "not proper HTTP",
    ),
    "it has a million headers": (
        faults.Garbage(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200_000),
        RegistryMisbehaved,
        "not proper HTTP",
    ),
    "it compresses": (with_header("Content-Encoding", "gzip"), RegistryMisbehaved, "compressed"),
    "it sends a bomb": (
        faults.Lie(lambda _: faults.Response(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b" + b"\0" * 100_000)),
        RegistryMisbehaved,
        "compressed",
    ),
    "it never ends": (with_body(b'{"tags":["' + b"x" * (17 << 20)), RegistryMisbehaved, "more than the"),
    "it leads away": (
        faults.Status(302, {"Location": "http://169.254.169.254/latest/meta-data/"}),
        RegistryMisbehaved,
        "leads away",
    ),
    "it leads in a circle": (
        faults.Status(307, {"Location": "/v2/hostile/bundle/tags/list?n=1000&last=1.0.998"}),
        RegistryMisbehaved,
        "redirects more than 5 times",
    ),
    "it lists a circle": (with_header("Link", "<?n=1000>; rel=next"), RegistryMisbehaved, "in a circle"),
    "it has a page it cannot name": (with_header("Link", "</v2/>; rel=next"), RegistryMisbehaved, "without saying"),
    "it is reset within a tag": (faults.Reset(at_byte=1001), RegistryUnavailable, "broke off"),
    "it is late": (faults.Delay(5), RegistryUnavailable, "stopped sending|took too long"),
    "it wants less until a date": (
        faults.too_many_requests(retry_after="Wed, 21 Oct 2099 07:28:00 GMT"),
        RateLimited,
        "fewer requests",
    ),
    "it wants less in prose": (
        faults.Status(429, {}, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 880.092\xc2\xb5s"}]}'),
        RateLimited,
        "fewer requests",
    ),
    "it is busy for a while": (faults.Status(503, {"Retry-After": "60"}), RateLimited, "fewer requests"),
    "it sends a real bomb": (
        faults.Lie(lambda _: faults.Response(200, {"Content-Encoding": "gzip"}, BOMB)),
        RegistryMisbehaved,
        "compressed",
    ),
    "it sends a bomb under no name": (with_body(BOMB), RegistryMisbehaved, "is no JSON"),
    "it goes on for ever": (faults.Endless(), RegistryMisbehaved, "more than the|took too long"),
    "it nests for ever": (
        with_body(b'{"tags":' + b"[" * 1_000_000),
        RegistryMisbehaved,
        "has more parts than are read",
    ),
    "it only announces": (
        faults.Garbage(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
        RegistryMisbehaved,
        "announces its answer more than 8 times",
    ),
    "it sends byte by byte": (
        faults.Garbage(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000),
        RegistryMisbehaved,
        "in too many pieces",
    ),
    "it leads away ten thousand times": (
        # Each to the next, as long as somebody follows.
        faults.Lie(
            lambda _: faults.Response(
                302, {"Location": f"/v2/hostile/bundle/tags/list?hop={next(HOPS)}", "X": "y" * 8000}, b""
            )
        ),
        RegistryMisbehaved,
        "redirects more than 5 times",
    ),
    **{
        f"it leads to {place}": (faults.Status(307, {"Location": place}), RegistryMisbehaved, "leads away|plain form")
        for place in (
            "http://[fd00:ec2::254]/latest/",
            "http://2852039166/latest/meta-data/",
            "//metadata.google.internal/computeMetadata/v1/",
            "https://169.254.169.254.nip.example/",
            "gopher://localhost/",
        )
    },
    "its link leads nowhere": (with_header("Link", "<?n=1 000>; rel=next"), RegistryMisbehaved, "no URL can have"),
    "it shows a page for people": (
        faults.Status(200, {"Content-Type": "text/html"}, b"<form>Log in</form>"),
        RegistryMisbehaved,
        "is no JSON",
    ),
}


@pytest.mark.parametrize("number", [1, 2, 3], ids=["first", "middle", "last"])
@pytest.mark.parametrize("case", CASES)
async def test_a_broken_page_is_an_error_and_no_partial_list(
    client: RegistryClient, proxy: Proxy, target: Repository, case: str, number: int
) -> None:
    fault, kind, words = CASES[case]
    proxy.fault(fault, when=lambda _: len(proxy.requests) >= number - 1)
    started = time.monotonic()

    with pytest.raises(BundleWatchError, match=words) as error:
        await client.list_tags(target, access=PLAIN)

    assert type(error.value) is kind
    assert time.monotonic() - started < 4
    assert str(error.value).startswith(f"listing the tags of {target}: ")
    assert str(error.value).isprintable()
    proxy.clear()
    if kind is not RateLimited:
        assert frozenset(await client.list_tags(target, access=PLAIN)) == TAGS


async def test_nobody_there_is_an_error_and_then_all_is_well(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    assert len(await client.list_tags(target, access=PLAIN)) == len(TAGS)
    proxy.refuse()
    with pytest.raises(RegistryUnavailable, match="refused the connection"):
        await client.list_tags(target, access=PLAIN)
    proxy.accept()
    assert len(await client.list_tags(target, access=PLAIN)) == len(TAGS)


async def test_a_kept_connection_that_was_dropped_is_replaced_without_a_word(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    await client.list_tags(target, access=PLAIN)
    for _ in range(3):
        proxy.refuse()
        proxy.accept()
        assert len(await client.list_tags(target, access=PLAIN)) == len(TAGS)


async def test_tags_with_control_characters_are_skipped_and_counted_and_the_rest_is_whole(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    def soil(response: faults.Response) -> faults.Response:
        document = json.loads(response.body)
        document["tags"] = ["\x1b[2J", "1.0.0\n", "a\x00b", *document["tags"], "\u202e1.0.0"]
        return faults.Response(response.status, response.headers, json.dumps(document).encode())

    proxy.fault(faults.Lie(soil))
    listing = await client.listing(target, access=PLAIN)
    assert frozenset(listing.tags) == TAGS
    assert (listing.skipped, listing.pages) == (12, 3)


async def test_a_stream_of_pages_that_breaks_says_so_at_its_end(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    assert {tag async for page in client.tags(target, access=PLAIN) for tag in page} == TAGS
    proxy.fault(faults.HalfBody(), when=lambda request: "last" in request.query)
    seen: set[str] = set()

    async def read() -> None:
        async for page in client.tags(target, access=PLAIN):
            seen.update(page)

    with pytest.raises(RegistryUnavailable, match="broke off"):
        await read()
    assert seen < TAGS


async def test_a_blob_s_redirect_to_a_metadata_service_is_never_followed(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    digest = (await client.head_manifest(target, "1.0.1", access=PLAIN)).digest
    for place in ("http://169.254.169.254/x", "http://0xa9.0xfe.0xa9fe/x", "http://metadata/x", "http://127.0.0.1:1/x"):
        proxy.fault(faults.Status(307, {"Location": place}))
        with pytest.raises(RegistryMisbehaved, match=r"redirect that leads to .* address"):
            await client.get_blob(target, digest, access=PLAIN, max_bytes=100)


async def test_a_mirror_that_breaks_in_the_middle_gives_way_to_its_registry(
    client: RegistryClient, proxy: Proxy, registry: Registry, target: Repository
) -> None:
    origin = parse_repository(f"{registry.host}/{target.path}")
    mirrored = MirroredRegistry(client, mirrors={origin.host: (Mirror(host=proxy.host, insecure=True),)})
    assert frozenset(await mirrored.list_tags(origin, access=PLAIN)) == TAGS
    assert all(f"ns=localhost:{registry.port}" in request.query for request in proxy.requests)
    proxy.fault(faults.Reset(at_byte=500), when=lambda request: "last" in request.query)
    with registry.recording() as recording:
        assert frozenset(await mirrored.list_tags(origin, access=PLAIN)) == TAGS
    assert sum("ns=" not in request.query for request in recording.listings) == 3
    proxy.refuse()
    assert frozenset(await mirrored.list_tags(origin, access=PLAIN)) == TAGS


async def test_a_link_to_another_host_is_never_followed(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    def abroad(response: faults.Response) -> faults.Response:
        link = response.headers.get("Link", "")
        return response.with_header("Link", link.replace("</", "<https://evil.example/x/")) if link else response

    proxy.fault(faults.Lie(abroad))
    assert frozenset(await client.list_tags(target, access=PLAIN)) == TAGS


@pytest.mark.parametrize(
    "fault",
    [
        faults.HangInBody(200),
        faults.Drip(),
        faults.Endless(),
        faults.Garbage(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200_000),
        faults.Garbage(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 1_000_000),
        faults.Status(200, {"Link": "<?last=1>; rel=next"}, b'{"tags":[%b""]}' % (b'"",' * 999_000)),
        faults.Status(200, {}, b'{"tags":[%b0]}' % (DEEP * 3600)),
    ],
    ids=["hangs", "drips", "never ends", "only announces", "sends byte by byte", "lists nothing", "nests"],
)
async def test_of_ten_hosts_one_that_is_ill_delays_none(registry: Registry, listed: str, fault: faults.Fault) -> None:
    # A machine that is busy with something else delays one try; a client that lets itself be held up, every one.
    delays_s: list[float] = []
    while not delays_s or (delays_s[-1] >= 8 and len(delays_s) < 3):
        delays_s.append(await delay_beside(fault, registry, listed))
    assert min(delays_s) < 8


async def delay_beside(fault: faults.Fault, registry: Registry, listed: str) -> float:
    """How long listings of nine hosts take while a tenth is ill and asked sixteen times, in seconds; inf where one of
    them is given up, after the 10 s that a call may take.
    """
    client = RegistryClient(timeouts=Timeouts(read_s=3, call_s=10))
    proxies = [Proxy.start(registry.host) for _ in range(10)]
    try:
        proxies[0].fault(fault)
        targets = [parse_repository(f"{proxy.host}/{listed}") for proxy in proxies]
        hanging = [asyncio.create_task(client.list_tags(targets[0], access=PLAIN)) for _ in range(16)]
        await asyncio.sleep(0.1)
        started = time.monotonic()
        listings = (client.list_tags(target, access=PLAIN) for target in targets[1:])
        others = await asyncio.gather(*listings, return_exceptions=True)
        delay_s = time.monotonic() - started
        found = [len(other) for other in others if not isinstance(other, BaseException)]
        assert set(found) <= {len(TAGS)}
        if len(found) < 9:
            delay_s = math.inf
        assert proxies[0].peak <= HostLimits().concurrency
        outcomes = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(outcome, RegistryUnavailable | RegistryMisbehaved) for outcome in outcomes)
        return delay_s
    finally:
        await client.aclose()
        for proxy in proxies:
            proxy.stop()


async def test_a_host_that_wants_less_is_left_alone_by_everybody(proxy: Proxy, target: Repository) -> None:
    client = RegistryClient(timeouts=TIMEOUTS)
    proxy.fault(faults.too_many_requests(retry_after="2"), times=1)
    with pytest.raises(RateLimited) as error:
        await client.list_tags(target, access=PLAIN)
    assert error.value.retry_after_s == pytest.approx(2, abs=0.1)
    for _ in range(5):
        with pytest.raises(RateLimited):
            await client.head_manifest(Repository(target.host, "another/one"), "1.0.0", access=PLAIN)
    assert len(proxy.requests) == 1
    await asyncio.sleep(2)
    assert frozenset(await client.list_tags(target, access=PLAIN)) == TAGS
    await client.aclose()


async def test_a_content_that_was_swapped_on_the_way_is_refused(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    digest = (await client.head_manifest(target, "1.0.1", access=PLAIN)).digest
    proxy.fault(faults.Status(200, {}, b'{"schemaVersion":2,"config":{"mediaType":"x"}}'))
    with pytest.raises(RegistryMisbehaved, match="does not match its digest"):
        await client.get_manifest(target, digest, access=PLAIN)
    with pytest.raises(RegistryMisbehaved, match="does not match its digest"):
        await client.get_blob(target, digest, access=PLAIN, max_bytes=1 << 20)


async def test_a_cancelled_listing_leaves_nothing_behind(
    client: RegistryClient, proxy: Proxy, target: Repository
) -> None:
    proxy.fault(faults.HangInBody(200))
    tasks = [asyncio.create_task(client.list_tags(target, access=PLAIN)) for _ in range(12)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    proxy.clear()
    assert frozenset(await client.list_tags(target, access=PLAIN)) == TAGS
