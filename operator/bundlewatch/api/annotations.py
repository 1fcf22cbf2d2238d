"""The annotations by which people act on a BundleWatch, and the token by which status answers them.

A request is "this value is new", so status has to hold the value it has answered. Annotation values may be
262,144 bytes of anything while status text is short and printable: a value that does not fit is represented
by its hash, so that comparing the request with the answer is exact and a strange value never asks for ever.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PREFIX: Final = "bundlewatch.dev/"

RECONCILE: Final = "bundlewatch.dev/reconcile"
"""Any new value: look at the registry now."""

FLUX_RECONCILE: Final = "reconcile.fluxcd.io/requestedAt"
"""The same, as the field already spells it."""

RESUME: Final = "bundlewatch.dev/resume"
"""Any new value: end a hold."""

RETRY: Final = "bundlewatch.dev/retry"
"""A tag, with anything after a space: lift its quarantine. To ask for the same tag again, change what follows."""

APPROVE: Final = "bundlewatch.dev/approve"
"""A tag, or tag@digest: this bundle may go where approval is Manual."""

TOKEN_MAX_LENGTH: Final = 128

_APPROVAL_MAX_LENGTH: Final = 400  # a tag has at most 128 characters, a digest some 140

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def command(name: str, namespace: str, key: str, value: str) -> str:
    """What a person types to give a BundleWatch an annotation; `value` as a shell reads it."""
    return f"kubectl annotate bundlewatch {name} -n {namespace} --overwrite {key}={value}"


def ours(annotations: object) -> Mapping[str, str]:
    """The annotations that mean something to us; everything else of a live object is dropped."""
    if not isinstance(annotations, Mapping):
        return _NONE
    kept = {
        key: value
        for key, value in annotations.items()
        if isinstance(key, str) and isinstance(value, str) and (key.startswith(PREFIX) or key == FLUX_RECONCILE)
    }
    return kept or _NONE


def reconcile_requested(annotations: Mapping[str, str]) -> str | None:
    """Token of the wish to look now, changing when either annotation changes; None: nobody asked."""
    values = [annotations[key] for key in (RECONCILE, FLUX_RECONCILE) if annotations.get(key)]
    return _token(" ".join(values)) if values else None


def resume_requested(annotations: Mapping[str, str]) -> str | None:
    """Token of the wish to end a hold; None: nobody asked."""
    value = annotations.get(RESUME)
    return _token(value) if value else None


def retry_requested(annotations: Mapping[str, str]) -> str | None:
    """Token of the wish to lift a quarantine; None: nobody asked."""
    value = annotations.get(RETRY)
    return _token(value) if value else None


def retried_tag(annotations: Mapping[str, str]) -> str | None:
    """The tag of that wish, which is its first word; None: nobody asked."""
    words = annotations.get(RETRY, "").split(maxsplit=1)
    return words[0] if words else None


def approval(annotations: Mapping[str, str]) -> str | None:
    """What a person has approved: a tag, or tag@digest; None: nothing, or no such text."""
    value = annotations.get(APPROVE, "").strip()
    return value if value and len(value) <= _APPROVAL_MAX_LENGTH and value.isprintable() else None


def _token(value: str) -> str:
    if len(value) <= TOKEN_MAX_LENGTH and value.isprintable() and value == value.strip():
        return value
    return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
