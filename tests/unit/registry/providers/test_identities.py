"""Logins by a cloud's identity, against servers on loopback that play the cloud's endpoints."""

import asyncio
import base64
import json
import logging
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bundlewatch.errors import IdentityUnavailable, InvalidSpec
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.hosts import Cloud
from bundlewatch.registry.providers.aws import Aws
from bundlewatch.registry.providers.azure import Azure
from bundlewatch.registry.providers.base import Surroundings
from bundlewatch.registry.providers.gcp import Gcp
from bundlewatch.registry.providers.identities import Identities
from bundlewatch.registry.transport import Timeouts, Transport
from kit.certificates import issue
from kit.clouds import NODE_ROLE, ROLE_ARN, SERVICE_ACCOUNT_TOKEN, Clouds, sts_error
from kit.local_server import Reply

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
GAR = "europe-docker.pkg.dev"
STS = "/sts/"
GCE = "/computeMetadata/v1/instance/service-accounts/default/token"


class Turning:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with Clouds(directory=tmp_path) as started:
        yield started


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Clouds]:
    """Entra, a node and the registry, all by TLS: it is the registry that must be."""
    with Clouds(directory=tmp_path, tls=issue(tmp_path / "pki")) as started:
        yield started


def identities(
    environ: Mapping[str, str],
    *,
    clock: Turning | None = None,
    cloud_hosts: Mapping[str, Cloud] | None = None,
    timeouts: Timeouts | None = None,
) -> Identities:
    timeouts = timeouts or Timeouts(connect_s=2, read_s=5, call_s=5)
    return Identities(environ=environ, clock=clock or Turning(), cloud_hosts=cloud_hosts, timeouts=timeouts)


async def login(
    environ: Mapping[str, str], cloud: Cloud, host: str, *, cloud_hosts: Mapping[str, Cloud] | None = None
) -> Credential:
    made = identities(environ, cloud_hosts=cloud_hosts)
    try:
        return await made.credential(cloud, host, ca_pem=None)
    finally:
        await made.aclose()


async def refusal(environ: Mapping[str, str], cloud: Cloud, host: str) -> str:
    with pytest.raises(IdentityUnavailable) as error:
        await login(environ, cloud, host)
    return str(error.value)


