"""Reads Docker's configuration file and finds the entry for a repository.

Where the Docker CLI, the kubelet and containers/image differ, the kubelet's globs are taken with prefixes that
end at component boundaries: `*` stands for text within one label of the host, the port must match, the longest
path wins, then an exact host before a glob, then what comes first. Knows nothing of Kubernetes. Credential
helpers name programs of somebody's laptop and are no use here.
"""

import base64
import binascii
import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass

from bundlewatch.registry.reference import DOCKER_HUB, DOCKER_HUB_NAMES, Repository
from bundlewatch.registry.untrusted import clean

_SHOWN_HOSTS = 5
_VERSIONS = (("v1",), ("v2",))
_LOGINS = ("auth", "username", "password", "identitytoken", "registrytoken")


class ConfigError(ValueError):
    """The file, or the entry that is needed, cannot be used; the message names keys and never values."""


class NoEntryError(ConfigError):
    """The file is well-formed and says nothing about the repository; another one may."""


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    username: str
    password: str
    identity_token: str
    registry_token: str
    fit: tuple[int, bool, int]  # how exactly its key is for the repository, the greater the better


@dataclass(frozen=True, slots=True, repr=False)
class Config:
    entries: Mapping[str, Mapping[str, object]]
    has_helpers: bool


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """A key of the file, such as `https://index.docker.io/v1/`, `reg:5000/team` or `*.example.com`."""

    host: str
    port: str
    path: tuple[str, ...]

    @classmethod
    def parse(cls, key: str) -> "KeyPattern":
        _, separator, rest = key.partition("://")
        authority, _, path = (rest if separator else key).partition("/")
        parts = tuple(part for part in path.split("/") if part)
        host, port = _split_port(authority.lower())
        if host in DOCKER_HUB_NAMES:
            host = DOCKER_HUB
        return cls(host, "" if port == "443" else port, parts)

    def rank(self, repository: Repository) -> tuple[int, bool, int] | None:
        """How well it fits, the greater the better; None: not at all."""
        host, port = _split_port(repository.host)
        labels, wanted = host.split("."), self.host.split(".")
        if port != self.port or len(labels) != len(wanted):
            return None
        globbed = "*" in self.host and all(map(fnmatch.fnmatchcase, labels, wanted))
        if host != self.host and not globbed:
            return None
        # An API's version may stand before the path, as in `https://index.docker.io/v1/`, and be no part of it.
        for path in (self.path, self.path[1:] if self.path[:1] in _VERSIONS else self.path):
            if tuple(repository.path.split("/"))[: len(path)] == path:
                return len(path), host == self.host, len(self.host)
        return None


def entries(content: bytes, *, old: bool) -> Config:
    """`old` is the format of `.dockercfg`, without `auths` around the entries. Raises ConfigError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigError("its Docker configuration is no JSON") from None
    auths = document if old else document.get("auths", {}) if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        raise ConfigError("its Docker configuration is no object" + ("" if old else ' with an object "auths"'))
    # `{}` is what a credential helper leaves behind, and old Docker an e-mail address.
    used = {key: entry for key, entry in auths.items() if isinstance(entry, dict) and any(map(entry.get, _LOGINS))}
    helpers = not old and bool(document.get("credHelpers") or document.get("credsStore"))
    return Config(used, helpers)


def find(config: Config, repository: Repository) -> Entry:
    """The entry for a repository; raises NoEntryError when none fits, ConfigError when one does and is malformed."""
    best: tuple[tuple[int, bool, int], str] | None = None
    for key in config.entries:
        rank = KeyPattern.parse(key).rank(repository)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, key
    if best is None:
        raise NoEntryError(_nothing_for(config, repository))
    fit, key = best
    return _entry(key, config.entries[key], fit=fit)


def _nothing_for(config: Config, repository: Repository) -> str:
    keys = [clean(key, 80) for key in config.entries]
    shown = ", ".join(keys[:_SHOWN_HOSTS]) + (f" and {len(keys) - _SHOWN_HOSTS} more" if keys[_SHOWN_HOSTS:] else "")
    helpers = "; its credential helpers are programs and cannot be used here" if config.has_helpers else ""
    return f"it has no entry for {repository}, only for {shown or 'no registry at all'}{helpers}; add one"


def _entry(key: str, entry: Mapping[str, object], *, fit: tuple[int, bool, int]) -> Entry:
    username, password = _string(key, entry, "username"), _string(key, entry, "password")
    auth = _string(key, entry, "auth")
    if auth:
        username, password = _decoded(key, auth)
    identity, bearer = _token(key, entry, "identitytoken"), _token(key, entry, "registrytoken")
    return Entry(username, password, identity, bearer, fit)


def _decoded(key: str, auth: str) -> tuple[str, str]:
    text = "".join(auth.split()).rstrip("=")
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ConfigError(_malformed(key, "auth", "is no Base64 text")) from None
    username, colon, password = plain.rstrip("\0\r\n").partition(":")
    if not colon:
        raise ConfigError(_malformed(key, "auth", "has no colon between user name and password"))
    return username, password


def _string(key: str, entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name) or ""
    if not isinstance(value, str):
        raise ConfigError(_malformed(key, name, "is no text"))
    try:
        value.encode()  # JSON can spell half a surrogate pair, which no header can carry
    except UnicodeEncodeError:
        raise ConfigError(_malformed(key, name, "is no UTF-8 text")) from None
    return value


def _token(key: str, entry: Mapping[str, object], name: str) -> str:
    token = _string(key, entry, name)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(_malformed(key, name, "is no token"))
    return token


def _malformed(key: str, name: str, problem: str) -> str:
    return f"in its entry for {clean(key, 80)}, {name} {problem}; log in and make it again"


def _split_port(authority: str) -> tuple[str, str]:
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and "]" not in port else (authority, "")
