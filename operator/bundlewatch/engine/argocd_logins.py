"""Argo CD's own login for a route, from its Secrets in the BundleWatch's namespace.

Nothing is kept here but the list of these Secrets, for two seconds, since hundreds may ask for it at once. Which of
them is the one is `argocd.logins`' to know; this is what becomes of it. Argo CD knows a repository that it
needs no login for: that one is anonymous, while one that it does not know at all is an error.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bundlewatch.argocd import logins
from bundlewatch.cluster import secrets
from bundlewatch.cluster.secrets import ReadsArgoCDSecrets, Secret
from bundlewatch.engine.route import Route
from bundlewatch.errors import BundleWatchError, InvalidSecret
from bundlewatch.registry import flights, tls
from bundlewatch.registry.credentials import ANONYMOUS, Credential, NoEntry
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.tls import ClientCertificate

_HOLDS_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a source of credentials has for a route."""

    credential: Credential
    certificate: ClientCertificate | None = None


class ArgoCDLogins:
    """`login()` is all there is. Every error names the Secret, what is wrong with it and the cure."""

    def __init__(self, cluster: ReadsArgoCDSecrets) -> None:
        self._cluster = cluster
        self._lists: dict[str, asyncio.Task[tuple[Secret, ...]]] = {}

    async def login(self, route: Route) -> Found:
        """Raises NoEntry where no Secret is for the repository, InvalidSecret, SecretNotFound, ClusterUnavailable."""
        candidates = [
            logins.Candidate(name=f"{secret.namespace}/{secret.name}", kind=secret.argocd, data=secret.data)
            for secret in await self._listed(route.namespace)
        ]
        found = logins.find(candidates, repository=str(route.repository), insecure=route.insecure)
        if found is None:
            raise NoEntry(_nothing_for(route, candidates))
        whole = f"Secret {found.name} of Argo CD"
        if not found.has_login:
            return Found(replace(ANONYMOUS, source=f"{whole} is for it and holds no username and password"))
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
            return Found(_credential(found, whole, route.repository), _certificate(found))
        except InvalidSecret as error:
            raise InvalidSecret(f"{whole}: {error}") from error

    async def _listed(self, namespace: str) -> tuple[Secret, ...]:
        task = self._lists.get(namespace)
        if task is None:
            task = flights.begin(secrets.read_argocd(self._cluster, namespace=namespace))
            task.add_done_callback(lambda _: self._hold(namespace))
            self._lists[namespace] = task
        try:
            return await asyncio.shield(task)
        except BundleWatchError as error:
            error.__traceback__ = None  # it is raised once for each who waits
            raise

    def _hold(self, namespace: str) -> None:
        asyncio.get_running_loop().call_later(_HOLDS_S, self._lists.pop, namespace, None)


def _nothing_for(route: Route, candidates: Sequence[logins.Candidate]) -> str:
    # Their addresses are not for everybody who may read a BundleWatch.
    there = f"none of the {len(candidates)} Secrets" if candidates else "there are no Secrets"
    return (
        f"{there} of Argo CD in the namespace {route.namespace} "
        f"{'is for' if candidates else 'that could be for'} {route.repository}; correct the url of the one that is "
        "meant, add one (`argocd repo add`), or leave out spec.access.fromArgoCD if no login is needed"
    )


def _credential(found: logins.Candidate, whole: str, repository: Repository) -> Credential:
    username, password = found.text("username"), found.text("password")
    if not username and not password:
        return replace(ANONYMOUS, source=f"{whole} holds a client certificate and no username and password")
    if not password:
        raise InvalidSecret(
            "it has a username and no password; put the password into its key password, or remove the username if the "
            "repository is open to everybody"
        )
    data = {"username": username.encode(), "password": password.encode()}
    credential = Credential.from_secret("kubernetes.io/basic-auth", data, repository=repository)
    return replace(credential, source=f"{whole} (spec.access.fromArgoCD)")


def _certificate(found: logins.Candidate) -> ClientCertificate | None:
    chain, key = (found.data.get(name) for name in ("tlsClientCertData", "tlsClientCertKey"))
    if not chain and not key:
        return None
    if not chain or not key:
        there, missing = (
            ("tlsClientCertData", "tlsClientCertKey") if chain else ("tlsClientCertKey", "tlsClientCertData")
        )
        raise InvalidSecret(f"it has {there} but not {missing}; a client certificate needs both")
    certificate = ClientCertificate(chain, key)
    try:
        tls.check(None, certificate)  # whoever uses it would blame another Secret
    except InvalidSecret:
        raise InvalidSecret(
            "its tlsClientCertData and tlsClientCertKey are no usable pair; put a certificate and its private key "
            "there in PEM form, the key without a password"
        ) from None
    return certificate
