"""What every command that asks a cluster shares: the flags and the login."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from bundlewatch.cluster.client import BUNDLE_WATCHES, KubernetesClient, namespace_of
from bundlewatch.errors import BundleWatchError, ClusterUnavailable

T = TypeVar("T")

_TIMEOUT_S = 10.0
_COMPLETION_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Login:
    """The flags of kubectl that say which cluster and namespace; None: as the kubeconfig says."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None

    async def client(
        self, work: Callable[[KubernetesClient, str], Awaitable[T]], *, timeout_s: float = _TIMEOUT_S
    ) -> T:
        """Do something with a client and the namespace that is meant. Raises ClusterUnavailable naming the cluster."""
        namespace = self.namespace or namespace_of(kubeconfig=self.kubeconfig, context=self.context)
        async with KubernetesClient.connect(
            kubeconfig=self.kubeconfig, context=self.context, timeout_s=timeout_s
        ) as client:
            try:
                return await work(client, namespace)
            except ClusterUnavailable as error:
                raise ClusterUnavailable(f"{error}; {self._asked()}") from error

    def _asked(self) -> str:
        """Which cluster was asked, and how to ask another."""
        context = f"context {self.context}" if self.context else "the current context"
        file = self.kubeconfig
        if file is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            asked = "that was the cluster of this Pod"
        else:
            asked = f"that was {context} of {file or '~/.kube/config'}"
        return f"{asked}; name another by --context, --kubeconfig or KUBECONFIG"


def flags(command: Callable[..., T]) -> Callable[..., T]:
    """`--kubeconfig`, `--context` and `-n`, given to the command as one `login`."""

    @click.option(
        "-n", "--namespace", metavar="NAME", help="Namespace of the BundleWatch. Left out: the context's own."
    )
    @click.option("--context", metavar="NAME", help="Context of the kubeconfig.")
    @click.option("--kubeconfig", envvar="KUBECONFIG", metavar="PATH", help="Left out: ~/.kube/config.")
    @wraps(command)
    def called(
        *arguments: Any, kubeconfig: str | None, context: str | None, namespace: str | None, **options: Any
    ) -> T:
        return command(*arguments, login=Login(kubeconfig or None, context, namespace), **options)

    return called


def names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """BundleWatches whose name begins so, for the shell; none where the cluster does not answer at once."""
    login = Login(*(context.params.get(name) for name in ("kubeconfig", "context", "namespace")))

    async def ask(client: KubernetesClient, namespace: str) -> list[str]:
        found = await client.objects(BUNDLE_WATCHES, namespace=namespace)
        return sorted(str(body["metadata"]["name"]) for body in found)

    try:
        found = asyncio.run(login.client(ask, timeout_s=_COMPLETION_TIMEOUT_S))
    except BundleWatchError:
        return []
    return [name for name in found if name.startswith(incomplete)]
