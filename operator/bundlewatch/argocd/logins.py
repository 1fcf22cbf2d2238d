"""Which of Argo CD's own Secrets opens a repository: as Argo CD would choose, and never for another address.

A Secret of type `repository` is for exactly one address; one of type `repo-creds` for every address below its
own, the longest winning, wherever the first holds no login. A Helm-OCI address has no scheme and stands above
its charts; a native one begins with `oci://` and is the repository itself. Stricter than Argo CD in one thing:
a prefix ends where a part of the path ends, so `example.com/sho` opens nothing of `example.com/shop`. What is
malformed in a Secret is no matter to anybody for whom it is not. Knows nothing of how a login is used. Rule:
Argo CD's `util/db/repository_secrets.go`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bundlewatch.argocd.matching import canonical_host, canonical_repository
from bundlewatch.errors import InvalidSecret

_OCI = "oci://"
_REPOSITORY = "repository"
_TRUE = frozenset({b"1", b"t", b"T", b"TRUE", b"true", b"True"})  # what Argo CD's parser takes


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A Secret with the label `argocd.argoproj.io/secret-type`."""

    name: str  # with its namespace
    kind: str  # the label's value
    data: Mapping[str, bytes]

    def text(self, key: str) -> str:
        """Raises InvalidSecret when it is no text."""
        try:
            # `echo secret | base64` and editors leave a line end that belongs to no password.
            return self.data.get(key, b"").decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidSecret(f"Secret {self.name}: its key {key} is not UTF-8 text; write it anew") from None

    def flag(self, key: str) -> bool:
        return self.data.get(key, b"").rstrip(b"\r\n") in _TRUE

    @property
    def has_login(self) -> bool:
        """Whether there is any; it may be malformed."""
        keys = ("username", "password", "tlsClientCertData", "tlsClientCertKey")
        return any(self.data.get(key) for key in keys) or self.flag("useAzureWorkloadIdentity")


@dataclass(frozen=True, slots=True)
class _Address:
    native: bool
    host: str
    path: tuple[str, ...]


def find(candidates: Iterable[Candidate], *, repository: str, insecure: bool) -> Candidate | None:
    """The Secret that Argo CD would use for a repository (`host/path`); None: none is for it.

    One with a login goes before all without: such a one only says that the repository is known to be open. Of
    several for one address that belong to different projects, one of no project goes first, then the first in order
    of name. `insecure`: the registry is reached by plain HTTP. Raises InvalidReference.
    """
    host, _, path = canonical_repository(repository, insecure=insecure).partition("/")
    wanted = tuple(path.split("/"))
    best: tuple[tuple[bool, bool, int, bool, bool], Candidate] | None = None
    for candidate in sorted(candidates, key=lambda candidate: candidate.name):
        address = _address(candidate.data.get("url", b""), insecure=insecure)
        if address is None or address.host != host or wanted[: len(address.path)] != address.path:
            continue
        exact = candidate.kind == _REPOSITORY
        # A native repository's address is the whole of it; of a Helm repository the chart is still missing.
        if exact and address.native != (len(address.path) == len(wanted)):
            continue
        of_no_project = not candidate.data.get("project", b"").strip()
        rank = candidate.has_login, exact, len(address.path), address.native, of_no_project
        if best is None or rank > best[0]:
            best = rank, candidate
    return best[1] if best is not None else None


def _address(url: bytes, *, insecure: bool) -> _Address | None:
    """None: Git, or a classic Helm repository; or an address that Argo CD itself could make nothing of."""
    try:
        rest = url.decode().strip()
    except UnicodeDecodeError:
        return None
    native = rest[: len(_OCI)].lower() == _OCI
    if native:
        rest = rest[len(_OCI) :]
    if "://" in rest or "@" in rest:
        return None
    host, _, path = rest.partition("/")
    known = canonical_host(host, insecure=insecure)
    if known is None:
        return None
    return _Address(native, known, tuple(part for part in path.lower().split("/") if part))
