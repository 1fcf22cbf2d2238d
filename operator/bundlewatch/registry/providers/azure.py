"""Azure Container Registry: a token of Entra by workload identity, else of the node's managed identity, exchanged.

The registry itself exchanges it for a refresh token, which is used as an identity token. Public, Chinese and US
Government clouds by the host's name. Rules: Azure's workload identity webhook (its variables), the managed
identity endpoint of IMDS, and "Azure Container Registry integration with Microsoft Entra ID".
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from bundlewatch.errors import IdentityUnavailable
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.providers.base import Login, Site, Surroundings, read, variable
from bundlewatch.registry.transport import Answer
from bundlewatch.registry.untrusted import clean
from bundlewatch.registry.urls import Origin, Url

_HOST = re.compile(r"(?:[a-z0-9-]+\.)+azurecr\.(?P<cloud>io|cn|us)")
_CLOUDS = {  # the authority that gives tokens out, and the audience that the registry wants
    "io": ("https://login.microsoftonline.com/", "https://containerregistry.azure.net"),
    "cn": ("https://login.chinacloudapi.cn/", "https://management.chinacloudapi.cn"),
    "us": ("https://login.microsoftonline.us/", "https://management.usgovcloudapi.net"),
}
_IMDS = "http://169.254.169.254"
_IMDS_PATH = "/metadata/identity/oauth2/token"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE_S = 3 * 3600.0  # of a refresh token
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_VARIABLES = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE")
_WORKLOAD_CURE = (
    'label the operator\'s Pod with azure.workload.identity/use: "true", annotate its ServiceAccount with '
    "azure.workload.identity/client-id, and restart it"
)


class Azure:
    hosts = "<registry>.azurecr.io, .cn or .us"

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def owns(self, host: str) -> bool:
        return _HOST.fullmatch(host) is not None

    @staticmethod
    def services(environ: Mapping[str, str]) -> Iterable[Origin]:
        url = Url.parse(_imds(environ))
        if url is not None:
            yield url.origin

    async def login(self, site: Site) -> Login:
        authority, audience = self._cloud(site.host)
        if self._around.variable("AZURE_FEDERATED_TOKEN_FILE"):
            token = await self._of_workload(authority, audience)
        else:
            token = await self._of_node(audience)
        return await self._exchanged(site, token)

    def _cloud(self, host: str) -> tuple[str, str]:
        named = self._around.variable("AZURE_AUTHORITY_HOST")
        match = _HOST.fullmatch(host)
        if match is not None:
            authority, audience = _CLOUDS[match["cloud"]]
            return named or authority, audience
        known = (one for one in _CLOUDS.values() if named and one[0].rstrip("/") == named.rstrip("/").lower())
        return named or _CLOUDS["io"][0], next(known, _CLOUDS["io"])[1]

    async def _of_workload(self, authority: str, audience: str) -> str:
        client, tenant = (self._around.variable(name) for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"))
        missing = [name for name in _VARIABLES if not self._around.variable(name)]
        if missing:
            raise IdentityUnavailable(f"{missing[0]} is missing in the operator's environment; {_WORKLOAD_CURE}")
        assertion = self._around.file("AZURE_FEDERATED_TOKEN_FILE", cure=_WORKLOAD_CURE)
        url = self._around.url(
            f"{authority.rstrip('/')}/{clean(tenant, 100)}/oauth2/v2.0/token", named_by="AZURE_AUTHORITY_HOST"
        )
        what = f"a token of Entra for the client {clean(client, 60)} (AZURE_CLIENT_ID)"
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "scope": f"{audience}/.default",
            "client_assertion_type": _ASSERTION,
            "client_assertion": assertion,
        }
        answer = await self._around.ask(
            what,
            "POST",
            url,
            headers=_FORM,
            content=urlencode(form).encode(),
            hide=(assertion,),
            cure="check that the client has a federated credential for the cluster's issuer and the operator's "
            "ServiceAccount",
        )
        return read(answer, "access_token", what=what)["access_token"]

    async def _of_node(self, audience: str) -> str:
        query = {"api-version": "2018-02-01", "resource": audience}
        client = self._around.variable("AZURE_CLIENT_ID")
        if client:
            query["client_id"] = client
        home = self._around.url(_imds(self._around.environ), named_by="AZURE_POD_IDENTITY_AUTHORITY_HOST").origin
        what = "a token of the node's managed identity"
        try:
            answer = await self._around.ask(
                what,
                "GET",
                Url(home, _IMDS_PATH, urlencode(query)),
                headers={"metadata": "true"},
                cure=f"{_WORKLOAD_CURE}; or give the node a managed identity, and name it in AZURE_CLIENT_ID if it has "
                "several",
            )
        except IdentityUnavailable as error:
            raise IdentityUnavailable(
                f"there is no workload identity for Azure (AZURE_FEDERATED_TOKEN_FILE is not set), and {error}"
            ) from None
        return read(answer, "access_token", what=what)["access_token"]

    async def _exchanged(self, site: Site, token: str) -> Login:
        what = f"a login of {site.host}"
        url = Url.parse(f"https://{site.host}/oauth2/exchange")
        assert url is not None, "the grammar of references is narrower than that of URLs"
        form = {"grant_type": "access_token", "service": site.host, "access_token": token}
        if self._around.variable("AZURE_TENANT_ID"):
            form["tenant"] = self._around.variable("AZURE_TENANT_ID")
        answer: Answer = await self._around.ask(
            what,
            "POST",
            url,
            headers=_FORM,
            content=urlencode(form).encode(),
            ca_pem=site.ca_pem,
            hide=(token,),
            cure="give the operator's identity the role AcrPull (or Container Registry Repository Reader) there",
        )
        refresh = read(answer, "refresh_token", what=what)["refresh_token"]
        return Login(Credential(identity_token=refresh), self._life_s(refresh))

    def _life_s(self, token: str) -> float:
        """From what the token says of itself, if it does; it is the registry's to judge."""
        payload = token.partition(".")[2].partition(".")[0]
        try:
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            until = float(claims["exp"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return _LIFE_S
        return min(until - self._around.now().timestamp(), _LIFE_S)


def _imds(environ: Mapping[str, str]) -> str:
    return variable(environ, "AZURE_POD_IDENTITY_AUTHORITY_HOST") or _IMDS
