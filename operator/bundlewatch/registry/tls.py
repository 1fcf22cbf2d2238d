"""Whom we believe to be a registry: TLS contexts from the usual authorities and, on request, one more bundle.

There is no way to switch verification off. A context costs half a megabyte and tens of milliseconds, so one
serves all who trust the same; `transport` keeps them. Knows nothing of Secrets.
"""

import ssl

from bundlewatch.errors import InvalidSecret


def context(ca_pem: bytes | None) -> ssl.SSLContext:
    """A client context: the system's authorities, and those of `ca_pem` (PEM) besides.

    They add up, since a registry with its own authority may hand out blobs from a public cloud. Raises
    InvalidSecret when `ca_pem` holds no certificate.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # From Python 3.13 on strictness is the default, and refuses private authorities that every Go client takes.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_pem is not None:
        try:
            made.load_verify_locations(cadata=ca_pem.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise InvalidSecret(
                "the CA bundle holds no usable certificate: the key ca.crt of the Secret that "
                "spec.access.caSecretRef names needs certificates in PEM form (-----BEGIN CERTIFICATE-----)"
            ) from None
    return made
