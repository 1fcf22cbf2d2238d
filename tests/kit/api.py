"""A small synchronous client for the API server, for what tests themselves do and look at.

One kept-alive connection per thread, so that a thread pool creates a thousand objects in a few seconds.
It is told apart from the operator in the server's audit log by its user agent.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

USER_AGENT = "bundlewatch-kit"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

Item = TypeVar("Item")
Result = TypeVar("Result")


class ApiError(RuntimeError):
    """The API server refused; `message` is its own word, as `kubectl` shows it, `causes` are what it lists."""

    def __init__(self, *, code: int, body: bytes) -> None:
        try:
            status = json.loads(body)
        except ValueError:
            status = {}
        self.code = code
        self.reason = str(status.get("reason", ""))
        self.message = str(status.get("message", body.decode(errors="replace")))
        causes = status.get("details", {}).get("causes", ())
        self.causes = [f"{cause['field']}: {cause['message']}" for cause in causes if "field" in cause]
        super().__init__(f"{code} {self.reason}: {self.message}")


class Api:
    """Paths are as in the Kubernetes API reference, e.g. `/api/v1/namespaces/shop/secrets`."""

    def __init__(self, *, server: str, ca: Path, token: str, user_agent: str = USER_AGENT) -> None:
        self._netloc = urlsplit(server).netloc
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": user_agent}
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[http.client.HTTPSConnection] = []

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        return self._json("GET", path, parameters=parameters)

    def post(self, path: str, body: Mapping[str, Any], **parameters: str) -> dict[str, Any]:
        return self._json("POST", path, body=body, parameters=parameters)

    def put(self, path: str, body: Mapping[str, Any], **parameters: str) -> dict[str, Any]:
        return self._json("PUT", path, body=body, parameters=parameters)

    def patch(self, path: str, body: object, content_type: str = MERGE_PATCH, **parameters: str) -> dict[str, Any]:
        return self._json("PATCH", path, body=body, content_type=content_type, parameters=parameters)

    def delete(self, path: str, **parameters: str) -> dict[str, Any]:
        return self._json("DELETE", path, parameters=parameters)

    def text(self, path: str) -> str:
        """A body that is not JSON, such as that of `/readyz`."""
        return self._exchange("GET", path, body=None, content_type="").decode()

    def watch(
        self, path: str, *, timeout_s: int = 60, user_agent: str | None = None, **parameters: str
    ) -> Iterator[dict[str, Any]]:
        """Watch events until the server ends the watch; closing the generator closes the connection.

        A connection that is cut between two events ends it quietly too.
        """
        parameters |= {"watch": "true", "timeoutSeconds": str(timeout_s)}
        connection = self._new_connection(timeout_s=timeout_s + 10)
        try:
            headers = self._headers | ({"User-Agent": user_agent} if user_agent else {})
            connection.request("GET", f"{path}?{urlencode(parameters)}", headers=headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise ApiError(code=response.status, body=response.read())
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def close(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    def _json(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str],
        body: object = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        data = None if body is None else json.dumps(body).encode()
        answer = json.loads(self._exchange(method, target, body=data, content_type=content_type))
        assert isinstance(answer, dict)
        return answer

    def _exchange(self, method: str, target: str, *, body: bytes | None, content_type: str) -> bytes:
        headers = self._headers | ({"Content-Type": content_type} if body is not None else {})
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return self._once(connection, method, target, body, headers)
            except (http.client.HTTPException, OSError):
                # The server closed an idle connection, or is another one since a restart: once more on a
                # new one. (A write that did get through is then answered by a conflict, not made twice.)
                self._forget(connection)
        connection = self._new_connection(timeout_s=30)
        self._local.connection = connection
        with self._lock:
            self._connections.append(connection)
        try:
            return self._once(connection, method, target, body, headers)
        except (http.client.HTTPException, OSError):
            self._forget(connection)
            raise

    def _forget(self, connection: http.client.HTTPSConnection) -> None:
        connection.close()
        self._local.connection = None
        with self._lock:
            self._connections.remove(connection)

    def _new_connection(self, *, timeout_s: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._netloc, context=self._tls, timeout=timeout_s)

    @staticmethod
    def _once(
        connection: http.client.HTTPSConnection,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> bytes:
        connection.request(method, target, body=body, headers=dict(headers))
        response = connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise ApiError(code=response.status, body=answer)
        return answer


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item], *, workers: int = 8) -> list[Result]:
    """The results in order; the first exception ends it."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))
