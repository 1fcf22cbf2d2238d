"""The command line: what a person typed wrong is said with the flag and the cure, before anything is started."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bundlewatch import app
from bundlewatch.cli import main
from bundlewatch.cli.run import run
from bundlewatch.registry import RegistryClient
from bundlewatch.registry.urls import Origin
from bundlewatch.settings import Settings
from kit.waiting import eventually

FLAGS = [parameter for parameter in run.params if parameter.name != "help"]


def call(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code, and everything that was printed."""
    done = CliRunner().invoke(main, list(arguments), env={"KUBECONFIG": None, "HOME": "/nonexistent", **environment})
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--probe-address=8081"], "--probe-address: '8081' is not HOST:PORT", id="no host"),
        pytest.param(["--probe-address=:http"], "--probe-address: ':http' is not HOST:PORT", id="a port in words"),
        pytest.param(["--probe-address=:99999"], "--probe-address: ':99999' is not HOST:PORT", id="a port too high"),
        pytest.param(["--registry-rate=0"], "0.0 is not in the range 0<x", id="no rate at all"),
        pytest.param(["--registry-timeout=-1"], "--registry-timeout", id="a negative time"),
        pytest.param(["--registry-rate=inf"], "'--registry-rate'", id="an infinite rate"),
        pytest.param(["--registry-rate=nan"], "--registry-rate: ", id="no number"),
        pytest.param(
            ["--log-format=xml"], "'--log-format': 'xml' is not one of 'json', 'console'", id="no such format"
        ),
        pytest.param(
            ["--namespace=argocd/shop"], "'argocd/shop' is no name of a namespace: write", id="a namespace with a name"
        ),
        pytest.param(["--namespace=team-*"], "'team-*' is no name of a namespace: write", id="a glob"),
        pytest.param(["--namespace=Team"], "'Team' is no name of a namespace: write", id="a namespace in capitals"),
        pytest.param(["--namespace=-team"], "'-team' is no name of a namespace: write", id="a namespace with a dash"),
        pytest.param(["--namespace=" + "a" * 64], "at most 63", id="a namespace too long"),
        pytest.param(["--namespace="], "'' is no name of a namespace: write", id="a namespace without a name"),
        pytest.param(["--intervall=3"], "No such option", id="no such flag"),
    ],
)
def test_a_mistake_in_a_flag_is_named_and_ends_with_2(arguments: list[str], says: str) -> None:
    status, output = call("run", *arguments)

    assert status == 2
    assert says in " ".join(output.split())


def test_a_mistake_in_the_registry_config_is_named_with_file_place_and_cure(tmp_path: Path) -> None:
    file = tmp_path / "registries.yaml"
    for content, says in (
        (None, f"{file}: No such file or directory; name a file that can be read"),
        ("hosts: {docker.io: {rate: 0}}", f"{file}: hosts: docker.io: rate: input should be greater than 0"),
        ("hosts: {docker.io: {mirror: []}}", "there is no such field; correct its spelling"),
    ):
        if content is not None:
            file.write_text(content)
        status, output = call("run", f"--registry-config={file}")
        assert status == 2
        assert says in output.replace("\n", " ").replace("  ", " ") or says.replace(" ", "") in "".join(output.split())
        assert "--registry-config" in output


def test_an_unusable_proxy_is_named_without_its_login() -> None:
    status, output = call("run", HTTPS_PROXY="socks5://us:hunter2@proxy:1080")

    assert status == 2
    assert "HTTPS_PROXY names a kind of proxy other than http and https: write http://host:port" in " ".join(
        output.split()
    )
    assert "hunter2" not in output


