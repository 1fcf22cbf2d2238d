"""Where a release gets its credentials from: a real API server, and a real registry that lets nobody in without."""

import time
from collections.abc import Iterator

import pytest

from kit.cluster import Cluster
from kit.credentials import (
    change_secret,
    create_account,
    create_argocd_secret,
    create_pull_secret,
    create_secret,
    docker_config,
)
from kit.objects import WATCHES, native_source
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.scene import Scene

UPDATE_S = 10.0  # 5 s until the Secret is read, and the rest of a release on a machine that does other things too


@pytest.fixture(scope="module")
def closed() -> Iterator[Registry]:
    """A registry with Basic auth, over plain HTTP."""
    with Registry.start("basic") as started:
        yield started


@pytest.fixture
def place(cluster: Cluster, closed: Registry, namespace: str, shared_operator: OperatorProcess) -> Iterator[Scene]:
    """A scene on the closed registry, with 1.0.1 to go to."""
    shared_operator.wait_ready()
    scene = Scene(cluster=cluster, registry=closed, namespace=namespace)
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    yield scene
    # An operator of another test, with fewer rights, must not meet what wants Argo CD's Secrets here.
    cluster.api.delete(WATCHES.format(namespace=namespace))


# A ServiceAccount's imagePullSecrets


def test_the_pull_secrets_of_a_service_account_open_the_registry(place: Scene) -> None:
    create_pull_secret(place, "elsewhere", host="registry.example.com")
    create_pull_secret(place, "here")
    create_account(place, "elsewhere", "here")
    place.create_application()
    place.create_watch(access={"serviceAccountName": "puller"})

    place.until_revision("1.0.1")


def test_a_missing_service_account_is_named_and_used_within_seconds_of_its_coming(place: Scene) -> None:
    create_pull_secret(place, "here")
    place.create_application()
    place.create_watch(access={"serviceAccountName": "puller"}, interval="1h")
    condition = place.until_ready("False", reason="ServiceAccountNotFound")
    assert f"ServiceAccount {place.namespace}/puller does not exist" in condition["message"]

    create_account(place, "here")

    place.until_revision("1.0.1", timeout_s=UPDATE_S)


def test_a_service_account_that_has_nothing_for_the_registry_is_named_and_the_registry_not_asked(place: Scene) -> None:
    create_pull_secret(place, "elsewhere", host="registry.example.com")
    create_account(place, "elsewhere")
    place.create_application()
    with place.registry.recording() as asked:
        place.create_watch(access={"serviceAccountName": "puller"}, interval="1h")
        condition = place.until_ready("False", reason="InvalidSecret")
    named = (
        f"Secret {place.namespace}/elsewhere, one of the imagePullSecrets of ServiceAccount {place.namespace}/puller"
    )
    lacking = f"it has no entry for {place.repository}, only for registry.example.com; add one"
    assert f"{named}: {lacking}" in condition["message"]
    assert [request for request in asked.requests if place.path in request.path] == []

    here = docker_config(host=place.registry.host, username=place.registry.username, password=place.registry.password)
    change_secret(place, "elsewhere", {".dockerconfigjson": here})

    place.until_revision("1.0.1", timeout_s=UPDATE_S)


def test_a_refusal_names_the_pull_secret_that_was_refused(place: Scene) -> None:
    create_pull_secret(place, "here", password="wrong")
    create_account(place, "gone", "here")
    place.create_application()
    place.create_watch(access={"serviceAccountName": "puller"}, interval="1h")

    condition = place.until_ready("False", reason="AccessDenied")

    named = (
        f"check Secret {place.namespace}/here, one of the imagePullSecrets of ServiceAccount {place.namespace}/puller"
    )
    assert named in condition["message"]


# Argo CD's own Secrets


@pytest.mark.parametrize("kind", ["repository", "repo-creds"])
def test_a_helm_source_is_watched_with_argo_cds_own_login(place: Scene, kind: str) -> None:
    create_argocd_secret(place, f"{place.registry.host}/{place.namespace}", kind=kind, type="helm", enableOCI="true")
    place.create_application()
    place.create_watch(access={"fromArgoCD": True})

    place.until_revision("1.0.1")


def test_a_native_source_is_watched_with_argo_cds_own_login(place: Scene) -> None:
    create_argocd_secret(place, f"oci://{place.repository}", type="oci")
    place.create_application("shop", "1.0.0", native_source(place.repository, "1.0.0"))
    place.create_watch(access={"fromArgoCD": True})

    place.until_revision("1.0.1")


def test_argo_cds_login_for_one_registry_is_never_sent_to_another(place: Scene) -> None:
    create_argocd_secret(place, "registry.example.com/shop")
    place.create_application()
    with place.registry.recording() as asked:
        place.create_watch(access={"fromArgoCD": True})
        condition = place.until_ready("False", reason="InvalidSecret")

    assert f"none of the 1 Secrets of Argo CD in the namespace {place.namespace} is for" in condition["message"]
    assert [request for request in asked.requests if place.path in request.path] == []


def test_a_malformed_secret_of_somebody_else_disturbs_nobody_who_uses_argo_cds_logins(place: Scene) -> None:
    body = {
        "metadata": {"name": "broken", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
        "data": {"url": "//79", "project": "//79"},
    }
    place.cluster.api.post(f"/api/v1/namespaces/{place.namespace}/secrets", body)
    create_argocd_secret(place, f"{place.registry.host}/{place.namespace}", type="helm", enableOCI="true")
    place.create_application()
    place.create_watch(access={"fromArgoCD": True})

    place.until_revision("1.0.1")


# A changed Secret


def test_a_corrected_secret_is_used_within_seconds_and_the_wrong_one_not_sent_meanwhile(place: Scene) -> None:
    wrong = {"username": place.registry.username, "password": "wrong"}
    create_secret(place, "regcred", wrong, kind="kubernetes.io/basic-auth")
    place.create_application()
    place.create_watch(access={"secretRef": {"name": "regcred"}}, interval="1h")
    place.until_ready("False", reason="AccessDenied")

    with place.registry.recording() as asked:
        time.sleep(11)
    assert [request for request in asked.requests if place.path in request.path] == []

    change_secret(place, "regcred", {"password": place.registry.password})
    place.until_revision("1.0.1", timeout_s=UPDATE_S)


def test_a_rotated_secret_is_used_at_the_next_listing(place: Scene) -> None:
    right = {"username": place.registry.username, "password": place.registry.password}
    create_secret(place, "regcred", right, kind="kubernetes.io/basic-auth")
    place.create_application()
    place.create_watch(access={"secretRef": {"name": "regcred"}}, interval="10s")
    place.until_revision("1.0.1")

    change_secret(place, "regcred", {"password": "revoked"})

    place.until_ready("False", reason="AccessDenied")
    assert place.revision() == "1.0.1"
