"""Who asked the API server for what: its own audit log, read back.

Counting at the server and not in the client sees every request, also of a client library's hidden ones.
One entry per request, written when it is answered (for a watch: when it is accepted). Requests that only
look at the server itself (health, discovery, OpenAPI) and those of the server to itself are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: [system:apiserver]
- level: None
  nonResourceURLs: ["/api*", "/openapi*", "/healthz*", "/livez*", "/readyz*", "/metrics"]
- level: Metadata
  verbs: [watch]
  omitStages: [RequestReceived, ResponseComplete]
- level: Metadata
"""


@dataclass(frozen=True, slots=True)
class Entry:
    user: str
    agent: str  # the User-Agent header
    verb: str  # get, list, watch, create, update, patch, delete, deletecollection
    group: str  # "" for the core API
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    received: datetime
    uri: str

    @property
    def writes(self) -> bool:
        return self.verb in WRITES


@dataclass(slots=True)
class Recording:
    """The requests received while `Cluster.recording()` was open; complete once it is closed."""

    entries: list[Entry] = field(default_factory=list)

    def of(
        self,
        *,
        agent: str = "",
        not_agent: str | None = None,
        user: str = "",
        verb: str = "",
        resource: str = "",
        namespace: str = "",
    ) -> list[Entry]:
        """Those that fit all of it; agents and users by a part of the name, the rest exactly."""
        return [
            entry
            for entry in self.entries
            if agent in entry.agent
            and (not_agent is None or not_agent not in entry.agent)
            and user in entry.user
            and verb in ("", entry.verb)
            and resource in ("", entry.resource)
            and namespace in ("", entry.namespace)
        ]

    def writes(
        self,
        *,
        agent: str = "",
        not_agent: str | None = None,
        user: str = "",
        resource: str = "",
        namespace: str = "",
    ) -> list[Entry]:
        fitting = self.of(agent=agent, not_agent=not_agent, user=user, resource=resource, namespace=namespace)
        return [entry for entry in fitting if entry.writes]


def read(log: Path, *, offset: int = 0) -> list[Entry]:
    """The entries from byte `offset` on; a last line that is still being written is left out."""
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().split(b"\n")[:-1]
    return [_entry(json.loads(line)) for line in lines]


def _entry(event: dict[str, object]) -> Entry:
    target = event.get("objectRef") or {}
    user = event.get("user") or {}
    status = event.get("responseStatus") or {}
    assert isinstance(target, dict)
    assert isinstance(user, dict)
    assert isinstance(status, dict)
    return Entry(
        user=str(user.get("username", "")),
        agent=str(event.get("userAgent", "")),
        verb=str(event["verb"]),
        group=str(target.get("apiGroup", "")),
        resource=str(target.get("resource", "")),
        subresource=str(target.get("subresource", "")),
        namespace=str(target.get("namespace", "")),
        name=str(target.get("name", "")),
        code=int(status.get("code", 0)),
        received=datetime.fromisoformat(str(event["requestReceivedTimestamp"])),
        uri=str(event["requestURI"]),
    )
