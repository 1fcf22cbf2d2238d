"""A Secret as bytes: read from the API, decoded, never logged and never kept longer than its reader keeps it."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from bundlewatch.errors import InvalidSecret

_ARGO_CD: Final = "argocd.argoproj.io/secret-type"
_ARGO_CD_LOGINS: Final = f"{_ARGO_CD} in (repository,repo-creds)"


class ReadsSecrets(Protocol):
    async def read_secret(self, namespace: str, name: str) -> Mapping[str, Any]: ...


class ReadsArgoCDSecrets(Protocol):
    async def argocd_secrets(self, namespace: str, *, labels: str) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Type and decoded data of a Secret. Its text form shows neither keys nor values."""

    namespace: str
    name: str
    type: str
    data: Mapping[str, bytes]
    argocd: str = ""  # what it is to Argo CD: repository, repo-creds; empty: it is not Argo CD's

    def __repr__(self) -> str:
        return f"Secret({self.namespace}/{self.name})"


async def read(cluster: ReadsSecrets, *, namespace: str, name: str) -> Secret:
    """Raises SecretNotFound, ClusterUnavailable, or InvalidSecret: it is not meant for us, or holds no base64."""
    answer = await cluster.read_secret(namespace, name)
    labels = (answer.get("metadata") or {}).get("labels") or {}
    if _ARGO_CD in labels:
        # Whoever may make a BundleWatch in Argo CD's namespace must not have its credentials sent to any host.
        raise InvalidSecret(
            f"Secret {namespace}/{name} belongs to Argo CD (label {_ARGO_CD}), and is not used for anything else; "
            "put the registry's credentials into a Secret of their own"
        )
    return _decoded(answer, namespace=namespace, name=name)


async def read_argocd(cluster: ReadsArgoCDSecrets, *, namespace: str) -> tuple[Secret, ...]:
    """The Secrets from which Argo CD in this namespace takes its logins to repositories, in order of name.

    They are for `argocd.logins`, which gives them out for their own address and nothing else.
    Raises SecretNotFound: they may not be listed; ClusterUnavailable, InvalidSecret.
    """
    found = [
        _decoded(answer, namespace=namespace, name=str((answer.get("metadata") or {}).get("name") or ""))
        for answer in await cluster.argocd_secrets(namespace, labels=_ARGO_CD_LOGINS)
    ]
    return tuple(sorted(found, key=lambda secret: secret.name))


def _decoded(answer: Mapping[str, Any], *, namespace: str, name: str) -> Secret:
    labels = (answer.get("metadata") or {}).get("labels") or {}
    try:
        data = {
            str(key): base64.b64decode(value or "", validate=True) for key, value in (answer.get("data") or {}).items()
        }
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidSecret(f"Secret {namespace}/{name} holds data that is not base64") from error
    return Secret(
        namespace=namespace,
        name=name,
        type=str(answer.get("type") or "Opaque"),
        data=data,
        argocd=str(labels.get(_ARGO_CD) or ""),
    )
