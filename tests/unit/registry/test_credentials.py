"""Credentials: read from every kind of Secret, and never shown."""

import base64
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Mapping

import pytest

from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.access import Access
from bundlewatch.registry.credentials import ANONYMOUS, Credential
from bundlewatch.registry.reference import parse_repository

REPOSITORY = parse_repository("registry.example.com/team/app")
AUTHS = {"registry.example.com": {"auth": base64.b64encode(b"robot:s3cret").decode()}}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": json.dumps({"auths": AUTHS}).encode()}),
        ("kubernetes.io/dockercfg", {".dockercfg": json.dumps(AUTHS).encode()}),
        ("kubernetes.io/basic-auth", {"username": b"robot", "password": b"s3cret"}),
        ("kubernetes.io/basic-auth", {"username": b"robot\n", "password": b"s3cret\n"}),
        ("Opaque", {"username": b"robot", "password": b"s3cret"}),
        ("Opaque", {".dockerconfigjson": json.dumps({"auths": AUTHS}).encode()}),
        ("", {"username": b"robot", "password": b"s3cret"}),
    ],
    ids=["dockerconfigjson", "dockercfg", "basic-auth", "line ends", "opaque pair", "opaque config", "untyped"],
)
def test_every_kind_of_secret_gives_the_same_credential(kind: str, data: Mapping[str, bytes]) -> None:
    assert Credential.from_secret(kind, data, repository=REPOSITORY) == Credential(username="robot", password="s3cret")


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("kubernetes.io/dockerconfigjson", {"config.json": b"s3cret"}, "lacks the key .dockerconfigjson .*config.json"),
        ("kubernetes.io/dockercfg", {}, "lacks the key .dockercfg .*no key at all"),
        ("kubernetes.io/basic-auth", {"username": b"s3cret"}, r"lacks the key password \(it has username\)"),
        ("Opaque", {"user": b"s3cret", "pass": b"s3cret"}, r"lacks the key username \(it has pass, user\)"),
        ("kubernetes.io/basic-auth", {"username": b"robot", "password": b"\n"}, "password is empty"),
        ("kubernetes.io/basic-auth", {"username": b"ro:s3cret", "password": b"x"}, "colon"),
        ("kubernetes.io/basic-auth", {"username": b"ro\ts3cret", "password": b"x"}, "control character"),
        ("kubernetes.io/basic-auth", {"username": b"robot", "password": b"s3cret\xff"}, "password is not UTF-8"),
        ("kubernetes.io/tls", {"tls.crt": b"s3cret"}, "type kubernetes.io/tls holds no registry credentials"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": b"s3cret"}, "is no JSON"),
        (
            "kubernetes.io/dockerconfigjson",
            {".dockerconfigjson": rb'{"auths": {"registry.example.com": {"password": "s3cret\ud800"}}}'},
            r"registry\.example\.com, password is no UTF-8 text",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_secret_that_cannot_be_used_says_which_keys(kind: str, data: Mapping[str, bytes], message: str) -> None:
    with pytest.raises(InvalidSecret, match=message) as error:
        Credential.from_secret(kind, data, repository=REPOSITORY)
    assert "s3cret" not in str(error.value)


def test_no_entry_for_the_registry_says_which_there_are() -> None:
    data = {".dockerconfigjson": json.dumps({"auths": AUTHS}).encode()}
    with pytest.raises(InvalidSecret, match=r"no entry for other\.example/app, only for registry\.example\.com"):
        Credential.from_secret("kubernetes.io/dockerconfigjson", data, repository=parse_repository("other.example/app"))


def test_a_credential_does_not_show_itself() -> None:
    credential = Credential("robot-name", "s3cret", "identity", "bearer")
    for shown in (
        repr(credential),
        str(credential),
        f"{credential}",
        repr(Access(credential, b"PEM")),
        repr([credential]),
    ):
        assert not any(secret in shown for secret in ("robot-name", "s3cret", "identity", "bearer", "PEM"))


def test_fingerprints_tell_credentials_apart() -> None:
    credentials = [
        ANONYMOUS,
        Credential("a", "b"),
        Credential("ab", ""),
        Credential("", "ab"),
        Credential("a", "", "b"),
        Credential("a", "", "", "b"),
        Credential("a", "b", "", ""),
    ]
    assert len({credential.fingerprint for credential in credentials}) == len(credentials) - 1
    assert Credential("a", "b").fingerprint == Credential("a", "b").fingerprint
    assert copy.deepcopy(Credential("a", "b")) == pickle.loads(pickle.dumps(Credential("a", "b")))


def test_a_fingerprint_cannot_be_tried_against_in_another_process() -> None:
    code = "from bundlewatch.registry.credentials import Credential; print(Credential('a', 'b').fingerprint)"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there
    assert there != Credential("a", "b").fingerprint


def test_half_a_character_breaks_nothing_that_hides_or_sends_it() -> None:
    credential = Credential(username="robot", password="pass\udcffword")

    assert "pass\udcffword" in credential.secret_texts
    assert "pass%ED%B3%BFword" in credential.secret_texts
    assert credential.basic.startswith("Basic ")


@pytest.mark.parametrize(("password", "says"), [(b"", "put the password there"), (b"\xff", "write it in UTF-8")])
def test_the_cure_of_a_password_fits_every_kind_of_secret(password: bytes, says: str) -> None:
    with pytest.raises(InvalidSecret, match=rf"^its key password is .*; {says}$"):
        Credential.from_secret(
            "kubernetes.io/basic-auth", {"username": b"robot", "password": password}, repository=REPOSITORY
        )
