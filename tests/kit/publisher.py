"""What a publisher does to a registry, over HTTP: pushes charts, bundles and images, moves and deletes tags.

One kept-alive connection per thread. Knows the distribution protocol, not which registry it talks to.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kit import bundles

USER_AGENT = "bundlewatch-kit"
MANIFEST_TYPES = (bundles.OCI_MANIFEST, bundles.OCI_INDEX, bundles.DOCKER_MANIFEST, bundles.DOCKER_LIST)


class RegistryError(RuntimeError):
    """The registry refused what the kit asked of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Publisher:
    def __init__(self, *, url: str, tls: ssl.SSLContext | None = None) -> None:
        self.url = url
        self._tls = tls
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[http.client.HTTPConnection] = []

    def push(self, repository: str, artifact: bundles.Artifact, *, tag: str | None = None) -> str:
        """Uploads it, under `tag` or only under its digest; returns the digest."""
        for child in artifact.children:
            self.push(repository, child)
        for blob in artifact.blobs:
            self._push_blob(repository, blob)
        self.put_manifest(repository, tag or artifact.digest, artifact.manifest, artifact.media_type)
        return artifact.digest

    def push_chart(self, repository: str, name: str, version: str, *, tag: str | None = None, **details: Any) -> str:
        """As `helm push`; `details` as of `kit.bundles.helm_chart`. Returns the digest."""
        chart = bundles.helm_chart(name=name, version=version, **details)
        return self.push(repository, chart, tag=tag or version.replace("+", "_"))

    def push_werf_bundle(self, repository: str, name: str, tag: str, **details: Any) -> str:
        """As `werf bundle publish --tag`; `details` as of `kit.bundles.werf_bundle`."""
        return self.push(repository, bundles.werf_bundle(name=name, tag=tag, **details), tag=tag)

    def push_image(self, repository: str, tag: str, *, content: str = "an image") -> str:
        return self.push(repository, bundles.image(content=content), tag=tag)

    def push_index(self, repository: str, tag: str, *, media_type: str = bundles.OCI_INDEX) -> str:
        return self.push(repository, bundles.index([bundles.image()], media_type=media_type), tag=tag)

    def put_manifest(self, repository: str, reference: str, manifest: bytes, media_type: str) -> None:
        """Any bytes under any reference, as far as the registry takes them."""
        self.request("PUT", f"/v2/{repository}/manifests/{reference}", body=manifest, content_type=media_type)

    def delete_tag(self, repository: str, tag: str) -> None:
        self.request("DELETE", f"/v2/{repository}/manifests/{tag}")

    def delete_manifest(self, repository: str, digest: str) -> None:
        """With every tag that points to it."""
        self.request("DELETE", f"/v2/{repository}/manifests/{digest}")

    def request(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        content_type: str = "",
        agent: str = USER_AGENT,
    ) -> Answer:
        """One request with every right; raises RegistryError where the answer is 400 or above."""
        headers = {"User-Agent": agent, "Accept": ", ".join(MANIFEST_TYPES)}
        headers |= {"Content-Type": content_type} if content_type else {}
        if authorization := self.authorization(target):
            headers["Authorization"] = authorization
        answer = self._exchange(method, target, body, headers)
        if answer.status >= 400:
            raise RegistryError(f"{method} {target}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    def authorization(self, target: str) -> str:
        """The header a publisher sends for `target`; "" for an open registry."""
        del target
        return ""

    def close(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    def _push_blob(self, repository: str, blob: bundles.Blob) -> None:
        begun = self.request("POST", f"/v2/{repository}/blobs/uploads/", body=b"")
        location = urlsplit(begun.headers["Location"])
        target = f"{location.path}?{location.query}&digest={blob.digest}"
        self.request("PUT", target, body=blob.data, content_type="application/octet-stream")

    def _exchange(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            netloc = urlsplit(self.url).netloc
            if self._tls is None:
                connection = http.client.HTTPConnection(netloc, timeout=30)
            else:
                connection = http.client.HTTPSConnection(netloc, context=self._tls, timeout=30)
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read())
        except (http.client.HTTPException, OSError):
            connection.close()
            raise


def basic(username: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
