"""Turns what a registry answered, or failed to answer, into the error a person reads.

Every message says what we were doing, which host said what (short, cleaned, without the secrets it may echo)
and what to do. Registries hide existence behind 401, 403 or 404 as they like, so the cures say so. Rule: OCI
distribution specification §"Error Codes".
"""

import email.utils
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    NotInRegistry,
    NotTrusted,
    RateLimited,
    RegistryMisbehaved,
    RegistryUnavailable,
    RepositoryNotFound,
    UnusableContent,
)
from bundlewatch.registry.access import Errand
from bundlewatch.registry.call_errors import Blame, CallError
from bundlewatch.registry.documents import DocumentError, load
from bundlewatch.registry.transport import Answer
from bundlewatch.registry.untrusted import clean
from bundlewatch.registry.urls import Origin

_SAID_LIMIT = 200
_HEARD_LIMIT = 2000
_CHANCE = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # a UUID
    r"|(?<!sha256:)(?<!sha512:)\b(?=[a-f]*[0-9])[0-9a-f]{16,}\b"  # an identifier in hexadecimal; digests stay
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"  # ISO 8601
    r"|\b(?:[A-Z][a-z]{2}, )?\d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d(?: (?:UTC|GMT|[+-]\d{4})\b)?",  # RFC 9110
    re.IGNORECASE,
)
_MIRROR_CURE = (  # no BundleWatch has a say in how a mirror is reached
    "check its host, port and insecure in the file of --registry-config, and SSL_CERT_FILE in the operator's "
    "environment"
)
_REGISTRY_HEADER = "docker-distribution-api-version"


def of_call(errand: Errand, host: str, error: CallError) -> BundleWatchError:
    """There was no usable answer."""
    cure = error.cure
    if errand.access.mirror_of is not None and "spec.access" in cure:
        cure = _MIRROR_CURE
    message = f"{errand}: {host} {error.cause}" + (f"; {cure}" if cure else "")
    match error.blame:
        case Blame.OUTAGE | Blame.HURRY:
            return RegistryUnavailable(message)
        case Blame.TRUST:
            return NotTrusted(message)
        case Blame.SIZE if errand.reference is not None:
            return UnusableContent(message)
        case Blame.ANSWER | Blame.SIZE:
            return RegistryMisbehaved(message)


def of_answer(errand: Errand, answer: Answer) -> BundleWatchError:
    """The registry's own refusal."""
    host = errand.origin.authority
    said = what_it_said(answer, hide=secrets_of(errand))
    match answer.status:
        case 401 | 403:
            return denied(errand, host, said)
        case 404:
            if "NAME_UNKNOWN" in codes(answer) or errand.reference is None:
                return _unknown_repository(errand, host, answer, said)
            return NotInRegistry(
                f"{errand}: {host} does not have it (any more){_no_registry(answer) if answer.body else ''}"
            )
        case 400 if errand.access.insecure and b"HTTPS" in answer.body:
            cure = "set spec.access.insecure to false" if errand.access.mirror_of is None else _MIRROR_CURE
            return RegistryUnavailable(f"{errand}: {host} speaks TLS; {cure}")
        case status if is_outage(status):
            return RegistryUnavailable(f"{errand}: {host} cannot serve just now ({said})")
        case _:
            return RegistryMisbehaved(f"{errand}: {host} refuses ({said})")


def of_redirected(errand: Errand, there: Origin, answer: Answer) -> BundleWatchError:
    """A refusal of where the registry has sent us."""
    said = what_it_said(answer, hide=secrets_of(errand))
    told = f"{errand}: {errand.origin.authority} redirects to {there.authority}, which"
    if is_outage(answer.status):
        return RegistryUnavailable(f"{told} cannot serve just now ({said})")
    return RegistryMisbehaved(f"{told} refuses ({said})")


def denied(errand: Errand, host: str, said: str) -> AccessDenied:
    if errand.access.mirror_of is not None:
        return AccessDenied(
            f"{errand}: {host} gives no access without credentials ({said}), and a mirror is asked anonymously; have "
            f"it serve {errand.access.mirror_of} to anybody in the cluster, or remove it from the file of "
            "--registry-config"
        )
    credential = errand.access.credential
    refuses = "gives no access without credentials" if credential.is_anonymous else "refuses our credentials"
    return AccessDenied(f"{errand}: {host} {refuses} ({said})", cure=credential.cure)