# Whose host is whose


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("aws", ECR),
        ("aws", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com"),
        ("aws", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("aws", "123456789012.dkr-ecr.us-west-2.on.aws"),
        ("aws", "123456789012.dkr-ecr-fips.us-west-2.on.aws"),
        ("aws", "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn"),
        ("aws", "public.ecr.aws"),
        ("gcp", GAR),
        ("gcp", "gcr.io"),
        ("gcp", "eu.gcr.io"),
        ("gcp", "docker.us-central1.rep.pkg.dev"),
        ("aws", "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
        ("aws", "123456789012.dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu"),
        ("aws", "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
        ("aws", "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov"),
        ("aws", "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov"),
        ("aws", "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk"),
        ("azure", "team.azurecr.io"),
        ("azure", "team.azurecr.cn"),
        ("azure", "team.azurecr.us"),
        ("azure", "team.westeurope.data.azurecr.io"),
    ],
)
def test_a_clouds_own_hosts_are_known(cloud: str, host: str) -> None:
    around = Surroundings(Transport(timeouts=Timeouts()), {})
    owners = [made.__name__.lower() for made in (Aws, Gcp, Azure) if made(around).owns(host)]

    assert owners == [cloud]


@pytest.mark.parametrize(
    ("cloud", "host"),
    [
        ("aws", f"{ECR}.evil.example"),
        ("aws", f"evil.example.{ECR}"),
        ("aws", "dkr.ecr.eu-west-1.amazonaws.com"),
        ("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil"),
        ("aws", "123456789012.dkr.ecr.evil.example.amazonaws.com"),
        ("aws", "123456789012.dkr.ecr-fips.s3.amazonaws.com"),
        ("aws", "123456789012.dkr.ecr.s3-website-eu-west-1.amazonaws.com"),
        ("aws", "123456789012.dkr.ecr.execute-api.amazonaws.com"),
        ("aws", "123456789012.dkr-ecr.s3.on.aws"),
        ("aws", "123456789012.dkr-ecr.evil.on.amazonwebservices.com.cn"),
        ("aws", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn"),
        ("aws", "123456789012.dkr.ecr.cn-north-1.amazonaws.com"),
        ("aws", "123456789012.dkr.ecr.eu-west-1.on.aws"),
        ("aws", "123456789012-dkr.ecr.eu-west-1.amazonaws.com"),
        ("aws", f"{ECR}:8443"),
        ("aws", "public.ecr.aws.evil.example"),
        ("aws", "my-public.ecr.aws"),
        ("gcp", "pkg.dev"),
        ("gcp", "evil.pkg.dev"),
        ("gcp", "evil.europe-docker.pkg.dev"),
        ("gcp", "a.b.gcr.io"),
        ("gcp", "evilgcr.io"),
        ("gcp", "gcr.io.evil.example"),
        ("gcp", "docker.pkg.dev.evil.example"),
        ("gcp", ECR),
        ("azure", "azurecr.io"),
        ("azure", "teamazurecr.io"),
        ("azure", "team.azurecr.io.evil.example"),
        ("azure", "team.azurecr.com"),
        ("azure", "registry.example.com"),
    ],
)
async def test_the_identity_goes_to_no_host_that_is_not_the_clouds(clouds: Clouds, cloud: Cloud, host: str) -> None:
    environ = {**clouds.irsa(), **clouds.gcp(), **clouds.azure_workload()}

    with pytest.raises(InvalidSpec, match=f"{host} is no registry of that cloud .* --registry-config"):
        await login(environ, cloud, host)

    assert clouds.asked == []


async def test_a_host_that_the_admin_names_is_the_clouds_he_says(clouds: Clouds) -> None:
    mine: dict[str, Cloud] = {"registry.internal:8443": "gcp"}

    found = await login(clouds.gcp(), "gcp", "registry.internal:8443", cloud_hosts=mine)

    assert found.username == "oauth2accesstoken"
    with pytest.raises(InvalidSpec):
        await login(clouds.irsa(), "aws", "registry.internal:8443", cloud_hosts=mine)


# AWS


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        ("irsa", ["POST /sts/", "POST /ecr/"]),
        ("pod_identity", ["GET /v1/credentials", "POST /ecr/"]),
        (
            "node_of_aws",
            [
                "PUT /latest/api/token",
                "GET /latest/meta-data/iam/security-credentials/",
                f"GET /latest/meta-data/iam/security-credentials/{NODE_ROLE}",
                "POST /ecr/",
            ],
        ),
    ],
)
async def test_ecr_gives_a_login_to_each_kind_of_identity(clouds: Clouds, way: str, asked: list[str]) -> None:
    found = await login(getattr(clouds, way)(), "aws", ECR)

    assert (found.username, found.password) == ("AWS", "played-password")
    assert clouds.paths() == asked


async def test_the_role_of_the_service_account_goes_before_the_others(clouds: Clouds) -> None:
    await login({**clouds.node_of_aws(), **clouds.pod_identity(), **clouds.irsa()}, "aws", ECR)

    assert clouds.paths()[0] == "POST /sts/"


async def test_ecr_public_gives_its_login_in_us_east_1(clouds: Clouds) -> None:
    found = await login(clouds.irsa(), "aws", "public.ecr.aws")

    assert found.username == "AWS"
    assert clouds.paths() == ["POST /sts/", "POST /ecr-public/"]


@pytest.mark.parametrize(
    ("host", "endpoint", "region"),
    [
        (ECR, "https://api.ecr.eu-west-1.amazonaws.com/", "eu-west-1"),
        (
            "1" * 12 + ".dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "https://ecr-fips.us-gov-west-1.amazonaws.com/",
            "us-gov-west-1",
        ),
        (
            "1" * 12 + ".dkr.ecr.cn-north-1.amazonaws.com.cn",
            "https://api.ecr.cn-north-1.amazonaws.com.cn/",
            "cn-north-1",
        ),
        ("1" * 12 + ".dkr-ecr.us-west-2.on.aws", "https://ecr.us-west-2.api.aws/", "us-west-2"),
        ("1" * 12 + ".dkr-ecr-fips.us-west-2.on.aws", "https://ecr-fips.us-west-2.api.aws/", "us-west-2"),
        (
            "1" * 12 + ".dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "https://ecr.cn-north-1.api.amazonwebservices.com.cn/",
            "cn-north-1",
        ),
        (
            "1" * 12 + ".dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "https://api.ecr.eusc-de-east-1.amazonaws.eu/",
            "eusc-de-east-1",
        ),
        (
            "1" * 12 + ".dkr.ecr-fips.us-isob-east-1.sc2s.sgov.gov",
            "https://ecr-fips.us-isob-east-1.sc2s.sgov.gov/",
            "us-isob-east-1",
        ),
        ("public.ecr.aws", "https://api.ecr-public.us-east-1.amazonaws.com/", "us-east-1"),
        ("registry.internal", "https://api.ecr.ap-south-1.amazonaws.com/", "ap-south-1"),
    ],
)
def test_the_ecr_of_the_region_in_the_hosts_name_is_asked(host: str, endpoint: str, region: str) -> None:
    place = Aws(Surroundings(Transport(timeouts=Timeouts()), {"AWS_REGION": "ap-south-1"}))._place(host)

    assert (place.endpoint, place.region) == (endpoint, region)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("AWS_ROLE_ARN", "AWS_ROLE_ARN is missing .* annotate .* eks.amazonaws.com/role-arn"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE is missing .* annotate"),
    ],
)
async def test_half_of_irsa_is_said_with_the_missing_half(clouds: Clouds, missing: str, says: str) -> None:
    environ = clouds.irsa()
    del environ[missing]

    with pytest.raises(IdentityUnavailable, match=says):
        await login(environ, "aws", ECR)

    assert clouds.asked == []


