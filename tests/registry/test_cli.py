"""`bundlewatch tags` and `inspect`: what a registry holds, at a terminal, by whatever login a person has."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import bundles, faults
from kit.proxy import Proxy
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
def private() -> Iterator[Registry]:
    with Registry.start(auth="basic") as started:
        started.push_chart("shop/bundle", "bundle", "1.0.0")
        yield started


@pytest.fixture(scope="module")
def secure() -> Iterator[Registry]:
    """Private too, over TLS."""
    with Registry.start(auth="basic", tls=True) as started:
        started.push_chart("shop/bundle", "bundle", "1.0.0")
        yield started


@pytest.fixture(scope="module")
def strict() -> Iterator[Registry]:
    """Lets nobody in without a client certificate."""
    with Registry.start(tls=True, wants_certificate=True) as started:
        started.push_chart("shop/bundle", "bundle", "1.0.0")
        yield started


def docker_config(directory: Path, registry: Registry) -> Path:
    auth = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    return directory


def manifest(directory: Path, registry: Registry, **access: Any) -> Path:
    watch = {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {
            "repository": f"{registry.host}/shop/bundle",
            "applications": [{"name": "shop"}],
            "access": access,
        },
    }
    (directory / "shop.json").write_text(json.dumps(watch))
    return directory / "shop.json"


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
    watch = manifest(tmp_path, registry)
    explained = call("explain", "-f", str(watch), "--tags-from", "-", "-o", "json", text=listed)
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
    assert " of 2025-12-31T23:50:00Z\n" in done.stdout
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
        pytest.param(["inspect", "{host}/cli/none:1", "--insecure"], "bundlewatch tags", 1, id="nothing of it"),
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
    secure: Registry, call: Call, tmp_path: Path, way: str
) -> None:
    listed = ["tags", f"{secure.host}/shop/bundle", "--ca-file", str(secure.ca_file)]

    match way:
        case "flags":
            done = call(*listed, "--username", secure.username, "--password-stdin", text=f"{secure.password}\n")
        case "environment":
            done = call(
                *listed,
                BUNDLEWATCH_REGISTRY_USERNAME=secure.username,
                BUNDLEWATCH_REGISTRY_PASSWORD=secure.password,
            )
        case _:
            done = call(*listed, DOCKER_CONFIG=str(docker_config(tmp_path, secure)))

    assert (done.returncode, done.stdout) == (0, "1.0.0\n"), done.stderr


@pytest.mark.parametrize("command", ["tags", "inspect", "explain"])
def test_dockers_login_never_goes_in_the_clear(private: Registry, call: Call, tmp_path: Path, command: str) -> None:
    config = str(docker_config(tmp_path, private))

    with private.recording() as asked:
        match command:
            case "explain":
                done = call("explain", "-f", str(manifest(tmp_path, private, insecure=True)), DOCKER_CONFIG=config)
            case _:
                tag = ":1.0.0" if command == "inspect" else ""
                done = call(command, f"{private.host}/shop/bundle{tag}", "--insecure", DOCKER_CONFIG=config)

    assert done.returncode == 2
    assert "no login was sent, since those of Docker's configuration do not go over plain HTTP" in done.stderr
    assert {request.status for request in asked.requests} == {401}


def test_a_login_that_was_typed_goes_where_it_was_told(private: Registry, call: Call) -> None:
    done = call(
        "tags",
        f"{private.host}/shop/bundle",
        "--insecure",
        "--username",
        private.username,
        "--password-stdin",
        text=private.password,
    )

    assert (done.returncode, done.stdout) == (0, "1.0.0\n"), done.stderr


@pytest.mark.parametrize("command", ["tags", "explain"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("{", "its Docker configuration is no JSON", id="no JSON"),
        pytest.param('{"auths": {"HOST": {"auth": "%"}}}', "auth is no Base64 text", id="no Base64"),
    ],
)
def test_a_docker_configuration_that_cannot_be_used_is_named_and_nobody_is_asked(
    secure: Registry, call: Call, tmp_path: Path, *, command: str, content: str, says: str
) -> None:
    (tmp_path / "config.json").write_text(content.replace("HOST", secure.host))
    of = [f"{secure.host}/shop/bundle"] if command == "tags" else ["-f", str(manifest(tmp_path, secure))]

    with secure.recording() as asked:
        done = call(command, *of, DOCKER_CONFIG=str(tmp_path))

    assert (done.returncode, done.stdout, asked.requests) == (2, "", [])
    assert f"bundlewatch: Docker's configuration {tmp_path}/config.json cannot be used" in done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(
    ("config", "says"),
    [
        pytest.param(None, "there is no {directory}/config.json", id="no file"),
        pytest.param({}, "{directory}/config.json has none for {host}", id="no entry"),
        pytest.param(
            {"auths": {"{host}": {}}, "credsStore": "desktop"},
            "leaves it to a program for {host}, docker-credential-desktop, which is not run here",
            id="one helper for all",
        ),
        pytest.param(
            {"credHelpers": {"{host}": "ecr-login", "other": "gcloud"}, "credsStore": "desktop"},
            "docker-credential-ecr-login",
            id="a helper for this one",
        ),
        pytest.param({"credHelpers": {"other": "gcloud"}}, "has none for {host}", id="a helper for another"),
    ],
)
def test_where_docker_has_no_login_that_can_be_used_a_refusal_says_why_none_was_sent(
    secure: Registry, call: Call, tmp_path: Path, config: Any, says: str
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config).replace("{host}", secure.host))

    done = call("tags", f"{secure.host}/shop/bundle", "--ca-file", str(secure.ca_file), DOCKER_CONFIG=str(tmp_path))

    assert done.returncode == 2
    assert "gives no access without credentials" in done.stderr
    assert "; no login was sent, since " in done.stderr
    assert says.format(host=secure.host, directory=tmp_path) in done.stderr


def test_a_client_certificate_is_given_by_flags_and_asked_for_by_their_names(strict: Registry, call: Call) -> None:
    assert strict.client is not None
    listed = ["tags", f"{strict.host}/shop/bundle", "--ca-file", str(strict.ca_file)]

    without = call(*listed)
    with_one = call(*listed, "--cert-file", str(strict.client.certificate), "--key-file", str(strict.client.key))

    assert "wants a client certificate; give one by --cert-file and --key-file" in without.stderr
    assert (with_one.returncode, with_one.stdout) == (0, "1.0.0\n"), with_one.stderr


def test_an_unknown_authority_is_named_by_its_flag(secure: Registry, call: Call) -> None:
    done = call("tags", f"{secure.host}/shop/bundle")

    assert done.returncode == 1
    assert "give that one's certificate by --ca-file" in done.stderr


def test_without_a_login_a_private_registry_says_what_it_wants(private: Registry, call: Call) -> None:
    done = call("tags", f"{private.host}/shop/bundle", "--insecure")

    assert (done.returncode, done.stdout) == (2, "")
    assert "gives no access without credentials" in done.stderr
    assert "--username" in done.stderr


def test_a_reference_of_tag_and_digest_is_one_where_they_agree(registry: Registry, call: Call) -> None:
    digest = registry.push_chart("cli/both", "both", "1.0.0")
    other = registry.push_chart("cli/both", "both", "1.0.1")
    repository = f"{registry.host}/cli/both"

    agreed = call("inspect", f"{repository}:1.0.0@{digest}", "--insecure", "-o", "json")
    moved = call("inspect", f"{repository}:1.0.0@{other}", "--insecure")

    assert (json.loads(agreed.stdout)["tag"], json.loads(agreed.stdout)["digest"]) == ("1.0.0", digest)
    assert (moved.returncode, moved.stdout) == (2, "")
    assert f"{repository}:1.0.0 is {digest} now, and not {other}" in moved.stderr


def test_a_chart_that_cannot_be_deployed_is_shown_and_says_why(registry: Registry, call: Call) -> None:
    config, layer = bundles.Blob(bundles.HELM_CONFIG, b"no JSON"), bundles.Blob(bundles.HELM_LAYER, b"an archive")
    registry.push("cli/spoilt", bundles.manifest(config, [layer], annotations={}), tag="1.0.0")

    done = call("inspect", f"{registry.host}/cli/spoilt:1.0.0", "--insecure")

    assert done.returncode == 0
    assert "Problem:     the chart config is no JSON\n" in done.stdout
    assert "Layers:      1\n" in done.stdout


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_what_a_terminal_has_no_character_for_is_an_escape(registry: Registry, call: Call, encoding: str) -> None:
    config, layer = bundles.Blob(bundles.HELM_CONFIG, b"{}"), bundles.Blob(bundles.HELM_LAYER, b"an archive")
    registry.push("cli/abroad", bundles.manifest(config, [layer], annotations={"team": "\u4e2d"}), tag="1.0.0")

    done = call("inspect", f"{registry.host}/cli/abroad:1.0.0", "--insecure", PYTHONIOENCODING=encoding)

    assert (done.returncode, done.stderr) == (0, "")
    assert ("  team: \u4e2d\n" if encoding == "utf-8" else "  team: \\u4e2d\n") in done.stdout


@pytest.fixture
def web(registry: Registry) -> Iterator[Proxy]:
    """Answers as it is told to."""
    with Proxy.start(registry.host) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("answer", "command", "code", "says"),
    [
        pytest.param(
            faults.Status(404, {"Content-Type": "text/html"}, b"<h1>Not found</h1>"),
            "inspect {host}/shop:1.0.0",
            1,
            "{host} does not have it (any more), and does not answer like a registry; list what there is",
            id="a web server",
        ),
        pytest.param(
            faults.Status(200, {"Content-Type": "text/html"}, b"<form>Log in</form>"),
            "inspect {host}/shop:1.0.0",
            1,
            "{host} sent a manifest that is no JSON; check that no proxy and no login page stands in front",
            id="a login page",
        ),
        pytest.param(
            faults.Status(200, {"Content-Type": "text/html"}, b"<form>Log in</form>"),
            "tags {host}/shop",
            1,
            "{host} sends a list of tags that is no JSON; check that no proxy and no login page stands in front",
            id="a login page for tags",
        ),
        pytest.param(
            faults.Status(401),
            "tags {host}/shop",
            2,
            "{host} does not say which login it wants (401), so none was sent; check that no proxy and no login page",
            id="401 and nothing more",
        ),
        pytest.param(
            faults.too_many_requests(retry_after="120"),
            "tags {host}/shop",
            1,
            "(429 TOOMANYREQUESTS: slow down, Retry-After: 120); if it does not pass, give it credentials with a "
            "higher limit (--username and --password-stdin)\n",
            id="429",
        ),
    ],
)
def test_what_went_wrong_is_told_with_the_cure(
    web: Proxy, call: Call, *, answer: faults.Fault, command: str, code: int, says: str
) -> None:
    web.fault(answer)

    done = call(*command.format(host=web.host).split(), "--insecure")

    assert (done.returncode, done.stdout) == (code, "")
    assert says.format(host=web.host) in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("left", [3, 73])
def test_what_is_left_of_a_quota_is_one_line(registry: Registry, web: Proxy, call: Call, left: int) -> None:
    registry.push_chart("cli/quota", "quota", "1.0.0")
    headers = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": f"{left};w=21600"}
    web.fault(
        faults.Lie(lambda true: faults.Response(true.status, {**true.headers, **headers}, true.body)),
    )

    done = call("inspect", f"{web.host}/cli/quota:1.0.0", "--insecure")

    hint = "; a login may have a higher limit" if left == 3 else ""
    assert done.returncode == 0
    assert done.stderr == f"bundlewatch: {web.host} allows {left} more of 100 pulls in 6 h{hint}\n"


def test_a_chart_whose_archive_cannot_be_had_just_now_is_shown(registry: Registry, web: Proxy, call: Call) -> None:
    registry.push_chart("cli/half", "half", "1.0.0")
    whole = json.loads(call("inspect", f"{registry.host}/cli/half:1.0.0", "--insecure", "-o", "json").stdout)
    web.fault(faults.Status(503), when=lambda request: request.path.endswith(whole["layers"][0]["digest"]))

    done = call("inspect", f"{web.host}/cli/half:1.0.0", "--insecure")

    assert done.returncode == 0
    assert "Chart:       half 1.0.0\n" in done.stdout
    assert f"{web.host} cannot serve just now (503)\n" in done.stdout


def test_a_size_that_cannot_be_is_no_traceback(web: Proxy, call: Call) -> None:
    layer = b'{"mediaType":"x","digest":"y","size":%b}' % (b"9" * 4300)
    web.fault(faults.Status(200, {}, b'{"schemaVersion":2,"config":{},"layers":[%b,%b]}' % (layer, layer)))

    done = call("inspect", f"{web.host}/shop:1.0.0", "--insecure")

    assert (done.returncode, done.stderr) == (0, "")
    assert "  y             0 bytes  x\n" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["tags", "{host}/cli/full", "--insecure"],
        ["tags", "{host}/cli/full", "--insecure", "-o", "json"],
        ["inspect", "{host}/cli/full:1.0.0", "--insecure"],
        ["crd"],
        ["completion", "bash"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_a_full_disk_is_told_in_a_line(registry: Registry, arguments: list[str]) -> None:
    registry.push_chart("cli/full", "full", "1.0.0")

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, *(argument.format(host=registry.host) for argument in arguments)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == (
        "bundlewatch: standard output cannot be written to: No space left on device; what is there is not complete\n"
    )


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
