"""Docker's configuration file: which entry is for which repository, and what is in it."""

import base64
import json
from typing import Any

import pytest

from bundlewatch.registry.docker_config import ConfigError, Entry, entries, find
from bundlewatch.registry.reference import parse_repository
from unit.registry.hard_cases import rows

REPOSITORY = parse_repository("registry.example.com/team/app")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def found(entry: dict[str, object], *, old: bool = False) -> Entry:
    auths = {"registry.example.com": entry}
    return find(entries(json.dumps(auths if old else {"auths": auths}).encode(), old=old), REPOSITORY)


@pytest.mark.parametrize("case", rows("docker_config_keys", identify="keys"))
def test_the_entry_that_fits_best_is_used(case: dict[str, Any]) -> None:
    auths = {key: {"username": f"user of {key}", "password": "x"} for key in case["keys"]}
    config = entries(json.dumps({"auths": auths}).encode(), old=False)
    repository = parse_repository(case["repository"])
    if case["chosen"] is None:
        with pytest.raises(ConfigError, match="no entry for"):
            find(config, repository)
    else:
        assert find(config, repository).username == f"user of {case['chosen']}"


@pytest.mark.parametrize(
    ("entry", "username", "password"),
    [
        ({"auth": encoded("robot:s3cret")}, "robot", "s3cret"),
        ({"auth": encoded("robot:s3cret").rstrip("=")}, "robot", "s3cret"),
        ({"auth": encoded("robot:a:b:c")}, "robot", "a:b:c"),
        ({"auth": encoded("robot:s3cret\n")}, "robot", "s3cret"),
        ({"auth": encoded("robot:s3cret\0\0")}, "robot", "s3cret"),
        ({"auth": encoded("robot:s3cret")[:6] + "\n" + encoded("robot:s3cret")[6:]}, "robot", "s3cret"),
        ({"username": "robot", "password": "s3cret"}, "robot", "s3cret"),
        ({"auth": encoded("robot:s3cret"), "username": "x", "password": "y"}, "robot", "s3cret"),
        ({"auth": "", "username": "robot", "password": "s3cret"}, "robot", "s3cret"),
        ({"username": "_json_key", "password": '{\n "a": 1\n}'}, "_json_key", '{\n "a": 1\n}'),
    ],
    ids=[
        "auth",
        "no padding",
        "colons in the password",
        "a line end of echo",
        "NULs of old Docker",
        "wrapped",
        "two fields",
        "auth before fields",
        "empty auth",
        "key of a Google account",
    ],
)
@pytest.mark.parametrize("old", [False, True], ids=["dockerconfigjson", "dockercfg"])
def test_user_and_password_are_read(entry: dict[str, object], username: str, password: str, *, old: bool) -> None:
    read = found(entry, old=old)
    assert (read.username, read.password) == (username, password)


def test_tokens_are_read() -> None:
    read = found({"identitytoken": "refresh", "registrytoken": "bearer"})
    assert (read.identity_token, read.registry_token) == ("refresh", "bearer")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"auth": "!!!"}, "auth is no Base64"),
        ({"auth": encoded("s3cret-without-colon")}, "auth has no colon"),
        ({"auth": base64.b64encode(b"\xff\xfe:\xff").decode()}, "auth is no Base64"),
        ({"auth": 17}, "auth is no text"),
        ({"username": ["s3cret"]}, "username is no text"),
        ({"username": "s3cret\ud800", "password": "x"}, "username is no UTF-8 text"),
        ({"username": "robot", "password": "s3cret\udfff"}, "password is no UTF-8 text"),
        ({"registrytoken": "s3cret\r\nX-Header: y"}, "registrytoken is no token"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_malformed_entry_is_named_without_its_values(entry: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        found(entry)
    assert "s3cret" not in str(error.value)
    assert "registry.example.com" in str(error.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "is no object"),
        (b'{"auths": []}', "is no object"),
        (b"{}", "only for no registry at all"),
        (b'{"auths": {"registry.example.com": {}}}', "only for no registry at all"),
        (b'{"auths": {"registry.example.com": {"email": "ci@example.com"}}}', "only for no registry at all"),
        (b'{"credsStore": "desktop", "auths": {"registry.example.com": {}}}', "credential helpers are programs"),
        (b'{"auths": {"other.example": {"auth": "x"}}}', "only for other.example"),
    ],
)
def test_what_cannot_be_used_says_so(content: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        find(entries(content, old=False), REPOSITORY)
