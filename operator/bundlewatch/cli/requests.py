"""How the commands act on a live BundleWatch: they read it, patch an annotation or `spec.suspend`, and say so.

What is asked for by annotation the operator does; that it has shows in status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bundlewatch.api import annotations
from bundlewatch.api.v1alpha1 import BundleWatch, Identity
from bundlewatch.cluster.client import BUNDLE_WATCHES, Forbidden, KubernetesClient
from bundlewatch.errors import NotAllowed, NotThere, ObjectGone

MANAGER: Final = "bundlewatch-cli"
"""Our field manager: GitOps tools can tell from it that a person has set a field."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One BundleWatch of the cluster, and the way to it."""

    client: KubernetesClient
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"BundleWatch {self.namespace}/{self.name}"

    def command(self, command: str) -> str:
        """What a person types to give it another command."""
        return f"bundlewatch {command} {self.name} -n {self.namespace}"

    async def read(self) -> BundleWatch:
        """Raises NotThere, NotAllowed, and InvalidSpec where its spec cannot be read."""
        try:
            return BundleWatch.parse(await self.client.read_watch(self.namespace, self.name))
        except Forbidden as error:
            raise NotAllowed(f"{error}; the verb get on bundlewatches.bundlewatch.dev is needed") from None
        except ObjectGone:
            raise await self._missing() from None

    async def annotate(self, key: str, value: str) -> Identity:
        """As it is with one more annotation."""
        return await self.patch({"metadata": {"annotations": {key: value}}})

    async def ask_to_look(self) -> str:
        """Have the operator look at the registry at once; the token with which status will answer."""
        token = (await self.annotate(annotations.RECONCILE, stamp())).reconcile_requested
        assert token is not None  # it was just set
        return token

    async def patch(self, patch: Mapping[str, Any]) -> Identity:
        """As it is with `patch` merged into it. Raises NotThere and NotAllowed."""
        try:
            body = await self.client.patch_watch(self.namespace, self.name, patch, manager=MANAGER)
        except Forbidden as error:
            raise NotAllowed(f"{error}; the verb patch on bundlewatches.bundlewatch.dev is needed") from None
        except ObjectGone:
            raise await self._missing() from None
        return Identity.of(body)

    async def _missing(self) -> NotThere:
        if not await self.client.serves(BUNDLE_WATCHES):
            return NotThere("the cluster knows no BundleWatches; apply crds/ first, or name another --context")
        return NotThere(f"there is no {self}; `kubectl get bw --all-namespaces` lists all")


def stamp() -> str:
    """A value that no request had before: the time, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
