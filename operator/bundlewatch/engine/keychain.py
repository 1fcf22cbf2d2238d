"""Where credentials come from: turns a route into an `Access`, anew at each listing.

A cloud's identity stands alone. Else the sources that a BundleWatch names are asked in this order, and the first
that has something for the repository is used: its Secret, the imagePullSecrets of its ServiceAccount, Argo CD's
own Secrets. Who names a source wants a login: one that is not there is an error, and so it is when none has
anything. Where it names none, the operator's Docker configuration is asked, and what that does not know is
anonymous. Each credential says where it is from. Knows nothing of how any of it is used.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from bundlewatch.cluster import secrets
from bundlewatch.cluster.secrets import ReadsArgoCDSecrets, ReadsSecrets, Secret
from bundlewatch.engine.argocd_logins import ArgoCDLogins, Found
from bundlewatch.engine.route import Route
from bundlewatch.errors import BundleWatchError, IdentityUnavailable, InvalidSecret, SecretNotFound
from bundlewatch.registry import tls
from bundlewatch.registry.client import Access
from bundlewatch.registry.credentials import ANONYMOUS, Credential, NoEntry
from bundlewatch.registry.hosts import Cloud
from bundlewatch.registry.tls import Trust
from bundlewatch.registry.untrusted import clean

E = TypeVar("E", bound=BundleWatchError)

_CONFIG_LIMIT_BYTES: Final = 1 << 20  # as large as a Secret can be
_PULL_SECRETS: Final = 64  # that are read of one ServiceAccount
_SHOWN: Final = 5
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
        self._argocd = ArgoCDLogins(cluster)

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

    async def _found(self, route: Route, trust: Trust) -> Found:
        if route.provider is not None:
            return Found(await self._of_the_cloud(route.provider, route, trust))
        lacking: list[str] = []
        for ask in self._named(route):
            try:
                return await ask()
            except NoEntry as error:
                lacking.append(str(error))
        if not lacking:
            return Found(self._of_default(route))
        if len(lacking) > 1:
            lacking.insert(0, f"no source that spec.access names has credentials for {route.repository}")
        raise InvalidSecret(". ".join(lacking))

    def _named(self, route: Route) -> Iterator[Callable[[], Awaitable[Found]]]:
        """The sources that the BundleWatch names; each raises NoEntry where the next one is to be asked."""
        if route.secret is not None:
            yield partial(self._of_secret, route, route.secret)
        if route.service_account is not None:
            yield partial(self._of_service_account, route, route.service_account)
        if route.from_argocd:
            yield partial(self._argocd.login, route)

    async def _trust(self, route: Route) -> Trust:
        if route.ca_secret is None:
            return Trust(None, None)
        secret = await secrets.read(self._cluster, namespace=route.namespace, name=route.ca_secret)
        try:
            trust = Trust.from_secret(secret.data)
            tls.check(trust.ca_pem, trust.certificate)
        except InvalidSecret as error:
            raise _of(secret, error) from error
        return trust

    async def _of_the_cloud(self, cloud: Cloud, route: Route, trust: Trust) -> Credential:
        if self._identities is None:
            raise IdentityUnavailable(
                f"spec.access.provider is {cloud}, and the identity in it is the operator's alone; look at the status "
                "of the BundleWatch, or give `bundlewatch explain` the manifest (-f) and the tags (--tags-from)"
            )
        return await self._identities.credential(cloud, route.repository.host, ca_pem=trust.ca_pem)

    async def _of_secret(self, route: Route, name: str) -> Found:
        secret = await secrets.read(self._cluster, namespace=route.namespace, name=name)
        try:
            found = Credential.from_secret(secret.type, secret.data, repository=route.repository)
        except InvalidSecret as error:
            raise _of(secret, error) from error
        return Found(_from(f"Secret {route.namespace}/{name} (spec.access.secretRef)", found))

    async def _of_service_account(self, route: Route, name: str) -> Found:
        account = await self._cluster.read_service_account(route.namespace, name)
        whole = f"ServiceAccount {route.namespace}/{name}"
        listed = [str(reference.get("name") or "") for reference in account.get("imagePullSecrets") or ()]
        pulled = [pull_secret for pull_secret in dict.fromkeys(listed) if pull_secret][:_PULL_SECRETS]
        best: Credential | None = None
        lacking: list[NoEntry] = []
        unusable: list[BundleWatchError] = []
        for pull_secret in pulled:
            try:
                found = await self._of_pull_secret(route, pull_secret, account=whole)
            except NoEntry as error:
                lacking.append(error)
            except (SecretNotFound, InvalidSecret) as error:
                unusable.append(error)
            else:
                best = found if best is None or found.fit > best.fit else best
        if best is not None:  # the kubelet pulls too, whatever the others are like
            return Found(best)
        if unusable or len(lacking) == 1:
            raise (unusable or lacking)[0]
        raise NoEntry(_nothing_for(route, whole, pulled))

    async def _of_pull_secret(self, route: Route, name: str, *, account: str) -> Credential:
        role = f", one of the imagePullSecrets of {account}"
        try:
            secret = await secrets.read(self._cluster, namespace=route.namespace, name=name)
        except SecretNotFound as error:
            raise SecretNotFound(
                f"Secret {route.namespace}/{name}{role}, does not exist or may not be read; create it, or take it out "
                "of the ServiceAccount"
            ) from error
        try:
            found = Credential.from_pull_secret(secret.type, secret.data, repository=route.repository)
        except InvalidSecret as error:
            raise _of(secret, error, role=role) from error
        return _from(f"Secret {route.namespace}/{name}{role}", found)

    def _of_default(self, route: Route) -> Credential:
        if self._default is None:
            return ANONYMOUS
        if route.insecure:  # the operator's login is not sent in the clear because somebody else says so
            return replace(ANONYMOUS, source=f"{_DEFAULT} is never sent in the clear, as spec.access.insecure would")
        content = self._default.read()
        try:
            found = Credential.from_docker_config(content, repository=route.repository)
        except NoEntry:
            return replace(ANONYMOUS, source=f"{_DEFAULT} has no entry for it")
        except InvalidSecret as error:
            raise self._default.error(f"cannot be used: {error}") from None
        return _from(_DEFAULT, found)


def _from(source: str, found: Credential) -> Credential:
    return replace(found, source=f"the entry for it in {source} holds no login" if found.is_anonymous else source)


def _nothing_for(route: Route, account: str, pulled: Sequence[str]) -> str:
    cure = "or leave out spec.access.serviceAccountName if no login is needed"
    if not pulled:
        return f"{account} has no imagePullSecrets; add one for {route.repository}, {cure}"
    shown = ", ".join(clean(name, 60) for name in pulled[:_SHOWN])
    more = f" and {len(pulled) - _SHOWN} more" if pulled[_SHOWN:] else ""
    return (
        f"{account} has no entry for {route.repository} in its imagePullSecrets ({shown}{more}); add one to one of "
        f"them, {cure}"
    )


def _of(secret: Secret, error: E, *, role: str = "") -> E:
    return type(error)(f"Secret {secret.namespace}/{secret.name}{role}: {error}")
