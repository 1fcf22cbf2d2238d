"""Applications over HTTP: list, watch, create, patch and delete, and nothing of what they mean.

Patches are RFC 7386 merge patches with a field manager, as Argo CD's controllers send them. Every call is repeated
until the API server has answered it, because a controller outlives a restart of its API server; an object that is
gone is a None, never an error.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import aiohttp

from kit.argocd_traces import JsonObject

_AGAIN_S = 0.1
_LIST_PAGE = 500


class Access(Protocol):
    """How to reach the API server; `kit.cluster.Cluster` is one."""

    @property
    def server(self) -> str: ...
    @property
    def ca(self) -> Path: ...
    @property
    def token(self) -> str: ...


class WatchExpiredError(Exception):
    """The API server no longer knows this resource version: list again."""


class Applications:
    """The Applications of one namespace, or of all of them."""

    def __init__(self, access: Access, *, namespace: str | None = None) -> None:
        self._access = access
        self._namespace = namespace
        self._session: aiohttp.ClientSession | None = None
        self._calls: set[asyncio.Task[JsonObject | None]] = set()
        self._closing = False

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=str(self._access.ca))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=32),
            headers={
                "Authorization": f"Bearer {self._access.token}",
                "User-Agent": "argocd-application-controller",
                "Accept": "application/json",
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A call under way is finished, so that nobody cuts a connection whose end nobody awaits."""
        self._closing = True
        if self._calls:
            await asyncio.wait(self._calls)
        if self._session is not None:
            await self._session.close()
        await asyncio.sleep(0)  # an aborted connection is only gone once the loop has said so

    async def list(self) -> tuple[list[JsonObject], str]:
        """All Applications and the resource version to watch from."""
        items: list[JsonObject] = []
        params = {"limit": str(_LIST_PAGE)}
        while True:
            page = await self._call("GET", self._path(self._namespace), params=params)
            assert page is not None
            items.extend(page["items"])
            if not page["metadata"].get("continue"):
                return items, page["metadata"]["resourceVersion"]
            params["continue"] = page["metadata"]["continue"]

    async def watch(self, resource_version: str) -> AsyncGenerator[tuple[str, JsonObject]]:
        """Events from there on until the connection ends; bookmarks are among them."""
        assert self._session is not None
        params = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": resource_version}
        url = self._access.server + self._path(self._namespace)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=None)
        async with self._session.get(url, params=params, timeout=timeout) as response:
            if response.status == 410:
                raise WatchExpiredError
            response.raise_for_status()
            try:
                rest = b""
                async for chunk in response.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            raise WatchExpiredError(event["object"].get("message"))
                        yield event["type"], event["object"]
            finally:
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()  # a polite end would wait for the API server's

    async def create(self, body: JsonObject, *, manager: str) -> JsonObject:
        namespace = body["metadata"]["namespace"]
        created = await self._call("POST", self._path(namespace), params={"fieldManager": manager}, body=body)
        assert created is not None
        return created

    async def patch(self, namespace: str, name: str, patch: JsonObject, *, manager: str) -> JsonObject | None:
        """The patched Application, or None when it is gone."""
        path = f"{self._path(namespace)}/{name}"
        return await self._call("PATCH", path, params={"fieldManager": manager}, body=patch)

    async def delete(self, namespace: str, name: str) -> None:
        await self._call("DELETE", f"{self._path(namespace)}/{name}")

    def _path(self, namespace: str | None) -> str:
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"/apis/argoproj.io/v1alpha1{within}/applications"

    async def _call(
        self, verb: str, path: str, *, params: dict[str, str] | None = None, body: JsonObject | None = None
    ) -> JsonObject | None:
        call = asyncio.create_task(self._exchange(verb, path, params=params or {}, body=body))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.shield(call)

    async def _exchange(
        self, verb: str, path: str, *, params: dict[str, str], body: JsonObject | None
    ) -> JsonObject | None:
        assert self._session is not None, "use `async with`"
        kind = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body)
        while not self._closing:
            try:
                async with self._session.request(
                    verb, self._access.server + path, params=params, data=data, headers={"Content-Type": kind}
                ) as response:
                    if response.status == 404 and verb in ("PATCH", "DELETE"):
                        return None
                    if response.status not in (429, 500, 502, 503, 504):
                        answer: JsonObject = await response.json()
                        if response.status >= 400:
                            raise AssertionError(f"{verb} {path}: {answer.get('message')}\n{data}")
                        return answer
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                pass
            await asyncio.sleep(_AGAIN_S)
        return None
