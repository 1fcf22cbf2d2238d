"""Listings: complete, or an error; however the pages are cut, whatever breaks."""

import json
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    RateLimited,
    RegistryMisbehaved,
    RegistryUnavailable,
    RepositoryNotFound,
)
from bundlewatch.registry.client import Access, ListingLimits
from unit.registry.scripted import REPOSITORY, in_turn, page, play, refused

BASE = "https://registry.example.com/v2/shop/bundle/tags/list"
PLAIN = Access()


@dataclass(frozen=True, slots=True)
class Paged:
    """A registry that cuts its list where it likes, repeats what it likes and links as it likes."""

    pages: list[list[str]]
    link: str = '<{query}>; rel="next"'

    def __call__(self, request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", "0"))
        more = number + 1 < len(self.pages)
        link = self.link.format(query=f"?page={number + 1}&n=7") if more else None
        return page(self.pages[number], link=link)


tags = st.lists(st.text("1.0-v_a", min_size=1, max_size=5).map("t{}".format), unique=True, max_size=30)


@st.composite
def cut_up(draw: st.DrawFn) -> tuple[set[str], list[list[str]]]:
    """A set of tags, and pages that hold it: in any order, split anywhere, with repetitions and empty pages."""
    wanted = draw(tags)
    left = draw(st.permutations(wanted))
    pages: list[list[str]] = []
    while left:
        size = draw(st.integers(1, len(left)))
        repeated = draw(st.lists(st.sampled_from(wanted), max_size=3))
        pages.append([*left[:size], *repeated])
        left = left[size:]
        pages.extend([[]] * draw(st.integers(0, 2)))
    return set(wanted), pages or [[]]


@given(
    cut_up(),
    st.sampled_from(['<{query}>; rel="next"', "<https://elsewhere.example/x{query}>;rel=next", "</v2/y{query}>"]),
)
async def test_any_split_of_any_tags_lists_the_same_set(cut: tuple[set[str], list[list[str]]], link: str) -> None:
    wanted, pages = cut
    played = play(Paged(pages, link))

    listing = await played.client.listing(REPOSITORY, access=PLAIN)

    assert set(listing.tags) == wanted
    assert len(listing.tags) == len(wanted)
    assert all(url.startswith(f"{BASE}?") for url in played.urls)


FAULTS: dict[str, Callable[[], httpx.Response | Exception]] = {
    "500": lambda: httpx.Response(500),
    "502 in HTML": lambda: httpx.Response(502, html="<h1>Bad gateway</h1>"),
    "503 and when": lambda: httpx.Response(503, headers={"retry-after": "7"}),
    "429": lambda: refused(429, "TOOMANYREQUESTS"),
    "403": lambda: refused(403, "DENIED"),
    "401 without a challenge": lambda: refused(401, "UNAUTHORIZED"),
    "400": lambda: refused(400, "NAME_INVALID"),
    "no content": lambda: httpx.Response(204),
    "a redirect away": lambda: httpx.Response(302, headers={"location": "https://github.com/login"}),
    "half a body": lambda: httpx.Response(200, content=b'{"name":"shop/bundle","tags":["1.0.0","1.0.'),
    "HTML": lambda: httpx.Response(200, html="<h1>Log in</h1>"),
    "an empty body": lambda: httpx.Response(200, content=b""),
    "a list": lambda: httpx.Response(200, json=["1.0.0"]),
    "no tags field": lambda: httpx.Response(200, json={"name": "shop/bundle"}),
    "tags that are a map": lambda: httpx.Response(200, json={"tags": {"1.0.0": 1}}),
    "a tag that is a number": lambda: httpx.Response(200, json={"tags": ["1.0.0", 2]}),
    "errors with 200": lambda: httpx.Response(200, json={"errors": [{"code": "UNKNOWN"}]}),
    "a link without a query": lambda: page(["x1"], link='</v2/shop/bundle/tags/list>; rel="next"'),
    "a compressed body": lambda: httpx.Response(
        200, headers={"content-encoding": "br"}, stream=httpx.ByteStream(b"\x00bomb")
    ),
    "a reset": lambda: httpx.ReadError("reset"),
    "a timeout": lambda: httpx.ReadTimeout("slow"),
    "nobody there": lambda: httpx.ConnectError("refused"),
}


@settings(max_examples=60)
@given(st.integers(1, 6), st.data())
@pytest.mark.parametrize("fault", FAULTS)
async def test_any_fault_at_any_page_is_an_error_and_no_partial_list(
    fault: str, count: int, data: st.DataObject
) -> None:
    pages = [[f"{number}.0.0"] for number in range(count)]
    broken = data.draw(st.integers(0, count - 1))
    serve = Paged(pages)

    def handler(request: httpx.Request) -> httpx.Response:
        if int(request.url.params.get("page", "0")) != broken:
            return serve(request)
        answer = FAULTS[fault]()
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(BundleWatchError) as error:
        await play(handler).client.list_tags(REPOSITORY, access=PLAIN)
    assert "registry.example.com" in str(error.value)
    assert not isinstance(error.value.__context__, httpx.HTTPError)  # it holds the request and its credentials


async def test_the_first_page_asks_for_a_thousand() -> None:
    played = play(in_turn(page(["1.0.0"])))
    await played.client.list_tags(REPOSITORY, access=PLAIN)
    assert played.urls == [f"{BASE}?n=1000"]
    assert played.requests[0].headers["accept-encoding"] == "identity"
    assert played.requests[0].headers["user-agent"].startswith("bundlewatch/")


async def test_null_is_an_empty_list() -> None:
    assert await play(in_turn(page(None))).client.list_tags(REPOSITORY, access=PLAIN) == ()


async def test_entries_that_are_no_tags_are_skipped_and_counted() -> None:
    names = ["1.0.0", "", ".hidden", "a b", "x" * 129, "1.0.0+b", "\x1b[31mred", "ä", "1.0.1", "\ud800", "a/b", "a/b"]
    answer = httpx.Response(200, content=json.dumps({"tags": names}))
    listing = await play(in_turn(answer)).client.listing(REPOSITORY, access=PLAIN)
    assert listing.tags == ("1.0.0", "1.0.1")
    assert listing.skipped == 10


async def test_a_full_page_without_a_link_is_asked_once_more() -> None:
    full = [f"t{number:04}" for number in range(1000)]
    played = play(in_turn(page(full), page(["t1000", "t1001"])))
    assert len(await played.client.list_tags(REPOSITORY, access=PLAIN)) == 1002
    assert played.urls == [f"{BASE}?n=1000", f"{BASE}?n=1000&last=t0999"]


async def test_a_server_that_ignores_last_is_believed_after_one_more_request() -> None:
    full = [f"t{number:04}" for number in range(1000)]
    played = play(in_turn(page(full)))
    assert len(await played.client.list_tags(REPOSITORY, access=PLAIN)) == 1000
    assert len(played.requests) == 2


async def test_full_pages_without_links_are_followed_to_the_end() -> None:
    everything = [f"t{number:04}" for number in range(3500)]

    def handler(request: httpx.Request) -> httpx.Response:
        last = request.url.params.get("last", "")
        return page([name for name in everything if name > last][:1000])

    assert len(await play(handler).client.list_tags(REPOSITORY, access=PLAIN)) == 3500


async def test_a_server_that_links_is_believed_about_its_last_page() -> None:
    first, last = [f"a{number:04}" for number in range(1000)], [f"b{number:04}" for number in range(1000)]
    played = play(in_turn(page(first, link="<?cursor=x>; rel=next"), page(last)))
    assert len(await played.client.list_tags(REPOSITORY, access=PLAIN)) == 2000
    assert len(played.requests) == 2


async def test_a_404_that_says_there_are_no_tags_is_an_empty_list() -> None:
    for body in ({"name": "shop/bundle", "tags": None}, {"name": "shop/bundle", "tags": []}):
        assert await play(in_turn(httpx.Response(404, json=body))).client.list_tags(REPOSITORY, access=PLAIN) == ()
    for other in ({"name": "x"}, {"tags": []}, {"name": "x", "tags": None, "errors": [{"code": "NAME_UNKNOWN"}]}, []):
        with pytest.raises(RepositoryNotFound):
            await play(in_turn(httpx.Response(404, json=other))).client.list_tags(REPOSITORY, access=PLAIN)


async def test_repetitions_do_not_count_against_the_limit_and_a_flood_of_them_ends() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", "0"))
        names = [f"t{(number * 7 + offset) % 300:03}" for offset in range(100)]
        return page(names, link=f"<?page={number + 1}>" if number < pages - 1 else None)

    pages = 10
    listing = await play(handler, listing_limits=ListingLimits(tags=500)).client.listing(REPOSITORY, access=PLAIN)
    assert len(listing.tags) == 163
    pages = 10_000
    with pytest.raises(RegistryMisbehaved):
        await play(handler, listing_limits=ListingLimits(tags=500)).client.list_tags(REPOSITORY, access=PLAIN)


SEQUENCE = st.lists(st.sampled_from(["ok", "ok", "ok", *FAULTS, "a redirect here", "a 404"]), min_size=1, max_size=12)


@settings(max_examples=300)
@given(SEQUENCE, st.integers(1, 5))
async def test_no_order_of_faults_yields_a_part(sequence: list[str], count: int) -> None:
    """One client, one listing after the other, each answer good or bad as it comes: all tags, or an error."""
    pages = [[f"{number}.0.0", f"{number}.0.1"] for number in range(count)]
    serve, left = Paged(pages), list(sequence)

    def handler(request: httpx.Request) -> httpx.Response:
        fate = left.pop(0) if left else "ok"
        if fate == "ok":
            return serve(request)
        if fate == "a redirect here":
            return httpx.Response(307, headers={"location": f"{BASE}?{request.url.query.decode()}"})
        if fate == "a 404":
            return refused(404, "NAME_UNKNOWN")
        answer = FAULTS[fate]()
        if isinstance(answer, Exception):
            raise answer
        return answer

    played = play(handler)
    for _ in range(len(sequence) + 1):
        played.time.now_s += 7200  # whatever was pushed back or left alone is tried again
        streamed: list[str] = []
        try:
            if len(left) % 2:
                async for names in played.client.tags(REPOSITORY, access=PLAIN):
                    streamed += names
            else:
                streamed += await played.client.list_tags(REPOSITORY, access=PLAIN)
        except BundleWatchError:
            continue
        # A fault whose answer is itself a complete listing cannot be told from one.
        assert set(streamed) == {name for names in pages for name in names}


async def test_a_hundred_thousand_tags_take_little_more_than_their_texts() -> None:
    bodies = {
        start: b'{"tags":[' + b",".join(b'"1.0.0-rc.%07d"' % n for n in range(start, start + 1000)) + b"]}"
        for start in range(0, 100_000, 1000)
    }

    def handler(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("begin", "0"))
        more = {"link": f"<?begin={start + 1000}>; rel=next"} if start + 1000 in bodies else {}
        return httpx.Response(200, content=bodies[start], headers=more)

    played = play(handler)
    tracemalloc.start()
    try:
        listed = await played.client.list_tags(REPOSITORY, access=PLAIN)
        played.requests.clear()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    texts = sum(map(sys.getsizeof, listed))
    assert peak < texts + 4_000_000  # two lists of references are 1.6 MB, and a page is parsed on the way


async def test_a_server_that_ignores_n_is_taken_at_its_word() -> None:
    played = play(in_turn(page([f"t{number}" for number in range(2345)])))
    assert len(await played.client.list_tags(REPOSITORY, access=PLAIN)) == 2345
    assert len(played.requests) == 1


@pytest.mark.parametrize("status", [400, 405])
async def test_a_server_that_refuses_n_is_asked_without(status: int) -> None:
    played = play(in_turn(refused(status, "UNSUPPORTED"), page(["1.0.0"])))
    assert await played.client.list_tags(REPOSITORY, access=PLAIN) == ("1.0.0",)
    assert played.urls == [f"{BASE}?n=1000", BASE]


async def test_a_continuation_that_is_gone_restarts_once() -> None:
    first, gone = page(["a"], link='<?last=a>; rel="next"'), refused(404, "NAME_UNKNOWN")
    played = play(in_turn(first, gone, page(["b"], link='<?last=b>; rel="next"'), page(["c"])))
    assert await played.client.list_tags(REPOSITORY, access=PLAIN) == ("b", "c")

    again = play(in_turn(first, gone, first, gone))
    with pytest.raises(RegistryMisbehaved, match="cannot continue its own list"):
        await again.client.list_tags(REPOSITORY, access=PLAIN)
    assert len(again.requests) == 4


async def test_pages_that_were_given_out_are_never_followed_by_those_of_another_listing() -> None:
    first, gone = page(["deleted", "kept"], link='<?last=kept>; rel="next"'), refused(404, "NAME_UNKNOWN")
    played = play(in_turn(first, gone, page(["kept"])))
    given: list[str] = []

    async def take() -> None:
        async for names in played.client.tags(REPOSITORY, access=PLAIN):
            given.extend(names)

    with pytest.raises(RegistryMisbehaved, match="cannot continue its own list; try again") as error:
        await take()

    assert error.value.retry
    assert (given, len(played.requests)) == (["deleted", "kept"], 2)


async def test_what_begins_anew_keeps_nothing_of_what_was_listed_before_also_where_there_is_nothing_now() -> None:
    first, gone = page(["1.0.0", "1.0.1"], link='<?last=1.0.1>; rel="next"'), refused(404, "NAME_UNKNOWN")
    emptied = httpx.Response(404, json={"name": "shop/bundle", "tags": None})

    found = await play(in_turn(first, gone, emptied)).client.list_tags(REPOSITORY, access=PLAIN)

    assert found == ()


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([page(["a"], link="<?last=a>"), page(["b"], link="<?last=a>")], "in a circle"),
        ([page(["a"], link="<?n=1000>")], "in a circle"),
    ],
    ids=["to an earlier page", "to itself"],
)
async def test_circles_are_seen(answers: list[httpx.Response], message: str) -> None:
    with pytest.raises(RegistryMisbehaved, match=message):
        await play(in_turn(*answers)).client.list_tags(REPOSITORY, access=PLAIN)


