"""`kubectl bundlewatch explain NAME`: what the operator decides, told by the live object, its registry and Argo CD."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit import bed
from kit.objects import helm_source
from kit.registry import Registry
from kit.scene import Scene

pytestmark = [pytest.mark.cluster, pytest.mark.registry]

PROGRAMS = Path(sys.executable).parent


def run(scene: Scene, *arguments: str, kubectl: bool = False) -> "subprocess.CompletedProcess[str]":
    """As the user calls it: the program, or kubectl with it as a plugin."""
    program = [str(bed.find().kubectl), "bundlewatch"] if kubectl else [str(PROGRAMS / "bundlewatch")]
    return subprocess.run(
        [*program, "explain", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": str(scene.cluster.kubeconfig), "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
    )


def verdicts(scene: Scene, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(scene, "shop", "-n", scene.namespace, "-o", "json", *arguments).stdout)
    return found


def test_a_live_object_is_explained_tag_by_tag_and_nothing_is_changed(stage: Scene) -> None:
    stage.publish("1.0.0")
    stage.publish("1.0.1")
    stage.registry.push_image(stage.path, "1.0.9")
    stage.publish("2.0.0")
    stage.create_application(revision="1.0.0")
    stage.create_watch(tags={"range": "~1.0"})
    before = stage.watch(), stage.application()

    done = run(stage, "shop", "-n", stage.namespace, kubectl=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"BundleWatch {stage.namespace}/shop: {stage.repository}, 4 tags",
        "Application shop: moves from 1.0.0 to 1.0.1",
        "",
        "TAG     VERSION   VERDICT      WHY",
        "1.0.1   1.0.1     Chosen       the best that may be taken",
        "2.0.0   2.0.0     OutOfRange   2.0.0 is above the range ~1.0",
        "1.0.9   1.0.9     NotAChart    it is a container image, not a chart",
        "1.0.0   1.0.0     Current      runs now; superseded by 1.0.1",
        "",
        "4 tags: 1 Chosen, 1 Current, 1 NotAChart, 1 OutOfRange",
    ]
    assert (stage.watch(), stage.application()) == before


@pytest.mark.parametrize(
    ("revision", "watch", "fate"),
    [
        pytest.param(
            "1.0.0", {"suspend": True}, "stays at 1.0.0 while spec.suspend is true; then moves", id="suspended"
        ),
        pytest.param("2.0.0", {"pin": "1.0.1"}, "moves from 2.0.0 to 1.0.1", id="pinned"),
        pytest.param(
            "1.0.0", {"applications": [{"name": "gone"}]}, "gone: ApplicationNotFound: there is no", id="not there"
        ),
    ],
)
def test_the_fate_of_an_application_is_told(stage: Scene, revision: str, watch: dict[str, Any], fate: str) -> None:
    stage.publish("1.0.1")
    stage.create_application(revision=revision)
    stage.create_watch(**watch)

    done = run(stage, "shop", "-n", stage.namespace)

    assert fate in done.stdout
    assert done.returncode == 0


def test_where_nobody_can_tell_what_runs_there_is_no_choice(stage: Scene) -> None:
    stage.publish("1.0.1")
    stage.create_application(revision="latest")
    stage.create_watch()

    done = run(stage, "shop", "-n", stage.namespace)

    assert done.returncode == 3
    assert "1.0.1   1.0.1     Downgrade   it cannot be told whether 1.0.1 is newer than latest" in done.stdout


def test_where_a_downgrade_is_allowed_there_is_one_all_the_same(stage: Scene) -> None:
    stage.publish("1.0.1")
    stage.create_application(revision="2.0.0")
    stage.create_watch(rollout={"allowDowngrade": True})

    done = run(stage, "shop", "-n", stage.namespace)

    assert (done.returncode, "Application shop: moves from 2.0.0 to 1.0.1" in done.stdout) == (0, True)


def test_nothing_older_than_what_runs_is_a_choice(stage: Scene) -> None:
    stage.publish("1.0.0")
    stage.create_application(revision="1.0.1")
    stage.create_watch()

    done = run(stage, "shop", "-n", stage.namespace)

    assert done.returncode == 3
    assert "Application shop: stays at 1.0.1" in done.stdout
    assert "1.0.0   1.0.0     Downgrade   1.0.0 is below 1.0.1, which runs" in done.stdout


def test_credentials_are_those_of_the_object(stage: Scene) -> None:
    with Registry.start(auth="basic") as private:
        path = f"{stage.namespace}/shop"
        private.push_chart(path, "shop", "1.0.0")
        stage.cluster.api.post(
            f"/api/v1/namespaces/{stage.namespace}/secrets",
            {
                "metadata": {"name": "regcred"},
                "type": "kubernetes.io/basic-auth",
                "stringData": {"username": private.username, "password": private.password},
            },
        )
        stage.create_application("shop", "1.0.0", helm_source(f"{private.host}/{path}", "1.0.0"))
        stage.create_watch(
            repository=f"{private.host}/{path}", access={"insecure": True, "secretRef": {"name": "regcred"}}
        )

        assert verdicts(stage)["choice"] == {"tag": "1.0.0", "version": "1.0.0"}


def test_the_operators_own_docker_configuration_can_be_lent_and_is_named_where_it_may_be_missing(
    stage: Scene, tmp_path: Path
) -> None:
    path = stage.path
    with Registry.start(auth="basic", tls=True) as private:
        private.push_chart(path, "shop", "1.0.0")
        assert private.ca_pem is not None
        stage.cluster.api.post(
            f"/api/v1/namespaces/{stage.namespace}/secrets",
            {"metadata": {"name": "ca"}, "stringData": {"ca.crt": private.ca_pem.decode()}},
        )
        auth = base64.b64encode(f"{private.username}:{private.password}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {private.host: {"auth": auth}}}))
        stage.create_application("shop", "1.0.0", helm_source(f"{private.host}/{path}", "1.0.0"))
        stage.create_watch(
            repository=f"{private.host}/{path}", access={"insecure": False, "caSecretRef": {"name": "ca"}}
        )

        refused = run(stage, "shop", "-n", stage.namespace)
        lent = run(
            stage,
            "shop",
            "-n",
            stage.namespace,
            "--registry-docker-config",
            str(tmp_path / "config.json"),
            "-o",
            "json",
        )

    assert refused.returncode == 2
    assert "--registry-docker-config, give that file to explain, too" in refused.stderr
    assert json.loads(lent.stdout)["choice"] == {"tag": "1.0.0", "version": "1.0.0"}, lent.stderr


@pytest.mark.parametrize(
    ("name", "says", "status"),
    [
        pytest.param("other", "there is no BundleWatch", 2, id="no such object"),
        pytest.param("shop", "knows no such repository", 2, id="no such repository"),
    ],
)
def test_what_cannot_be_explained_says_why(stage: Scene, name: str, says: str, status: int) -> None:
    stage.create_watch()

    done = run(stage, name, "-n", stage.namespace)

    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr


def test_before_it_is_applied_the_registry_is_asked_with_dockers_configuration(stage: Scene, tmp_path: Path) -> None:
    stage.publish("1.0.0")
    stage.registry.push_image(stage.path, "1.0.9")
    manifest = {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "repository": stage.repository,
            "applications": [{"name": "shop"}],
            "access": {"insecure": True},
        },
    }
    (tmp_path / "shop.json").write_text(json.dumps(manifest))

    done = run(stage, "-f", str(tmp_path / "shop.json"), "-o", "json")

    found = json.loads(done.stdout)
    assert found["choice"]["tag"] == "1.0.0"
    assert [verdict["reason"] for verdict in found["verdicts"]] == ["Chosen", "NotAChart"]


# The operator that this one starts stays for those after it.
def test_it_says_what_the_operator_then_does(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    scene.create_application(revision="1.0.0")
    scene.create_watch()
    scene.until_revision("1.0.1")
    scene.until(lambda: scene.status().get("verdicts"))

    found = verdicts(scene)

    assert found["choice"] == {"tag": "1.0.1", "version": "1.0.1"}
    scene.until(lambda: scene.verdicts() == {verdict["tag"]: verdict["reason"] for verdict in found["verdicts"]})
    assert "Application shop: is at 1.0.1 already" in run(scene, "shop", "-n", scene.namespace).stdout
