"""Mirrors: asked first and anonymously, passed over when they fail, and the registry has the last word."""

import asyncio
import logging
from collections.abc import Callable

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bundlewatch.errors import NotInRegistry, RegistryMisbehaved, RepositoryNotFound
from bundlewatch.registry.client import Access
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.manifests import digest_of
from bundlewatch.registry.mirrors import MirroredRegistry
from bundlewatch.registry.reference import Repository
from unit.registry.scripted import REPOSITORY, Played, page, play, refused

FIRST = Mirror(host="first.example")
SECOND = Mirror(host="second.example", prefix="cache", insecure=True)
ORIGIN = "registry.example.com"
ACCESS = Access(Credential("robot", "s3cret-word"), ca_pem=b"-- of the origin --")
KEY = ConnectionKey("first.example", 443, True, True, None, None, None)
Answers = dict[str, Callable[[], httpx.Response]]


def mirrored(answers: Answers, *, mirrors: tuple[Mirror, ...] = (FIRST, SECOND)) -> tuple[MirroredRegistry, Played]:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == ORIGIN and "authorization" not in request.headers:
            return refused(401, "UNAUTHORIZED", www_authenticate="Basic realm=x")
        return answers[request.url.host]()

    played = play(handler)
    return MirroredRegistry(played.client, mirrors={ORIGIN: mirrors}, clock=played.time.clock), played


def hosts(played: Played) -> list[str]:
    return list(dict.fromkeys(request.url.host for request in played.requests))


