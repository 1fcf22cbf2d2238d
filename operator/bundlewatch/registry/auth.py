"""Which `Authorization` header a registry gets, and where tokens come from.

Anonymous, Basic, or a Bearer token by the GET flow or, for an identity token, OAuth2's refresh grant. What a
registry asked for once is remembered, so that its other repositories save the refused first request; tokens
are kept for what they are good for and renewed at four fifths of their life, once for all who wait. A
credential goes to the registry's own origin and to a realm that `realms` lets pass, and nowhere else. Rules:
distribution's token specification, RFC 6749 §6.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

from bundlewatch.errors import AccessDenied, BundleWatchError, Fault, RegistryMisbehaved, RegistryUnavailable
from bundlewatch.registry import challenges, failures, flights, realms
from bundlewatch.registry.access import Access, Errand, Journal
from bundlewatch.registry.challenges import Challenge
from bundlewatch.registry.credentials import Credential
from bundlewatch.registry.documents import FRONT, DocumentError, load
from bundlewatch.registry.transport import Answer
from bundlewatch.registry.untrusted import clean
from bundlewatch.registry.urls import Origin, Url

TOKEN_ANSWER_BYTES = 128 << 10
_TOKEN_CHARACTERS = 16 << 10
_DEFAULT_LIFE_S = 60.0  # the specification's, also for a life of 0
_LONGEST_LIFE_S = 3600.0
_USED_OF_LIFE = 0.8
_RENEW_AGAIN_S = 30.0  # after a renewal that failed, while the old token is still good
_KEPT = 10_000
_CLIENT_ID = "bundlewatch"


class AsksTokenServer(Protocol):
    async def __call__(
        self, errand: Errand, method: str, url: Url, *, headers: dict[str, str], content: bytes | None
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class _TokenKey:
    """What a token is good for, and to whom it was given."""

    origin: Origin
    access: Access
    realm: Url
    service: str
    scope: str


@dataclass(frozen=True, slots=True, repr=False)
class _Token:
    header: str
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class _Flight:
    task: "asyncio.Task[_Token]"
    journal: Journal


class Authenticator:
    """`anticipate()` before a request, `answer()` after a 401; both give the header to send. `forget()` after a 403."""

    def __init__(self, *, ask: AsksTokenServer, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._wanted: dict[tuple[Origin, Access], Challenge] = {}
        self._tokens: dict[_TokenKey, _Token] = {}
        self._flights: dict[_TokenKey, _Flight] = {}

    async def anticipate(self, errand: Errand) -> str | None:
        """The header that will likely be wanted; None: ask without."""
        credential = errand.access.credential
        if credential.registry_token:
            return f"Bearer {credential.registry_token}"
        site = errand.origin, errand.access
        challenge = self._wanted.get(site)
        if challenge is None:
            return None
        try:
            return await self._header(errand, challenge, refused=None)
        except BundleWatchError:
            self._wanted.pop(site, None)  # it may have moved: begin anew next time
            raise

    async def answer(self, errand: Errand, answer: Answer, *, refused: str | None) -> str:
        """The header for a 401; `refused` is what was sent before. Raises AccessDenied when there is none left."""
        wanted = challenges.parse(answer.header_lines("www-authenticate"))
        challenge = challenges.choose(wanted)
        host = errand.origin.authority
        said = failures.what_it_said(answer, hide=failures.secrets_of(errand))
        if not wanted and refused is not None:
            raise failures.denied(errand, host, said)
        if not wanted:
            raise AccessDenied(
                f"{errand}: {host} does not say which login it wants ({said}), so none was sent; {FRONT}, and that "
                "host and port are right"
            )
        if challenge is None:
            raise AccessDenied(
                f"{errand}: {host} wants a kind of login other than Basic and Bearer ({said}); "
                "switch one of the two on at the registry"
            )
        header = await self._header(errand, challenge, refused=refused)
        if header is None or header == refused:
            raise failures.denied(errand, host, said)
        if len(self._wanted) >= _KEPT:
            self._wanted.clear()
        self._wanted[errand.origin, errand.access] = challenge
        return header

    def forget(self, errand: Errand, header: str | None) -> None:
        """The header was refused: if it is a token that was fetched, the next one to ask gets another."""
        challenge = self._wanted.get((errand.origin, errand.access))
        if challenge is None or challenge.scheme == "basic" or errand.access.credential.registry_token:
            return
        key = self._key(errand, challenge)
        token = self._tokens.get(key)
        if token is not None and token.header == header:
            del self._tokens[key]

    async def aclose(self) -> None:
        under_way, self._flights = [flight.task for flight in self._flights.values()], {}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _header(self, errand: Errand, challenge: Challenge, *, refused: str | None) -> str | None:
        credential = errand.access.credential
        if challenge.scheme == "basic":
            return credential.basic if credential.has_password else None
        if credential.registry_token:
            return None
        key = self._key(errand, challenge)
        token = self._tokens.get(key)
        if token is None or token.header == refused or self._clock() >= token.renew_at:
            try:
                token = await self._shared_fetch(errand, key)
            except Fault:
                if token is None or token.header == refused or self._clock() >= token.expires_at:
                    raise
                self._tokens[key] = replace(token, renew_at=self._clock() + _RENEW_AGAIN_S)
        return token.header

    def _key(self, errand: Errand, challenge: Challenge) -> _TokenKey:
        origin = errand.origin
        realm_text = challenge.parameters.get("realm", "")
        try:
            realm = realms.check(realm_text, registry=origin, host=errand.repository.host)
        except realms.RealmError as error:
            shown = clean(realm_text, 120, hide=failures.secrets_of(errand))
            raise RegistryMisbehaved(
                f"{errand}: {origin.authority} sends us to {shown!r} for a token, which {error}; nothing was sent there"
            ) from None
        # Our own scope: the challenge's may name another repository, when a proxy rewrites paths.
        scope = f"repository:{errand.repository.path}:pull"
        return _TokenKey(origin, errand.access, realm, challenge.parameters.get("service", "")[:1024], scope)

    async def _shared_fetch(self, errand: Errand, key: _TokenKey) -> _Token:
        """Whoever has begun it, it is nobody's own: it has words and time of its own, and all who wait pay for it."""
        known = self._flights.get(key)
        if known is None:
            own = Errand(errand.repository, errand.access, Journal(math.inf), logs_in=True)
            known = self._flights[key] = _Flight(flights.begin(self._fetch(own, key)), own.journal)
            known.task.add_done_callback(lambda done: self._landed(key, done))
        started = self._clock()
        try:
            return await asyncio.shield(known.task)
        finally:
            errand.journal.spend(min(known.journal.spent_s, self._clock() - started))

    def _landed(self, key: _TokenKey, flight: "asyncio.Task[_Token]") -> None:
        self._flights.pop(key, None)
        if flight.cancelled():
            return
        if flight.exception() is not None:
            if not isinstance(flight.exception(), Fault):
                self._tokens.pop(key, None)
            return
        if len(self._tokens) >= _KEPT:
            now = self._clock()
            self._tokens = {known: token for known, token in self._tokens.items() if now < token.renew_at}
        while len(self._tokens) >= _KEPT:
            self._tokens.pop(next(iter(self._tokens)))
        self._tokens[key] = flight.result()

    async def _fetch(self, errand: Errand, key: _TokenKey) -> _Token:
        credential = errand.access.credential
        asked_at = self._clock()
        answer: Answer | None = None
        if credential.identity_token:
            answer = await self._ask(
                errand,
                "POST",
                key.realm,
                headers={"content-type": "application/x-www-form-urlencoded"},
                content=_refresh_form(credential, key),
            )
            if answer.status in {404, 405}:  # it knows only the older way
                answer = None
        if answer is None:
            headers = {"authorization": credential.basic} if credential.has_password else {}
            answer = await self._ask(errand, "GET", _asking(key), headers=headers, content=None)
        if answer.status != 200:
            raise _refusal(errand, key.realm.origin, answer)
        token, life_s = _read_token(errand, key.realm.origin, answer)
        return _Token(f"Bearer {token}", asked_at + _USED_OF_LIFE * life_s, asked_at + life_s)


