"""Where credentials come from: the order of the sources, what each refuses, and what is said about it."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.engine.keychain import DockerConfigFile, Keychain
from bundlewatch.engine.route import Route
from bundlewatch.errors import (
    IdentityUnavailable,
    InvalidSecret,
    SecretNotFound,
    ServiceAccountNotFound,
)
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.hosts import Cloud
from unit.engine.world import (
    ROUTE,
    ApiServer,
    argocd_secret,
    basic_auth,
    docker_config,
    in_virtual_time,
    watch_body,
)

HOST = "registry_example_com"
HERE = replace(ROUTE, namespace="argocd")
PULLS = replace(HERE, service_account="shop")
ARGO_CD = replace(HERE, from_argocd=True)


class Identities:
    def __init__(self) -> None:
        self.asked: list[tuple[Cloud, str, bytes | None]] = []

    async def credential(self, cloud: Cloud, host: str, *, ca_pem: bytes | None) -> Credential:
        self.asked.append((cloud, host, ca_pem))
        return Credential("AWS", "made-up", identity=f"{cloud} {host}")


def server(
    *pull_secrets: str, secrets: Mapping[str, dict[str, object]] | None = None, account: str = "shop"
) -> ApiServer:
    """An API server with a ServiceAccount that pulls with these Secrets."""
    made = ApiServer(secrets=dict(secrets or {}))
    made.service_accounts[account] = {"imagePullSecrets": [{"name": name} for name in pull_secrets]}
    return made


async def user(route: Route, cluster: ApiServer, *, default: DockerConfigFile | None = None) -> str:
    """The user name of the credential; empty: anonymous."""
    return (await Keychain(cluster=cluster, default=default).access(route)).credential.username


def config_file(path: Path, *, user: str = "of-the-operator", host: str = "registry.example.com") -> DockerConfigFile:
    write_config(path, user=user, host=host)
    return DockerConfigFile(path)


def write_config(path: Path, *, user: str, host: str = "registry.example.com") -> None:
    path.write_text(json.dumps({"auths": {host: {"username": user, "password": "made-up"}}}))


# The order


@pytest.mark.parametrize(
    ("route", "taken"),
    [
        pytest.param(replace(PULLS, secret="own", from_argocd=True), "own", id="the Secret"),
        pytest.param(replace(PULLS, from_argocd=True), "pulling", id="then the ServiceAccount"),
        pytest.param(replace(PULLS, service_account="bare", from_argocd=True), "argo", id="then Argo CD"),
        pytest.param(replace(PULLS, secret="elsewhere"), "pulling", id="a Docker configuration without an entry"),
        pytest.param(ROUTE, "of-the-operator", id="the operator's, where no source is named"),
        pytest.param(replace(HERE, ca_secret="ca"), "of-the-operator", id="authorities are no source"),
        pytest.param(replace(PULLS, service_account="bare"), "", id="a source that has nothing is anonymous"),
        pytest.param(replace(ROUTE, insecure=True), "", id="the operator's is not sent in the clear"),
    ],
)
async def test_the_first_source_that_has_something_is_used(route: Route, taken: str, tmp_path: Path) -> None:
    cluster = server(
        "pull",
        secrets={
            "own": basic_auth("own"),
            "pull": docker_config(**{HOST: "pulling"}),
            "elsewhere": docker_config(other_example_com="other"),
            "argo": argocd_secret("repo-creds", url="registry.example.com", username="argo", password="p"),
            "ca": {"data": {"ca.crt": "Y2E="}},
        },
    )
    cluster.service_accounts["bare"] = {}

    assert await user(route, cluster, default=config_file(tmp_path / "config.json")) == taken


async def test_a_clouds_identity_stands_alone_and_sees_the_authorities() -> None:
    cluster, identities = ApiServer(secrets={"ca": {"data": {"ca.crt": "Y2E="}}}), Identities()
    keychain = Keychain(cluster=cluster, identities=identities)

    found = await keychain.access(replace(HERE, provider="aws", ca_secret="ca"))

    assert found.credential.username == "AWS"
    assert identities.asked == [("aws", "registry.example.com", b"ca")]


async def test_without_an_operator_there_is_no_identity_and_that_is_said() -> None:
    with pytest.raises(IdentityUnavailable, match="the identity in it is the operator's alone"):
        await user(replace(ROUTE, provider="aws"), ApiServer())


async def test_a_secret_without_an_entry_is_an_error_where_it_is_the_only_source(tmp_path: Path) -> None:
    cluster = ApiServer(secrets={"own": docker_config(other_example_com="other")})

    with pytest.raises(InvalidSecret, match=r"Secret argocd/own: it has no entry for registry\.example\.com/team/shop"):
        await user(replace(HERE, secret="own"), cluster, default=config_file(tmp_path / "config.json"))


@pytest.mark.parametrize(
    ("access", "route"),
    [
        ({"serviceAccountName": "shop"}, PULLS),
        ({"fromArgoCD": True}, ARGO_CD),
        ({"provider": "gcp"}, replace(ROUTE, provider="gcp")),
        ({"provider": "generic"}, ROUTE),
    ],
    ids=str,
)
def test_a_route_is_what_the_spec_says_of_access(access: dict[str, object], route: Route) -> None:
    assert Route.of(BundleWatch.parse(watch_body(access=access))) == route


# A ServiceAccount's imagePullSecrets


async def test_of_the_pull_secrets_the_first_with_an_entry_is_used() -> None:
    cluster = server(
        "elsewhere",
        "first",
        "second",
        secrets={
            "elsewhere": docker_config(other_example_com="other"),
            "first": docker_config(**{HOST: "first"}),
            "second": docker_config(**{HOST: "second"}),
        },
    )

    assert await user(PULLS, cluster) == "first"


async def test_a_missing_service_account_is_named() -> None:
    with pytest.raises(ServiceAccountNotFound, match="argocd/shop"):
        await user(PULLS, ApiServer())


async def test_a_missing_pull_secret_is_named_with_the_account_that_names_it() -> None:
    says = "Secret argocd/gone, one of the imagePullSecrets of ServiceAccount argocd/shop, does not exist"

    with pytest.raises(SecretNotFound, match=says):
        await user(PULLS, server("gone"))


async def test_a_password_without_a_host_is_no_pull_secret_and_goes_nowhere() -> None:
    with pytest.raises(InvalidSecret, match=r"argocd/own, one of the imagePullSecrets of .*none that Pods pull with"):
        await user(PULLS, server("own", secrets={"own": basic_auth("ci")}))


async def test_a_secret_of_argo_cd_is_refused_as_a_pull_secret_too() -> None:
    mine = argocd_secret("repository", url="registry.example.com", username="argo", password="p")

    with pytest.raises(InvalidSecret, match="belongs to Argo CD"):
        await user(PULLS, server("mine", secrets={"mine": {**mine, "type": "kubernetes.io/dockerconfigjson"}}))


# Argo CD's own Secrets


async def test_argo_cds_login_comes_with_its_client_certificate() -> None:
    cluster = ApiServer(
        secrets={
            "shop": argocd_secret(
                "repository",
                url="oci://registry.example.com/team/shop",
                username="argo",
                password="p",
                tlsClientCertData="CHAIN",
                tlsClientCertKey="KEY",
            )
        }
    )

    found = await Keychain(cluster=cluster).access(ARGO_CD)

    assert found.credential.username == "argo"
    assert found.certificate is not None
    assert (found.certificate.chain_pem, found.certificate.key_pem) == (b"CHAIN", b"KEY")


async def test_argo_cds_login_goes_to_its_own_address_and_no_other() -> None:
    secret = argocd_secret("repository", url="registry.example.org/team", username="argo", password="p")

    assert await user(ARGO_CD, ApiServer(secrets={"shop": secret})) == ""


@pytest.mark.parametrize(
    ("route", "data", "says"),
    [
        pytest.param(
            replace(ARGO_CD, insecure=True),
            {"password": "p"},
            "meant for HTTPS, and is not sent in the clear",
            id="plain",
        ),
        pytest.param(ARGO_CD, {"useAzureWorkloadIdentity": "true"}, "set spec.access.provider to azure", id="Azure"),
        pytest.param(ARGO_CD, {"tlsClientCertData": "CHAIN"}, "but not tlsClientCertKey", id="half a certificate"),
        pytest.param(ARGO_CD, {"username": "argo"}, "its key password is empty", id="no password"),
    ],
)
async def test_a_login_of_argo_cd_that_cannot_be_used_is_named_with_the_cure(
    route: Route, data: dict[str, str], says: str
) -> None:
    cluster = ApiServer(secrets={"shop": argocd_secret("repository", url="registry.example.com/team", **data)})

    with pytest.raises(InvalidSecret) as error:
        await user(route, cluster)

    assert str(error.value).startswith("Secret argocd/shop of Argo CD")
    assert says in str(error.value)


async def test_where_argo_cd_itself_speaks_plain_http_so_do_we() -> None:
    secret = argocd_secret(
        "repository", url="registry.example.com/team", username="argo", password="p", insecureOCIForceHttp="true"
    )

    assert await user(replace(ARGO_CD, insecure=True), ApiServer(secrets={"shop": secret})) == "argo"


@in_virtual_time
async def test_argo_cds_secrets_are_listed_once_for_all_who_want_them_and_soon_again() -> None:
    secret = argocd_secret("repository", url="registry.example.com/team", username="argo", password="p")
    cluster = ApiServer(secrets={"shop": secret})
    keychain = Keychain(cluster=cluster)

    await asyncio.gather(*(keychain.access(ARGO_CD) for _ in range(100)))
    assert cluster.argocd_lists == 1

    cluster.secrets["shop"] = argocd_secret("repository", url="registry.example.com/team", username="new", password="p")
    await asyncio.sleep(2.5)
    assert (await keychain.access(ARGO_CD)).credential.username == "new"


async def test_that_they_may_not_be_listed_is_said_to_all_who_want_them() -> None:
    cluster = ApiServer(refusing={"argocd secrets": SecretNotFound("apply deploy/argocd-secrets")})
    keychain = Keychain(cluster=cluster)

    said = await asyncio.gather(*(keychain.access(ARGO_CD) for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in said] == ["apply deploy/argocd-secrets"] * 3


# The operator's own Docker configuration


async def test_the_operators_configuration_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    default = config_file(path, user="before")
    assert await user(ROUTE, ApiServer(), default=default) == "before"

    write_config(tmp_path / "next", user="after!")  # as long as before, and swapped in as the kubelet does
    stamp = path.stat().st_mtime_ns
    os.utime(tmp_path / "next", ns=(stamp, stamp))
    (tmp_path / "next").rename(path)

    assert await user(ROUTE, ApiServer(), default=default) == "after!"


async def test_a_host_that_the_operators_configuration_does_not_know_is_anonymous(tmp_path: Path) -> None:
    default = config_file(tmp_path / "config.json", host="other.example.com")

    assert await user(ROUTE, ApiServer(), default=default) == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "cannot be used: its Docker configuration is no JSON"),
        (" " * (1 << 20) + "{}", "is larger than 1 MiB"),
    ],
    ids=["missing", "no JSON", "too large"],
)
async def test_an_operators_configuration_that_cannot_be_used_is_said(
    content: str | None, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(InvalidSecret) as error:
        await user(ROUTE, ApiServer(), default=DockerConfigFile(path))

    assert says in str(error.value)
    assert "--registry-docker-config" in str(error.value)


async def test_a_refusal_names_the_source_of_what_was_refused(tmp_path: Path) -> None:
    cluster = server(
        "pull",
        secrets={
            "pull": docker_config(**{HOST: "pulling"}),
            "argo": argocd_secret("repository", url="registry.example.com", username="argo", password="p"),
        },
    )
    keychain = Keychain(cluster=cluster, default=config_file(tmp_path / "config.json"))
    sources = [(await keychain.access(route)).credential.source for route in (PULLS, ARGO_CD, ROUTE)]

    for source, field in zip(sources, ("serviceAccountName", "fromArgoCD", "--registry-docker-config"), strict=True):
        assert field in source
