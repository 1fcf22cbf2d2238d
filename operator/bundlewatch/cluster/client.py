"""The Kubernetes API as the few calls this operator makes; the only importer of `kubernetes`.

Every call has a deadline, an explicit content type (the client picks a surprising one when left alone) and a
fixed field manager. Answers are plain JSON values: nothing above this file knows the client's models. Errors
come out of `bundlewatch.errors`, told apart by what the caller can do about them.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)

from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.errors import (
    ClusterUnavailable,
    InvalidSpec,
    ObjectChanged,
    ObjectGone,
    SecretNotFound,
    ServiceAccountNotFound,
)

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_CONCURRENCY = 16  # requests under way at once: the API server has other clients
_PAGE = 500
_MESSAGE_LIMIT = 500
_DEFAULT_NAMESPACE = "default"
# What the client raises at a file that is no kubeconfig: it takes the shape of what it reads for granted.
_NO_KUBECONFIG = (ConfigException, OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError)
_NAMESPACE_OF_THE_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object: its API group, version and plural name."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        parts = ["/api", self.version] if not self.group else ["/apis", self.group, self.version]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part is not None]
        return "/".join(parts)


BUNDLE_WATCHES = Resource("bundlewatch.dev", "v1alpha1", "bundlewatches")
APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications")
APPLICATION_SETS = Resource("argoproj.io", "v1alpha1", "applicationsets")
APP_PROJECTS = Resource("argoproj.io", "v1alpha1", "appprojects")
SECRETS = Resource("", "v1", "secrets")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts")
EVENTS = Resource("", "v1", "events")


@dataclass(frozen=True, slots=True)
class Login:
    """Where the API server is and how we prove who we are; what the watch needs to know of it."""

    server: str
    ca_path: str | None
    ca_data: str | bytes | None
    token: str | None
    certificate_path: str | None
    private_key_path: str | None
    verify: bool

    def __repr__(self) -> str:
        return f"Login(server={self.server!r})"


def _exists(kubeconfig: str) -> bool:
    """Whether one of the files is there that the text names, as kubectl reads it."""
    return any(Path(part).expanduser().exists() for part in kubeconfig.split(os.pathsep))


def namespace_of(*, kubeconfig: str | None, context: str | None) -> str:
    """The namespace that kubectl would use: the context's own, the Pod's, or `default`; never raises."""
    if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
        try:
            return _NAMESPACE_OF_THE_POD.read_text().strip() or _DEFAULT_NAMESPACE
        except OSError:
            return _DEFAULT_NAMESPACE
    if kubeconfig is not None and not _exists(kubeconfig):
        return _DEFAULT_NAMESPACE
    try:
        contexts, active = list_kube_config_contexts(config_file=kubeconfig)  # type: ignore[no-untyped-call]
    except _NO_KUBECONFIG:
        return _DEFAULT_NAMESPACE  # `connect` says what is wrong
    wanted = next((entry for entry in contexts if entry["name"] == context), None) if context else active
    return str(((wanted or {}).get("context") or {}).get("namespace") or _DEFAULT_NAMESPACE)


class Forbidden(ClusterUnavailable):
    """403: RBAC or an admission webhook says no to this one call; both are mended without a restart of ours."""


class KubernetesClient:
    """One connection pool to one API server. Open it with `connect`; it closes with the block."""

    def __init__(self, api: ApiClient, *, timeout_s: float) -> None:
        self._api = api
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(_CONCURRENCY)

    @classmethod
    @asynccontextmanager
    async def connect(cls, *, kubeconfig: str | None, context: str | None, timeout_s: float) -> AsyncIterator[Self]:
        """Log in as the kubeconfig says, else as the Pod's ServiceAccount.

        Raises InvalidSpec when there is neither, or the kubeconfig cannot be used.
        """
        configuration = Configuration()
        if kubeconfig is not None and not _exists(kubeconfig):
            raise InvalidSpec(f"kubeconfig {kubeconfig} does not exist; correct --kubeconfig or KUBECONFIG")
        try:
            if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                await load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=kubeconfig, context=context, client_configuration=configuration
                )
        except _NO_KUBECONFIG as error:
            cure = (
                "run inside a cluster, or name a kubeconfig with --kubeconfig or the KUBECONFIG environment variable"
                if kubeconfig is None
                else f"correct {kubeconfig}, or --context"
            )
            said = (
                " ".join(str(error).split()) if isinstance(error, ConfigException | OSError) else "it is no kubeconfig"
            )
            raise InvalidSpec(f"cannot log in to Kubernetes: {said}; {cure}") from error
        configuration.retries = None  # the engine decides when to try again
        # The environment's proxies, and ~/.netrc, are not for the Kubernetes API.
        configuration.client_session_kwargs = {"trust_env": False}
        async with ApiClient(configuration) as api:
            yield cls(api, timeout_s=timeout_s)

    async def login(self) -> Login:
        """The present login; the token of a ServiceAccount is read again when it is old."""
        configuration = self._api.configuration
        headers: dict[str, str] = {}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return Login(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            ca_data=configuration.ca_cert_data,
            token=token if scheme.lower() == "bearer" else None,
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
            verify=bool(configuration.verify_ssl),
        )

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows this kind at all (its CRD is installed)."""
        try:
            answer = await self._call("GET", f"/apis/{resource.group}/{resource.version}")
        except ObjectGone:
            return False
        return any(entry.get("name") == resource.plural for entry in answer.get("resources", ()))

    async def uids(self, resource: Resource, *, namespaces: Sequence[str]) -> frozenset[str]:
        """The uids of all objects of a kind, by metadata-only pages; no namespaces: of the whole cluster."""
        found: set[str] = set()
        for namespace in namespaces or (None,):
            token: str | None = None
            while True:
                query: dict[str, str] = {"limit": str(_PAGE)}
                if token:
                    query["continue"] = token
                answer = await self._call("GET", resource.path(namespace), query=query, accept=METADATA_ONLY)
                found.update(item["metadata"]["uid"] for item in answer.get("items") or ())
                token = answer.get("metadata", {}).get("continue")
                if not token:
                    break
        return frozenset(found)

    async def objects(
        self, resource: Resource, *, namespace: str, labels: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind in a namespace, as JSON. Raises ObjectGone where the kind is not known.

        `labels`: only those that a label selector fits.
        """
        found: list[Mapping[str, Any]] = []
        token: str | None = None
        selector = {"labelSelector": labels} if labels is not None else {}
        while True:
            query = {"limit": str(_PAGE)} | selector | ({"continue": token} if token else {})
            answer = await self._call("GET", resource.path(namespace), query=query)
            found += answer.get("items") or ()
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return found

    async def read_secret(self, namespace: str, name: str) -> Mapping[str, Any]:
        """A Secret as JSON. Raises SecretNotFound when it is not there or not ours to read."""
        try:
            return await self._call("GET", SECRETS.path(namespace, name))
        except (ObjectGone, Forbidden) as error:
            raise SecretNotFound(
                f"Secret {namespace}/{name} does not exist or may not be read; create it in the namespace of "
                "the BundleWatch, or correct the name in spec.access"
            ) from error

    async def read_service_account(self, namespace: str, name: str) -> Mapping[str, Any]:
        """A ServiceAccount as JSON. Raises ServiceAccountNotFound when it is not there or not ours to read."""
        try:
            return await self._call("GET", SERVICE_ACCOUNTS.path(namespace, name))
        except (ObjectGone, Forbidden) as error:
            raise ServiceAccountNotFound(
                f"ServiceAccount {namespace}/{name} does not exist or may not be read; create it in the namespace of "
                "the BundleWatch, or correct spec.access.serviceAccountName"
            ) from error

    async def argocd_secrets(self, namespace: str, *, labels: str) -> Sequence[Mapping[str, Any]]:
        """The Secrets of Argo CD in its namespace, as JSON. Raises SecretNotFound when they may not be listed."""
        try:
            return await self.objects(SECRETS, namespace=namespace, labels=labels)
        except Forbidden as error:
            raise SecretNotFound(
                f"Argo CD's Secrets in namespace {namespace} may not be listed by BundleWatch; allow it with "
                "`kubectl apply --server-side -k deploy/argocd-secrets/`, which names the namespace, or set "
                "spec.access.fromArgoCD to false"
            ) from error

    async def read_application(self, namespace: str, name: str) -> Mapping[str, Any]:
        """An Application as JSON. Raises ObjectGone."""
        return await self._call("GET", APPLICATIONS.path(namespace, name))

    async def patch_application(
        self, namespace: str, name: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Apply a JSON Patch with its own preconditions and return the new object.

        Raises ObjectChanged when a `test` failed, ObjectGone when the Application is not there.
        """
        return await self._call(
            "PATCH",
            APPLICATIONS.path(namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            body=list(operations),
            content_type=JSON_PATCH,
        )

    async def read_watch(self, namespace: str, name: str) -> Mapping[str, Any]:
        """A BundleWatch as JSON. Raises ObjectGone, also where the kind is not known, or Forbidden."""
        return await self._call("GET", BUNDLE_WATCHES.path(namespace, name))

    async def patch_watch(
        self, namespace: str, name: str, patch: Mapping[str, Any], *, manager: str
    ) -> Mapping[str, Any]:
        """Merge `patch` into a BundleWatch, all but its status, as a person's doing; returns the new object.

        `manager`: the field manager, which is not the operator's. Raises ObjectGone, ObjectChanged or Forbidden.
        """
        return await self._call(
            "PATCH",
            BUNDLE_WATCHES.path(namespace, name),
            query={"fieldManager": manager},
            body=dict(patch),
            content_type=MERGE_PATCH,
        )

    async def patch_watch_status(
        self, namespace: str, name: str, *, uid: str, status: Mapping[str, Any], version: str | None = None
    ) -> Mapping[str, Any]:
        """Merge a partial status into a BundleWatch (None removes a field) and return the new object.

        The uid is a precondition: a BundleWatch that was deleted and made anew is not written to. So is `version`, its
        resourceVersion, where one is given. Raises ObjectGone or ObjectChanged.
        """
        return await self._call(
            "PATCH",
            BUNDLE_WATCHES.path(namespace, name, "status"),
            query={"fieldManager": FIELD_MANAGER},
            body={"metadata": {"uid": uid} | ({"resourceVersion": version} if version else {}), "status": status},
            content_type=MERGE_PATCH,
        )

    async def create_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        """Post an Event; one that exists already under its name was posted before, and is left alone."""
        try:
            await self._call("POST", EVENTS.path(namespace), query={"fieldManager": FIELD_MANAGER}, body=dict(event))
        except ObjectChanged:
            return

    async def read_application_set(self, namespace: str, name: str) -> Mapping[str, Any]:
        """An ApplicationSet as JSON. Raises ObjectGone, also where Argo CD has none, or Forbidden."""
        return await self._call("GET", APPLICATION_SETS.path(namespace, name))

    async def read_app_project(self, namespace: str, name: str) -> Mapping[str, Any]:
        """An AppProject as JSON. Raises ObjectGone or Forbidden."""
        return await self._call("GET", APP_PROJECTS.path(namespace, name))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Mapping[str, Any]:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        what = f"{method} {path}"
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
                    url = self._api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
                    response = await self._api.call_api(
                        method, url, headers, body, None, _request_timeout=self._timeout_s
                    )
                    raw: bytes = await response.read()  # type: ignore[no-untyped-call]
            except ApiException as error:
                raise _translated(what, error.status or 0, str(error.body or "").encode()) from error
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                detail = str(error) or type(error).__name__
                raise ClusterUnavailable(f"the Kubernetes API did not answer {what}: {detail}") from error
        if response.status >= 400:
            raise _translated(what, response.status, raw)
        try:
            answer = json.loads(raw)
        except ValueError as error:
            raise ClusterUnavailable(f"the Kubernetes API answered {what} with something else than JSON") from error
        if not isinstance(answer, dict):
            raise ClusterUnavailable(f"the Kubernetes API answered {what} with something else than an object")
        return answer


def _translated(what: str, status: int, raw: bytes) -> Exception:
    message = _message(raw)
    if status == 404:
        return ObjectGone(f"{what}: {message}")
    if status in {409, 422}:
        return ObjectChanged(f"{what}: {message}")
    if status == 403:
        return Forbidden(
            f"the Kubernetes API refused {what}: {message}; check the RBAC of who asks (of the operator: deploy/)"
        )
    return ClusterUnavailable(f"the Kubernetes API answered {what} with {status}: {message}")


def _message(raw: bytes) -> str:
    try:
        text = str(json.loads(raw).get("message", ""))
    except (ValueError, AttributeError):
        text = raw.decode("utf-8", "replace")
    return "".join(character if character.isprintable() else " " for character in text)[:_MESSAGE_LIMIT]
