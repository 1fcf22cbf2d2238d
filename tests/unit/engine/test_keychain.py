"""Where credentials come from: the order of the sources, what each refuses, and what is said about it."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from bundlewatch.registry.reference import parse_repository
from kit.certificates import issue
from unit.engine.world import (
    ROUTE,
    ApiServer,
    argocd_secret,
    basic_auth,
    docker_config,
    watch_body,
)

HOST = "registry_example_com"
HERE = replace(ROUTE, namespace="argocd")
PULLS = replace(HERE, service_account="shop")
ARGO_CD = replace(HERE, from_argocd=True)
NO_LOGIN = b'{"auths": {"registry.example.com": {"auth": "Og=="}}}'  # a colon alone


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


def authorities(directory: Path) -> dict[str, Any]:
    """A Secret with a certificate authority, which is in `directory` as well."""
    return {"data": {"ca.crt": base64.b64encode(issue(directory).ca.read_bytes()).decode()}}


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
            "ca": authorities(tmp_path),
        },
    )
    cluster.service_accounts["bare"] = {}

    assert await user(route, cluster, default=config_file(tmp_path / "config.json")) == taken


async def test_a_clouds_identity_stands_alone_and_sees_the_authorities(tmp_path: Path) -> None:
    cluster, identities = ApiServer(secrets={"ca": authorities(tmp_path)}), Identities()
    keychain = Keychain(cluster=cluster, identities=identities)

    found = await keychain.access(replace(HERE, provider="aws", ca_secret="ca"))

    assert found.credential.username == "AWS"
    assert identities.asked == [("aws", "registry.example.com", (tmp_path / "ca.crt").read_bytes())]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param({"ca.crt": "Y2E="}, "the key ca.crt .* needs certificates in PEM form", id="authorities"),
        pytest.param({"tls.crt": "Y2E=", "tls.key": "Y2E="}, "the key tls.crt .* holds no certificate", id="our own"),
    ],
)
async def test_the_secret_that_holds_no_certificate_is_named(data: dict[str, str], says: str) -> None:
    cluster = ApiServer(secrets={"ca": {"data": data}})

    with pytest.raises(InvalidSecret, match=f"Secret argocd/ca: .*{says}"):
        await user(replace(HERE, ca_secret="ca"), cluster)


async def test_without_an_operator_there_is_no_identity_and_that_is_said() -> None:
    with pytest.raises(IdentityUnavailable, match="the identity in it is the operator's alone"):
        await user(replace(ROUTE, provider="aws"), ApiServer())


@pytest.mark.parametrize(
    ("route", "says"),
    [
        pytest.param(
            replace(HERE, secret="elsewhere"),
            "Secret argocd/elsewhere: it has no entry for registry.example.com/team/shop, only for other.example.com",
            id="a Secret",
        ),
        pytest.param(
            PULLS,
            "Secret argocd/elsewhere, one of the imagePullSecrets of ServiceAccount argocd/shop: it has no entry for "
            "registry.example.com/team/shop, only for other.example.com; add one",
            id="a ServiceAccount that pulls with one",
        ),
        pytest.param(
            replace(HERE, service_account="many"),
            "ServiceAccount argocd/many has no entry for registry.example.com/team/shop in its imagePullSecrets "
            "(s0, s1, s2, s3, s4 and 1 more); add one to one of them, or leave out spec.access.serviceAccountName",
            id="a ServiceAccount that pulls with many",
        ),
        pytest.param(
            replace(HERE, service_account="bare"),
            "ServiceAccount argocd/bare has no imagePullSecrets; add one for registry.example.com/team/shop",
            id="a ServiceAccount that pulls with nothing",
        ),
        pytest.param(
            ARGO_CD,
            "none of the 1 Secrets of Argo CD in the namespace argocd is for registry.example.com/team/shop; correct "
            "the url of the one that is meant, add one (`argocd repo add`), or leave out spec.access.fromArgoCD",
            id="Argo CD",
        ),
    ],
)
async def test_a_source_that_is_named_and_has_nothing_is_an_error_with_its_name(
    route: Route, says: str, tmp_path: Path
) -> None:
    cluster = server(
        "elsewhere",
        secrets={
            "elsewhere": docker_config(other_example_com="other"),
            "argo": argocd_secret("repo-creds", url="registry.example.org", username="argo", password="p"),
            **{f"s{number}": docker_config(other_example_com="other") for number in range(6)},
        },
    )
    cluster.service_accounts["bare"] = {}
    cluster.service_accounts["many"] = {"imagePullSecrets": [{"name": f"s{number}"} for number in range(6)]}

    with pytest.raises(InvalidSecret) as error:
        await user(route, cluster, default=config_file(tmp_path / "config.json"))

    assert str(error.value).startswith(says)


async def test_where_several_are_named_and_none_has_anything_each_is_told() -> None:
    cluster = server(secrets={"own": docker_config(other_example_com="other")})

    with pytest.raises(InvalidSecret) as error:
        await user(replace(PULLS, secret="own", from_argocd=True), cluster)

    told = str(error.value).split(". ")
    assert told[0] == "no source that spec.access names has credentials for registry.example.com/team/shop"
    assert [sentence.split()[0] for sentence in told[1:]] == ["Secret", "ServiceAccount", "there"]


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


async def test_of_the_pull_secrets_the_entry_that_fits_best_is_used_as_by_the_kubelet() -> None:
    cluster = server(
        "any host",
        "the host",
        "the path",
        "another path",
        secrets={
            "any host": docker_config(**{"*_example_com": "any host"}),
            "the host": docker_config(**{HOST: "the host"}),
            "the path": docker_config(**{f"{HOST}/team": "the path"}),
            "another path": docker_config(**{f"{HOST}/other/team": "another path"}),
        },
    )

    assert await user(PULLS, cluster) == "the path"


async def test_a_pull_secret_that_is_gone_or_malformed_is_no_matter_where_another_has_an_entry() -> None:
    secrets = {"own": basic_auth("ci"), "here": docker_config(**{HOST: "pulling"})}

    assert await user(PULLS, server("gone", "own", "here", secrets=secrets)) == "pulling"


async def test_a_service_account_with_ever_so_many_pull_secrets_has_few_of_them_read() -> None:
    cluster = server(*(f"s{number}" for number in range(1000)))

    with pytest.raises(SecretNotFound):
        await user(PULLS, cluster)

    assert len(cluster.secrets_read) == 64


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


# What a refusal says


@pytest.mark.parametrize(
    ("route", "check"),
    [
        pytest.param(replace(HERE, secret="own"), "check Secret argocd/own (spec.access.secretRef), that", id="Secret"),
        pytest.param(
            PULLS,
            "check Secret argocd/pull, one of the imagePullSecrets of ServiceAccount argocd/shop, that",
            id="ServiceAccount",
        ),
        pytest.param(ARGO_CD, "check Secret argocd/argo of Argo CD (spec.access.fromArgoCD), that", id="Argo CD"),
        pytest.param(
            ROUTE, "check the operator's own Docker configuration (--registry-docker-config), that", id="the operator's"
        ),
        pytest.param(
            replace(HERE, secret="open"),
            "the entry for it in Secret argocd/open (spec.access.secretRef) holds no login; name a Secret",
            id="a Secret that says there is no login",
        ),
        pytest.param(
            replace(ROUTE, repository=parse_repository("other.example.com/team/shop")),
            "the operator's own Docker configuration (--registry-docker-config) has no entry for it; name a Secret",
            id="the operator's has no entry",
        ),
        pytest.param(
            replace(ROUTE, insecure=True),
            "the operator's own Docker configuration (--registry-docker-config) is never sent in the clear, as "
            "spec.access.insecure would; name a Secret",
            id="the operator's is not sent in the clear",
        ),
    ],
)
async def test_a_refusal_names_where_the_credentials_are_from_or_why_there_were_none(
    route: Route, check: str, tmp_path: Path
) -> None:
    cluster = server(
        "pull",
        secrets={
            "own": basic_auth("own"),
            "pull": docker_config(**{HOST: "pulling"}),
            "argo": argocd_secret("repository", url="registry.example.com", username="argo", password="p"),
            "open": {"data": {".dockerconfigjson": base64.b64encode(NO_LOGIN).decode()}},
        },
    )
    keychain = Keychain(cluster=cluster, default=config_file(tmp_path / "config.json"))

    assert (await keychain.access(route)).credential.cure.startswith(check)


async def test_where_there_is_nothing_at_all_a_refusal_asks_for_a_secret() -> None:
    assert (await Keychain(cluster=ApiServer()).access(ROUTE)).credential.cure.startswith("name a Secret with them")
