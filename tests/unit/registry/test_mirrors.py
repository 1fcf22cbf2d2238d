"""Mirrors: asked first and anonymously, passed over when they fail, and the registry has the last word."""

import asyncio
import logging
from collections.abc import Callable

import httpx
import pytest

from bundlewatch.errors import NotInRegistry, RepositoryNotFound
from bundlewatch.registry.client import Access
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.manifests import digest_of
from bundlewatch.registry.mirrors import MirroredRegistry
from unit.registry.scripted import REPOSITORY, Played, page, play, refused

FIRST = Mirror(host="first.example")
SECOND = Mirror(host="second.example", prefix="cache", insecure=True)
ORIGIN = "registry.example.com"
ACCESS = Access(Credential("robot", "s3cret-word"), ca_pem=b"-- of the origin --")
Answers = dict[str, Callable[[], httpx.Response]]


def mirrored(answers: Answers, *, mirrors: tuple[Mirror, ...] = (FIRST, SECOND)) -> tuple[MirroredRegistry, Played]:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == ORIGIN and "authorization" not in request.headers:
            return refused(401, "UNAUTHORIZED", www_authenticate="Basic realm=x")
        return answers[request.url.host]()

    played = play(handler)
    return MirroredRegistry(played.client, mirrors={ORIGIN: mirrors}), played


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


async def test_a_mirror_that_hangs_does_not_use_up_the_registry_s_time() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "first.example":
            await asyncio.Event().wait()
        return page(["1.0.0"])

    played = play(handler)
    registry = MirroredRegistry(played.client, mirrors={ORIGIN: (FIRST,)}, patience_s=0.05)
    async with asyncio.timeout(5):
        assert await registry.list_tags(REPOSITORY, access=Access()) == ("1.0.0",)


async def test_a_mirror_that_goes_down_and_comes_back_is_named_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers = {"first.example": FAILURES["down"], ORIGIN: lambda: page(["1.0.0"])}
    registry, _ = mirrored(answers, mirrors=(FIRST,))
    for _ in range(3):
        await registry.list_tags(REPOSITORY, access=ACCESS)
    answers["first.example"] = lambda: page(["1.0.0"])
    for _ in range(3):
        await registry.list_tags(REPOSITORY, access=ACCESS)
    told = [record.message for record in caplog.records]
    assert len(told) == 2
    assert told[0].startswith(f"mirror first.example of {ORIGIN} is passed over: ")
    assert told[1] == f"mirror first.example of {ORIGIN} answers again"