async def test_a_list_that_promises_more_for_ever_ends() -> None:
    count = 0

    def endless(_: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        return page(["same"], link=f"<?cursor={count}>")

    with pytest.raises(RegistryMisbehaved, match="without an end"):
        await play(endless).client.list_tags(REPOSITORY, access=PLAIN)
    assert count < 20


SMALL = ListingLimits(page_bytes=10_000, total_bytes=20_000, tags=500, pages=30)


@pytest.mark.parametrize(
    ("per_page", "width", "message"),
    [(1, 4, "more than 30 pages"), (100, 6, "more than 500 tags"), (60, 100, "longer than"), (200, 100, "10000 bytes")],
    ids=["pages", "tags", "all bytes", "bytes of a page"],
)
async def test_floods_are_cut_off(per_page: int, width: int, message: str) -> None:
    count = 0

    def flood(_: httpx.Request) -> httpx.Response:
        nonlocal count
        names = [f"{count + number:0{width}}" for number in range(per_page)]
        count += per_page
        return page(names, link=f"<?cursor={count}>")

    with pytest.raises(RegistryMisbehaved, match=message):
        await play(flood, listing_limits=SMALL).client.list_tags(REPOSITORY, access=PLAIN)


@pytest.mark.parametrize(
    "body",
    [b'{"tags":[' + b"1," * 4000 + b"1]}", b'{"tags":[' + b"[]," * 3000 + b"1]}", b'{"tags":' + b"[" * 9000],
    ids=["numbers", "lists", "nesting"],
)
async def test_junk_is_refused_before_it_becomes_objects(body: bytes) -> None:
    with pytest.raises(RegistryMisbehaved):
        await play(in_turn(httpx.Response(200, content=body)), listing_limits=SMALL).client.list_tags(
            REPOSITORY, access=PLAIN
        )


async def test_a_page_that_nests_beside_its_tags_is_refused_before_it_becomes_objects() -> None:
    body = b'{"tags":["1.0.0"],"x":[%b0]}' % ((b'{"":' * 900 + b"0" + b"}" * 900 + b",") * 3000)
    with pytest.raises(RegistryMisbehaved, match="sends a list of tags that has more parts than are read"):
        await play(in_turn(httpx.Response(200, content=body))).client.list_tags(REPOSITORY, access=PLAIN)


async def test_a_million_tags_are_listed_in_small_pages() -> None:
    size, total = 10_000, 1_000_000

    def many(request: httpx.Request) -> httpx.Response:
        start = int(request.url.params.get("last", "0"))
        names = ",".join(f'"{number}"' for number in range(start, start + size))
        more = {"link": f"<?last={start + size}>"} if start + size < total else {}
        return httpx.Response(200, content=f'{{"tags":[{names}]}}', headers=more)

    listing = await play(many).client.listing(REPOSITORY, access=PLAIN)
    assert (len(listing.tags), listing.pages) == (1_000_000, 100)


async def test_time_on_the_wire_is_bounded_over_all_pages() -> None:
    count = 0

    def slow(_: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        played.time.now_s += 25
        return page([f"t{count}"], link=f"<?cursor={count}>")

    played = play(slow)
    with pytest.raises(RegistryUnavailable, match="took too long"):
        await played.client.list_tags(REPOSITORY, access=PLAIN)
    assert count == 12  # 300 s


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refused(404, "NAME_UNKNOWN", "repository name not known"), RepositoryNotFound, "404 NAME_UNKNOWN"),
        (httpx.Response(404, html="<h1>Not found</h1>"), RepositoryNotFound, "does not answer like a registry"),
        (refused(403, "DENIED", "requested access is denied"), AccessDenied, "name a Secret"),
        (
            refused(429, "TOOMANYREQUESTS", "pull rate limit", retry_after="Wed, 21 Oct 2099"),
            RateLimited,
            r"\(429 TOOMANYREQUESTS: pull rate limit, Retry-After: Wed, 21 Oct 2099\); if it does not pass, give it",
        ),
        (refused(403, "TOOMANYREQUESTS"), RateLimited, "fewer requests"),
        (httpx.Response(200, html="<form>"), RegistryMisbehaved, "is no JSON; check that no proxy and no login page"),
        (httpx.Response(503), RegistryUnavailable, "cannot serve just now"),
        (refused(418, "UNKNOWN", "teapot"), RegistryMisbehaved, "418 UNKNOWN: teapot"),
    ],
    ids=["unknown", "no registry", "denied", "429", "429 in disguise", "login page", "503", "odd"],
)
async def test_each_refusal_has_its_error(answer: httpx.Response, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        await play(in_turn(answer)).client.list_tags(REPOSITORY, access=PLAIN)
    assert type(error.value) is kind
    assert "registry.example.com/shop/bundle" in str(error.value)


@given(st.binary(max_size=300))
@example(b'{"tags": null}')
@example(b'{"tags": []}')
@example(b'{"tags": ["' + b"9" * 5000 + b'"]}')
@example(b'{"tags": ' + b"9" * 5000 + b"}")
async def test_any_body_is_a_list_or_an_error(body: bytes) -> None:
    try:
        tags = await play(in_turn(httpx.Response(200, content=body))).client.list_tags(REPOSITORY, access=PLAIN)
    except RegistryMisbehaved:
        return
    assert json.loads(body)["tags"] is None or len(tags) <= len(json.loads(body)["tags"])
