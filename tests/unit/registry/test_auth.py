"""Logging in: the right header to the right host, tokens fetched once and kept no longer than they are good."""

import asyncio

import httpx
import pytest

from bundlewatch.errors import AccessDenied, RateLimited, RegistryMisbehaved, RegistryUnavailable
from bundlewatch.registry.client import Access, ListingLimits
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.reference import parse_repository
from unit.registry.scripted import REPOSITORY, TokenRegistry, basic, form_of, in_turn, page, play, refused

ROBOT = Access(Credential("robot", "s3cret"))
WRONG = Access(Credential("robot", "wr0ng-one"))
PLAIN = Access()


def basic_registry(username: str, password: str) -> object:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.headers.get("authorization") == basic(username, password):
            return page(["1.0.0"])
        return refused(401, "UNAUTHORIZED", "authentication required", www_authenticate='Basic realm="r"')

    return handler


class TestBasic:
    async def test_the_password_is_sent_when_it_is_asked_for_and_then_at_once(self) -> None:
        played = play(basic_registry("robot", "s3cret"))  # type: ignore[arg-type] # a handler
        for _ in range(3):
            assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)
        header = basic("robot", "s3cret")
        assert played.authorizations == [None, header, header, header]

    async def test_a_wrong_password_is_tried_once_and_refused(self) -> None:
        played = play(basic_registry("robot", "s3cret"))  # type: ignore[arg-type] # a handler
        with pytest.raises(AccessDenied, match=r"registry\.example\.com refuses our credentials .*secretRef") as error:
            await played.client.list_tags(REPOSITORY, access=WRONG)
        assert len(played.requests) == 2
        assert "registry.example.com/shop/bundle" in str(error.value)
        assert "wr0ng-one" not in str(error.value)
        with pytest.raises(AccessDenied):
            await played.client.list_tags(REPOSITORY, access=WRONG)
        assert len(played.requests) == 3  # no second try of what was refused

    async def test_nobody_is_told_to_name_a_secret(self) -> None:
        played = play(basic_registry("robot", "s3cret"))  # type: ignore[arg-type] # a handler
        with pytest.raises(AccessDenied, match=r"name a Secret with them in spec\.access\.secretRef"):
            await played.client.list_tags(REPOSITORY, access=PLAIN)
        assert len(played.requests) == 1

    async def test_one_s_password_is_not_another_s(self) -> None:
        played = play(basic_registry("robot", "s3cret"))  # type: ignore[arg-type] # a handler
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        with pytest.raises(AccessDenied):
            await played.client.list_tags(REPOSITORY, access=PLAIN)
        assert played.authorizations[-1] is None