async def test_a_token_file_that_is_not_there_is_named(clouds: Clouds) -> None:
    said = await refusal({**clouds.irsa(), "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"}, "aws", ECR)

    assert "AWS_WEB_IDENTITY_TOKEN_FILE names (/nowhere/token) cannot be read (No such file or directory)" in said


async def test_without_any_identity_in_aws_all_ways_to_one_are_named(clouds: Clouds) -> None:
    clouds.close()
    said = await refusal({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}, "aws", ECR)

    assert "there is no identity for AWS" in said
    for way in ("eks.amazonaws.com/role-arn", "AWS_ROLE_ARN", "EKS Pod Identity", "hop limit of 2"):
        assert way in said


async def test_the_reason_of_sts_is_told_with_the_role_and_the_cure(clouds: Clouds) -> None:
    clouds.answers[STS] = sts_error("AccessDenied", "Not authorized to perform sts:AssumeRole", status=403)
    said = await refusal(clouds.irsa(), "aws", ECR)

    assert ROLE_ARN in said
    assert "(403 AccessDenied: Not authorized to perform sts:AssumeRole)" in said
    assert "trust policy" in said


async def test_a_missing_permission_in_ecr_is_named(clouds: Clouds) -> None:
    clouds.answers["/ecr/"] = Reply.json({"__type": "AccessDeniedException", "message": "not authorized"}, status=400)

    assert "ecr:GetAuthorizationToken" in await refusal(clouds.irsa(), "aws", ECR)


