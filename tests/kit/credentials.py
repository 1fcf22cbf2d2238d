"""Credentials as they stand in a cluster: Secrets of each kind, ServiceAccounts that pull, Argo CD's own."""

import json
from collections.abc import Mapping

from kit.scene import Scene


def create_secret(
    scene: Scene, name: str, data: Mapping[str, str], *, kind: str = "Opaque", labels: Mapping[str, str] | None = None
) -> None:
    body = {"metadata": {"name": name, "labels": dict(labels or {})}, "type": kind, "stringData": dict(data)}
    scene.cluster.api.post(f"/api/v1/namespaces/{scene.namespace}/secrets", body)


def change_secret(scene: Scene, name: str, data: Mapping[str, str]) -> None:
    path = f"/api/v1/namespaces/{scene.namespace}/secrets/{name}"
    scene.cluster.api.patch(path, {"stringData": dict(data)}, "application/merge-patch+json")


def docker_config(*, host: str, username: str, password: str) -> str:
    return json.dumps({"auths": {host: {"username": username, "password": password}}})


def create_pull_secret(scene: Scene, name: str, *, password: str | None = None, host: str | None = None) -> None:
    content = docker_config(
        host=host or scene.registry.host,
        username=scene.registry.username,
        password=password or scene.registry.password,
    )
    create_secret(scene, name, {".dockerconfigjson": content}, kind="kubernetes.io/dockerconfigjson")


def create_account(scene: Scene, *pull_secrets: str, name: str = "puller") -> None:
    body = {"metadata": {"name": name}, "imagePullSecrets": [{"name": secret} for secret in pull_secrets]}
    scene.cluster.api.post(f"/api/v1/namespaces/{scene.namespace}/serviceaccounts", body)


def create_argocd_secret(scene: Scene, url: str, *, kind: str = "repository", **different: str) -> None:
    login = {"username": scene.registry.username, "password": scene.registry.password, "insecureOCIForceHttp": "true"}
    create_secret(
        scene, "of-argocd", {"url": url, **login, **different}, labels={"argocd.argoproj.io/secret-type": kind}
    )
