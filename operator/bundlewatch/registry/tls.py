"""Whom we believe to be a registry, and as whom we show ourselves: TLS contexts.

From the usual authorities and, on request, one more bundle and a certificate of our own. There is no way to switch
verification off. A context costs half a megabyte and tens of milliseconds, so one serves all who trust and show
the same; `transport` keeps them. A private key is never written to a file: OpenSSL reads it from memory that has
no name. Knows nothing of where Secrets are kept. Rules: Kubernetes' Secrets of type kubernetes.io/tls.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bundlewatch.errors import InvalidSecret
from bundlewatch.registry.untrusted import clean

CA_KEY: Final = "ca.crt"
CERTIFICATE_KEY: Final = "tls.crt"
PRIVATE_KEY_KEY: Final = "tls.key"
_SECRET: Final = "of the Secret that spec.access.caSecretRef names"  # noqa: S105 - words


@dataclass(frozen=True, slots=True, repr=False)
class ClientCertificate:
    """What a registry that wants one is shown; never shows itself."""

    chain_pem: bytes  # the certificate first, then those that signed it
    key_pem: bytes

    def __repr__(self) -> str:
        return "ClientCertificate(secret)"


@dataclass(frozen=True, slots=True, repr=False)
class Trust:
    """What a Secret says about TLS to a registry: at least one of the two."""

    ca_pem: bytes | None
    certificate: ClientCertificate | None

    @classmethod
    def from_secret(cls, data: Mapping[str, bytes]) -> "Trust":
        """From the decoded data of a Secret: ca.crt, or tls.crt with tls.key, or all three.

        Raises InvalidSecret, which names the key and the cure; the caller adds the Secret's name. Whether they can be
        used is found by `check`.
        """
        ca_pem, chain, key = (data.get(name) or None for name in (CA_KEY, CERTIFICATE_KEY, PRIVATE_KEY_KEY))
        if (chain is None) != (key is None):
            there, missing = (CERTIFICATE_KEY, PRIVATE_KEY_KEY) if key is None else (PRIVATE_KEY_KEY, CERTIFICATE_KEY)
            raise InvalidSecret(
                f"it has the key {there} but not {missing}: a client certificate needs both; add {missing}, or "
                f"remove {there} if the registry wants no client certificate"
            )
        if ca_pem is None and chain is None:
            found = ", ".join(sorted(clean(name, 60) for name in data)[:10]) or "no key at all"
            raise InvalidSecret(
                f"it has no key {CA_KEY} (it has {found}); put the registry's CA certificate there in PEM form, or a "
                f"client certificate into {CERTIFICATE_KEY} and {PRIVATE_KEY_KEY}"
            )
        return cls(ca_pem, ClientCertificate(chain, key) if chain is not None and key is not None else None)


def context(ca_pem: bytes | None, certificate: ClientCertificate | None = None) -> ssl.SSLContext:
    """A client context: the system's authorities, and those of `ca_pem` (PEM) besides; TLS 1.2 or newer.

    They add up, since a registry with its own authority may hand out blobs from a public cloud. Raises
    InvalidSecret when `ca_pem` holds no certificate, or `certificate` no usable pair.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # From Python 3.13 on strictness is the default, and refuses private authorities that every Go client takes.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_pem is not None:
        _believe(made, ca_pem)
    if certificate is not None:
        _show(made, certificate)
    return made


def check(ca_pem: bytes | None, certificate: ClientCertificate | None) -> None:
    """Raises InvalidSecret as `context` would, and costs next to nothing: for whoever knows the Secret's name."""
    if ca_pem is not None:
        _check_authorities(ca_pem)
    if certificate is not None:
        _show(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)


@lru_cache(maxsize=64)  # a bundle of all the world's authorities takes milliseconds
def _check_authorities(ca_pem: bytes) -> None:
    _believe(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca_pem)


def _believe(made: ssl.SSLContext, ca_pem: bytes) -> None:
    try:
        made.load_verify_locations(cadata=ca_pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise InvalidSecret(
            f"the CA bundle holds no usable certificate: the key {CA_KEY} {_SECRET} needs certificates in PEM "
            "form (-----BEGIN CERTIFICATE-----)"
        ) from None


class _EncryptedError(Exception):
    pass


def _show(made: ssl.SSLContext, certificate: ClientCertificate) -> None:
    if b"-----BEGIN CERTIFICATE-----" not in certificate.chain_pem:
        raise InvalidSecret(
            f"the key {CERTIFICATE_KEY} {_SECRET} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        )
    if b"PRIVATE KEY-----" not in certificate.key_pem:
        raise InvalidSecret(
            f"the key {PRIVATE_KEY_KEY} {_SECRET} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
        )
    reason = ""
    try:
        with _unnamed_file(certificate.key_pem) as key, _unnamed_file(certificate.chain_pem) as chain:
            made.load_cert_chain(chain, key, password=_no_password)
    except _EncryptedError:
        raise InvalidSecret(
            f"the key {PRIVATE_KEY_KEY} {_SECRET} is encrypted; put it there without a password, as "
            f"`openssl pkey -in {PRIVATE_KEY_KEY}` prints it"
        ) from None
    except ssl.SSLError as error:
        reason = error.reason or "unreadable"
    except (OSError, ValueError):
        reason = "unreadable"
    if reason == "KEY_VALUES_MISMATCH":
        raise InvalidSecret(
            f"the keys {CERTIFICATE_KEY} and {PRIVATE_KEY_KEY} {_SECRET} do not belong together; put the private key "
            "of that certificate there, and the certificate itself before those that signed it"
        )
    if reason:
        raise InvalidSecret(
            f"the keys {CERTIFICATE_KEY} and {PRIVATE_KEY_KEY} {_SECRET} are no usable pair "
            f"({reason.lower().replace('_', ' ')}); put a certificate and its private key there in PEM form"
        )


def _no_password() -> bytes:
    raise _EncryptedError  # left to itself OpenSSL would ask at the terminal


@contextmanager
def _unnamed_file(content: bytes) -> Iterator[str]:
    """A path by which OpenSSL can read `content` while the block lasts, and nobody afterwards."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    descriptor, path = tempfile.mkstemp()  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108 - a path of text, as tempfile gives it
