"""A registry's token server: who you are in, a signed token for what you may do out.

The protocol of the distribution project (`GET` with Basic, and the OAuth2 `POST`), tokens as RS256 JWT
with their certificate in `x5c`, which the real registry verifies. A thread of this process; counts what
it is asked. Its settings can be changed while it runs.
"""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from kit.certificates import Certificates
from kit.local_server import Asked, LocalServer, Reply

SERVICE = "registry.bed"
ISSUER = "token-server.bed"
PUBLIC_PREFIX = "public/"  # repositories below it may be pulled by anybody


@dataclass(frozen=True, slots=True)
class TokenRequest:
    method: str
    account: str  # "" for anonymous
    grant: str  # "basic", "password", "refresh_token", "anonymous"
    scopes: tuple[str, ...]
    service: str
    status: int


class TokenServer(LocalServer):
    def __init__(self, *, username: str, password: str, directory: Path, tls: Certificates | None = None) -> None:
        self.username = username
        self.password = password
        self.lifetime_s = 300  # the truth, in the token; the registry allows a minute more
        self.announced_s: int | None = 300  # what the answer says; None: says nothing, which means 60
        self.token_field = "token"  # or "access_token"
        self.refresh_token = secrets.token_hex(16)  # as an identity token in a docker config
        self.failures: list[int] = []  # statuses to answer the next requests with
        self.requests: list[TokenRequest] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._certificate = self._self_signed()
        self.bundle = directory / "token-roots.pem"  # for the registry's `rootcertbundle`
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        super().__init__(self._answer, tls=tls)
        self.realm = f"{self.url}/token"

    def token(self, scopes: tuple[str, ...], *, account: str) -> str:
        """A token for what `account` may do of `scopes` ("" for anonymous)."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": account,
            "aud": SERVICE,
            "exp": now + self.lifetime_s,
            "nbf": now - 600,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": [granted for scope in scopes if (granted := self._granted(scope, account))],
        }
        chain = [base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()]
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"x5c": chain})

    def _answer(self, asked: Asked) -> Reply:
        fields = asked.fields
        scopes = tuple(scope for value in fields.get("scope", []) for scope in value.split())
        grant, account = self._identify(asked.headers.get("authorization", ""), fields)
        status = self.failures.pop(0) if self.failures else 200 if account is not None else 401
        service = fields.get("service", [""])[0]
        self.requests.append(TokenRequest(asked.method, account or "", grant, scopes, service, status))
        if status != 200 or account is None:
            refusal = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return Reply.json(refusal, status=status)
        body: dict[str, Any] = {self.token_field: self.token(scopes, account=account)}
        if self.announced_s is not None:
            body |= {"expires_in": self.announced_s, "issued_at": dt.datetime.now(dt.UTC).isoformat()}
        if account and (asked.method == "POST" or fields.get("offline_token") == ["true"]):
            body["refresh_token"] = self.refresh_token
        return Reply.json(body)

    def _identify(self, authorization: str, fields: dict[str, list[str]]) -> tuple[str, str | None]:
        """The way it identified itself, and as whom; None where that was wrong."""

        def field(name: str) -> str:
            return fields.get(name, [""])[0]

        if field("grant_type") == "refresh_token":
            known = field("refresh_token") == self.refresh_token
            return "refresh_token", self.username if known else None
        if field("grant_type") == "password":
            given, grant = f"{field('username')}:{field('password')}", "password"
        elif authorization.startswith("Basic "):
            given, grant = base64.b64decode(authorization.removeprefix("Basic ")).decode(), "basic"
        else:
            return "anonymous", ""
        return grant, self.username if given == f"{self.username}:{self.password}" else None

    @staticmethod
    def _granted(scope: str, account: str) -> dict[str, Any] | None:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        allowed = {"pull", "push", "delete"} if account else set()
        if name.startswith(PUBLIC_PREFIX):
            allowed |= {"pull"}
        granted = [action for action in actions.split(",") if action in allowed]
        return {"type": kind, "name": name, "actions": granted} if granted else None

    def _self_signed(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=7))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
