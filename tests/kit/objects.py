"""Objects as a user would write them: an Application that deploys from a repository, a BundleWatch that follows it."""

from collections.abc import Mapping, Sequence
from typing import Any

APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications"
WATCHES = "/apis/bundlewatch.dev/v1alpha1/namespaces/{namespace}/bundlewatches"

Json = dict[str, Any]


def helm_source(repository: str, revision: str) -> Json:
    """A Helm-OCI source: no scheme, the last part of the repository is the chart."""
    parent, _, chart = repository.rpartition("/")
    return {"repoURL": parent, "chart": chart, "targetRevision": revision}


def native_source(repository: str, revision: str) -> Json:
    """A native OCI source."""
    return {"repoURL": f"oci://{repository}", "path": ".", "targetRevision": revision}


def application(
    namespace: str,
    name: str,
    *sources: Json,
    labels: Mapping[str, str] | None = None,
    automated: bool = True,
) -> Json:
    """One source makes a single-source Application, several make `spec.sources`."""
    spec: Json = {
        "project": "default",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
    }
    if automated:
        spec["syncPolicy"] = {"automated": {}}
    if len(sources) == 1:
        spec["source"] = sources[0]
    else:
        spec["sources"] = list(sources)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"namespace": namespace, "name": name, "labels": dict(labels or {})},
        "spec": spec,
    }


def bundle_watch(
    namespace: str,
    name: str,
    repository: str,
    *,
    applications: Sequence[Json] | None = None,
    interval: str = "10s",
    insecure: bool = True,
    **spec: Any,
) -> Json:
    """A BundleWatch for the Application of the same name, on a plain HTTP registry unless told otherwise."""
    access = {**({"insecure": True} if insecure else {}), **spec.pop("access", {})}
    return {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "repository": repository,
            "interval": interval,
            "applications": list(applications or [{"name": name}]),
            **({"access": access} if access else {}),
            **spec,
        },
    }
