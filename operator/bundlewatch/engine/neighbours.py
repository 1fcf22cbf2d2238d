"""What stands around an Application in Argo CD: who made it, and the sync windows of its AppProject.

Read when a decision hangs on it, and not watched: both change rarely, and of neither a copy is worth the memory.
What cannot be read, be it for want of permission, is not known, and nothing is stopped by that.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from bundlewatch.argocd.application import Application
from bundlewatch.argocd.ownership import Maker, MakerKind, maker_of
from bundlewatch.argocd.projects import Sync, SyncWindows
from bundlewatch.errors import BundleWatchError

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]


class ReadsArgoCD(Protocol):
    """Errors: ObjectGone, ClusterUnavailable."""

    async def read_application(self, namespace: str, name: str) -> Json: ...

    async def read_application_set(self, namespace: str, name: str) -> Json: ...

    async def read_app_project(self, namespace: str, name: str) -> Json: ...


class Neighbours:
    """Made for one pass, in which hundreds of Applications may have one maker and one AppProject: each is read once."""

    def __init__(self, cluster: ReadsArgoCD) -> None:
        self._cluster = cluster
        self._makers: dict[Maker, tuple[Maker, Json] | None] = {}
        self._windows: dict[tuple[str, str], SyncWindows | None] = {}

    async def maker(self, application: Application) -> tuple[Maker, Json] | None:
        """Who certainly made it, and the maker's body; None: nobody, or it cannot be told."""
        maker = maker_of(application)
        if maker is None or not maker.certain:
            return None
        if maker not in self._makers:
            self._makers[maker] = await self._read(maker, application)
        return self._makers[maker]

    async def sync(self, application: Application, now: datetime) -> Sync | None:
        """What the sync windows that Argo CD heeds for it let it do at `now`; None: they cannot be told."""
        project = (application.controller_namespace or application.namespace, application.project)
        if project not in self._windows:
            self._windows[project] = await self._windows_of(project, application)
        windows = self._windows[project]
        return windows.look(application, now) if windows is not None else None

    async def _read(self, maker: Maker, application: Application) -> tuple[Maker, Json] | None:
        read = (
            self._cluster.read_application_set
            if maker.kind is MakerKind.APPLICATION_SET
            else self._cluster.read_application
        )
        try:
            return maker, await read(maker.namespace, maker.name)
        except BundleWatchError as error:
            logger.debug("the maker of an Application is not known: %s", error, extra={"object": application.full_name})
            return None

    async def _windows_of(self, project: tuple[str, str], application: Application) -> SyncWindows | None:
        try:
            return SyncWindows.parse(await self._cluster.read_app_project(*project))
        except BundleWatchError as error:
            logger.debug("the sync windows are not known: %s", error, extra={"object": application.full_name})
            return None
