"""Manifests and blobs: what comes back is what was asked for, or an error."""

import hashlib
import json
from collections.abc import Coroutine

import httpx
import pytest

from bundlewatch.errors import (
    AccessDenied,
    InvalidReference,
    NotInRegistry,
    RegistryMisbehaved,
    RepositoryNotFound,
    UnusableContent,
)
from bundlewatch.registry import media_types
from bundlewatch.registry.client import Access, Descriptor
from bundlewatch.registry.credentials import Credential
from unit.registry.scripted import REPOSITORY, in_turn, play, refused

BASE = "https://registry.example.com/v2/shop/bundle"
PLAIN = Access()
SIGNED_IN = Access(Credential("robot", "s3cret"))
MANIFEST = json.dumps({"schemaVersion": 2, "config": {"mediaType": "x"}, "layers": []}).encode()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


DIGEST = digest_of(MANIFEST)
OTHER = digest_of(b"other")


def manifest(body: bytes = MANIFEST, *, content_type: str | None = media_types.OCI_MANIFEST) -> httpx.Response:
    headers = {"content-type": content_type} if content_type is not None else {}
    return httpx.Response(200, content=body, headers=headers)


def head(
    digest: str | None = DIGEST, *, length: str | None = "364", kind: str = media_types.OCI_MANIFEST
) -> httpx.Response:
    headers = {"docker-content-digest": digest, "content-length": length, "content-type": kind}
    return httpx.Response(200, headers={name: value for name, value in headers.items() if value is not None})


class TestHead:
    async def test_a_tag_is_looked_up_without_fetching_it(self) -> None:
        played = play(in_turn(head()))
        found = await played.client.head_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert found == Descriptor(media_types.OCI_MANIFEST, DIGEST, 364)
        assert [(request.method, str(request.url)) for request in played.requests] == [
            ("HEAD", f"{BASE}/manifests/1.0.0")
        ]
        assert played.requests[0].headers["accept"].count("application/vnd.") == 4

    async def test_parameters_of_the_content_type_are_ignored(self) -> None:
        played = play(in_turn(head(kind=f"{media_types.OCI_MANIFEST.upper()}; charset=utf-8")))
        found = await played.client.head_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert found.media_type == media_types.OCI_MANIFEST

    @pytest.mark.parametrize(
        "answers",
        [
            [httpx.Response(304)],
            [head()],
            [head(None), manifest()],
            [httpx.Response(405), manifest()],
        ],
        ids=["it says so", "it ignores the question", "it has no digest in HEAD", "it has no HEAD"],
    )
    async def test_an_unchanged_tag_is_none_however_the_registry_says_it(self, answers: list[httpx.Response]) -> None:
        played = play(in_turn(*answers))
        assert await played.client.head_manifest(REPOSITORY, "1.0.0", access=PLAIN, etag=DIGEST) is None
        assert played.requests[0].headers["if-none-match"] == f'"{DIGEST}"'

    async def test_a_changed_tag_is_described(self) -> None:
        found = await play(in_turn(head())).client.head_manifest(REPOSITORY, "1.0.0", access=PLAIN, etag=OTHER)
        assert found is not None
        assert found.digest == DIGEST

    @pytest.mark.parametrize(
        "answer",
        [head(None), head("md5:00"), head("sha256:xyz"), head(length=None), httpx.Response(405), httpx.Response(400)],
        ids=["no digest", "another algorithm", "no hex", "no length", "405", "400"],
    )
    async def test_a_head_that_tells_nothing_is_followed_by_a_get(self, answer: httpx.Response) -> None:
        played = play(in_turn(answer, manifest()))
        found = await played.client.head_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert found == Descriptor(media_types.OCI_MANIFEST, DIGEST, len(MANIFEST))
        assert [request.method for request in played.requests] == ["HEAD", "GET"]

    async def test_another_digest_than_the_one_asked_for_is_refused(self) -> None:
        with pytest.raises(RegistryMisbehaved, match="another digest"):
            await play(in_turn(head(OTHER))).client.head_manifest(REPOSITORY, DIGEST, access=PLAIN)

    async def test_an_unasked_304_is_no_answer(self) -> None:
        with pytest.raises(RegistryMisbehaved):
            await play(in_turn(httpx.Response(304))).client.head_manifest(REPOSITORY, "1.0.0", access=PLAIN)


