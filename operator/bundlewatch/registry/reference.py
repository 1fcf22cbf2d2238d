"""What a person writes to name a repository, a tag or a digest, and what it stands for.

One parser for all of it; it refuses with what is wrong and what to write instead. Knows no registry's habits
but Docker Hub's names. Rules: distribution/reference grammar, OCI distribution specification §"Pull".
Patterns are ASCII-only, matched in full and linear in the text's length.
"""

import ipaddress
import re
from dataclasses import dataclass

from bundlewatch.errors import InvalidReference
from bundlewatch.registry.untrusted import clean

DOCKER_HUB = "docker.io"
_DOCKER_HUB_API = "registry-1.docker.io"
DOCKER_HUB_NAMES = frozenset({DOCKER_HUB, "index.docker.io", _DOCKER_HUB_API, "registry.hub.docker.com"})

_MAX_LENGTH = 255  # host and path together, as most clients and registries hold it
_SHOWN = 120
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_TAGS = re.compile(rf"{_TAG.pattern}(?:\n{_TAG.pattern})*+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_DIGESTS = ("sha256:", "sha512:")
_EXAMPLE = "such as registry.example.com/team/app"


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def tags_among(names: list[str]) -> list[str]:
    """Those that are tags; of a page of a thousand, where nearly always all are, in a fifth of the time."""
    together = "\n".join(names)
    if together.count("\n") == len(names) - 1 and _TAGS.fullmatch(together) is not None:
        return names
    return list(filter(is_tag, names))


def is_digest(text: str) -> bool:
    """A sha256 or sha512 digest; other algorithms cannot be verified here, so they are none."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository's canonical name; `str()` gives `host[:port]/path`."""

    host: str  # lower-case; with its port unless that is 443; Docker Hub is docker.io, whatever was written
    path: str

    @property
    def api_host(self) -> str:
        """Where the API is: the host, but for Docker Hub."""
        return _DOCKER_HUB_API if self.host == DOCKER_HUB else self.host

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository with a tag, a digest, both or neither."""

    repository: Repository
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}@{self.digest}" if self.digest else f"{self.repository}{tag}"


def parse_repository(text: str) -> Repository:
    """A repository without tag and digest, `oci://` before it or not; raises InvalidReference with the cure."""
    name, tag, digest = _split(text)
    if digest is not None:
        raise _invalid(text, "it names a digest; write the repository alone, without what follows the @")
    if tag is not None and _is_port(tag) and "/" not in name:
        raise _invalid(text, f"if {tag} is a port, the path is missing; if it is a tag, remove it; {_EXAMPLE}")
    if tag is not None:
        raise _invalid(text, "it names a tag; write the repository alone, without what follows the last colon")
    return _repository(name, text)


def parse_host(text: str) -> str:
    """A registry's host alone, as `Repository.host` has it; raises InvalidReference with the cure."""
    if text.isascii() and text.isprintable() and not set(text) & set(" /@"):
        try:
            return _host(text, text)
        except InvalidReference:
            pass
    raise InvalidReference(
        f"{clean(without_login(text), _SHOWN)!r} is no host of a registry: write it alone, with its port unless that "
        "is 443, such as registry.example.com or registry.example.com:5000"
    )


def parse_reference(text: str) -> Reference:
    """A repository with an optional tag and digest; raises InvalidReference with the cure."""
    name, tag, digest = _split(text)
    if tag is not None and not is_tag(tag):
        raise _invalid(text, "what follows the last colon is no tag: 1 to 128 of letters, digits, _ . and -")
    if digest is not None and not is_digest(digest):
        raise _invalid(text, "what follows the @ is no digest: write sha256: and 64 lower-case hex digits")
    return Reference(repository=_repository(name, text), tag=tag, digest=digest)


def without_login(text: str) -> str:
    """What may be shown of a name that somebody wrote, whatever it is: before an @ may stand a password, also one with
    an @ or a slash in it. Only what stands before a digest is known to be none.
    """
    name, at, digest = text.rpartition("@")
    if not at or not digest.startswith(_DIGESTS):
        name, at, digest = text, "", ""
    _, login, rest = name.rpartition("@")
    return f"{'…@' if login else ''}{rest}{at}{digest}"


def _split(text: str) -> tuple[str, str | None, str | None]:
    """Name, tag and digest as written; only what no part can have is refused here."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _invalid(text, "it has white space, or characters outside ASCII; remove them")
    rest = text[len("oci://") :] if text[: len("oci://")].lower() == "oci://" else text
    if "://" in rest:
        raise _invalid(text, f"only oci:// may stand before it; write host/path, {_EXAMPLE}")
    name, at, digest = rest.partition("@")
    if at and "/" in digest:
        raise _invalid(text, "it carries a user name; remove it, credentials come from a Secret")
    if at and not digest.startswith(_DIGESTS):
        raise _invalid(
            text,
            "what follows the @ is no digest: write sha256: and 64 lower-case hex digits; if a user name stands before "
            "the @, remove it, credentials come from a Secret",
        )
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag or "]" in tag:  # a port, or a part of an IPv6 address
        return name, None, digest if at else None
    return head, tag, digest if at else None


def _repository(name: str, text: str) -> Repository:
    if not name:
        raise _invalid(text, f"it names no repository; write host/path, {_EXAMPLE}")
    first, slash, rest = name.partition("/")
    if slash and _is_host(first):
        host, path = _host(first, text), rest
    elif not slash and _is_host(first):
        raise _invalid(text, f"the path is missing: write host/path, {_EXAMPLE}")
    else:
        host, path = DOCKER_HUB, name
    _check_path(path, text)
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if len(host) + 1 + len(path) > _MAX_LENGTH:
        raise _invalid(text, f"it is longer than {_MAX_LENGTH} characters")
    return Repository(host=host, path=path)


def _is_host(first: str) -> bool:
    """Distribution's rule: anything else before the first slash is a part of a path on Docker Hub."""
    return "." in first or ":" in first or first.lower() == "localhost" or first.startswith("[")


def _host(written: str, text: str) -> str:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", written)
    if match is None:
        raise _invalid(text, "the host is malformed; an IPv6 address needs brackets: [2001:db8::1]:5000/path")
    name, port = match[1].lower(), match[2]
    if port is not None and not _is_port(port):
        raise _invalid(text, "the port must be a number from 1 to 65535")
    if name.startswith("["):
        try:
            name = f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]"
        except ValueError:
            raise _invalid(text, "there is no IPv6 address between the brackets") from None
        if "%" in name:
            raise _invalid(text, "an IPv6 address with a zone cannot be a registry")
    elif not all(_LABEL.fullmatch(label) for label in name.split(".")) or len(name) > 253:
        raise _invalid(text, "the host must be of letters, digits, - and dots")
    if name in DOCKER_HUB_NAMES and port in (None, "443"):
        return DOCKER_HUB
    return name if port in (None, "443") else f"{name}:{int(port)}"


def _is_port(text: str) -> bool:
    return text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536


def _check_path(path: str, text: str) -> None:
    if "" in path.split("/"):
        raise _invalid(text, "it has an empty part; remove the superfluous slash")
    for component in path.split("/"):
        if _COMPONENT.fullmatch(component):
            continue
        if _COMPONENT.fullmatch(component.lower()):
            raise _invalid(text, f"repositories are lower-case; write {path.lower()}")
        raise _invalid(
            text,
            f"{clean(component, 60)!r} is no part of a path: lower-case letters and digits, with single . or _, "
            "__ or - between them",
        )


def _invalid(text: str, why: str) -> InvalidReference:
    return InvalidReference(f"{clean(without_login(text), _SHOWN)!r} is no repository: {why}")
