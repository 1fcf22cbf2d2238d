"""Google Artifact Registry and gcr.io: an access token of the metadata server, on GKE that of the workload's identity.

Rule: "Access tokens" of Compute Engine's metadata server; `GCE_METADATA_HOST` as in Google's own libraries.
"""

import re
from collections.abc import Iterable, Mapping

from bundlewatch.errors import IdentityUnavailable
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.providers import base
from bundlewatch.registry.providers.base import Login, Site, Surroundings
from bundlewatch.registry.urls import Origin, Url

_HOST = re.compile(r"[a-z][a-z0-9-]*-docker\.pkg\.dev|docker\.[a-z][a-z0-9-]*\.rep\.pkg\.dev|(?:[a-z0-9-]+\.)?gcr\.io")
_METADATA = "metadata.google.internal"
_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_CURE = (
    "run the operator on GKE or a VM of Google's with a service account, and bind that to its ServiceAccount "
    "(Workload Identity Federation, or the annotation iam.gke.io/gcp-service-account)"
)


class Gcp:
    hosts = "<location>-docker.pkg.dev or gcr.io"

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def owns(self, host: str) -> bool:
        return _HOST.fullmatch(host) is not None

    @staticmethod
    def services(environ: Mapping[str, str]) -> Iterable[Origin]:
        url = Url.parse(_address(environ))
        if url is not None:
            yield url.origin

    async def login(self, site: Site) -> Login:  # noqa: ARG002 - one token opens all of Google's registries
        what = "a token of Google's metadata server"
        url = self._around.url(_address(self._around.environ), named_by="GCE_METADATA_HOST")
        answer = await self._around.ask(what, "GET", url, headers={"metadata-flavor": "Google"}, cure=_CURE)
        if (answer.header("metadata-flavor") or "").lower() != "google":
            raise IdentityUnavailable(f"{what}: {url.origin.authority} is no metadata server of Google's; {_CURE}")
        token = base.read(answer, "access_token", what=what)["access_token"]
        life_s = base.seconds(base.json_of(answer, what=what).get("expires_in"), otherwise=60.0)
        return Login(Credential("oauth2accesstoken", token), life_s)


def _address(environ: Mapping[str, str]) -> str:
    return f"http://{base.variable(environ, 'GCE_METADATA_HOST') or _METADATA}{_PATH}"