def test_what_the_registry_config_says_reaches_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "registries.yaml"
    file.write_text("hosts: {index.docker.io: {rate: 5, mirrors: [{host: m.example}]}, quay.io: {cloud: gcp}}")
    given: list[Settings] = []

    async def serve(settings: Settings) -> None:
        given.append(settings)

    monkeypatch.setattr("bundlewatch.app.serve", serve)
    status, output = call("run", BUNDLEWATCH_REGISTRY_CONFIG=str(file), https_proxy="proxy:3128", NO_PROXY="x.example")

    assert status == 0, output
    assert dict(given[0].cloud_hosts) == {"quay.io": "gcp"}
    assert str(given[0].proxies.https) == "http://proxy:3128"
    registry = app.build_registry(given[0])
    client = registry._registry
    assert isinstance(client, RegistryClient)
    assert [mirror.host for mirror in registry._mirrors["docker.io"]] == ["m.example"]
    limits = client._asker._limits
    hub, quay = limits[Origin("https", "registry-1.docker.io", 443)], limits[Origin("https", "quay.io", 443)]
    assert (hub.rate_per_s, hub.burst) == (5, 10)
    assert quay.concurrency == given[0].registry_concurrency


def test_a_mistake_in_the_environment_is_named_too() -> None:
    status, output = call("run", BUNDLEWATCH_REGISTRY_CONCURRENCY="many")

    assert status == 2
    assert "'--registry-concurrency': 'many' is not a valid integer" in output


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.opts[0])
def test_help_names_each_flag_and_its_twin_in_the_environment(flag: click.Parameter) -> None:
    _, output = call("run", "--help")
    told = " ".join(output.split())
    variable = f"BUNDLEWATCH_{flag.opts[0].removeprefix('--').upper().replace('-', '_')}"

    assert flag.opts[0] in told
    assert variable in told


def test_without_any_cluster_it_says_how_to_name_one_and_ends_with_1() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "BUNDLEWATCH"))}
    done = subprocess.run(
        [sys.executable, "-m", "bundlewatch", "run", "--probe-address=127.0.0.1:0", "--kubeconfig=/nonexistent"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "kubeconfig /nonexistent does not exist; correct --kubeconfig or KUBECONFIG" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_probe_port_in_use_is_named_with_the_flag_and_ends_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        address = f"127.0.0.1:{occupied.getsockname()[1]}"
        done = subprocess.run(
            command(tmp_path, user={}, probe_address=address), capture_output=True, text=True, timeout=60, check=False
        )

    assert done.returncode == 1
    cure = "address in use; choose another with --probe-address"
    assert f"bundlewatch: cannot serve probes on {address}: {cure}" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_within_five_seconds_whatever_holds_it_up(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    login = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", f"touch {begun}; exec sleep 20"],
        }
    }
    with subprocess.Popen(command(tmp_path, user=login)) as operator:
        eventually(begun.exists, timeout_s=30)

        operator.terminate()

        assert operator.wait(timeout=5) == 0


def command(directory: Path, *, user: dict[str, object], probe_address: str = "127.0.0.1:0") -> list[str]:
    """Runs the operator for a cluster where nobody answers."""
    kubeconfig = directory / "kubeconfig"
    parts = {
        "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "somebody", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "nowhere", "user": "somebody"}}],
        "current-context": "here",
    }
    kubeconfig.write_text(json.dumps(parts))  # JSON is YAML
    flags = [f"--probe-address={probe_address}", f"--kubeconfig={kubeconfig}"]
    return [sys.executable, "-m", "bundlewatch", "run", *flags]


def test_the_definition_that_is_printed_is_the_one_in_the_repository() -> None:
    status, output = call("crd")

    assert status == 0
    assert output.startswith("# generated by `bundlewatch crd`")
    assert "name: bundlewatches.bundlewatch.dev" in output


@pytest.mark.parametrize(
    "content", [pytest.param("{", id="no YAML"), pytest.param("kind: Config", id="no cluster in it")]
)
def test_a_kubeconfig_that_is_no_good_is_named(content: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "bundlewatch", "run", "--probe-address=127.0.0.1:0", f"--kubeconfig={kubeconfig}"],
        env={**os.environ, "BUNDLEWATCH_NAMESPACES": "argocd"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "cannot log in to Kubernetes" in done.stderr
    assert f"correct {kubeconfig}, or --context" in done.stderr
    assert "BUNDLEWATCH_NAMESPACES in the environment is no setting" in done.stderr
    assert "Traceback" not in done.stderr
