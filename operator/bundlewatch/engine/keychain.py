"""Where credentials come from: turns a route into an `Access`, anew at each listing.

A cloud's identity stands alone. Else the sources that a BundleWatch names are asked in this order, and the first
that has something for the repository is used: its Secret, the imagePullSecrets of its ServiceAccount, Argo CD's
own Secrets. Where it names none, the operator's Docker configuration is asked. Nothing anywhere is anonymous; a
source that is named and not there is an error. Nothing is kept here but Argo CD's list, for two seconds, since
hundreds may ask for it at once. Knows nothing of how any of it is used.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from bundlewatch.argocd import logins
from bundlewatch.cluster import secrets
from bundlewatch.cluster.secrets import ReadsArgoCDSecrets, ReadsSecrets, Secret
from bundlewatch.engine.route import Route
from bundlewatch.errors import BundleWatchError, IdentityUnavailable, InvalidSecret, SecretNotFound
from bundlewatch.registry import flights
from bundlewatch.registry.client import Access
from bundlewatch.registry.credentials import ANONYMOUS, Credential, NoEntry
from bundlewatch.registry.hosts import Cloud
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.tls import ClientCertificate, Trust

E = TypeVar("E", bound=BundleWatchError)

_ARGO_CD_HOLDS_S: Final = 2.0
_CONFIG_LIMIT_BYTES: Final = 1 << 20  # as large as a Secret can be
_PULL_SECRETS: Final = "the imagePullSecrets of the ServiceAccount that spec.access.serviceAccountName names"
_ARGO_CD: Final = "the login that Argo CD itself has for it (spec.access.fromArgoCD)"
_DEFAULT: Final = "the operator's own Docker configuration (--registry-docker-config)"


class ReadsCredentials(ReadsSecrets, ReadsArgoCDSecrets, Protocol):
    async def read_service_account(self, namespace: str, name: str) -> Mapping[str, Any]: ...


class HasIdentities(Protocol):
    """The operator's own identities; raises InvalidSpec for a host that is not that cloud's, IdentityUnavailable."""

    async def credential(self, cloud: Cloud, host: str, *, ca_pem: bytes | None) -> Credential: ...


class DockerConfigFile:
    """A Docker configuration on disk, read again when it has changed, as a mounted Secret does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._content = b""

    def read(self) -> bytes:
        """Raises InvalidSecret when the file is not there or too large to be one."""
        try:
            found = self._path.stat()
            seen = found.st_mtime_ns, found.st_ino, found.st_size
            if seen != self._seen:
                with self._path.open("rb") as file:
                    self._content = file.read(_CONFIG_LIMIT_BYTES + 1)
                self._seen = seen
        except OSError as error:
            self._seen = None
            raise self.error(
                f"cannot be read ({error.strerror or 'no reason given'}); mount it there, or leave out the flag"
            ) from None
        if len(self._content) > _CONFIG_LIMIT_BYTES:
            raise self.error("is larger than 1 MiB; mount a Docker configuration there, or leave out the flag")
        return self._content

    def error(self, problem: str) -> InvalidSecret:
        return InvalidSecret(f"the file that the operator was given as --registry-docker-config {problem}")


@dataclass(frozen=True, slots=True)
class _Found:
    credential: Credential
    certificate: ClientCertificate | None = None