class TestTokens:
    async def test_a_token_is_fetched_with_our_own_scope_and_used(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)
        assert played.authorizations == [None, basic("robot", "s3cret"), "Bearer token-0-of-the-registry"]
        query = registry.token_requests[0].url.params
        assert query["service"] == "registry.example.com"
        assert query.get_list("scope") == ["repository:shop/bundle:pull"]

    async def test_what_a_realm_already_asks_for_is_kept(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"}, realm="https://auth.example.com/token?account=x")
        await play(registry).client.list_tags(REPOSITORY, access=ROBOT)
        assert registry.token_requests[0].url.params["account"] == "x"

    async def test_anonymous_pull_needs_no_credentials(self) -> None:
        registry = TokenRegistry({}, public=True)
        played = play(registry)
        assert await played.client.list_tags(REPOSITORY, access=PLAIN) == ("1.0.0",)
        assert "authorization" not in registry.token_requests[0].headers

    async def test_a_token_is_used_until_four_fifths_of_its_life(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        for _ in range(3):
            await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(played.requests) == 5  # 401, token, list, list, list
        played.time.now_s += 239
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(registry.token_requests) == 1
        played.time.now_s += 2
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(registry.token_requests) == 2

    @pytest.mark.parametrize(
        ("extra", "good_for_s"),
        [
            ({}, 48),
            ({"expires_in": 0}, 48),
            ({"expires_in": -5}, 48),
            ({"expires_in": "soon"}, 48),
            ({"expires_in": None}, 48),
            ({"expires_in": "100"}, 80),
            ({"expires_in": 1e300}, 2880),
        ],
        ids=str,
    )
    async def test_odd_lives_are_read_with_care(self, extra: dict[str, object], good_for_s: float) -> None:
        registry = TokenRegistry({"robot": "s3cret"}, answer_extra=extra)
        played = play(registry)
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        played.time.now_s += good_for_s - 1
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(registry.token_requests) == 1
        played.time.now_s += 2
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(registry.token_requests) == 2

    async def test_many_who_wait_cost_one_token(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})

        async def slowly(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.01)
            return registry(request)

        client = play(slowly).client
        answers = await asyncio.gather(*(client.list_tags(REPOSITORY, access=ROBOT) for _ in range(30)))
        assert answers == [("1.0.0",)] * 30
        assert len(registry.token_requests) == 1

    async def test_who_gives_up_does_not_take_the_token_from_the_others(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        entered, gate = asyncio.Event(), asyncio.Event()

        async def held(request: httpx.Request) -> httpx.Response:
            if request.url.host == "auth.example.com":
                entered.set()
                await gate.wait()
            return registry(request)

        client = play(held).client
        first = asyncio.create_task(client.list_tags(REPOSITORY, access=ROBOT))
        second = asyncio.create_task(client.list_tags(REPOSITORY, access=ROBOT))
        await entered.wait()
        first.cancel()
        gate.set()
        assert await second == ("1.0.0",)
        assert len(registry.token_requests) == 1

    async def test_another_repository_of_a_known_registry_saves_the_refusal(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        await played.client.list_tags(parse_repository("registry.example.com/other"), access=ROBOT)
        assert len(played.requests) == 5  # 401, token, list; token, list
        assert registry.token_requests[1].url.params["scope"] == "repository:other:pull"

    async def test_tokens_are_not_shared_between_credentials_or_ways(self) -> None:
        registry = TokenRegistry({"robot": "s3cret", "other": "s3cret"}, public=True)
        played = play(registry)
        ways = [ROBOT, Access(Credential("other", "s3cret")), PLAIN, Access(ca_pem=b"another authority")]
        for access in ways:
            await played.client.list_tags(REPOSITORY, access=access)
        assert len(registry.token_requests) == len(ways)
        assert len(set(registry.issued)) == len(ways)

    async def test_a_revoked_token_is_replaced_once(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        registry.revoked.update(registry.issued)
        assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)
        assert len(registry.token_requests) == 2

    async def test_a_registry_that_never_believes_its_token_server_is_denied(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        registry.revoked = {f"token-{number}-of-the-registry" for number in range(100)}
        for _ in range(3):
            before = len(played.requests)
            with pytest.raises(AccessDenied):
                await played.client.list_tags(REPOSITORY, access=ROBOT)
            assert len(played.requests) - before <= 4
        assert not any("token-" in str(url) for url in played.urls)

    async def test_a_wrong_password_is_denied_by_the_token_server(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        with pytest.raises(AccessDenied, match=r"its token server auth\.example\.com refuses our credentials") as error:
            await played.client.list_tags(REPOSITORY, access=WRONG)
        assert len(registry.token_requests) == 1
        assert "incorrect username or password" in str(error.value)

    async def test_a_corrected_password_works_at_once(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        client = play(registry).client
        with pytest.raises(AccessDenied):
            await client.list_tags(REPOSITORY, access=WRONG)
        assert await client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)

    async def test_a_realm_that_moved_is_found_again(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})

        def handler(request: httpx.Request) -> httpx.Response:
            known = request.url.host in {"registry.example.com", httpx.URL(registry.realm).host}
            return registry(request) if known else httpx.Response(404)

        played = play(handler)
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        registry.realm = "https://login.example.com/token"
        played.time.now_s += 1000
        with pytest.raises(RegistryMisbehaved, match="gives no token"):
            await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)

    async def test_a_permission_granted_at_the_registry_alone_counts_at_the_next_try(self) -> None:
        registry, may_pull = TokenRegistry({"robot": "s3cret"}), set[str]()

        def handler(request: httpx.Request) -> httpx.Response:
            answer = registry(request)
            told = request.headers.get("authorization", "").removeprefix("Bearer ")
            if answer.status_code == 200 and told in registry.issued and told not in may_pull:
                return refused(403, "DENIED", "requested access to the resource is denied")
            return answer

        played = play(handler)
        with pytest.raises(AccessDenied):
            await played.client.list_tags(REPOSITORY, access=ROBOT)
        may_pull.add("token-1-of-the-registry")
        assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)
        assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)
        assert len(registry.token_requests) == 2

    @pytest.mark.parametrize(
        "fault",
        [
            httpx.Response(500),
            httpx.Response(429),
            httpx.Response(200, content=b"<html>"),
            httpx.ConnectError("refused"),
        ],
        ids=lambda value: repr(value)[:30],
    )
    async def test_a_token_is_good_to_its_end_while_there_is_no_other(self, fault: httpx.Response | Exception) -> None:
        registry, is_ill = TokenRegistry({"robot": "s3cret"}), False

        def handler(request: httpx.Request) -> httpx.Response:
            if not is_ill or request.url.host != "auth.example.com":
                return registry(request)
            return in_turn(fault)(request)  # type: ignore[return-value] # not a coroutine

        played = play(handler)
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        is_ill = True
        played.time.now_s += 250
        for _ in range(3):
            assert await played.client.list_tags(REPOSITORY, access=ROBOT) == ("1.0.0",)
        assert sum(request.url.host == "auth.example.com" for request in played.requests) == 2  # not at each request
        played.time.now_s += 51
        with pytest.raises((RegistryUnavailable, RegistryMisbehaved)):
            await played.client.list_tags(REPOSITORY, access=ROBOT)

    async def test_a_token_of_a_login_that_is_refused_now_is_not_used_any_longer(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        await played.client.list_tags(REPOSITORY, access=ROBOT)
        registry.accounts.clear()
        played.time.now_s += 250
        for _ in range(2):
            with pytest.raises(AccessDenied):
                await played.client.list_tags(REPOSITORY, access=ROBOT)

    async def test_who_had_little_time_left_does_not_take_the_token_from_the_others(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})

        async def slowly(request: httpx.Request) -> httpx.Response:
            if request.url.host == "auth.example.com":
                await asyncio.sleep(0.5)
                played.time.now_s += 0.5
            return registry(request)

        played = play(slowly, listing_limits=ListingLimits(wire_s=0.2))
        first = asyncio.create_task(played.client.list_tags(REPOSITORY, access=ROBOT))
        await asyncio.sleep(0.1)
        second = asyncio.create_task(played.client.get_manifest(REPOSITORY, "1.0.0", access=ROBOT))
        with pytest.raises(RegistryUnavailable, match=r"^listing the tags of .* took too long over its answers"):
            await first
        with pytest.raises(RegistryMisbehaved):  # what answers is a list
            await second
        assert len(registry.token_requests) == 1

    async def test_a_token_that_cannot_be_had_is_told_to_all_in_the_same_words(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})

        async def slowly(request: httpx.Request) -> httpx.Response:
            if request.url.host != "auth.example.com":
                return registry(request)
            await asyncio.sleep(0.05)
            return httpx.Response(500)

        client = play(slowly).client
        told = await asyncio.gather(
            client.list_tags(REPOSITORY, access=ROBOT),
            client.get_manifest(REPOSITORY, "1.0.0", access=ROBOT),
            return_exceptions=True,
        )
        doing = "logging in to pull registry.example.com/shop/bundle"
        assert {str(error) for error in told} == {
            f"{doing}: its token server auth.example.com cannot serve just now (500)"
        }

    async def test_a_ready_bearer_token_is_sent_as_it_is(self) -> None:
        played = play(in_turn(page(["1.0.0"])))
        await played.client.list_tags(REPOSITORY, access=Access(Credential(registry_token="t0ken")))
        assert played.authorizations == ["Bearer t0ken"]

    async def test_a_refused_bearer_token_is_denied(self) -> None:
        registry = TokenRegistry({"robot": "s3cret"})
        played = play(registry)
        with pytest.raises(AccessDenied):
            await played.client.list_tags(REPOSITORY, access=Access(Credential(registry_token="t0ken")))
        assert len(played.requests) == 1


