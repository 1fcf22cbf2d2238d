"""Targets and records as the tests of the rollout need them: one Application, one source, what status remembers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.application import parse
from bundlewatch.argocd.matching import kind_of
from bundlewatch.rollout.targets import Target

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SOON = "2026-11-24T12:05:00Z"


def target(
    live: str,
    *,
    name: str = "shop",
    wave: int = 0,
    manager: str = "bundlewatch",
    automated: bool = True,
    status: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> Target:
    """A target set to `live` by `manager`."""
    managed = {
        "manager": manager,
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:source": {"f:targetRevision": {}}}},
    }
    source = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": live}
    application = parse(
        {
            "metadata": {"namespace": "argocd", "name": name, "uid": name, "managedFields": [managed], **metadata},
            "spec": {"source": source, "syncPolicy": {"automated": {}} if automated else {}},
            "status": status or {},
        }
    )
    found = application.sources[0]
    kind = kind_of(found)
    assert kind is not None
    return Target(application, found, kind, wave)


def record(target_revision: str, *, name: str = "shop", **different: Any) -> ApplicationStatus:
    """What status remembers of a target that was set to this."""
    return ApplicationStatus(name=name, source=0, target=target_revision, **different)


def records(*found: ApplicationStatus) -> Mapping[tuple[str, int], ApplicationStatus]:
    return {(entry.name, 0): entry for entry in found}
