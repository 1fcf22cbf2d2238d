"""A real Kubernetes API server on a real etcd, alone: no controllers, no nodes.

So namespaces never finish deleting (take a fresh one for each test), owner references are not collected,
Deployments make no Pods and ServiceAccounts are not made by themselves. RBAC is on. Everything listens on
127.0.0.1, lives in one throw-away directory and is gone with it (`kit.room`).
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from kit import bed, certificates
from kit.api import Api, ApiError
from kit.audit import POLICY, Entry, Recording, read
from kit.ports import free_port
from kit.room import Process, ProcessError, Room
from kit.waiting import eventually

START_TIMEOUT_S = 60.0
START_ATTEMPTS = 3
MARKER_AGENT = "audit-marker"


class Cluster:
    """`Cluster.start()` returns when it is ready, about 3 s later; `stop()` when nothing is left of it."""

    def __init__(self, *, room: Room, parts: bed.Bed) -> None:
        self._room = room
        self._parts = parts
        self._markers = itertools.count()
        self._namespaces = itertools.count()
        self._apiserver: Process | None = None
        self._etcd_port, self._peer_port, self.port = free_port(), free_port(), free_port()
        self._audit_log = room.directory / "audit.log"
        self.server = f"https://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(16)
        files = certificates.issue(room.directory / "pki")
        self._certificates = files
        self.ca = files.ca
        self.ca_pem = files.ca.read_bytes()
        self.kubeconfig = self.kubeconfig_with(self.token, name="admin")
        self.api = Api(server=self.server, ca=self.ca, token=self.token)

    @classmethod
    def start(cls) -> Self:
        parts = bed.find()
        for attempt in itertools.count(1):
            room = Room(prefix="bundlewatch-cluster-")
            try:
                cluster = cls(room=room, parts=parts)
                cluster._write_settings()
                cluster._start_etcd()
                cluster.start_apiserver()
            except ProcessError as error:
                room.close()
                if attempt < START_ATTEMPTS and "address already in use" in str(error):
                    continue  # somebody took a port between our look and their use
                raise
            except BaseException:
                room.close()
                raise
            return cluster
        raise AssertionError

    def stop(self) -> None:
        self.api.close()
        self._room.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """Etcd's and, while it runs, the API server's."""
        return (self._etcd.pid, *((self._apiserver.pid,) if self._apiserver else ()))

    @property
    def directory(self) -> Path:
        return self._room.directory

    # Its users

    def namespace(self, *, prefix: str = "test", labels: Mapping[str, str] | None = None) -> str:
        """The name of a fresh namespace."""
        name = f"{prefix}-{next(self._namespaces)}-{secrets.token_hex(3)}"
        self.api.post("/api/v1/namespaces", {"metadata": {"name": name, "labels": dict(labels or {})}})
        return name

    def service_account_token(self, name: str, namespace: str, *, lifetime_s: int = 3600) -> str:
        """By TokenRequest, as a kubelet asks for it; the ServiceAccount must exist."""
        answer = self.api.post(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"spec": {"expirationSeconds": lifetime_s}},
        )
        return str(answer["status"]["token"])

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A kubeconfig to be that ServiceAccount, whose namespace is the default one in it."""
        token = self.service_account_token(service_account, namespace)
        return self.kubeconfig_with(token, name=f"{namespace}-{service_account}", namespace=namespace)

    def kubeconfig_through(self, port: int) -> Path:
        """The admin's, by way of a `kit.tcp_proxy.TcpProxy` on that port."""
        return self.kubeconfig_with(self.token, name=f"through-{port}", server=f"https://127.0.0.1:{port}")

    def kubeconfig_with(self, token: str, *, name: str, namespace: str = "default", server: str | None = None) -> Path:
        path = self._room.directory / f"{name}.kubeconfig"
        cluster = {
            "server": server or self.server,
            "certificate-authority-data": base64.b64encode(self.ca_pem).decode(),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bed", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": name, "namespace": namespace}}],
            "current-context": "bed",
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))  # JSON is YAML
        return path

    # kubectl

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        check: bool = True,
        kubeconfig: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Its output as text; with `check` a failure raises AssertionError with what kubectl said."""
        done = subprocess.run(
            [
                self._parts.kubectl,
                f"--kubeconfig={kubeconfig or self.kubeconfig}",
                f"--cache-dir={self._room.directory}/kubectl",
                *arguments,
            ],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": str(self._room.directory)},  # it keeps caches and preferences there
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done

    def apply(
        self, manifest: str | Mapping[str, Any] | Sequence[Mapping[str, Any]], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """`kubectl apply -f -` of YAML text, of one object or of several."""
        if isinstance(manifest, str):
            text = manifest
        else:
            text = yaml.safe_dump_all([manifest] if isinstance(manifest, Mapping) else manifest)
        return self.kubectl("apply", "-f", "-", *arguments, input=text)

    def apply_definitions(self, *files: Path) -> None:
        """CustomResourceDefinitions; returns when their objects can be made."""
        if files:
            arguments = [f"--filename={file}" for file in files]
            self.kubectl("apply", "--server-side", "--force-conflicts", *arguments)
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *arguments)

    # What was asked of it

    def audit(self) -> list[Entry]:
        """Every request since the start, in the order they were answered."""
        self._mark()
        return [entry for entry in read(self._audit_log) if entry.agent != MARKER_AGENT]

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """The requests that arrive while it is open; read them after it is closed."""
        recording = Recording()
        self._mark()
        offset = self._audit_log.stat().st_size
        begin = datetime.now(UTC)
        yield recording
        end = datetime.now(UTC)
        self._mark()
        recording.entries.extend(
            entry
            for entry in read(self._audit_log, offset=offset)
            if begin <= entry.received <= end and entry.agent != MARKER_AGENT
        )

    def _mark(self) -> None:
        """Returns when the log holds every request that was answered before this call."""
        marker = f"/version?marker={next(self._markers)}"
        size = self._audit_log.stat().st_size if self._audit_log.exists() else 0
        connection = Api(server=self.server, ca=self.ca, token=self.token, user_agent=MARKER_AGENT)
        try:
            connection.get(marker)
        finally:
            connection.close()
        eventually(
            lambda: any(entry.uri == marker for entry in read(self._audit_log, offset=size)),
            every_s=0.005,
            message=f"the API server wrote no audit entry for {marker}",
        )

    # Breaking it

    def restart_apiserver(self) -> None:
        """The same data on the same port; every open watch is cut. Returns when it is ready again."""
        self.stop_apiserver()
        self.start_apiserver()

    def stop_apiserver(self) -> None:
        """At once: asked politely it would first drain for several seconds."""
        if self._apiserver is not None:
            self._apiserver.kill()
            self._apiserver = None

    def compact(self) -> None:
        """Forgets the history, so that a watch resumed from before is answered 410 after a restart."""
        revision = self._ask_etcd("/v3/maintenance/status")["header"]["revision"]
        self._ask_etcd("/v3/kv/compaction", revision=revision, physical=True)

    def start_apiserver(self) -> None:
        assert self._apiserver is None
        directory = self._room.directory
        self._apiserver = self._room.start(
            "kube-apiserver",
            [
                self._parts.kube_apiserver,
                f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--secure-port={self.port}",
                f"--tls-cert-file={self._certificates.certificate}",
                f"--tls-private-key-file={self._certificates.key}",
                f"--cert-dir={directory}/pki",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={directory}/service-accounts.key",
                f"--service-account-signing-key-file={directory}/service-accounts.key",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--authorization-mode=RBAC",
                f"--token-auth-file={directory}/tokens.csv",
                "--endpoint-reconciler-type=none",
                "--disable-admission-plugins=ServiceAccount",  # nothing here makes ServiceAccounts
                f"--audit-policy-file={directory}/audit.yaml",
                f"--audit-log-path={self._audit_log}",
                "--profiling=false",
            ],
        )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready():
            self._apiserver.expect_running()
            self._etcd.expect_running()
            if time.monotonic() > deadline:
                raise ProcessError(f"kube-apiserver was not ready after {START_TIMEOUT_S:g} s{self._apiserver.tail()}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return self.api.text("/readyz") == "ok"
        except (ApiError, OSError, http.client.HTTPException):
            return False

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        self._etcd = self._room.start(
            "etcd",
            [
                self._parts.etcd,
                *("--data-dir", self._room.directory / "etcd"),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"default={peer}"),
                "--unsafe-no-fsync",
                *("--log-level", "error"),
            ],
        )

    def _ask_etcd(self, path: str, **body: object) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._etcd_port, timeout=10)
        try:
            connection.request("POST", path, body=json.dumps(body))
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        assert response.status == 200, f"etcd {path}: {response.status} {answer.decode()}"
        content = json.loads(answer)
        assert isinstance(content, dict)
        return content

    def _write_settings(self) -> None:
        directory = self._room.directory
        key = ec.generate_private_key(ec.SECP256R1())
        (directory / "service-accounts.key").write_bytes(certificates.private_key_pem(key))
        (directory / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")
        (directory / "audit.yaml").write_text(POLICY)