class TestManifests:
    async def test_the_digest_is_computed_from_what_was_received(self) -> None:
        answer = manifest()
        answer.headers["docker-content-digest"] = "sha256:whatever"  # no digest, so it says nothing
        found = await play(in_turn(answer)).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert (found.raw, found.digest) == (MANIFEST, DIGEST)

    async def test_what_the_registry_itself_calls_another_digest_is_refused_whatever_it_looks_like(self) -> None:
        answer = manifest()
        answer.headers["docker-content-digest"] = OTHER
        with pytest.raises(RegistryMisbehaved, match="does not match its digest") as error:
            await play(in_turn(answer)).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert not isinstance(error.value, UnusableContent)

    async def test_content_that_does_not_match_its_digest_is_refused(self) -> None:
        with pytest.raises(RegistryMisbehaved, match="does not match its digest"):
            await play(in_turn(manifest(b'{"config":{}}'))).client.get_manifest(REPOSITORY, DIGEST, access=PLAIN)

    async def test_sha512_is_verified_too(self) -> None:
        digest = f"sha512:{hashlib.sha512(MANIFEST).hexdigest()}"
        found = await play(in_turn(manifest())).client.get_manifest(REPOSITORY, digest, access=PLAIN)
        assert found.digest == digest
        with pytest.raises(RegistryMisbehaved):
            await play(in_turn(manifest())).client.get_manifest(REPOSITORY, "sha512:" + "0" * 128, access=PLAIN)

    @pytest.mark.parametrize(
        ("content_type", "document", "media_type"),
        [
            (media_types.OCI_MANIFEST, {"config": {}}, media_types.OCI_MANIFEST),
            (f"{media_types.OCI_MANIFEST};charset=utf-8", {"config": {}}, media_types.OCI_MANIFEST),
            (media_types.OCI_INDEX, {"mediaType": media_types.OCI_INDEX}, media_types.OCI_INDEX),
            (None, {"mediaType": media_types.DOCKER_MANIFEST}, media_types.DOCKER_MANIFEST),
            ("application/json", {"mediaType": media_types.DOCKER_LIST}, media_types.DOCKER_LIST),
            ("text/plain; charset=utf-8", {"manifests": []}, media_types.OCI_INDEX),
            ("application/octet-stream", {"layers": []}, media_types.OCI_MANIFEST),
            ("application/vnd.docker.distribution.manifest.v1+prettyjws", {"fsLayers": []}, "…v1+prettyjws"),
        ],
    )
    async def test_the_media_type_is_the_header_s_or_the_body_s(
        self, content_type: str | None, document: object, media_type: str
    ) -> None:
        answer = manifest(json.dumps(document).encode(), content_type=content_type)
        found = await play(in_turn(answer)).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert found.media_type.endswith(media_type.removeprefix("…"))

    @pytest.mark.parametrize(
        ("content_type", "document"),
        [
            (media_types.OCI_MANIFEST, {"mediaType": media_types.OCI_INDEX}),
            (media_types.OCI_INDEX, {"mediaType": media_types.OCI_MANIFEST, "config": {}}),
            (media_types.OCI_MANIFEST, {"mediaType": 7}),
            ("text/plain", {}),
        ],
        ids=["index as manifest", "manifest as index", "a number", "nothing to tell by"],
    )
    async def test_a_media_type_in_doubt_is_refused(self, content_type: str, document: object) -> None:
        answer = manifest(json.dumps(document).encode(), content_type=content_type)
        with pytest.raises(UnusableContent, match="media type is in doubt"):
            await play(in_turn(answer)).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
    async def test_what_is_no_object_is_no_manifest(self, body: bytes) -> None:
        with pytest.raises(UnusableContent, match="sent a manifest that is no"):
            await play(in_turn(manifest(body))).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)

    @pytest.mark.parametrize("entry", [b"{},", b"0,"])
    async def test_what_would_become_far_more_in_memory_is_no_manifest(self, entry: bytes) -> None:
        body = b'{"config":{},"layers":[%b0]}' % (entry * 200_000)
        with pytest.raises(UnusableContent, match="sent a manifest that has more parts than are read"):
            await play(in_turn(manifest(body))).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)

    async def test_what_was_damaged_on_the_way_says_nothing_of_what_is_stored(self) -> None:
        answer = manifest(b"{")
        answer.headers["docker-content-digest"] = DIGEST
        with pytest.raises(RegistryMisbehaved, match="does not match its digest") as error:
            await play(in_turn(answer)).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        assert not isinstance(error.value, UnusableContent)

    async def test_a_manifest_has_at_most_4_mib(self) -> None:
        with pytest.raises(UnusableContent, match="4194304 bytes allowed"):
            await play(in_turn(manifest(b" " * (4 << 20) + MANIFEST))).client.get_manifest(
                REPOSITORY, "1.0.0", access=PLAIN
            )

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refused(404, "MANIFEST_UNKNOWN"), NotInRegistry),
            (httpx.Response(404), NotInRegistry),
            (refused(404, "NAME_UNKNOWN"), RepositoryNotFound),
            (refused(403, "DENIED"), AccessDenied),
        ],
        ids=["no such manifest", "nothing said", "no such repository", "denied"],
    )
    async def test_a_missing_manifest_is_told_from_a_missing_repository(
        self, answer: httpx.Response, kind: type[Exception]
    ) -> None:
        with pytest.raises(kind, match=r"looking up 1\.0\.0 in registry\.example\.com/shop/bundle"):
            await play(in_turn(answer)).client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)

    @pytest.mark.parametrize("reference", ["", "../../token", "a/b", "a?b", "sha256:00", "x" * 200, "a\r\nb"])
    async def test_what_is_no_reference_is_never_asked_for(self, reference: str) -> None:
        played = play(in_turn(manifest()))
        with pytest.raises(InvalidReference):
            await played.client.get_manifest(REPOSITORY, reference, access=PLAIN)
        with pytest.raises(InvalidReference):
            await played.client.get_blob(REPOSITORY, reference, access=PLAIN, max_bytes=9)
        assert played.requests == []


