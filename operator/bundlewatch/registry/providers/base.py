"""What a cloud's file offers, and how it asks: one call, 200 or an error that tells no secret.

The calls go to a cloud's own services, some of them at addresses where no registry may be. Which those are is
known from the environment and the cloud's conventions before anything is asked, and `transport` lets through these
very origins and no other. Knows no cloud.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bundlewatch.errors import IdentityUnavailable
from bundlewatch.registry import failures
from bundlewatch.registry.call_errors import CallError
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.documents import DocumentError, load
from bundlewatch.registry.transport import Answer, Transport
from bundlewatch.registry.untrusted import clean
from bundlewatch.registry.urls import Origin, Url

_ANSWER_BYTES = 128 << 10
_TOKEN_CHARACTERS = 16 << 10
_SAID_LIMIT = 200
_XML = re.compile(r"<(Code|Message)>([^<]{1,500})</\1>")


@dataclass(frozen=True, slots=True)
class Site:
    """The registry that a login is for."""

    host: str  # as in Repository.host
    ca_pem: bytes | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    credential: Credential
    life_s: float  # how long it is good for, from now; not above 0: it has ended, by our clock


class Provider(Protocol):
    """One cloud."""

    @property
    def hosts(self) -> str:
        """Which hosts are this cloud's, in words."""

    def owns(self, host: str) -> bool:
        """Whether a registry host is this cloud's; the whole of it, no part."""

    @staticmethod
    def services(environ: Mapping[str, str]) -> Iterable[Origin]:
        """Where its metadata and agents are, which are nobody's registries."""

    async def login(self, site: Site) -> Login:
        """A new one. Raises IdentityUnavailable."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a provider is given: a way to ask, the environment, and the time."""

    transport: Transport = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)  # all of it, whatever secrets of others it has
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def variable(self, name: str) -> str:
        return variable(self.environ, name)

    def url(self, text: str, *, named_by: str) -> Url:
        """An address that the environment names."""
        url = Url.parse(text)
        if url is None:
            raise IdentityUnavailable(f"{named_by} in the operator's environment is no http(s) URL; correct it")
        return url

    def file(self, name: str, *, cure: str) -> str:
        """What is in the file that a variable names."""
        path = self.variable(name)
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no token"
            raise IdentityUnavailable(
                f"the file that {name} names ({clean(path, 120)}) cannot be read ({why}); {cure}"
            ) from None
        if not text:
            raise IdentityUnavailable(f"the file that {name} names ({clean(path, 120)}) is empty; {cure}")
        return text

    async def ask(
        self,
        what: str,
        method: str,
        url: Url,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        ca_pem: bytes | None = None,
        hide: Iterable[str] = (),
        cure: str = "",
    ) -> Answer:
        """The answer 200. Raises IdentityUnavailable, whose message begins with `what` and ends with `cure`.

        `hide`: the secrets that were sent, which an answer may repeat.
        """
        host = url.origin.authority
        after = f"; {cure}" if cure else ""
        try:
            answer = await self.transport.call(
                method, url, headers=headers, content=content, max_bytes=_ANSWER_BYTES, ca_pem=ca_pem
            )
        except CallError as error:
            why = error.cause
        else:
            if answer.status == 200:
                return answer
            why = f"refuses ({_said(answer, hide=(*hide, *self.transport.secret_texts))})"
            if failures.is_outage(answer.status):
                why = f"cannot serve just now ({answer.status})"
                after = ""
        raise IdentityUnavailable(f"{what}: {host} {why}{after}")


def variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def read(answer: Answer, *keys: str, what: str) -> Mapping[str, str]:
    """These members of a JSON object as text; each must be there and fit into a header."""
    document = json_of(answer, what=what)
    found = {key: str(document[key]) for key in keys if isinstance(document.get(key), str | int | float)}
    if len(found) < len(keys) or not all(map(is_token, found.values())):
        raise IdentityUnavailable(f"{what}: the answer lacks {' or '.join(keys)}")
    return found


def json_of(answer: Answer, *, what: str) -> Mapping[str, object]:
    try:
        document = load(answer.body)
    except DocumentError:
        document = None
    if not isinstance(document, dict):
        raise IdentityUnavailable(f"{what}: the answer is no JSON object")
    return document


def is_token(text: str) -> bool:
    return 0 < len(text) <= _TOKEN_CHARACTERS and text.isascii() and text.isprintable() and " " not in text


def seconds(text: object, *, otherwise: float, most: float = 1e9) -> float:
    """A life, or a time since 1970, as clouds write it: a number, or a number in quotes."""
    try:
        found = float(str(text))
    except ValueError:
        return otherwise
    return found if 0 < found < most else otherwise


def _said(answer: Answer, *, hide: tuple[str, ...]) -> str:
    if answer.body[:1] == b"<":  # AWS STS
        told = dict(_XML.findall(answer.body.decode("utf-8", "replace")))
        words = ": ".join(filter(None, (told.get("Code"), told.get("Message"))))
        return clean(f"{answer.status} {words}", _SAID_LIMIT, hide=hide)
    return failures.what_it_said(answer, hide=hide)