FAILURES: Answers = {
    "down": lambda: httpx.Response(503),
    "denies": lambda: refused(403, "DENIED"),
    "wants a login": lambda: refused(401, "UNAUTHORIZED", www_authenticate="Basic realm=x"),
    "lacks it": lambda: refused(404, "NAME_UNKNOWN"),
    "wants less": lambda: refused(429, "TOOMANYREQUESTS"),
    "lies": lambda: httpx.Response(200, html="<h1>Log in</h1>"),
    "has nothing": lambda: page([]),
    "breaks off": lambda: page(["0.0.1"], link="</v2/>; rel=next"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_mirror_that_fails_is_passed_over(failure: str) -> None:
    registry, played = mirrored({"first.example": FAILURES[failure], "second.example": lambda: page(["1.0.0"])})
    assert await registry.list_tags(REPOSITORY, access=ACCESS) == ("1.0.0",)
    assert hosts(played) == ["first.example", "second.example"]


async def test_a_mirror_is_asked_for_its_registry_and_told_no_secret() -> None:
    registry, played = mirrored({"first.example": FAILURES["down"], "second.example": lambda: page(["1.0.0"])})
    await registry.list_tags(REPOSITORY, access=ACCESS)
    assert played.urls == [
        f"https://first.example/v2/shop/bundle/tags/list?n=1000&ns={ORIGIN}",
        f"http://second.example/v2/cache/shop/bundle/tags/list?n=1000&ns={ORIGIN}",
    ]
    assert played.authorizations == [None, None]


@pytest.mark.parametrize("link", ["<?n=7&last=a>", f"<?n=7&last=a&ns={ORIGIN}>"])
async def test_every_page_of_a_mirror_names_the_registry_once(link: str) -> None:
    pages = [page(["a"], link=link), page(["b"])]
    registry, played = mirrored({"first.example": lambda: pages.pop(0)})
    assert await registry.list_tags(REPOSITORY, access=ACCESS) == ("a", "b")
    assert played.urls[1].partition("?")[2] == f"n=7&last=a&ns={ORIGIN}"


async def test_when_all_fail_the_registry_s_own_error_is_told() -> None:
    answers = {
        "first.example": FAILURES["down"],
        "second.example": FAILURES["denies"],
        ORIGIN: lambda: refused(404, "NAME_UNKNOWN"),
    }
    registry, _ = mirrored(answers)
    with pytest.raises(RepositoryNotFound) as error:
        await registry.list_tags(REPOSITORY, access=ACCESS)
    assert "first.example" not in str(error.value)
    assert str(REPOSITORY) in str(error.value)


async def test_other_registries_have_no_part_in_it() -> None:
    registry, played = mirrored({"other.example": lambda: page(["1.0.0"])})
    other = type(REPOSITORY)("other.example", "shop/bundle")
    await registry.list_tags(other, access=Access())
    assert hosts(played) == ["other.example"]
    assert "ns=" not in played.urls[0]


async def test_a_mirror_that_lists_only_what_it_has_is_not_asked_for_lists() -> None:
    manifest = httpx.Response(200, json={"config": {}}, headers={"content-type": "application/json"})
    registry, played = mirrored(
        {"first.example": lambda: manifest, ORIGIN: lambda: page(["1.0.0"])},
        mirrors=(Mirror(host="first.example", lists=False),),
    )
    await registry.list_tags(REPOSITORY, access=ACCESS)
    assert hosts(played) == [ORIGIN]
    await registry.get_manifest(REPOSITORY, "1.0.0", access=ACCESS)
    assert played.requests[-1].url.host == "first.example"


async def test_swapped_content_of_a_mirror_is_never_taken() -> None:
    content = b'{"real":"content"}'
    digest = digest_of(content)
    registry, played = mirrored(
        {
            "first.example": lambda: httpx.Response(200, content=b'{"config":"forged"}'),
            "second.example": lambda: refused(404, "BLOB_UNKNOWN"),
            ORIGIN: lambda: httpx.Response(200, content=content),
        }
    )
    assert await registry.get_blob(REPOSITORY, digest, access=ACCESS, max_bytes=1000) == content
    assert hosts(played) == ["first.example", "second.example", ORIGIN]


async def test_a_tag_that_only_the_registry_has_is_found_there() -> None:
    answers = {
        "first.example": lambda: refused(404, "MANIFEST_UNKNOWN"),
        "second.example": lambda: refused(404, "MANIFEST_UNKNOWN"),
        ORIGIN: lambda: httpx.Response(
            200, headers={"docker-content-digest": digest_of(b""), "content-length": "7"}, content=b""
        ),
    }
    registry, _ = mirrored(answers)
    assert (await registry.head_manifest(REPOSITORY, "1.0.0", access=ACCESS)).digest == digest_of(b"")
    answers[ORIGIN] = lambda: refused(404, "MANIFEST_UNKNOWN")
    with pytest.raises(NotInRegistry, match=ORIGIN):
        await registry.head_manifest(REPOSITORY, "1.0.0", access=ACCESS)


@pytest.mark.parametrize("count", [1, 8])
async def test_mirrors_that_hang_leave_the_registry_its_time(count: int) -> None:
    registry, played = hanging(tuple(Mirror(host=f"{number}.example") for number in range(count)), budget_s=1.0)
    async with asyncio.timeout(2):
        assert await registry.list_tags(REPOSITORY, access=Access()) == ("1.0.0",)
    assert len(hosts(played)) == count + 1


async def test_mirrors_that_hang_leave_the_next_one_its_share() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.1 if request.url.host == "last.example" else 60)
        return page(["1.0.0"])

    played = play(handler)
    mirrors = (FIRST, SECOND, Mirror(host="third.example"), Mirror(host="last.example"))
    registry = MirroredRegistry(played.client, mirrors={ORIGIN: mirrors}, budget_s=2.0)
    await registry.list_tags(REPOSITORY, access=Access())
    assert hosts(played) == ["first.example", "second.example", "third.example", "last.example"]


async def test_what_a_mirror_did_not_need_of_its_time_is_the_next_one_s() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "first.example":
            return httpx.Response(503)
        await asyncio.sleep(0.3)
        return page(["1.0.0"])

    played = play(handler)
    registry = MirroredRegistry(played.client, mirrors={ORIGIN: (FIRST, SECOND)}, budget_s=0.5)
    await registry.list_tags(REPOSITORY, access=Access())
    assert hosts(played) == ["first.example", "second.example"]


async def test_a_mirror_that_is_down_is_asked_once_a_minute() -> None:
    registry, played = hanging((FIRST,), budget_s=0.05)
    for _ in range(12):
        await asyncio.gather(*(registry.list_tags(REPOSITORY, access=Access()) for _ in range(3)))
        played.time.now_s += 10
    asked = [request.url.host for request in played.requests]
    assert asked.count(ORIGIN) == 36
    assert asked.count("first.example") == 3 + 1  # those that were under way when it was found out, then one


def hanging(mirrors: tuple[Mirror, ...], *, budget_s: float) -> tuple[MirroredRegistry, Played]:
    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host != ORIGIN:
            await asyncio.Event().wait()
        return page(["1.0.0"])

    played = play(handler)
    made = MirroredRegistry(played.client, mirrors={ORIGIN: mirrors}, budget_s=budget_s, clock=played.time.clock)
    return made, played


async def test_a_mirror_that_goes_down_and_comes_back_is_named_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers = {"first.example": FAILURES["down"], ORIGIN: lambda: page(["1.0.0"])}
    registry, played = mirrored(answers, mirrors=(FIRST,))
    for _ in range(3):
        await registry.list_tags(REPOSITORY, access=ACCESS)
        played.time.now_s += 61
    answers["first.example"] = lambda: page(["1.0.0"])
    for _ in range(3):
        await registry.list_tags(REPOSITORY, access=ACCESS)
    told = [record.message for record in caplog.records]
    assert len(told) == 2
    assert told[0].startswith(f"mirror first.example of {ORIGIN} is passed over: ")
    assert told[1] == f"mirror first.example of {ORIGIN} answers again"


@pytest.mark.parametrize("failure", ["denies", "wants a login"])
async def test_a_mirror_that_refuses_us_is_named_once_with_a_cure_that_fits_a_mirror(
    failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refusal = FAILURES[failure]
    refused_paths = {"/v2/shop/bundle/tags/list", "/v2/shop/other/tags/list"}

    def handler(request: httpx.Request) -> httpx.Response:
        return refusal() if request.url.host != ORIGIN and request.url.path in refused_paths else page(["1.0.0"])

    registry = MirroredRegistry(play(handler).client, mirrors={ORIGIN: (FIRST,)})

    async def ask_all() -> list[str]:
        caplog.clear()
        for path in ("shop/bundle", "shop/other", "shop/open"):
            for _ in range(2):
                await registry.list_tags(Repository(ORIGIN, path), access=Access())
        return [record.message for record in caplog.records]

    (told,) = await ask_all()
    assert told.startswith(f"mirror first.example of {ORIGIN} is passed over: listing the tags of first.example/shop")
    assert f"have it serve {ORIGIN} to anybody in the cluster, or remove it from the file of --registry-config" in told
    assert "spec." not in told
    assert await ask_all() == []
    refused_paths.clear()
    assert await ask_all() == [f"mirror first.example of {ORIGIN} refuses us no longer"]
    refused_paths.add("/v2/shop/bundle/tags/list")
    assert len(await ask_all()) == 1


@pytest.mark.parametrize(
    ("mirror", "answer"),
    [
        (Mirror(host="first.example", insecure=True), httpx.Response(400, text="client spoke HTTP to HTTPS server")),
        (FIRST, aiohttp.ClientConnectorCertificateError(KEY, OSError())),
    ],
    ids=["it speaks TLS", "it is not trusted"],
)
async def test_no_cure_of_a_mirror_is_in_a_bundlewatch(
    mirror: Mirror, answer: httpx.Response | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == ORIGIN:
            return page(["1.0.0"])
        if isinstance(answer, Exception):
            raise answer
        return answer

    registry = MirroredRegistry(play(handler).client, mirrors={ORIGIN: (mirror,)})
    await registry.list_tags(REPOSITORY, access=Access())
    (told,) = [record.message for record in caplog.records]
    assert "spec." not in told
    assert "the file of --registry-config" in told


async def test_the_progress_of_a_mirror_s_listing_is_told() -> None:
    registry, _ = mirrored({"first.example": lambda: page(["1", "2"])})
    told: list[int] = []
    await registry.listing(REPOSITORY, access=ACCESS, progress=told.append)
    assert told == [2]


async def test_the_quota_of_a_mirror_and_of_a_registry_is_told() -> None:
    headers = {"ratelimit-limit": "100;w=60", "ratelimit-remaining": "3;w=60"}
    registry, _ = mirrored({"first.example": lambda: httpx.Response(200, json={"tags": ["1"]}, headers=headers)})
    await registry.list_tags(REPOSITORY, access=ACCESS)
    assert registry.quotas()["first.example"].remaining == 3


@pytest.mark.parametrize("failure", sorted(FAILURES.keys() - {"breaks off"}))
async def test_pages_come_from_the_first_that_has_some(failure: str) -> None:
    registry, played = mirrored({"first.example": FAILURES[failure], "second.example": lambda: page(["1.0.0"])})
    assert [names async for names in registry.tags(REPOSITORY, access=ACCESS)] == [["1.0.0"]]
    assert hosts(played) == ["first.example", "second.example"]


async def test_pages_come_from_the_registry_when_no_mirror_has_any() -> None:
    registry, _ = hanging((FIRST,), budget_s=0.05)
    assert [names async for names in registry.tags(REPOSITORY, access=Access())] == [["1.0.0"]]


async def test_pages_of_two_are_never_mixed_and_the_next_time_the_broken_one_is_passed_over() -> None:
    pages = [page(["stale"], link="<?last=stale>"), refused(404, "NAME_UNKNOWN")]
    registry, _ = mirrored({"first.example": lambda: pages.pop(0), ORIGIN: lambda: page(["1.0.0"])}, mirrors=(FIRST,))

    async def take() -> list[str]:
        return [name async for names in registry.tags(REPOSITORY, access=ACCESS) for name in names]

    with pytest.raises(RegistryMisbehaved, match=r"first\.example cannot continue its own list"):
        await take()
    assert await take() == ["1.0.0"]