class Keychain:
    """`access()` is all there is. Every error names the object, what is wrong with it and the cure."""

    def __init__(
        self,
        *,
        cluster: ReadsCredentials,
        identities: HasIdentities | None = None,
        default: DockerConfigFile | None = None,
    ) -> None:
        """`identities`: left out, this process has none. `default`: for BundleWatches that name no source."""
        self._cluster = cluster
        self._identities = identities
        self._default = default
        self._argocd: dict[str, asyncio.Task[tuple[Secret, ...]]] = {}

    async def access(self, route: Route) -> Access:
        """How `route` is reached now.

        Raises SecretNotFound, ServiceAccountNotFound, InvalidSecret, InvalidSpec, IdentityUnavailable and
        ClusterUnavailable.
        """
        trust = await self._trust(route)
        found = await self._found(route, trust)
        return Access(
            credential=found.credential,
            ca_pem=trust.ca_pem,
            certificate=trust.certificate or found.certificate,
            insecure=route.insecure,
        )

    async def _found(self, route: Route, trust: Trust) -> _Found:
        if route.provider is not None:
            return _Found(await self._of_the_cloud(route.provider, route, trust))
        if route.secret is not None:
            try:
                return _Found(await self._of_secret(route, route.secret))
            except NoEntry:
                if route.service_account is None and not route.from_argocd:
                    raise
        if route.service_account is not None:
            credential = await self._of_service_account(route, route.service_account)
            if credential is not None:
                return _Found(credential)
        if route.from_argocd:
            found = await self._of_argocd(route)
            if found is not None:
                return found
        named = route.secret is not None or route.service_account is not None or route.from_argocd
        # The operator's login is not sent in the clear because somebody else says so.
        return _Found(ANONYMOUS if named or route.insecure else self._of_default(route.repository))

    async def _trust(self, route: Route) -> Trust:
        if route.ca_secret is None:
            return Trust(None, None)
        secret = await secrets.read(self._cluster, namespace=route.namespace, name=route.ca_secret)
        try:
            return Trust.from_secret(secret.data)
        except InvalidSecret as error:
            raise _of(secret, error) from error

    async def _of_the_cloud(self, cloud: Cloud, route: Route, trust: Trust) -> Credential:
        if self._identities is None:
            raise IdentityUnavailable(
                f"spec.access.provider is {cloud}, and the identity in it is the operator's alone; look at the status "
                "of the BundleWatch, or give `bundlewatch explain` the manifest (-f) and the tags (--tags-from)"
            )
        return await self._identities.credential(cloud, route.repository.host, ca_pem=trust.ca_pem)

    async def _of_secret(self, route: Route, name: str) -> Credential:
        secret = await secrets.read(self._cluster, namespace=route.namespace, name=name)
        try:
            return Credential.from_secret(secret.type, secret.data, repository=route.repository)
        except InvalidSecret as error:
            raise _of(secret, error) from error

    async def _of_service_account(self, route: Route, name: str) -> Credential | None:
        account = await self._cluster.read_service_account(route.namespace, name)
        whole = f"ServiceAccount {route.namespace}/{name}"
        for reference in account.get("imagePullSecrets") or ():
            pulled = str(reference.get("name") or "")
            if not pulled:
                continue
            try:
                secret = await secrets.read(self._cluster, namespace=route.namespace, name=pulled)
            except SecretNotFound as error:
                raise SecretNotFound(
                    f"Secret {route.namespace}/{pulled}, one of the imagePullSecrets of {whole}, does not exist or may "
                    "not be read; create it, or take it out of the ServiceAccount"
                ) from error
            try:
                found = Credential.from_pull_secret(secret.type, secret.data, repository=route.repository)
            except NoEntry:
                continue
            except InvalidSecret as error:
                raise _of(secret, error, role=f", one of the imagePullSecrets of {whole}") from error
            return replace(found, source=_PULL_SECRETS)
        return None

    async def _of_argocd(self, route: Route) -> _Found | None:
        candidates = [
            logins.Candidate(name=f"{secret.namespace}/{secret.name}", kind=secret.argocd, data=secret.data)
            for secret in await self._argocd_secrets(route.namespace)
        ]
        found = logins.find(candidates, repository=str(route.repository), insecure=route.insecure)
        if found is None:
            return None
        whole = f"Secret {found.name} of Argo CD"
        if route.insecure and not found.flag("insecureOCIForceHttp"):
            raise InvalidSecret(
                f"{whole} is meant for HTTPS, and is not sent in the clear because of spec.access.insecure; remove "
                "insecure, or set insecureOCIForceHttp in that Secret"
            )
        if found.flag("useAzureWorkloadIdentity"):
            raise InvalidSecret(
                f"{whole} holds no login but says that Argo CD's own identity in Azure is used; set "
                "spec.access.provider to azure instead of fromArgoCD, to use BundleWatch's"
            )
        try:
            return _Found(_login(found, route.repository), _certificate(found))
        except InvalidSecret as error:
            raise InvalidSecret(f"{whole}: {error}") from error

    async def _argocd_secrets(self, namespace: str) -> tuple[Secret, ...]:
        task = self._argocd.get(namespace)
        if task is None:
            task = flights.begin(secrets.read_argocd(self._cluster, namespace=namespace))
            task.add_done_callback(lambda _: self._argocd_listed(namespace))
            self._argocd[namespace] = task
        try:
            return await asyncio.shield(task)
        except BundleWatchError as error:
            error.__traceback__ = None  # it is raised once for each who waits
            raise

    def _argocd_listed(self, namespace: str) -> None:
        asyncio.get_running_loop().call_later(_ARGO_CD_HOLDS_S, self._argocd.pop, namespace, None)

    def _of_default(self, repository: Repository) -> Credential:
        if self._default is None:
            return ANONYMOUS
        content = self._default.read()
        try:
            found = Credential.from_docker_config(content, repository=repository)
        except NoEntry:
            return ANONYMOUS
        except InvalidSecret as error:
            raise self._default.error(f"cannot be used: {error}") from None
        return replace(found, source=_DEFAULT)


def _login(found: logins.Candidate, repository: Repository) -> Credential:
    if not found.data.get("username") and not found.data.get("password"):
        return ANONYMOUS  # a client certificate alone
    data = {key: found.data.get(key, b"") for key in ("username", "password")}
    credential = Credential.from_secret("kubernetes.io/basic-auth", data, repository=repository)
    return replace(credential, source=_ARGO_CD)


def _certificate(found: logins.Candidate) -> ClientCertificate | None:
    chain, key = (found.data.get(name) for name in ("tlsClientCertData", "tlsClientCertKey"))
    if not chain and not key:
        return None
    if not chain or not key:
        there, missing = (
            ("tlsClientCertData", "tlsClientCertKey") if chain else ("tlsClientCertKey", "tlsClientCertData")
        )
        raise InvalidSecret(f"it has {there} but not {missing}; a client certificate needs both")
    return ClientCertificate(chain, key)


def _of(secret: Secret, error: E, *, role: str = "") -> E:
    return type(error)(f"Secret {secret.namespace}/{secret.name}{role}: {error}")