async def test_the_keys_of_an_agent_are_not_asked_of_the_network_in_the_clear() -> None:
    said = await refusal({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://agent.example.com/v1/credentials"}, "aws", ECR)

    assert "by plain HTTP" in said


# Google


async def test_google_gives_an_access_token(clouds: Clouds) -> None:
    found = await login(clouds.gcp(), "gcp", GAR)

    assert (found.username, found.password) == ("oauth2accesstoken", "played-password")


async def test_a_server_that_does_not_say_that_it_is_googles_is_not_believed(clouds: Clouds) -> None:
    clouds.answers[GCE] = Reply.json({"access_token": "from-somebody-else", "expires_in": 3600})

    assert "is no metadata server of Google's" in await refusal(clouds.gcp(), "gcp", GAR)


# Azure


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        ("azure_workload", ["POST /tenant-1/oauth2/v2.0/token", "POST /oauth2/exchange"]),
        ("azure_node", ["GET /metadata/identity/oauth2/token", "POST /oauth2/exchange"]),
    ],
)
async def test_a_registry_of_azure_exchanges_the_token_for_an_identity_token(
    clouds: Clouds, azure: Clouds, tmp_path: Path, way: str, asked: list[str]
) -> None:
    made = identities(getattr(clouds, way)(), cloud_hosts={azure.host: "azure"})

    found = await made.credential("azure", azure.host, ca_pem=(tmp_path / "pki/ca.crt").read_bytes())
    await made.aclose()

    assert found.identity_token == "played-refresh-token"
    assert not found.has_password
    assert clouds.paths() + azure.paths() == asked


async def test_a_missing_client_id_is_named(clouds: Clouds) -> None:
    environ = clouds.azure_workload()
    del environ["AZURE_CLIENT_ID"]

    said = await refusal(environ, "azure", "team.azurecr.io")

    assert "AZURE_CLIENT_ID is missing" in said
    assert "azure.workload.identity/client-id" in said


async def test_the_reason_of_entra_is_told_with_the_cure(clouds: Clouds) -> None:
    clouds.answers["/tenant-1/oauth2/v2.0/token"] = Reply.json(
        {"error": "invalid_client", "error_description": "AADSTS70021: No matching federated identity"}, status=401
    )
    said = await refusal(clouds.azure_workload(), "azure", "team.azurecr.io")

    assert "AADSTS70021: No matching federated identity" in said
    assert "federated credential" in said


# Whichever cloud


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(Reply(503), "cannot serve just now (503)", id="an outage"),
        pytest.param(Reply(404), "refuses (404)", id="not there"),
        pytest.param(Reply(302, headers={"Location": "http://evil.example/"}), "refuses (302)", id="a redirect"),
        pytest.param(Reply(body=b"<html>", headers={"Metadata-Flavor": "Google"}), "no JSON object", id="no JSON"),
        pytest.param(Reply.json([], Metadata_Flavor="Google"), "no JSON object", id="no object"),
        pytest.param(Reply.json({}, Metadata_Flavor="Google"), "lacks access_token", id="no token"),
        pytest.param(
            Reply.json({"access_token": "two\r\nlines"}, Metadata_Flavor="Google"), "lacks access_token", id="a header"
        ),
        pytest.param(Reply(body=b" " * 200_000), "more than the 131072 bytes", id="too much"),
        pytest.param(Reply(after_s=1.5), "took too long", id="too slow"),
    ],
)
async def test_a_wrong_answer_is_no_login(clouds: Clouds, reply: Reply, says: str) -> None:
    clouds.answers[GCE] = reply
    made = identities(clouds.gcp(), timeouts=Timeouts(connect_s=1, read_s=1, call_s=1))

    with pytest.raises(IdentityUnavailable) as error:
        await made.credential("gcp", GAR, ca_pem=None)
    await made.aclose()

    assert says in str(error.value)


async def test_a_hundred_who_want_a_login_at_once_ask_for_one(clouds: Clouds) -> None:
    made = identities(clouds.gcp())

    found = await asyncio.gather(*(made.credential("gcp", GAR, ca_pem=None) for _ in range(100)))
    await made.aclose()

    assert len(set(found)) == 1
    assert len(clouds.asked) == 1


