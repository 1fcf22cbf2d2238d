"""The live Applications as a pass sees them, and the one place where one is written.

What the API server answers is newer than what the watch has told, so it goes into the table at once; the next
decision, of this BundleWatch or of another, then rests on it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application, parse
from bundlewatch.engine.ports import Cluster
from bundlewatch.engine.table import Name, Table, Unreadable, read_watch
from bundlewatch.errors import ObjectGone

logger = logging.getLogger(__name__)


class LiveApplications:
    """`seen` is told every newer version, `gone` that there is none, `heard` what a BundleWatch is by now, so that all
    whom it concerns look again.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        table: Table,
        seen: Callable[[Application], None],
        gone: Callable[[Name, str], None],
        heard: Callable[[BundleWatch | Unreadable], None],
    ) -> None:
        self._cluster = cluster
        self._table = table
        self._seen = seen
        self._gone = gone
        self._heard = heard

    def named(self, namespace: str) -> Mapping[str, Application]:
        return self._table.named(namespace)

    def rivals(self, watch: BundleWatch, application: Application) -> Iterable[BundleWatch]:
        return self._table.rivals(watch, application)

    def stands(self, watch: BundleWatch) -> bool:
        """Whether this is still what the BundleWatch asks for, as far as we have heard."""
        known = self._table.watches.get((watch.namespace, watch.name))
        return known is not None and (known.uid, known.generation) == (watch.uid, watch.generation)

    async def confirm(self, watch: BundleWatch) -> None:
        """Ask the API server whether the BundleWatch is what a decision took it for. Raises ObjectGone where it asks
        for something else, or knows of another failure: whatever was decided is of no use.
        """
        found = read_watch(await self._cluster.read_watch(watch.namespace, watch.name))
        self._heard(found)
        asks, knows = (found.uid, found.generation), found.status.quarantine
        if asks != (watch.uid, watch.generation) or knows != watch.status.quarantine:
            raise ObjectGone(f"another process of the operator knows more of {watch}")

    async def patch(self, application: Application, operations: Sequence[Mapping[str, Any]]) -> Application:
        """Write, or raise ObjectChanged or ObjectGone: then nothing was written."""
        answer = await self._cluster.patch_application(application.namespace, application.name, operations)
        written = parse(answer)
        known = self._table.applications.get((application.namespace, application.name))
        if known is not None and known.uid == written.uid:  # else it was deleted before its answer came
            self._seen(written)
        return written

    async def reread(self, application: Application) -> Application | None:
        """The Application as it is now; None: it is gone."""
        try:
            answer = await self._cluster.read_application(application.namespace, application.name)
        except ObjectGone:
            self._gone((application.namespace, application.name), application.uid)
            return None
        found = parse(answer)
        self._seen(found)
        return found