def _refresh_form(credential: Credential, key: _TokenKey) -> bytes:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": credential.identity_token,
        "client_id": _CLIENT_ID,
        "service": key.service,
        "scope": key.scope,
    }
    return urlencode(form).encode("ascii")


def _asking(key: _TokenKey) -> Url:
    own = urlencode({"service": key.service, "scope": key.scope} if key.service else {"scope": key.scope}, safe=":/")
    return Url(key.realm.origin, key.realm.path, f"{key.realm.query}&{own}" if key.realm.query else own)


def _refusal(errand: Errand, origin: Origin, answer: Answer) -> BundleWatchError:
    said = failures.what_it_said(answer, hide=failures.secrets_of(errand))
    server = f"its token server {origin.authority}"
    if answer.status in {400, 401, 403}:
        return failures.denied(errand, server, said)
    if failures.is_outage(answer.status):
        return RegistryUnavailable(f"{errand}: {server} cannot serve just now ({said})")
    return RegistryMisbehaved(f"{errand}: {server} gives no token ({said})")


def _read_token(errand: Errand, origin: Origin, answer: Answer) -> tuple[str, float]:
    try:
        document = load(answer.body)
    except DocumentError:
        document = None
    if not isinstance(document, dict):
        document = {}
    found = document.get("access_token") or document.get("token")
    usable = isinstance(found, str) and found.isascii() and found.isprintable() and " " not in found
    if not isinstance(found, str) or not usable or len(found) > _TOKEN_CHARACTERS:
        raise RegistryMisbehaved(f"{errand}: its token server {origin.authority} answers without a usable token")
    try:
        life_s = float(document.get("expires_in") or 0)
    except (TypeError, ValueError, OverflowError):
        life_s = 0.0
    return found, min(life_s, _LONGEST_LIFE_S) if life_s > 0 else _DEFAULT_LIFE_S
