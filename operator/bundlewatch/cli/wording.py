"""The cures in a registry's errors, for a person at a terminal.

The registry client names fields of a BundleWatch, and the environment of the operator. Who calls `tags` has flags
instead, and who explains a file has Docker's configuration and `tags`. Each row is a piece of such a message and
what is said in its place; `tests/unit/cli/test_wording.py` holds the rows against every message there is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from bundlewatch.errors import AccessDenied, BundleWatchError, RepositoryNotFound

Wording: TypeAlias = tuple[tuple[str, str], ...]
"""In the order in which they are replaced."""

_HAND_OVER: Final = "and hand them to explain by --tags-from"

LIVE: Final[Wording] = (
    ("NO_PROXY of the operator", "NO_PROXY in the environment"),
    ("HTTP_PROXY of the operator", "HTTP_PROXY in the environment"),
    ("in the operator's NO_PROXY", "in NO_PROXY"),
)
"""Of an object in a cluster its own fields are the cure."""

FLAGS: Final[Wording] = (
    *LIVE,
    ("set spec.access.insecure to true", "use --insecure"),
    ("set spec.access.insecure to false", "leave out --insecure"),
    ("remove spec.access.insecure", "leave out --insecure"),
    ("name a Secret with them in spec.access.secretRef", "give them by --username and --password-stdin"),
    ("the Secret that spec.access.secretRef names", "the user name and password"),
    ("(spec.access.secretRef)", "(--username and --password-stdin)"),
    (", or a longer spec.interval", ""),
    ("credentials come from a Secret", "and give it by --username"),
    (
        "put that one's certificate into the Secret of spec.access.caSecretRef",
        "give that one's certificate by --ca-file",
    ),
    (
        "put one into tls.crt and tls.key of the Secret of spec.access.caSecretRef",
        "give one by --cert-file and --key-file",
    ),
    ("tls.crt and tls.key in the Secret of spec.access.caSecretRef", "--cert-file and --key-file"),
    ("tls.crt in the Secret of spec.access.caSecretRef", "the certificate of --cert-file"),
    ("the keys tls.crt and tls.key of the Secret that spec.access.caSecretRef names", "the two"),
    ("the key tls.crt of the Secret that spec.access.caSecretRef names", "the former"),
    ("the key tls.key of the Secret that spec.access.caSecretRef names", "the latter"),
    ("the key ca.crt of the Secret that spec.access.caSecretRef names", "it"),
)
"""Of what was typed, the flags of `registries.flags`."""

FILE: Final[Wording] = (
    *LIVE,
    ("name a Secret with them in spec.access.secretRef", "log in with `docker login`"),
    ("the Secret that spec.access.secretRef names", "the login in Docker's configuration"),
    ("(spec.access.secretRef)", "(as by `docker login`)"),
    (", or a longer spec.interval", ""),
    (
        "put that one's certificate into the Secret of spec.access.caSecretRef",
        f"list the tags with `bundlewatch tags --ca-file FILE`, {_HAND_OVER}",
    ),
    (
        "put one into tls.crt and tls.key of the Secret of spec.access.caSecretRef",
        f"list the tags with `bundlewatch tags --cert-file FILE --key-file FILE`, {_HAND_OVER}",
    ),
    (
        "check tls.crt and tls.key in the Secret of spec.access.caSecretRef",
        f"list the tags with `bundlewatch tags --cert-file FILE --key-file FILE`, {_HAND_OVER}",
    ),
    ("tls.crt in the Secret of spec.access.caSecretRef", "the client certificate"),
)
"""Of an object in a file, which no Secret is read for; `spec.access.insecure` stands in it."""

FILE_IN_THE_CLEAR: Final[Wording] = (
    (
        "name a Secret with them in spec.access.secretRef",
        f"list the tags with `bundlewatch tags --insecure --username NAME --password-stdin`, {_HAND_OVER}",
    ),
    ("(spec.access.secretRef)", "(which `bundlewatch tags` takes, for --tags-from)"),
    *FILE,
)
"""Of one with `spec.access.insecure`, for which `docker login` is of no use."""


def in_words(message: str, wording: Wording) -> str:
    for written, said in wording:
        message = message.replace(written, said)
    return message


@contextmanager
def spoken(wording: Wording, *, hint: str = "") -> Iterator[None]:
    """Errors of the block come out in these words, each of the class it was.

    `hint`: what else can be done where the registry refuses us, or says that there is nothing.
    """
    try:
        yield
    except BundleWatchError as error:
        told = in_words(str(error), wording)
        if hint and isinstance(error, AccessDenied | RepositoryNotFound):
            told = f"{told}; {hint}"
        raise type(error)(told) from error