@pytest.mark.parametrize(
    ("life_s", "kept_s"), [(1000.0, 800.0), (43200.0, 3600.0), (2.0, 10.0)], ids=["short", "twelve hours", "none"]
)
async def test_a_login_is_kept_for_four_fifths_of_its_life_and_an_hour_at_most(
    clouds: Clouds, life_s: float, kept_s: float
) -> None:
    clouds.life_s = life_s
    clock = Turning()
    made = identities(clouds.gcp(), clock=clock)
    await made.credential("gcp", GAR, ca_pem=None)

    clock.now_s += kept_s - 1
    await made.credential("gcp", GAR, ca_pem=None)
    assert len(clouds.asked) == 1

    clock.now_s += 2
    await made.credential("gcp", GAR, ca_pem=None)
    await made.aclose()
    assert len(clouds.asked) == 2


async def test_a_login_of_ecr_ends_when_it_says_so(clouds: Clouds) -> None:
    clouds.life_s = 1000.0
    clock = Turning()
    made = identities(clouds.irsa(), clock=clock)
    await made.credential("aws", ECR, ca_pem=None)

    clock.now_s += 790
    await made.credential("aws", ECR, ca_pem=None)
    assert clouds.paths().count("POST /ecr/") == 1
    clock.now_s += 20
    await made.credential("aws", ECR, ca_pem=None)
    await made.aclose()
    assert clouds.paths().count("POST /ecr/") == 2


async def test_a_renewed_login_is_another_secret_of_the_same_identity(clouds: Clouds) -> None:
    clock = Turning()
    made = identities(clouds.gcp(), clock=clock)
    before = await made.credential("gcp", GAR, ca_pem=None)
    clouds.password = "the-next-one"
    clock.now_s += 3601

    after = await made.credential("gcp", GAR, ca_pem=None)
    await made.aclose()

    assert after.password == "the-next-one"
    assert after.fingerprint == before.fingerprint


async def test_a_login_outlives_an_outage_until_its_end(clouds: Clouds) -> None:
    clock = Turning()
    made = identities(clouds.gcp(), clock=clock)
    clouds.life_s = 1000.0
    before = await made.credential("gcp", GAR, ca_pem=None)
    clouds.answers[GCE] = Reply(503)

    clock.now_s += 900
    assert await made.credential("gcp", GAR, ca_pem=None) == before
    clock.now_s += 101
    with pytest.raises(IdentityUnavailable):
        await made.credential("gcp", GAR, ca_pem=None)
    await made.aclose()


async def test_what_failed_is_not_asked_again_for_ten_seconds(clouds: Clouds) -> None:
    clock = Turning()
    made = identities(clouds.gcp(), clock=clock)
    clouds.answers[GCE] = Reply(503)
    for _ in range(5):
        with pytest.raises(IdentityUnavailable):
            await made.credential("gcp", GAR, ca_pem=None)
    assert len(clouds.asked) == 1

    clouds.answers.clear()
    clock.now_s += 11
    assert (await made.credential("gcp", GAR, ca_pem=None)).has_password
    await made.aclose()


@pytest.mark.parametrize("life_s", [-60.0, -1e6], ids=["a minute ago", "days ago"])
async def test_a_login_that_has_ended_by_our_clock_is_none_and_the_clock_is_named(
    clouds: Clouds, life_s: float
) -> None:
    clouds.life_s = life_s
    made = identities(clouds.irsa())

    with pytest.raises(IdentityUnavailable, match=f"aws: the login for {ECR} has ended already; check the clock"):
        await made.credential("aws", ECR, ca_pem=None)
    await made.aclose()


async def test_the_life_of_a_login_begins_when_it_is_given_however_long_that_took(clouds: Clouds) -> None:
    clock = Turning()
    made = identities(clouds.gcp(), clock=clock)
    clouds.life_s = 5.0
    clouds.on_asked = lambda: setattr(clock, "now_s", clock.now_s + 14)

    assert (await made.credential("gcp", GAR, ca_pem=None)).has_password
    await made.aclose()