def _unknown_repository(errand: Errand, host: str, answer: Answer, said: str) -> RepositoryNotFound:
    told = _no_registry(answer)
    anonymous = errand.access.credential.is_anonymous
    hidden = "it needs credentials (spec.access.secretRef)" if anonymous else "our credentials may not see it"
    return RepositoryNotFound(
        f"{errand}: {host} knows no such repository{told} ({said}); "
        f"check the host and the name; perhaps nothing was pushed yet, or {hidden}"
    )


def _no_registry(answer: Answer) -> str:
    """What there is to be said of a 404 without any sign of a registry."""
    return "" if codes(answer) or answer.header(_REGISTRY_HEADER) else ", and does not answer like a registry"


def is_outage(status: int) -> bool:
    """The host could not serve, whoever had asked for whatever."""
    return status in {408, 499} or (status >= 500 and status != 501)


def is_rate_limit(answer: Answer) -> bool:
    """429 in all its disguises."""
    if answer.status < 400:
        return False
    by_hint = answer.status == 503 and answer.header("retry-after") is not None
    return answer.status == 429 or by_hint or "TOOMANYREQUESTS" in codes(answer)


def rate_limited(errand: Errand, host: str, answer: Answer, *, wait_s: float) -> RateLimited:
    """429 in all its disguises, in the registry's own words."""
    said = what_it_said(answer, hide=secrets_of(errand))
    hint = clean(answer.header("retry-after") or "", 40, hide=secrets_of(errand))
    told = f"{errand}: {host} asks for fewer requests ({said}{', Retry-After: ' + hint if hint else ''})"
    if errand.access.mirror_of is None:
        told += (
            "; if it does not pass, give it credentials with a higher limit (spec.access.secretRef), or a longer "
            "spec.interval"
        )
    return RateLimited(told, retry_after_s=wait_s)


def retry_after_s(answer: Answer, *, now: datetime) -> float | None:
    """What `Retry-After` asks for, as seconds or as a date, the latter by the server's own clock where it tells."""
    value = (answer.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until, server_now = _date(value), _date(answer.header("date") or "")
    if until is None:
        return None
    return max(0.0, (until - (server_now or now)).total_seconds())


def codes(answer: Answer) -> tuple[str, ...]:
    """The specification's error codes in an answer, in any case."""
    return tuple(code.upper() for code, _ in _errors(answer))


def what_it_said(answer: Answer, *, hide: Sequence[str]) -> str:
    """Status, code and message of an answer, fit to be shown; a body that is no JSON is left out.

    Identifiers of the request and times are left out too: a refusal that repeats must read the same each time, or
    status would be written at each try.
    """
    told = [f"{code}: {message}" if code and message else code or message for code, message in _errors(answer)]
    # Secrets first: one that looks like an identifier must not be left with its other parts.
    heard = clean(" ".join([str(answer.status), "; ".join(told[:2])]), _HEARD_LIMIT, hide=hide)
    return clean(_CHANCE.sub("…", heard), _SAID_LIMIT)


def secrets_of(errand: Errand) -> tuple[str, ...]:
    """Everything that must not come back in a message."""
    return (*errand.access.credential.secret_texts, *errand.journal.told)


def _errors(answer: Answer) -> list[tuple[str, str]]:
    try:
        document = load(answer.body) if answer.body[:1] == b"{" else None
    except DocumentError:
        return []
    if not isinstance(document, dict):
        return []
    listed = document.get("errors")
    if isinstance(listed, list):
        entries = [entry for entry in listed[:8] if isinstance(entry, dict)]
        return [(_text(entry, "code"), _text(entry, "message")) for entry in entries]
    # Token servers: OAuth2's form, Docker Hub's, and what frameworks write.
    message = next(filter(None, (_text(document, key) for key in ("error_description", "details", "message"))), "")
    return [(_text(document, "error"), message)]


def _text(document: dict[str, object], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _date(text: str) -> datetime | None:
    try:
        parsed = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
