"""Flags, environment and files that cannot be a login are told by their names, before anybody is asked."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bundlewatch.cli import main
from kit.certificates import issue_client

REPOSITORY = "registry.invalid/shop"
NOT_UTF_8 = b"pass\xffword"


def tags(*arguments: str, text: str | bytes = "") -> Result:
    return CliRunner().invoke(main, ["tags", REPOSITORY, *arguments], input=text)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"BUNDLEWATCH_REGISTRY_{name}", raising=False)


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        pytest.param(["--username", "robot"], "", "--username needs a password", id="no password"),
        pytest.param(["--username", "robot", "--password-stdin"], "", "--password-stdin: nothing comes", id="empty"),
        pytest.param(["--username", "robot", "--password-stdin"], "\n", "--password-stdin: nothing comes", id="a line"),
        pytest.param(["--password-stdin"], "secret", "a password needs a user name", id="no user name"),
        pytest.param(["--username", "a:b", "--password-stdin"], "secret", "--username has a colon", id="a colon"),
        pytest.param(["--username", "a\nb", "--password-stdin"], "secret", "--username has a colon", id="a line end"),
        pytest.param(["--username", "a", "--password-stdin"], NOT_UTF_8, "no text in UTF-8", id="not UTF-8"),
    ],
)
def test_half_a_login_is_a_mistake(arguments: list[str], text: str | bytes, says: str) -> None:
    done = tags(*arguments, text=text)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("bundlewatch: ")
    assert says in done.stderr


def test_a_password_of_other_bytes_in_the_environment_is_a_mistake_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUNDLEWATCH_REGISTRY_USERNAME", "robot")
    monkeypatch.setenv("BUNDLEWATCH_REGISTRY_PASSWORD", NOT_UTF_8.decode(errors="surrogateescape"))

    done = tags()

    assert done.exit_code == 2
    assert "the password in BUNDLEWATCH_REGISTRY_PASSWORD is no text in UTF-8" in done.stderr
    assert "word" not in done.stderr.replace("password", "")


def test_a_user_name_of_other_bytes_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLEWATCH_REGISTRY_USERNAME", NOT_UTF_8.decode(errors="surrogateescape"))

    assert tags("--password-stdin", text="secret").exit_code == 2


@pytest.mark.parametrize("flag", ["--ca-file", "--cert-file", "--key-file"])
def test_a_file_that_cannot_be_read_is_named_with_its_flag(flag: str, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        done = tags(flag, str(path))

        assert (done.exit_code, done.stderr) == (2, f"bundlewatch: {flag} {path}: {why}\n")


def test_a_file_of_no_authorities_is_named_with_its_flag() -> None:
    done = tags("--ca-file", "/dev/null")

    assert done.exit_code == 2
    assert "bundlewatch: --ca-file /dev/null: " in done.stderr
    assert "spec." not in done.stderr


def test_plain_http_has_no_certificates() -> None:
    done = tags("--insecure", "--ca-file", "/dev/null")

    assert done.exit_code == 2
    assert "leave out --insecure, or --ca-file" in done.stderr


def test_a_client_certificate_needs_both_files_and_they_must_belong_together(tmp_path: Path) -> None:
    one, other = issue_client(tmp_path / "one"), issue_client(tmp_path / "other")

    half = tags("--cert-file", str(one.certificate))
    mixed = tags("--cert-file", str(one.certificate), "--key-file", str(other.key))
    empty = tags("--cert-file", "/dev/null", "--key-file", str(one.key))

    assert (half.exit_code, mixed.exit_code, empty.exit_code) == (2, 2, 2)
    assert "needs both --cert-file and --key-file" in half.stderr
    assert f"--cert-file {one.certificate} and --key-file {other.key}: the two do not belong together" in mixed.stderr
    assert "and --key-file" in empty.stderr
    assert "spec." not in mixed.stderr + empty.stderr


def test_proxies_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    done = tags()

    assert done.exit_code == 1
    assert "the proxy http://127.0.0.1:1 refused the connection; check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the" in (
        done.stderr
    )


def test_a_login_in_the_reference_is_not_repeated_and_its_flag_is_named() -> None:
    done = CliRunner().invoke(main, ["tags", "oci://robot:hunter2@registry.invalid/shop"])

    assert done.exit_code == 2
    assert "hunter2" not in done.stderr
    assert "give it by --username" in done.stderr
