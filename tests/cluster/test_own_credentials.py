"""Credentials that are the operator's own: its Docker configuration, and its identity in a cloud."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.clouds import Clouds
from kit.cluster import Cluster
from kit.credentials import create_secret, docker_config
from kit.objects import Json
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.scene import Scene

CLOUD_HOSTS = "hosts: {{{host}: {{cloud: {cloud}}}}}\n"
UPDATE_S = 10.0  # 5 s until the file is read, and the rest of a release on a machine that does other things too


@pytest.fixture(scope="module")
def closed_tls() -> Iterator[Registry]:
    """A registry with Basic auth, by TLS."""
    with Registry.start("basic", tls=True) as started:
        yield started


@pytest.fixture
def place_tls(cluster: Cluster, closed_tls: Registry, namespace: str) -> Scene:
    """A scene on it, with 1.0.1 to go to and the registry's authority in a Secret `registry-ca`."""
    scene = Scene(cluster=cluster, registry=closed_tls, namespace=namespace)
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    assert closed_tls.ca_pem is not None
    create_secret(scene, "registry-ca", {"ca.crt": closed_tls.ca_pem.decode()})
    return scene


# The operator's own Docker configuration


def test_the_operators_docker_configuration_opens_what_names_no_credentials_and_is_read_again(
    place_tls: Scene, operator_process: Callable[..., OperatorProcess], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    registry = place_tls.registry
    file.write_text(docker_config(host=registry.host, username=registry.username, password="outdated"))
    place_tls.create_application()
    place_tls.create_watch(insecure=False, access={"caSecretRef": {"name": "registry-ca"}}, interval="1h")
    operator_process(f"--namespace={place_tls.namespace}", f"--registry-docker-config={file}")
    condition = place_tls.until_ready("False", reason="AccessDenied")
    assert "the operator's own Docker configuration" in condition["message"]

    (tmp_path / "next").write_text(
        docker_config(host=registry.host, username=registry.username, password=registry.password)
    )
    (tmp_path / "next").rename(file)

    place_tls.until_revision("1.0.1", timeout_s=UPDATE_S)


def test_the_operators_docker_configuration_is_never_sent_in_the_clear_and_that_is_said(
    cluster: Cluster, namespace: str, operator_process: Callable[..., OperatorProcess], tmp_path: Path
) -> None:
    with Registry.start("basic") as registry:
        scene = Scene(cluster=cluster, registry=registry, namespace=namespace)
        scene.publish("1.0.1")
        file = tmp_path / "config.json"
        file.write_text(docker_config(host=registry.host, username=registry.username, password=registry.password))
        scene.create_application()
        scene.create_watch(insecure=True)
        operator_process(f"--namespace={namespace}", f"--registry-docker-config={file}")

        condition = scene.until_ready("False", reason="AccessDenied")

    assert (
        "the operator's own Docker configuration (--registry-docker-config) is never sent in the"
        in condition["message"]
    )
    assert "name a Secret with them in spec.access.secretRef" in condition["message"]


# A cloud's identity


@pytest.mark.parametrize("way", ["irsa", "pod_identity", "node_of_aws"])
def test_a_registry_is_opened_by_the_operators_identity_in_the_cloud(
    place_tls: Scene, tmp_path: Path, way: str
) -> None:
    registry, cloud = place_tls.registry, "aws"
    config = tmp_path / "registries.yaml"
    config.write_text(CLOUD_HOSTS.format(host=f'"{registry.host}"', cloud=cloud))
    with Clouds(directory=tmp_path, username=registry.username, password=registry.password) as clouds:
        environment = {"AWS_REGION": "eu-west-1", **getattr(clouds, way)()}
        place_tls.create_application()
        create_cloud_watch(place_tls, cloud)
        with running(place_tls, f"--registry-config={config}", environment=environment) as process:
            place_tls.until_revision("1.0.1")
            place_tls.publish("1.0.2")
            place_tls.until_revision("1.0.2", timeout_s=25)
            output = process.output

    assert len([path for path in clouds.paths() if path == "POST /ecr/"]) == 1
    assert registry.password not in output
    assert "played" not in output


def test_a_host_that_is_not_the_clouds_gets_no_login_and_that_is_said(place_tls: Scene, tmp_path: Path) -> None:
    with Clouds(directory=tmp_path) as clouds:
        place_tls.create_application()
        create_cloud_watch(place_tls, "aws")
        with running(place_tls, environment=clouds.irsa()):
            condition = place_tls.until_ready("False", reason="InvalidSpec")

    assert "is no registry of that cloud" in condition["message"]
    assert clouds.asked == []


def test_an_operator_without_an_identity_says_how_it_would_get_one(place_tls: Scene, tmp_path: Path) -> None:
    config = tmp_path / "registries.yaml"
    config.write_text(CLOUD_HOSTS.format(host=f'"{place_tls.registry.host}"', cloud="azure"))
    place_tls.create_application()
    create_cloud_watch(place_tls, "azure")
    nowhere = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9"}
    with running(place_tls, f"--registry-config={config}", environment=nowhere):
        condition = place_tls.until_ready("False", reason="CloudIdentityUnavailable")

    assert "AZURE_FEDERATED_TOKEN_FILE is not set" in condition["message"]
    assert "azure.workload.identity/client-id" in condition["message"]


@contextmanager
def running(scene: Scene, *arguments: str, environment: dict[str, str]) -> Iterator[OperatorProcess]:
    """An operator in these surroundings."""
    arguments = (f"--namespace={scene.namespace}", *arguments)
    with OperatorProcess(kubeconfig=scene.cluster.kubeconfig, arguments=arguments, environment=environment) as process:
        try:
            yield process.start()
        finally:
            print(process.output)


def create_cloud_watch(scene: Scene, cloud: str) -> Json:
    access = {"provider": cloud, "caSecretRef": {"name": "registry-ca"}}
    return scene.create_watch(insecure=False, access=access, interval="10s")
