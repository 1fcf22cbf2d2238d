"""The real distribution registry on loopback, and what a publisher does to it.

`Registry.start()` gives an empty one: open, with Basic auth, or behind a token server of ours; over plain
HTTP or TLS. Requests are counted in its own access log, not in a client. Large numbers of tags and
repositories are written straight into its storage.
"""

from __future__ import annotations

import http.client
import itertools
import os
import shutil
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import bcrypt
import yaml

from kit import bed, bundles
from kit.access_log import Recording, Request, read
from kit.certificates import issue, issue_client
from kit.ports import free_port
from kit.publisher import USER_AGENT, Publisher, RegistryError, basic
from kit.room import ProcessError, Room
from kit.token_server import ISSUER, SERVICE, TokenServer
from kit.waiting import eventually

Auth = Literal["basic", "token"]

MARKER_AGENT = "log-marker"
START_TIMEOUT_S = 20.0
START_ATTEMPTS = 3
USERNAME = "robot"
PASSWORD = "correct horse"


class Registry(Publisher):
    """`username` and `password` are what it wants where it wants any; `ca_pem` is there with TLS."""

    def __init__(
        self,
        *,
        room: Room,
        auth: Auth | None,
        tls: bool,
        max_tags: int | None,
        wants_certificate: bool,
        names: tuple[str, ...],
    ) -> None:
        self._room = room
        self._auth = auth
        self._max_tags = max_tags
        self._markers = itertools.count()
        self._storage = room.directory / "storage"
        self._certificates = issue(room.directory / "pki", names=names) if tls else None
        self.client = issue_client(room.directory / "client-pki") if wants_certificate else None
        self.port = free_port()
        # By this name, not by the address: Helm and Argo CD allow plain HTTP by the name.
        self.host = f"localhost:{self.port}"
        self.username = USERNAME
        self.password = PASSWORD
        self.ca_file = self._certificates.ca if self._certificates else None
        self.ca_pem = self.ca_file.read_bytes() if self.ca_file else None
        self.token_server: TokenServer | None = None
        context = ssl.create_default_context(cafile=str(self.ca_file)) if tls else None
        if context is not None and self.client is not None:
            context.load_cert_chain(self.client.certificate, self.client.key)
        super().__init__(url=f"{'https' if tls else 'http'}://{self.host}", tls=context)

    @classmethod
    def start(
        cls,
        auth: Auth | None = None,
        *,
        tls: bool = False,
        max_tags: int | None = None,
        parent: Path | None = None,
        wants_certificate: bool = False,
        names: tuple[str, ...] = ("localhost",),
    ) -> Self:
        """Ready when it returns. `max_tags` bounds a page of the tag list, whatever the client asks for (default:
        1,000); what it stores is kept below `parent` (default: where temporary files are).

        `wants_certificate`, with TLS: nobody is let in who does not show the certificate `client`; `names`
        are what its own certificate is for.
        """
        binary = bed.find().registry
        for attempt in itertools.count(1):
            room = Room(prefix="bundlewatch-registry-", parent=parent)
            registry = cls(
                room=room, auth=auth, tls=tls, max_tags=max_tags, wants_certificate=wants_certificate, names=names
            )
            try:
                registry._serve(binary)
            except ProcessError as error:
                registry.stop()
                if attempt < START_ATTEMPTS and "address already in use" in str(error):
                    continue  # somebody took the port between our look and its use
                raise
            except BaseException:
                registry.stop()
                raise
            return registry
        raise AssertionError

    def stop(self) -> None:
        self.close()
        if self.token_server is not None:
            self.token_server.close()
        self._room.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def directory(self) -> Path:
        return self._room.directory

    @property
    def pid(self) -> int:
        return self._process.pid

    def authorization(self, target: str) -> str:
        if self.token_server is not None:
            repository = target.removeprefix("/v2/")
            for separator in ("/blobs/", "/manifests/", "/tags/"):
                repository = repository.split(separator)[0]
            scope = f"repository:{repository}:pull,push,delete"
            return f"Bearer {self.token_server.token((scope,), account=self.username)}"
        return basic(self.username, self.password) if self._auth == "basic" else ""

    # Straight into its storage

    def dangle(self, repository: str, tag: str) -> None:
        """Leaves the tag in the list, but what it points to is not there."""
        link = self._tags(repository) / tag / "current" / "link"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_text(bundles.digest_of(f"nothing at {tag}".encode()))

    def bulk_tags(self, repository: str, tags: Iterable[str], *, digest: str | None = None) -> str:
        """Points many tags to one manifest: `digest`, or an image made for it. 100,000 in seconds.

        All of them are one directory under many names: to move one, push to it with this object.
        """
        digest = digest or self.push(repository, bundles.image(content="bulk"))
        directory = self._tags(repository)
        directory.mkdir(exist_ok=True)
        target = f"../../_bulk/{digest[-16:]}"  # a short one is kept in the inode itself
        (directory / target / "current").mkdir(parents=True, exist_ok=True)
        (directory / target / "current" / "link").write_text(digest)
        for tag in tags:
            os.symlink(target, f"{directory}/{tag}")  # noqa: PTH211 - Path is twice as slow, 100,000 times
        return digest

    def put_manifest(self, repository: str, reference: str, manifest: bytes, media_type: str) -> None:
        tag = self._tags(repository) / reference
        if tag.is_symlink():  # of `bulk_tags`: it becomes one of its own
            tag.unlink()
        super().put_manifest(repository, reference, manifest, media_type)

    def copy_repository(self, source: str, targets: Iterable[str]) -> None:
        """The same tags and manifests under other names; the blobs are shared."""
        for target in targets:
            shutil.copytree(self._repository(source), self._repository(target))

    # What was asked of it

    def requests(self, *, of_the_kit: bool = False) -> list[Request]:
        """Every request since the start, in the order they were answered."""
        return self._requests(offset=0, of_the_kit=of_the_kit)

    @contextmanager
    def recording(self, *, of_the_kit: bool = False) -> Iterator[Recording]:
        """The requests that are answered while it is open; read them after it is closed."""
        recording = Recording()
        self._mark()
        offset = self._process.output.stat().st_size
        yield recording
        recording.requests.extend(self._requests(offset=offset, of_the_kit=of_the_kit))

    def _requests(self, *, offset: int, of_the_kit: bool) -> list[Request]:
        self._mark()
        hidden = {MARKER_AGENT} if of_the_kit else {MARKER_AGENT, USER_AGENT}
        return [request for request in read(self._process.output, offset=offset) if request.agent not in hidden]

    def _mark(self) -> None:
        """Returns when the log holds every request that was answered before this call."""
        query = f"marker={next(self._markers)}"
        offset = self._process.output.stat().st_size
        self.request("GET", f"/v2/?{query}", agent=MARKER_AGENT)
        eventually(
            lambda: any(request.query == query for request in read(self._process.output, offset=offset)),
            every_s=0.002,
            message=f"the registry logged no request with {query}",
        )

    # Its process

    def _serve(self, binary: Path) -> None:
        directory = self._room.directory
        (directory / "config.yml").write_text(yaml.safe_dump(self._settings()))
        self._process = self._room.start(
            "registry",
            [binary, "serve", directory / "config.yml"],
            environment={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            self._process.expect_running()
            if time.monotonic() > deadline:
                raise ProcessError(f"the registry was not ready after {START_TIMEOUT_S:g} s{self._process.tail()}")
            time.sleep(0.02)

    def _ready(self) -> bool:
        try:
            return self.request("GET", "/v2/").status == 200
        except (OSError, http.client.HTTPException, RegistryError):
            return False

    def _settings(self) -> dict[str, Any]:
        directory = self._room.directory
        listener: dict[str, Any] = {"addr": f"127.0.0.1:{self.port}", "secret": "of the test bed"}
        if self._certificates is not None:
            listener["tls"] = {
                "certificate": str(self._certificates.certificate),
                "key": str(self._certificates.key),
            }
            if self.client is not None:
                listener["tls"] |= {"clientcas": [str(self.client.ca)], "clientauth": "require-and-verify-client-cert"}
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(self._storage)}, "delete": {"enabled": True}},
            "http": listener,
        }
        if self._max_tags is not None:
            settings["tags"] = {"maxtags": self._max_tags}
        if self._auth == "basic":
            hashed = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(rounds=4)).decode()
            (directory / "htpasswd").write_text(f"{self.username}:{hashed}\n")
            settings["auth"] = {"htpasswd": {"realm": "bed", "path": str(directory / "htpasswd")}}
        if self._auth == "token":
            self.token_server = TokenServer(
                username=self.username, password=self.password, directory=directory, tls=self._certificates
            )
            settings["auth"] = {
                "token": {
                    "realm": self.token_server.realm,
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self.token_server.bundle),
                }
            }
        return settings

    def _repository(self, repository: str) -> Path:
        return self._storage / "docker/registry/v2/repositories" / repository

    def _tags(self, repository: str) -> Path:
        return self._repository(repository) / "_manifests" / "tags"
