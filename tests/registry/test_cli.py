"""`bundlewatch tags` and `inspect`: what a registry holds, at a terminal, by whatever login a person has."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.registry import Registry

PROGRAM = Path(sys.executable).parent / "bundlewatch"

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """The program as a person without any configuration calls it."""

    def run(*arguments: str, text: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("BUNDLEWATCH", "DOCKER"))}
        return subprocess.run(
            [PROGRAM, *arguments],
            capture_output=True,
            text=True,
            check=False,
            input=text,
            env={**bare, "HOME": str(tmp_path), **environment},
        )

    return run


@pytest.fixture(scope="module")
def private() -> Any:
    with Registry.start(auth="basic") as started:
        started.push_chart("shop/bundle", "bundle", "1.0.0")
        yield started


def test_all_tags_are_listed_sorted_a_line_each(registry: Registry, call: Call) -> None:
    for version in ("1.0.1", "1.0.0"):
        registry.push_chart("cli/tags", "tags", version)

    done = call("tags", f"{registry.host}/cli/tags", "--insecure")

    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0.0\n1.0.1\n", "")


def test_programs_get_the_tags_as_json_which_explain_takes(registry: Registry, call: Call, tmp_path: Path) -> None:
    registry.push_chart("cli/json", "json", "1.0.0")
    repository = f"{registry.host}/cli/json"

    listed = call("tags", repository, "--insecure", "-o", "json").stdout

    assert json.loads(listed) == {"repository": repository, "tags": ["1.0.0"]}
    manifest = {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"repository": repository, "applications": [{"name": "shop"}]},
    }
    (tmp_path / "shop.json").write_text(json.dumps(manifest))
    explained = call("explain", "-f", str(tmp_path / "shop.json"), "--tags-from", "-", "-o", "json", text=listed)
    assert json.loads(explained.stdout)["choice"]["tag"] == "1.0.0"


@pytest.mark.parametrize(
    ("push", "kind", "chart"),
    [
        pytest.param(lambda it: it.push_chart("cli/kinds", "kinds", "1.0.0"), "Helm chart", "kinds", id="helm push"),
        pytest.param(
            lambda it: it.push_werf_bundle("cli/kinds", "kinds", "1.0.0"), "werf bundle", "kinds", id="werf publish"
        ),
        pytest.param(lambda it: it.push_image("cli/kinds", "1.0.0"), "container image", None, id="an image"),
        pytest.param(lambda it: it.push_index("cli/kinds", "1.0.0"), "index", None, id="an index"),
    ],
)
def test_a_tag_says_what_it_is(
    registry: Registry, call: Call, push: Callable[[Registry], str], kind: str, chart: str | None
) -> None:
    digest = push(registry)

    found = json.loads(call("inspect", f"{registry.host}/cli/kinds:1.0.0", "--insecure", "-o", "json").stdout)

    assert found["kind"] == kind
    assert (found["chart"] or {}).get("name") == chart
    if digest:
        assert found["digest"] == digest
    assert found["size"] > sum(layer["size"] for layer in found["layers"]) > 0


def test_a_bundle_of_werf_says_where_it_comes_from(registry: Registry, call: Call) -> None:
    registry.push_werf_bundle("cli/werf", "werf", "1.0.1")

    done = call("inspect", f"{registry.host}/cli/werf:1.0.1", "--insecure")

    assert "Kind:        werf bundle\nChart:       werf 1.0.1\nCommit:      1b28" in done.stdout
    assert "Pipeline:    https://gitlab.example.com/" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        pytest.param(["tags", "{host}/cli/none", "--insecure"], "knows no such repository", 2, id="no repository"),
        pytest.param(["tags", "{host}/Upper", "--insecure"], "lower-case", 2, id="no reference"),
        pytest.param(["tags", "{host}/cli/x"], "use --insecure", 1, id="no TLS"),
        pytest.param(["tags", "localhost:1/cli/x", "--insecure"], "refused the connection", 1, id="no registry"),
        pytest.param(["inspect", "{host}/cli/kinds", "--insecure"], "names no tag", 2, id="no tag"),
        pytest.param(["inspect", "{host}/cli/kinds:9.9.9", "--insecure"], "does not have it", 1, id="no such tag"),
        pytest.param(["tags", "{host}/cli/x", "--username", "robot"], "needs a password", 2, id="half a login"),
        pytest.param(["tags", "{host}/cli/x", "--ca-file", "/none"], "--ca-file /none: No such file", 2, id="no file"),
    ],
)
def test_what_goes_wrong_is_said_on_standard_error(
    registry: Registry, call: Call, arguments: list[str], says: str, status: int
) -> None:
    registry.push_chart("cli/kinds", "kinds", "1.0.0")

    done = call(*(argument.format(host=registry.host) for argument in arguments))

    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert done.stderr.startswith("bundlewatch: ")


@pytest.mark.parametrize("way", ["flags", "environment", "docker"])
def test_a_login_comes_from_flags_environment_or_dockers_configuration(
    private: Registry, call: Call, tmp_path: Path, way: str
) -> None:
    repository = f"{private.host}/shop/bundle"
    auth = base64.b64encode(f"{private.username}:{private.password}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {private.host: {"auth": auth}}}))

    match way:
        case "flags":
            done = call(
                "tags",
                repository,
                "--insecure",
                "--username",
                private.username,
                "--password-stdin",
                text=f"{private.password}\n",
            )
        case "environment":
            done = call(
                "tags",
                repository,
                "--insecure",
                BUNDLEWATCH_REGISTRY_USERNAME=private.username,
                BUNDLEWATCH_REGISTRY_PASSWORD=private.password,
            )
        case _:
            done = call("tags", repository, "--insecure", DOCKER_CONFIG=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "1.0.0\n"), done.stderr


def test_without_a_login_a_private_registry_says_what_it_wants(private: Registry, call: Call) -> None:
    done = call("tags", f"{private.host}/shop/bundle", "--insecure")

    assert (done.returncode, done.stdout) == (2, "")
    assert "gives no access without credentials" in done.stderr
    assert "--username" in done.stderr


def test_no_password_is_ever_shown(private: Registry, call: Call) -> None:
    done = call(
        "tags",
        f"{private.host}/shop/bundle",
        "--insecure",
        "--username",
        "robot",
        "--password-stdin",
        text="hunter2-planted\n",
    )

    assert done.returncode == 2
    assert "hunter2" not in done.stdout + done.stderr
