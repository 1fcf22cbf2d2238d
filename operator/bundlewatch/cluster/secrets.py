"""A Secret as bytes: read from the API, decoded, never logged and never kept longer than its reader keeps it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bundlewatch.errors import InvalidSecret

_ARGO_CD = "argocd.argoproj.io/secret-type"


class ReadsSecrets(Protocol):
    async def read_secret(self, namespace: str, name: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Type and decoded data of a Secret. Its text form shows neither keys nor values."""

    namespace: str
    name: str
    type: str
    data: Mapping[str, bytes]

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
    try:
        data = {
            str(key): base64.b64decode(value or "", validate=True) for key, value in (answer.get("data") or {}).items()
        }
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidSecret(f"Secret {namespace}/{name} holds data that is not base64") from error
    return Secret(namespace=namespace, name=name, type=str(answer.get("type") or "Opaque"), data=data)
