"""What a registry is told about who asks, and how a Kubernetes Secret says it.

A credential never shows itself: not in `repr`, not in an error. Its fingerprint tells two apart without
telling what they are. Knows nothing of where Secrets are kept. Rules: Kubernetes' Secret types, Docker's
configuration file (`docker_config`).
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote

from bundlewatch.errors import InvalidSecret
from bundlewatch.registry import docker_config
from bundlewatch.registry.docker_config import ConfigError, NoEntryError
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.untrusted import clean

# Drawn anew by every process, so that nobody can try passwords against a fingerprint seen in a log.
_FINGERPRINT_KEY: Final = secrets.token_bytes(32)

DOCKER_CONFIG_KEY: Final = ".dockerconfigjson"
DOCKER_CONFIG_OLD_KEY: Final = ".dockercfg"
# Half a surrogate pair is no text, and who hands one in is told so elsewhere; nothing here may break on it.
_HALVES: Final = "surrogatepass"
_CURE: Final = (
    "use `kubectl create secret docker-registry`, or a Secret of type kubernetes.io/basic-auth with the keys "
    "username and password"
)


class NoEntry(InvalidSecret):
    """A Docker configuration that can be used, and has no entry for the repository; another source may."""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """One way to identify; everything empty is anonymous."""

    username: str = ""
    password: str = ""
    identity_token: str = ""  # an OAuth2 refresh token, exchanged for access tokens
    registry_token: str = ""  # an access token as it stands
    identity: str = ""
    """Who it stands for, where that outlives it: a token that is renewed every hour shows the same as before."""

    source: str = field(default="", compare=False)
    """Where to look when it is refused; fits after "check". Of an anonymous one a sentence: why there is none."""

    fit: tuple[int, bool, int] = field(default=(0, False, 0), compare=False)
    """Of a Docker configuration: how exactly its entry is for the repository, the greater the better."""

    fingerprint: str = field(init=False, compare=False)  # equal for equal credentials, in this process only

    def __post_init__(self) -> None:
        digest = hashlib.blake2b(key=_FINGERPRINT_KEY, digest_size=16)
        secrets_of_it = (self.username, self.password, self.identity_token, self.registry_token)
        for part in (self.identity, *(() if self.identity else secrets_of_it)):
            content = part.encode(errors=_HALVES)
            digest.update(len(content).to_bytes(8, "big") + content)
        object.__setattr__(self, "fingerprint", digest.hexdigest())

    @classmethod
    def from_secret(cls, secret_type: str, data: Mapping[str, bytes], *, repository: Repository) -> Self:
        """The credential a Secret holds for a repository.

        `data` is decoded from Base64 already. Raises InvalidSecret, which names the keys that are missing and
        the keys that are there; the caller adds the Secret's name.
        """
        match secret_type:
            case "kubernetes.io/dockerconfigjson":
                return cls._of(_value(data, DOCKER_CONFIG_KEY), repository, old=False)
            case "kubernetes.io/dockercfg":
                return cls._of(_value(data, DOCKER_CONFIG_OLD_KEY), repository, old=True)
            case "kubernetes.io/basic-auth":
                return cls._basic(data)
            case "Opaque" | "":
                if DOCKER_CONFIG_KEY in data:
                    return cls._of(data[DOCKER_CONFIG_KEY], repository, old=False)
                return cls._basic(data)
            case _:
                raise InvalidSecret(f"its type {clean(secret_type, 80)} holds no registry credentials; {_CURE}")

    @classmethod
    def from_pull_secret(cls, secret_type: str, data: Mapping[str, bytes], *, repository: Repository) -> Self:
        """The same of one that Pods pull with: as for the kubelet, only a Docker configuration counts.

        A plain user name and password would go to whatever host a BundleWatch names. Raises NoEntry too.
        """
        if secret_type not in {"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"}:
            raise InvalidSecret(
                f"its type {clean(secret_type, 80)} is none that Pods pull with; "
                "make it with `kubectl create secret docker-registry`"
            )
        return cls.from_secret(secret_type, data, repository=repository)

    @classmethod
    def from_docker_config(cls, content: bytes, *, repository: Repository) -> Self:
        """The credential that a Docker configuration (`config.json`) holds. Raises InvalidSecret, or NoEntry."""
        return cls._of(content, repository, old=False)

    @property
    def is_anonymous(self) -> bool:
        return not (self.username or self.password or self.identity_token or self.registry_token)

    @property
    def cure(self) -> str:
        """What to do when it is refused."""
        if self.is_anonymous:
            why = f"{self.source}; " if self.source else ""
            return (
                f"{why}name a Secret with them in spec.access.secretRef, or check the repository's name: one that does "
                "not exist can look like this"
            )
        source = self.source or "the Secret that spec.access.secretRef names"
        return f"check {source}, that it may pull from this repository, and the repository's name"

    @property
    def has_password(self) -> bool:
        return bool(self.username or self.password)

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header for the Basic scheme."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode(errors=_HALVES)).decode("ascii")

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """Every spelling of a secret that an answer could echo; for hiding it. User names are kept secret too:
        with some registries the token goes there.
        """
        plain = [text for text in (self.password, self.identity_token, self.registry_token, self.username) if text]
        spelled = [quote(text, safe="", errors=_HALVES) for text in plain]
        encoded = [self.basic.removeprefix("Basic ")] if self.has_password else []
        return (*encoded, *plain, *spelled)

    def __repr__(self) -> str:
        kind = "anonymous" if self.is_anonymous else "secret"
        return f"Credential({kind}, fingerprint={self.fingerprint})"

    @classmethod
    def _of(cls, content: bytes, repository: Repository, *, old: bool) -> Self:
        try:
            entry = docker_config.find(docker_config.entries(content, old=old), repository)
        except NoEntryError as error:
            raise NoEntry(str(error)) from None
        except ConfigError as error:
            raise InvalidSecret(str(error)) from None
        return cls(
            username=entry.username,
            password=entry.password,
            identity_token=entry.identity_token,
            registry_token=entry.registry_token,
            fit=entry.fit,
        )

    @classmethod
    def _basic(cls, data: Mapping[str, bytes]) -> Self:
        username, password = _text(data, "username"), _text(data, "password")
        if ":" in username or not username.isprintable():
            raise InvalidSecret("its username has a colon or a control character in it; remove it")
        if not password:
            raise InvalidSecret("its key password is empty; put the password there")
        return cls(username=username, password=password)


ANONYMOUS: Final = Credential()


def _value(data: Mapping[str, bytes], key: str) -> bytes:
    if key not in data:
        found = ", ".join(sorted(clean(name, 60) for name in data)[:10]) or "no key at all"
        raise InvalidSecret(f"it lacks the key {key} (it has {found}); {_CURE}")
    return data[key]


def _text(data: Mapping[str, bytes], key: str) -> str:
    try:
        # `echo secret | base64` and editors leave a line end that belongs to no password.
        return _value(data, key).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise InvalidSecret(f"its key {key} is not UTF-8 text; write it in UTF-8") from None
