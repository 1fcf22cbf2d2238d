"""How a registry is reached: the models of `spec.access`, and which of its fields exclude each other."""

from typing import Final, Literal

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from bundlewatch.api import rules
from bundlewatch.api.fields import ObjectName
from bundlewatch.api.model import config


@dataclass(frozen=True, slots=True, kw_only=True, config=config({"x-kubernetes-map-type": "atomic"}))
class SecretReference:
    """A Secret in the BundleWatch's own namespace."""

    name: ObjectName
    """Name of the Secret."""


_TRUST_OR_PLAIN: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition="!(has(self.caSecretRef) && has(self.insecure) && self.insecure)",
    message=(
        "has both caSecretRef and insecure: true, but plain HTTP has no certificate to check: "
        "remove insecure for HTTPS, or caSecretRef for plain HTTP"
    ),
    holds=lambda access: not ("caSecretRef" in access and access.get("insecure")),
)

_IS_GENERIC: Final = "!has(self.provider) || self.provider == 'generic'"


def _is_generic(access: rules.Fields) -> bool:
    return access.get("provider", "generic") == "generic"


_CLOUD_ALONE: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=(
        f"{_IS_GENERIC} || !has(self.secretRef) && !has(self.serviceAccountName) "
        "&& (!has(self.fromArgoCD) || !self.fromArgoCD)"
    ),
    message=(
        "has a cloud as provider and other credentials too: remove secretRef, serviceAccountName and fromArgoCD to "
        "use the operator's identity in that cloud, or provider to use the others"
    ),
    holds=lambda access: (
        _is_generic(access) or not ("secretRef" in access or "serviceAccountName" in access or access.get("fromArgoCD"))
    ),
)

_CLOUD_BY_TLS: Final["rules.Rule[rules.Fields]"] = rules.Rule(
    condition=f"{_IS_GENERIC} || !has(self.insecure) || !self.insecure",
    message=(
        "has a cloud as provider and insecure: true, but a cloud's registry is never reached by plain HTTP, where "
        "everybody in between could read the login: remove insecure"
    ),
    holds=lambda access: _is_generic(access) or not access.get("insecure"),
)


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=config(rules.schema(_TRUST_OR_PLAIN, _CLOUD_ALONE, _CLOUD_BY_TLS)),
)
class Access:
    """How to reach the registry."""

    secret_ref: SecretReference | None = None
    """
    Secret with the registry's credentials, of type kubernetes.io/dockerconfigjson (what `kubectl create
    secret docker-registry` makes), kubernetes.io/dockercfg or kubernetes.io/basic-auth, or Opaque with the
    keys username and password. Left out: the other sources here; none at all: the operator's own Docker
    configuration if it has one (never by plain HTTP), else anonymous. Example: {name: regcred}
    """

    service_account_name: ObjectName | None = None
    """
    ServiceAccount in the BundleWatch's own namespace whose imagePullSecrets are used: the entry that fits
    this repository best. It is an error if there is none. Asked after secretRef. Example: default
    """

    from_argo_cd: bool = False
    """
    true: use the login that Argo CD itself has for this repository, from its Secrets of type repository or
    repo-creds in the BundleWatch's own namespace, which must be Argo CD's. It is sent to that Secret's own
    address only. Asked after secretRef and serviceAccountName. The operator must be allowed to list Secrets
    there (deploy/argocd-secrets). Default: false
    """

    provider: Literal["generic", "aws", "gcp", "azure"] = "generic"
    """
    Whose identity opens the registry. aws, gcp, azure: the operator's own in that cloud, by workload
    identity or its node's; for ECR, Artifact Registry and Azure Container Registry, without any Secret.
    generic: none, credentials are looked for in the other fields. Default: generic
    """

    ca_secret_ref: SecretReference | None = None
    """
    Secret whose key ca.crt holds certificate authorities (PEM) to trust for this registry, besides the
    usual ones, and whose keys tls.crt and tls.key hold a client certificate and its private key (PEM) for a
    registry that wants one. ca.crt, or tls.crt and tls.key, or all three. Left out: the usual authorities
    alone, and no client certificate. Not together with `insecure: true`. Example: {name: registry-ca}
    """

    insecure: bool = False
    """
    true: talk plain HTTP to the registry; whoever sits between can choose what is deployed. Meant for a
    registry inside the cluster or on a laptop. Default: false, HTTPS only.
    """

    @model_validator(mode="after")
    def _rules(self) -> "Access":
        for rule in (_TRUST_OR_PLAIN, _CLOUD_ALONE, _CLOUD_BY_TLS):
            rule.check(self)
        return self
