"""No secret ever comes out: every error, log line, representation and traceback is searched for planted ones."""

import asyncio
import base64
import json
import logging
import traceback
from collections.abc import Callable
from urllib.parse import quote, unquote_plus

import aiohttp
import httpx
import pytest

from bundlewatch.errors import BundleWatchError
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.providers.base import Surroundings
from bundlewatch.registry.proxies import Proxies
from bundlewatch.registry.transport import Timeouts, Transport
from unit.registry.scripted import REPOSITORY, play, refused

PASSWORD, IDENTITY, READY, ISSUED, SIGNATURE = (
    "planted-Passw0rd/+%",
    "planted-identity-token",
    "planted-ready-token",
    "planted-issued-token",
    "planted-signature",
)
USERNAME = "planted-username"
REALM = "https://auth.example.com/token"
CREDENTIALS = {
    "password": Credential(USERNAME, PASSWORD),
    "identity token": Credential(USERNAME, PASSWORD, identity_token=IDENTITY),
    "ready token": Credential(registry_token=READY),
    "login of a cloud": Credential(USERNAME, PASSWORD, identity="aws registry.example.com", source="the role"),
}
PROXY_LOGIN = "planted-proxy-user", "planted-proxy-Pässw0rd/+@"
PROXIES = Proxies.from_environment(
    {"HTTP_PROXY": f"http://{quote(PROXY_LOGIN[0])}:{quote(PROXY_LOGIN[1], safe='')}@proxy.example:3128"}
)
PLANTED = (PASSWORD, IDENTITY, READY, ISSUED, SIGNATURE, USERNAME, "planted", Credential(USERNAME, PASSWORD).basic[6:])
assert PROXIES.http is not None
PLANTED_AT_THE_PROXY = ("planted", *PROXY_LOGIN, PROXIES.http.authorization[6:], quote(PROXY_LOGIN[1], safe=""))


def echo(request: httpx.Request, *, header_name: str = "authorization") -> str:
    """All that a registry, or the proxy before it, was ever told, said back."""
    header = request.headers.get(header_name, "")
    decoded = base64.b64decode(header[6:]).decode() if header.startswith("Basic ") else ""
    form = request.content.decode()
    return f"{header} {decoded} {form} {unquote_plus(form)}"


def leaky_body(request: httpx.Request, status: int) -> httpx.Response:
    return refused(status, "UNAUTHORIZED", echo(request), www_authenticate=f'Bearer realm="{REALM}"')


def leaky_code(request: httpx.Request, status: int) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": echo(request), "message": ""}]})


def leaky_error(request: httpx.Request, _: int) -> httpx.Response:
    raise aiohttp.ClientResponseError(
        aiohttp.RequestInfo(str(request.url), "GET", dict(request.headers), str(request.url)),  # type: ignore[arg-type] # as it is
        (),
        status=400,
        message=echo(request),
    )


def leaky_redirect(request: httpx.Request, _: int) -> httpx.Response:
    return httpx.Response(302, headers={"location": f"http://evil.example/?sig={SIGNATURE}&a={PASSWORD}"})


def issuing(handler: Callable[[httpx.Request, int], httpx.Response], status: int) -> object:
    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(REALM):
            return httpx.Response(200, json={"token": ISSUED})
        if "authorization" not in request.headers:
            return refused(401, "UNAUTHORIZED", www_authenticate=f'Bearer realm="{REALM}"')
        return handler(request, status)

    return answer


def at_the_token_server(handler: Callable[[httpx.Request, int], httpx.Response], status: int) -> object:
    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(REALM):
            return handler(request, status)
        return refused(401, "UNAUTHORIZED", www_authenticate=f'Bearer realm="{REALM}"')

    return answer


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("leak", [leaky_body, leaky_code, leaky_error, leaky_redirect], ids=lambda leak: leak.__name__)
@pytest.mark.parametrize("where", [issuing, at_the_token_server], ids=lambda where: where.__name__)
async def test_no_secret_comes_out(
    where: Callable[..., Callable[[httpx.Request], httpx.Response]],
    leak: Callable[[httpx.Request, int], httpx.Response],
    status: int,
    credential: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    access = Access(CREDENTIALS[credential])
    client = play(where(leak, status)).client
    shown = await everything_shown(client, access)
    shown += [caplog.text, repr(access), repr(client), str(client), json.dumps(caplog.messages)]
    assert planted_in(shown, PLANTED) == []


def leaky_realm(request: httpx.Request) -> httpx.Response:
    said = echo(request, header_name="proxy-authorization")
    return refused(401, "UNAUTHORIZED", www_authenticate=f'Bearer realm="http://x.example/{quote(said, safe=" ")}"')


def leaky_everything(status: int) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        said = echo(request, header_name="proxy-authorization")
        assert PROXY_LOGIN[1] in said
        return refused(status, said, f"{said} {quote(said, safe='')}")

    return answer


@pytest.mark.parametrize("handler", [leaky_realm, *map(leaky_everything, [400, 403, 404, 429, 500])])
async def test_the_login_of_a_proxy_does_not_come_out(
    handler: Callable[[httpx.Request], httpx.Response], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = play(handler, proxies=PROXIES).client
    shown = [*await everything_shown(client, Access(insecure=True)), caplog.text]
    assert planted_in(shown, PLANTED_AT_THE_PROXY) == []


async def test_the_login_of_a_proxy_does_not_come_out_of_a_cloud_s_answer() -> None:
    transport = Transport(timeouts=Timeouts(), proxies=PROXIES, inner=httpx.MockTransport(leaky_everything(400)))
    around = Surroundings(transport, {"SOMETHING": "planted-in-the-environment"})
    url = around.url("http://sts.example/", named_by="AWS_ENDPOINT_URL_STS")
    with pytest.raises(BundleWatchError) as error:
        await around.ask("a login", "GET", url, headers={})
    assert planted_in([*spelled(error.value), repr(around)], PLANTED_AT_THE_PROXY) == []


async def everything_shown(client: RegistryClient, access: Access) -> list[str]:
    """What a person may see of questions that all fail."""
    digest = "sha256:" + "0" * 64
    outcomes = await asyncio.gather(
        client.list_tags(REPOSITORY, access=access),
        client.head_manifest(REPOSITORY, "1.0.0", access=access),
        client.get_manifest(REPOSITORY, "1.0.0", access=access),
        client.get_blob(REPOSITORY, digest, access=access, max_bytes=100),
        return_exceptions=True,
    )
    await client.aclose()
    shown: list[str] = []
    for error in outcomes:
        assert isinstance(error, BundleWatchError)
        shown += spelled(error)
    return shown


def spelled(error: BaseException) -> list[str]:
    shown = [str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error))]
    for inner in (error.__cause__, error.__context__):
        shown += [repr(inner), str(inner), repr(vars(inner)) if inner is not None else ""]
    return shown


def planted_in(shown: list[str], planted: tuple[str, ...]) -> list[str]:
    text = "\n".join(shown).replace(__file__, "")
    return [secret for secret in planted if secret in text]