class TestIdentityTokens:
    ACCESS = Access(Credential(identity_token="refresh-me"))

    async def test_an_identity_token_is_exchanged(self) -> None:
        registry = TokenRegistry({}, refresh_tokens={"refresh-me": "robot"})
        assert await play(registry).client.list_tags(REPOSITORY, access=self.ACCESS) == ("1.0.0",)
        (request,) = registry.token_requests
        form = form_of(request)
        assert request.method == "POST"
        assert form["grant_type"] == ["refresh_token"]
        assert form["scope"] == ["repository:shop/bundle:pull"]
        assert form["service"] == ["registry.example.com"]

    @pytest.mark.parametrize("status", [404, 405])
    async def test_a_token_server_without_oauth_is_asked_the_older_way(self, status: int) -> None:
        registry = TokenRegistry({"robot": "s3cret"}, oauth_status=status)
        access = Access(Credential("robot", "s3cret", identity_token="refresh-me"))
        assert await play(registry).client.list_tags(REPOSITORY, access=access) == ("1.0.0",)
        assert [request.method for request in registry.token_requests] == ["POST", "GET"]

    async def test_a_stale_identity_token_is_denied(self) -> None:
        registry = TokenRegistry({})
        with pytest.raises(AccessDenied, match="invalid_grant: no such token"):
            await play(registry).client.list_tags(REPOSITORY, access=self.ACCESS)


