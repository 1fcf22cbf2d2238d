"""What becomes of Argo CD's own login: used as it stands, or named with the cure, and nobody else's is a matter."""

import asyncio
import base64
from dataclasses import replace

import pytest

from bundlewatch.engine.argocd_logins import ArgoCDLogins
from bundlewatch.errors import InvalidSecret, SecretNotFound
from bundlewatch.registry.credentials import NoEntry
from kit.certificates import issue_client
from unit.engine.world import ROUTE, ApiServer, argocd_secret, in_virtual_time

HERE = replace(ROUTE, namespace="argocd", from_argocd=True)
URL = "registry.example.com/team"


def with_login(url: str = URL, **different: str) -> dict[str, object]:
    return argocd_secret("repository", **{"url": url, "username": "argo", "password": "p", **different})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A client certificate and its key, under Argo CD's names."""
    issued = issue_client(tmp_path_factory.mktemp("certificate"))
    return {"tlsClientCertData": issued.certificate.read_text(), "tlsClientCertKey": issued.key.read_text()}


async def user(cluster: ApiServer) -> str:
    """The user name of the login; empty: there is none."""
    return (await ArgoCDLogins(cluster).login(HERE)).credential.username


async def test_a_login_comes_with_its_client_certificate(certificate: dict[str, str]) -> None:
    secret = with_login("oci://registry.example.com/team/shop", **certificate)

    found = await ArgoCDLogins(ApiServer(secrets={"shop": secret})).login(HERE)

    assert found.credential.username == "argo"
    assert found.certificate is not None
    assert found.certificate.chain_pem.decode() == certificate["tlsClientCertData"]
    assert found.certificate.key_pem.decode() == certificate["tlsClientCertKey"]


@pytest.mark.parametrize("secrets", [{}, {"shop": with_login("registry.example.org/team")}], ids=["none", "another"])
async def test_a_repository_that_argo_cd_does_not_know_is_an_error(secrets: dict[str, dict[str, object]]) -> None:
    with pytest.raises(
        NoEntry, match=r"of Argo CD in the namespace argocd .* registry\.example\.com/team/shop"
    ) as error:
        await user(ApiServer(secrets=secrets))

    assert "registry.example.org" not in str(error.value)


async def test_a_repository_that_argo_cd_knows_to_be_open_is_asked_anonymously() -> None:
    cluster = ApiServer(secrets={"shop": argocd_secret("repository", url=URL)})

    found = await ArgoCDLogins(cluster).login(HERE)

    assert found.credential.is_anonymous
    assert "Secret argocd/shop of Argo CD is for it and holds no username and password" in found.credential.cure


async def test_a_client_certificate_alone_is_said_to_be_no_login(certificate: dict[str, str]) -> None:
    secret = argocd_secret("repository", url=URL, **certificate)

    found = await ArgoCDLogins(ApiServer(secrets={"shop": secret})).login(HERE)

    assert found.certificate is not None
    assert found.credential.cure.startswith("Secret argocd/shop of Argo CD holds a client certificate and no username")


@pytest.mark.parametrize(
    ("insecure", "data", "says"),
    [
        pytest.param(True, {"password": "p"}, "meant for HTTPS, and is not sent in the clear", id="plain"),
        pytest.param(False, {"useAzureWorkloadIdentity": "true"}, "set spec.access.provider to azure", id="Azure"),
        pytest.param(False, {"tlsClientCertData": "CHAIN"}, "but not tlsClientCertKey", id="half a certificate"),
        pytest.param(
            False,
            {"tlsClientCertData": "CHAIN", "tlsClientCertKey": "KEY"},
            "its tlsClientCertData and tlsClientCertKey are no usable pair",
            id="no certificate",
        ),
        pytest.param(
            False,
            {"username": "argo"},
            "it has a username and no password; put the password into its key password, or remove the username",
            id="no password",
        ),
        pytest.param(False, {"username": "argo", "password": "\n"}, "no password; put", id="a line end as password"),
        pytest.param(False, {"username": "ar:go", "password": "p"}, "has a colon", id="a colon"),
    ],
)
async def test_a_login_that_cannot_be_used_is_named_with_a_cure_that_can_be_followed(
    data: dict[str, str], says: str, *, insecure: bool
) -> None:
    cluster = ApiServer(secrets={"shop": argocd_secret("repository", url=URL, **data)})

    with pytest.raises(InvalidSecret) as error:
        await ArgoCDLogins(cluster).login(replace(HERE, insecure=insecure))

    assert str(error.value).startswith("Secret argocd/shop of Argo CD")
    assert says in str(error.value)
    assert "kubectl create secret" not in str(error.value)


async def test_a_secret_that_is_no_text_disturbs_nobody_but_whom_it_is_for() -> None:
    broken = {"url": "/w==", "username": "/w==", "password": "/w==", "useAzureWorkloadIdentity": "/w=="}
    url = base64.b64encode(URL.encode()).decode()
    cluster = ApiServer(
        secrets={
            "a-broken": {**argocd_secret("repository"), "data": broken},
            "b-broken": {**argocd_secret("repo-creds"), "data": {**broken, "url": url}},
            "shop": with_login(),
        }
    )
    assert await user(cluster) == "argo"

    del cluster.secrets["shop"]
    with pytest.raises(InvalidSecret, match="Secret argocd/b-broken: its key username is not UTF-8 text"):
        await user(cluster)


async def test_where_argo_cd_itself_speaks_plain_http_so_do_we() -> None:
    cluster = ApiServer(secrets={"shop": with_login(insecureOCIForceHttp="true")})

    found = await ArgoCDLogins(cluster).login(replace(HERE, insecure=True))

    assert found.credential.username == "argo"


@in_virtual_time
async def test_the_secrets_are_listed_once_for_all_who_want_them_and_soon_again() -> None:
    cluster = ApiServer(secrets={"shop": with_login()})
    logins = ArgoCDLogins(cluster)

    await asyncio.gather(*(logins.login(HERE) for _ in range(100)))
    assert cluster.argocd_lists == 1

    cluster.secrets["shop"] = with_login(username="new")
    await asyncio.sleep(2.5)
    assert (await logins.login(HERE)).credential.username == "new"


async def test_that_they_may_not_be_listed_is_said_to_all_who_want_them() -> None:
    logins = ArgoCDLogins(ApiServer(refusing={"argocd secrets": SecretNotFound("apply deploy/argocd-secrets")}))

    said = await asyncio.gather(*(logins.login(HERE) for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in said] == ["apply deploy/argocd-secrets"] * 3
