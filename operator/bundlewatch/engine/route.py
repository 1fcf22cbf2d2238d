"""How a BundleWatch reaches its repository: what of its spec decides which answer it gets."""

from dataclasses import dataclass
from typing import Self

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.registry.hosts import Cloud
from bundlewatch.registry.reference import Repository, parse_repository


@dataclass(frozen=True, slots=True)
class Route:
    """How a watch reaches its repository. Equal routes are one: they are due, polled and answered together."""

    repository: Repository
    insecure: bool
    namespace: str
    """Where the Secrets and the ServiceAccount are; empty when there are none."""

    secret: str | None
    ca_secret: str | None
    service_account: str | None = None
    from_argocd: bool = False
    provider: Cloud | None = None

    @classmethod
    def of(cls, watch: BundleWatch) -> Self:
        """How a BundleWatch reaches its repository. Raises InvalidReference."""
        access = watch.spec.access
        secret = access.secret_ref.name if access.secret_ref is not None else None
        ca_secret = access.ca_secret_ref.name if access.ca_secret_ref is not None else None
        own = bool(secret or ca_secret or access.service_account_name or access.from_argo_cd)
        return cls(
            repository=parse_repository(watch.spec.repository),
            insecure=access.insecure,
            namespace=watch.namespace if own else "",
            secret=secret,
            ca_secret=ca_secret,
            service_account=access.service_account_name,
            from_argocd=access.from_argo_cd,
            provider=None if access.provider == "generic" else access.provider,
        )

    @property
    def lane(self) -> str:
        return self.repository.host

    def __str__(self) -> str:
        return str(self.repository)