async def test_logins_are_kept_for_a_thousand_registries_and_not_for_all_that_somebody_names(clouds: Clouds) -> None:
    made = identities(clouds.gcp(), clock=Turning())
    for number in range(1100):
        await made.credential("gcp", GAR, ca_pem=b"%d" % number)
        await made.credential("gcp", "gcr.io", ca_pem=None)  # in use all the time
    asked = len(clouds.asked)

    assert (asked, len(made._kept)) == (1101, 1024)
    await made.aclose()


async def test_closing_ends_what_is_under_way(clouds: Clouds) -> None:
    clouds.answers[GCE] = Reply(after_s=1)
    made = identities(clouds.gcp())
    waiting = asyncio.create_task(made.credential("gcp", GAR, ca_pem=None))
    await asyncio.sleep(0.1)
    began = time.monotonic()

    await made.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert time.monotonic() - began < 0.5


async def test_only_the_clouds_own_services_are_reached_where_no_registry_may_be() -> None:
    """Nothing listens there, so whether it was tried is what tells."""
    services = {origin for made in (Aws, Gcp, Azure) for origin in made.services({})}
    assert {origin.host for origin in services} == {"169.254.169.254", "metadata.google.internal"}

    made = identities({"AWS_ENDPOINT_URL_STS": "http://169.254.1.1/", **_irsa_without_endpoint()})
    with pytest.raises(IdentityUnavailable, match=r"169\.254\.1\.1 is a link-local or metadata address"):
        await made.credential("aws", ECR, ca_pem=None)
    await made.aclose()


def _irsa_without_endpoint() -> dict[str, str]:
    return {"AWS_ROLE_ARN": ROLE_ARN, "AWS_WEB_IDENTITY_TOKEN_FILE": str(Path(__file__).with_name("test_sigv4.py"))}


# Secrets


def leaks() -> dict[str, Reply]:
    """Answers that say back everything they were told."""
    told = f"{SERVICE_ACCOUNT_TOKEN} played-session-token played/secret+key ASIAPLAYED played-entra-token"
    echo = Reply.json({"error": "x", "error_description": told, "message": told, "__type": told}, status=400)
    return {"/sts/": sts_error("Denied", told, status=403), "/ecr/": echo, "/tenant-1/oauth2/v2.0/token": echo}


@pytest.mark.parametrize(
    ("cloud", "path"), [("aws", "/sts/"), ("aws", "/ecr/"), ("azure", "/tenant-1/oauth2/v2.0/token")]
)
async def test_what_was_told_to_a_cloud_never_comes_out(
    clouds: Clouds, cloud: Cloud, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clouds.answers[path] = leaks()[path]
    environ = {**clouds.irsa(), **clouds.azure_workload()}
    told = {
        "/sts/": [SERVICE_ACCOUNT_TOKEN],
        "/ecr/": ["played-session-token", "played/secret+key", "ASIAPLAYED"],
        "/tenant-1/oauth2/v2.0/token": [SERVICE_ACCOUNT_TOKEN],
    }[path]

    with pytest.raises(IdentityUnavailable) as error:
        await login(environ, cloud, ECR if cloud == "aws" else "team.azurecr.io")

    shown = "".join(traceback.format_exception(error.value)) + repr(error.value) + caplog.text
    assert [secret for secret in told if secret in shown] == []


def test_a_refresh_token_is_believed_about_its_own_end_and_no_longer_than_three_hours() -> None:
    azure = Azure(Surroundings(Transport(timeouts=Timeouts()), {}))

    def token(claims: object) -> str:
        return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"

    assert azure._life_s(token({"exp": time.time() + 600})) == pytest.approx(600, abs=5)
    assert azure._life_s(token({"exp": time.time() + 10**6})) == 10800
    for strange in ("opaque", token({}), token({"exp": "soon"}), token([]), "a.b.c"):
        assert azure._life_s(strange) == 10800
