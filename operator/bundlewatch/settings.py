"""What an admin may set, from flags and environment, as one frozen value.

Flags are declared in `cli/run.py`; each has a `BUNDLEWATCH_…` twin in the environment. This module does no
I/O and reads nothing: it only says which values make sense together.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, model_validator

from bundlewatch.registry.hosts import Cloud, Host
from bundlewatch.registry.proxies import Proxies

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, as Kubernetes names namespaces


class Settings(BaseModel):
    """All durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kubeconfig: str | None = None
    """Path of a kubeconfig; None: the Pod's ServiceAccount, else the default kubeconfig."""

    context: str | None = None
    """Context of the kubeconfig; None: its current one."""

    namespaces: tuple[str, ...] = ()
    """Namespaces to serve; empty: the whole cluster."""

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    probe_host: str = "0.0.0.0"  # noqa: S104 - the kubelet probes from outside the Pod
    probe_port: int = Field(default=8081, ge=0, le=65535)

    registry_concurrency: int = Field(default=8, ge=1, le=64)
    """Requests under way at once to one registry host."""

    registry_rate: float = Field(default=100.0, gt=0)
    """Requests a second to one registry host, on average."""

    registry_timeout_s: float = Field(default=30.0, gt=0, le=600)
    """Deadline of one request to a registry, its whole body included."""

    registry_hosts: Mapping[str, Host] = Field(default_factory=dict)
    """Mirrors and limits of single registry hosts, by `Repository.host`; a limit goes before the two above."""

    cloud_hosts: Mapping[str, Cloud] = Field(default_factory=dict)
    """Hosts that the identity of a cloud opens, by `Repository.host`."""

    registry_docker_config: str | None = None
    """Path of a Docker configuration for BundleWatches that name no credentials of their own; None: they have none."""

    proxies: InstanceOf[Proxies] = Field(default_factory=Proxies)
    """Through which proxies registries are reached."""

    listing_timeout_s: float = Field(default=300.0, gt=0, le=3600)
    """Deadline of one whole listing, all of its pages."""

    kubernetes_timeout_s: float = Field(default=10.0, gt=0, le=120)
    """Deadline of one request to the Kubernetes API."""

    annotate: bool = True
    """Whether Applications are told, in annotations, which bundle they were given."""

    shutdown_s: float = Field(default=3.0, ge=0, le=25)
    """How long writes under way may take to finish after SIGTERM."""

    @model_validator(mode="after")
    def _namespaces_are_named(self) -> Self:
        for name in self.namespaces:
            if not _LABEL.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name of a namespace: write a whole one, of lower-case letters, digits and - "
                    "between them, at most 63; leave namespaces out to serve the whole cluster"
                )
        return self
