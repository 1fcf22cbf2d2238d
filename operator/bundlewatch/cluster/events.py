"""Kubernetes Events: one for each transition a person would want to have been told of.

The name of an Event is made from what it says and the time it is told for, so that posting the same notice twice
is refused by the API server instead of shown twice. It is no record: an Event is lost when we crash between the
write of status and it, and a transition that is found a second time has a second Event. Status is the record.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

_MESSAGE_LIMIT = 1000  # the API server refuses more than 1024 bytes
_NAME_LIMIT = 220


@dataclass(frozen=True, slots=True)
class Subject:
    """The object an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What to tell: `reason` in CamelCase, `message` for people, `began` the time it is told for."""

    subject: Subject
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    began: str


def body(notice: Notice, *, now: str, instance: str) -> dict[str, Any]:
    """The core/v1 Event for a notice. Times are RFC 3339 in UTC."""
    subject = notice.subject
    said = f"{subject.uid}\0{notice.reason}\0{notice.message}\0{notice.began}"
    identity = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{subject.name[:_NAME_LIMIT]}.{identity}", "namespace": subject.namespace},
        "involvedObject": {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
        },
        "type": notice.type,
        "reason": notice.reason,
        "message": notice.message.encode()[:_MESSAGE_LIMIT].decode("utf-8", "ignore"),
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": "bundlewatch"},
        "reportingComponent": "bundlewatch",
        "reportingInstance": instance,
    }
