"""The login of Docker's configuration: there, not there, or in a file that must be mended."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from bundlewatch.cli import docker_login
from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.reference import parse_repository

REPOSITORY = parse_repository("registry.example.com/shop")
AUTH = {"auth": base64.b64encode(b"robot:secret").decode()}


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_an_entry_for_the_repository_is_the_login(file: Path) -> None:
    file.write_text(json.dumps({"auths": {"registry.example.com": AUTH}}))

    found = docker_login.find(REPOSITORY)

    assert (found.username, found.password, found.source) == ("robot", "secret", f"the login for it in {file}")


def test_without_the_variable_it_is_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {"registry.example.com": AUTH}}))

    assert docker_login.find(REPOSITORY).username == "robot"


def test_a_file_that_is_not_there_and_a_home_that_is_none_are_no_login(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    assert docker_login.find(REPOSITORY).source == f"no login was sent, since there is no {file}"

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setattr(Path, "home", homeless)
    found = docker_login.find(REPOSITORY)
    assert found.is_anonymous
    assert "nobody has a home here" in found.source


def test_an_empty_file_is_one_without_entries(file: Path) -> None:
    file.write_text("\n")

    assert docker_login.find(REPOSITORY).source.endswith("has none for registry.example.com")


@pytest.mark.parametrize(
    ("config", "why"),
    [
        pytest.param({}, "has none for registry.example.com", id="nothing"),
        pytest.param({"auths": {"other.example.com": AUTH}}, "has none for registry.example.com", id="another's"),
        pytest.param({"credsStore": "desktop"}, "docker-credential-desktop, which is not run here", id="for all"),
        pytest.param(
            {"credsStore": "desktop", "credHelpers": {"https://registry.example.com": "pass"}},
            "docker-credential-pass,",
            id="for this one",
        ),
        pytest.param({"credHelpers": {"other.example.com": "pass"}}, "has none for", id="for another"),
        pytest.param({"credHelpers": ["pass"], "credsStore": 5}, "has none for", id="nonsense"),
    ],
)
def test_where_no_entry_is_it_says_who_has_the_login(file: Path, config: Any, why: str) -> None:
    file.write_text(json.dumps(config))

    found = docker_login.find(REPOSITORY)

    assert found.is_anonymous
    assert found.source.startswith(f"no login was sent, since {file} ")
    assert why in found.source


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"auths": []}', '{"auths": {"registry.example.com": {"auth": "%"}}}', "[" * 100_000],
    ids=["half", "list", "auths a list", "no Base64", "nested without end"],
)
def test_a_file_that_cannot_be_used_is_named(file: Path, content: str) -> None:
    file.write_text(content)

    with pytest.raises(InvalidSecret, match=f"^Docker's configuration {file} cannot be used; mend it"):
        docker_login.find(REPOSITORY)


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.mkdir()

    with pytest.raises(InvalidSecret, match=f"^Docker's configuration {file} cannot be used; .*: Is a directory$"):
        docker_login.find(REPOSITORY)