class TestTokenServersThatMisbehave:
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(200, content=b""), RegistryMisbehaved),
            (httpx.Response(200, json=[]), RegistryMisbehaved),
            (httpx.Response(200, json={}), RegistryMisbehaved),
            (httpx.Response(200, json={"token": 7}), RegistryMisbehaved),
            (httpx.Response(200, json={"token": "a\r\nX-Evil: b"}), RegistryMisbehaved),
            (httpx.Response(200, json={"token": "a b"}), RegistryMisbehaved),
            (httpx.Response(200, json={"token": "x" * 20_000}), RegistryMisbehaved),
            (httpx.Response(200, content=b" " * 200_000), RegistryMisbehaved),
            (httpx.Response(302, headers={"location": "https://evil.example/"}), RegistryMisbehaved),
            (httpx.Response(302, headers={"location": "https://auth.example.com/"}), RegistryMisbehaved),
            (httpx.Response(404), RegistryMisbehaved),
            (httpx.Response(500), RegistryUnavailable),
            (httpx.Response(429, headers={"retry-after": "9"}), RateLimited),
            (httpx.ConnectError("refused"), RegistryUnavailable),
        ],
        ids=lambda value: repr(value)[:30],
    )
    async def test_a_token_server_that_fails_has_its_name_in_the_error(
        self, answer: httpx.Response | Exception, kind: type[Exception]
    ) -> None:
        registry = TokenRegistry({"robot": "s3cret"})

        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.host != "auth.example.com":
                return registry(request)
            return in_turn(answer)(request)  # type: ignore[return-value] # not a coroutine

        played = play(handler)
        with pytest.raises(kind, match=r"auth\.example\.com") as error:
            await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert type(error.value) is kind
        assert len(played.requests) == 2
        assert "registry.example.com/shop/bundle" in str(error.value)

    @pytest.mark.parametrize(
        "realm",
        [
            "http://auth.example.com/token",
            "https://127.0.0.1/token",
            "https://169.254.169.254/t",
            "https://u:p@x/",
            "x",
        ],
    )
    async def test_a_realm_that_must_not_be_asked_gets_nothing(self, realm: str) -> None:
        played = play(TokenRegistry({}, realm=realm))
        with pytest.raises(RegistryMisbehaved, match="nothing was sent there"):
            await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(played.requests) == 1

    @pytest.mark.parametrize("challenge", [None, "", " , "])
    async def test_a_refusal_that_names_no_login_is_told_as_such(self, challenge: str | None) -> None:
        answer = httpx.Response(401, headers={} if challenge is None else {"www-authenticate": challenge})
        played = play(in_turn(answer))
        with pytest.raises(
            AccessDenied, match=r"does not say which login it wants \(401\), so none was sent; check that no"
        ):
            await played.client.list_tags(REPOSITORY, access=ROBOT)
        assert len(played.requests) == 1

    async def test_a_login_that_is_refused_without_naming_one_is_refused(self) -> None:
        access = Access(Credential(registry_token="t0ken"))
        with pytest.raises(AccessDenied, match="refuses our credentials"):
            await play(in_turn(httpx.Response(401))).client.list_tags(REPOSITORY, access=access)

    @pytest.mark.parametrize("challenge", ["Negotiate", "Digest realm=x", "Bearer service=x"])
    async def test_a_login_we_do_not_know_is_named(self, challenge: str) -> None:
        answer = refused(401, "UNAUTHORIZED", www_authenticate=challenge)
        with pytest.raises(AccessDenied, match="other than Basic and Bearer"):
            await play(in_turn(answer)).client.list_tags(REPOSITORY, access=ROBOT)

    async def test_an_identity_token_is_not_sent_as_a_password(self) -> None:
        played = play(basic_registry("robot", "s3cret"))  # type: ignore[arg-type] # a handler
        with pytest.raises(AccessDenied):
            await played.client.list_tags(REPOSITORY, access=Access(Credential(identity_token="refresh-me")))
        assert played.authorizations == [None]


async def test_closing_ends_a_token_request_under_way() -> None:
    registry = TokenRegistry({"robot": "s3cret"})
    entered = asyncio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example.com":
            entered.set()
            await asyncio.Event().wait()
        return registry(request)

    client = play(hang).client
    listing = asyncio.create_task(client.list_tags(REPOSITORY, access=ROBOT))
    await entered.wait()
    await client.aclose()
    with pytest.raises(asyncio.CancelledError):
        await listing