class TestBlobs:
    async def test_a_blob_is_checked_against_its_digest(self) -> None:
        played = play(in_turn(httpx.Response(200, content=b"other")))
        assert await played.client.get_blob(REPOSITORY, OTHER, access=PLAIN, max_bytes=5) == b"other"
        with pytest.raises(RegistryMisbehaved, match="does not match its digest"):
            await played.client.get_blob(REPOSITORY, DIGEST, access=PLAIN, max_bytes=5)

    async def test_a_blob_has_at_most_what_the_caller_allows(self) -> None:
        with pytest.raises(RegistryMisbehaved, match="more than the 4 bytes"):
            await play(in_turn(httpx.Response(200, content=b"other"))).client.get_blob(
                REPOSITORY, OTHER, access=PLAIN, max_bytes=4
            )

    async def test_the_limit_holds_without_a_length_and_while_reading(self) -> None:
        sent = 0

        class Endless(httpx.AsyncByteStream):
            async def __aiter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204 - an endless iterator
                nonlocal sent
                while True:
                    sent += 1000
                    yield b"x" * 1000

        played = play(in_turn(httpx.Response(200, stream=Endless())))
        with pytest.raises(RegistryMisbehaved, match="more than the 5000 bytes"):
            await played.client.get_blob(REPOSITORY, OTHER, access=PLAIN, max_bytes=5000)
        assert sent == 6000

    async def test_credentials_stay_at_home_when_a_blob_moves(self) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.host != "registry.example.com":
                return httpx.Response(200, content=b"other")
            if "authorization" not in request.headers:
                return refused(401, "UNAUTHORIZED", www_authenticate='Basic realm="x"')
            return httpx.Response(307, headers={"location": "https://storage.example/blob?sig=1"})

        played = play(handler)
        assert await played.client.get_blob(REPOSITORY, OTHER, access=SIGNED_IN, max_bytes=9) == b"other"
        away = played.requests[-1]
        assert str(away.url) == "https://storage.example/blob?sig=1"
        assert "authorization" not in away.headers

    async def test_credentials_stay_at_home_also_when_the_blob_comes_back(self) -> None:
        hops = {
            "registry.example.com": "https://storage.example/x",
            "storage.example": "https://registry.example.com/v2/other/blobs/x",
        }

        def handler(request: httpx.Request) -> httpx.Response:
            if "/other/" in request.url.path:
                return httpx.Response(200, content=b"other")
            return httpx.Response(302, headers={"location": hops[request.url.host]})

        played = play(handler)
        access = Access(Credential(registry_token="t0ken"))
        await played.client.get_blob(REPOSITORY, OTHER, access=access, max_bytes=9)
        assert played.authorizations == ["Bearer t0ken", None, None]

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_a_storage_that_refuses_gets_no_credentials(self, status: int) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.host == "registry.example.com":
                return httpx.Response(302, headers={"location": "https://storage.example/x?sig=s1gned"})
            return refused(status, "NO", www_authenticate='Basic realm="give me"')

        played = play(handler)
        access = Access(Credential("robot", "s3cret", registry_token="t0ken"))
        with pytest.raises(RegistryMisbehaved, match=r"redirects to storage\.example, which refuses") as error:
            await played.client.get_blob(REPOSITORY, OTHER, access=access, max_bytes=9)
        assert len(played.requests) == 2
        assert "s1gned" not in str(error.value)

    async def test_ten_thousand_redirects_are_not_followed(self) -> None:
        played = play(in_turn(httpx.Response(302, headers={"location": f"{BASE}/again"})))
        with pytest.raises(RegistryMisbehaved, match="more than 5 times"):
            await played.client.get_blob(REPOSITORY, OTHER, access=PLAIN, max_bytes=9)
        assert len(played.requests) == 6

    @pytest.mark.parametrize("what", ["tags", "manifest"])
    async def test_only_blobs_may_leave(self, what: str) -> None:
        played = play(in_turn(httpx.Response(302, headers={"location": "https://storage.example/x"})))
        if what == "tags":
            asked: Coroutine[None, None, object] = played.client.list_tags(REPOSITORY, access=PLAIN)
        else:
            asked = played.client.get_manifest(REPOSITORY, "1.0.0", access=PLAIN)
        with pytest.raises(RegistryMisbehaved, match=r"leads away, to https://storage\.example"):
            await asked
        assert len(played.requests) == 1
