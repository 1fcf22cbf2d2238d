"""Amazon ECR: the role of the ServiceAccount (IRSA), EKS Pod Identity or the node's role, then a login of ECR.

The login is asked of the ECR API of the region in the host's name, in every partition of AWS, also of the FIPS and
the dual-stack form; ECR Public gives them in us-east-1. Who writes a BundleWatch chooses the host, so it must name a
region of the partition whose domain it has: nothing else of it gets into the address that is asked. A login opens
all repositories that the role may pull, in any account, for 12 hours.
Rules: the container credential provider and IMDSv2 of the AWS SDKs' reference guide, `GetAuthorizationToken` of ECR.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from bundlewatch.errors import IdentityUnavailable
from bundlewatch.registry.addresses import Reach, literal, reach_of_host
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.providers import base
from bundlewatch.registry.providers.base import Login, Site, Surroundings
from bundlewatch.registry.providers.sigv4 import Keys, signed
from bundlewatch.registry.transport import Answer
from bundlewatch.registry.untrusted import clean
from bundlewatch.registry.urls import Origin, Url

PUBLIC_HOST = "public.ecr.aws"
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}")
_PRIVATE = re.compile(
    rf"[0-9]{{12}}\.dkr(?P<mark>[.-])ecr(?P<fips>-fips)?\.(?P<region>{_REGION.pattern})\.(?P<domain>[a-z0-9.-]+)"
)
_IMDS = "http://169.254.169.254"
_IMDS_TOKEN = "x-aws-ec2-metadata-token"  # noqa: S105 - a header
_AGENTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})  # of ECS, and of EKS Pod Identity
_LIFE_S = 12 * 3600.0
_IRSA_CURE = (
    "annotate the operator's ServiceAccount with eks.amazonaws.com/role-arn and restart it, so that EKS sets both "
    "and mounts the token"
)
_TRUST_CURE = (
    "check that the role exists, and that its trust policy names the cluster's OIDC provider and the operator's "
    "ServiceAccount"
)


@dataclass(frozen=True, slots=True)
class _Partition:
    """A part of AWS with accounts, identities and domains of its own."""

    region: str  # how their names begin
    domain: str
    dual_stack: str  # what stands behind `api.` of its APIs and behind `on.` of its registries


_PARTITIONS = (
    _Partition("cn-", "amazonaws.com.cn", "amazonwebservices.com.cn"),
    _Partition("eusc-", "amazonaws.eu", "amazonwebservices.eu"),
    _Partition("us-iso-", "c2s.ic.gov", "aws.ic.gov"),
    _Partition("us-isob-", "sc2s.sgov.gov", "aws.scloud"),
    _Partition("us-isof-", "csp.hci.ic.gov", "aws.hci.ic.gov"),
    _Partition("eu-isoe-", "cloud.adc-e.uk", "cloud-aws.adc-e.uk"),
    _Partition("", "amazonaws.com", "aws"),  # the commercial regions and GovCloud: any other
)


def _partition(region: str) -> _Partition:
    return next(known for known in _PARTITIONS if region.startswith(known.region))


@dataclass(frozen=True, slots=True)
class _Place:
    """Which ECR gives a login out."""

    region: str
    endpoint: str
    overridden_by: str
    service: str = "ecr"
    target: str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"


class Aws:
    """Identities are looked for in the order of AWS' own SDKs; the first that the environment names is used."""

    hosts = f"<account>.dkr.ecr.<region>.amazonaws.com or {PUBLIC_HOST}"

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def owns(self, host: str) -> bool:
        return host == PUBLIC_HOST or _private(host) is not None

    @staticmethod
    def services(environ: Mapping[str, str]) -> Iterable[Origin]:
        for name, default in (("AWS_EC2_METADATA_SERVICE_ENDPOINT", _IMDS), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")):
            url = Url.parse(base.variable(environ, name) or default)
            if url is not None:
                yield url.origin

    async def login(self, site: Site) -> Login:
        place = self._place(site.host)
        keys = await self._keys(place.region)
        what = f"a login of ECR in {place.region}"
        url = self._around.url(
            self._around.variable(place.overridden_by) or place.endpoint, named_by=place.overridden_by
        )
        content = b"{}"
        headers = signed(
            "POST",
            url,
            headers={"content-type": "application/x-amz-json-1.1", "x-amz-target": place.target},
            content=content,
            region=place.region,
            service=place.service,
            keys=keys,
            now=self._around.now(),
        )
        answer = await self._around.ask(
            what,
            "POST",
            url,
            headers=headers,
            content=content,
            hide=keys.secret_texts,
            cure=f"give the operator's role the permission {place.service}:GetAuthorizationToken",
        )
        return self._read(answer, what)

    def _place(self, host: str) -> _Place:
        if host == PUBLIC_HOST:
            return _Place(
                region="us-east-1",
                endpoint="https://api.ecr-public.us-east-1.amazonaws.com/",
                overridden_by="AWS_ENDPOINT_URL_ECR_PUBLIC",
                service="ecr-public",
                target="SpencerFrontendService.GetAuthorizationToken",
            )
        match = _private(host)
        region = match["region"] if match is not None else self._own_region(host)
        partition = _partition(region)
        if match is not None and match["mark"] == "-":
            prefix, suffix = "ecr", f"api.{partition.dual_stack}"
        else:
            prefix, suffix = "api.ecr", partition.domain
        if match is not None and match["fips"]:
            prefix = "ecr-fips"
        return _Place(region, f"https://{prefix}.{region}.{suffix}/", "AWS_ENDPOINT_URL_ECR")

    def _own_region(self, host: str | None) -> str:
        region = self._around.variable("AWS_REGION") or self._around.variable("AWS_DEFAULT_REGION")
        if not _REGION.fullmatch(region):
            raise IdentityUnavailable(
                f"which region of AWS {host} is in cannot be told from its name; set AWS_REGION in the operator's "
                "environment, such as eu-west-1"
            )
        return region

    async def _keys(self, region: str) -> Keys:
        role, file = (self._around.variable(name) for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"))
        if role or file:
            for name, there in (("AWS_ROLE_ARN", role), ("AWS_WEB_IDENTITY_TOKEN_FILE", file)):
                if not there:
                    raise IdentityUnavailable(
                        f"{name} is missing in the operator's environment, beside the other variable of IRSA; "
                        f"{_IRSA_CURE}"
                    )
            return await self._of_role(role, region)
        if self._around.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            return await self._of_agent()
        return await self._of_node()

    async def _of_role(self, role: str, region: str) -> Keys:
        """IRSA: the token of the ServiceAccount for keys of the role."""
        token = self._around.file("AWS_WEB_IDENTITY_TOKEN_FILE", cure=_IRSA_CURE)
        here = self._around.variable("AWS_REGION") or self._around.variable("AWS_DEFAULT_REGION")
        region = here if _REGION.fullmatch(here) else region
        name = "AWS_ENDPOINT_URL_STS"
        usual = f"https://sts.{region}.{_partition(region).domain}/"
        url = self._around.url(self._around.variable(name) or usual, named_by=name)
        what = f"becoming the role {clean(role, 120)} (AWS_ROLE_ARN)"
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role,
            "RoleSessionName": self._around.variable("AWS_ROLE_SESSION_NAME") or "bundlewatch",
            "WebIdentityToken": token,
        }
        answer = await self._around.ask(
            what,
            "POST",
            url,
            headers={"content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode("ascii"),
            hide=(token,),
            cure=_TRUST_CURE,
        )
        text = answer.body.decode("utf-8", "replace")
        # No XML parser: of what AWS sends here nothing is escaped, and nothing else of it is wanted.
        found = [
            match[1] if (match := re.search(rf"<{tag}>\s*([!-~]+?)\s*</{tag}>", text)) else ""
            for tag in ("AccessKeyId", "SecretAccessKey", "SessionToken")
        ]
        if not all(map(base.is_token, found)):
            raise IdentityUnavailable(f"{what}: the answer holds no keys")
        return Keys(*found)

    async def _of_agent(self) -> Keys:
        """EKS Pod Identity."""
        name = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
        url = self._around.url(self._around.variable(name), named_by=name)
        host = url.origin.host
        local = host in _AGENTS or (reach_of_host(host) is Reach.LOOPBACK and literal(host) is not None)
        if url.origin.scheme == "http" and not local and host != "localhost":
            raise IdentityUnavailable(
                f"{name} names a host in the network by plain HTTP, which AWS' own clients refuse too; correct it"
            )
        headers = {"accept": "application/json"}
        token = self._around.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        if self._around.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            token = self._around.file(
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                cure="create a Pod Identity association for the operator's ServiceAccount, and restart the operator",
            )
        if token:
            headers["authorization"] = token
        what = "the keys of EKS Pod Identity"
        answer = await self._around.ask(
            what,
            "GET",
            url,
            headers=headers,
            hide=filter(None, (token,)),
            cure="check the Pod Identity association of the operator's ServiceAccount, and that the agent runs on its "
            "node",
        )
        return _keys_of(answer, what)

    async def _of_node(self) -> Keys:
        """IMDSv2."""
        what = "the role of the node"
        if self._around.variable("AWS_EC2_METADATA_DISABLED").lower() == "true":
            raise IdentityUnavailable(f"there is no identity for AWS, and AWS_EC2_METADATA_DISABLED is set; {_NOWHERE}")
        name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
        home = self._around.url(self._around.variable(name) or _IMDS, named_by=name).origin
        token = ""

        async def ask(path: str, *, method: str = "GET") -> Answer:
            return await self._around.ask(
                what,
                method,
                Url(home, f"/latest/{path}", ""),
                headers={f"{_IMDS_TOKEN}-ttl-seconds": "300"} if method == "PUT" else {_IMDS_TOKEN: token},
                hide=filter(None, (token,)),
                cure=_NOWHERE,
            )

        try:
            answer = await ask("api/token", method="PUT")
        except IdentityUnavailable as error:
            raise IdentityUnavailable(f"there is no identity for AWS: {error}") from None
        token = _text(answer, what)
        roles = await ask("meta-data/iam/security-credentials/")
        role = _text(roles, what).partition("\n")[0].strip()
        if not re.fullmatch(r"[A-Za-z0-9+=,.@_-]{1,128}", role):
            raise IdentityUnavailable(f"{what}: the answer names no role")
        found = await ask(f"meta-data/iam/security-credentials/{role}")
        return _keys_of(found, what)

    def _read(self, answer: Answer, what: str) -> Login:
        given = base.json_of(answer, what=what).get("authorizationData")
        entry = given[0] if isinstance(given, list) and given else given
        text = entry.get("authorizationToken") if isinstance(entry, dict) else None
        try:
            plain = base64.b64decode(text, validate=True).decode("ascii") if isinstance(text, str) else ""
        except ValueError:
            plain = ""
        username, _, password = plain.partition(":")
        if not isinstance(entry, dict) or not (username and password and plain.isprintable()):
            raise IdentityUnavailable(f"{what}: the answer holds no login")
        until = base.seconds(entry.get("expiresAt"), otherwise=0, most=1e11)
        life_s = until - self._around.now().timestamp() if until else _LIFE_S
        return Login(Credential(username, password), life_s)


_NOWHERE = (
    "give the operator's ServiceAccount a role (IRSA: the annotation eks.amazonaws.com/role-arn, which sets "
    "AWS_ROLE_ARN; or EKS Pod Identity: an association), or the node one, with a metadata hop limit of 2"
)


def _private(host: str) -> re.Match[str] | None:
    match = _PRIVATE.fullmatch(host)
    if match is None:
        return None
    partition = _partition(match["region"])
    domain = partition.domain if match["mark"] == "." else f"on.{partition.dual_stack}"
    return match if match["domain"] == domain else None


def _keys_of(answer: Answer, what: str) -> Keys:
    found = base.read(answer, "AccessKeyId", "SecretAccessKey", "Token", what=what)
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])


def _text(answer: Answer, what: str) -> str:
    text = answer.body.decode("ascii", "replace").strip()
    if not base.is_token(text.partition("\n")[0]):
        raise IdentityUnavailable(f"{what}: the answer is empty")
    return text
