"""Everything that can go wrong, as one tree.

Every error a person may see knows three things: the condition reason it shows as, whether trying again can
help, and its message: what is wrong with which object, and the next step. Raise the most exact class; never
put a secret, an unbounded or an uncleaned string of a registry into a message.

    BundleWatchError
    ├── Mistake                   a person has to change something: Stalled
    │   ├── InvalidSpec           a field of a BundleWatch says something impossible
    │   ├── InvalidReference      not a repository, tag or digest
    │   ├── InvalidPattern        not an RE2 expression
    │   ├── InvalidRange          not a version range, or one nothing can satisfy
    │   ├── InvalidSecret         a Secret without the keys it needs
    │   ├── NotThere              the BundleWatch that a command names does not exist
    │   ├── NotAllowed            who gives a command may not do that in the cluster
    │   ├── AccessDenied          the registry refuses, or hides, the repository
    │   └── RepositoryNotFound    the registry knows no such repository
    ├── Fault                     trying again may help: Reconciling/ProgressingWithRetry
    │   ├── SecretNotFound        not there, or not ours to read
    │   ├── ServiceAccountNotFound  the same of a ServiceAccount
    │   ├── IdentityUnavailable   the cloud gives the operator no login for the registry
    │   ├── RegistryUnavailable   no connection, a deadline, 5xx, an open circuit
    │   │   ├── RateLimited       429, or 503 with Retry-After
    │   │   └── NotTrusted        a certificate that cannot be verified
    │   ├── RegistryMisbehaved    an answer that breaks the protocol; nothing of it is used
    │   │   └── UnusableContent   what is stored there is no good; asking again brings the same
    │   ├── NotInRegistry         a manifest or blob that was listed and is not there
    │   ├── ClusterUnavailable    the API server did not answer, or not usefully
    │   └── InternalError         a defect of ours; the log has the details
    └── Refused                   one write did not happen because its precondition did not hold
        ├── ObjectGone            the object was deleted
        └── ObjectChanged         somebody else changed what the write depended on
"""

from typing import ClassVar


class BundleWatchError(Exception):
    """Base of all. `reason` is a CamelCase condition reason; `retry` says whether time can cure it."""

    reason: ClassVar[str] = "Failed"
    retry: ClassVar[bool] = True

    @property
    def message(self) -> str:
        return str(self)


class Mistake(BundleWatchError):
    """A person has to change something; trying again cannot help."""

    reason = "InvalidSpec"
    retry = False


class InvalidSpec(Mistake):
    """A field of a BundleWatch says something impossible."""


class InvalidReference(Mistake):
    """The text is no repository, tag or digest."""

    reason = "InvalidRepository"


class InvalidPattern(Mistake):
    """The text is no RE2 expression, or lacks what we need of it."""

    reason = "InvalidPattern"


class InvalidRange(Mistake):
    """The text is no version range, or one that nothing can satisfy."""

    reason = "InvalidRange"


class InvalidSecret(Mistake):
    """A Secret lacks the keys it needs, or they hold something else."""

    reason = "InvalidSecret"


class NotThere(Mistake):
    """The BundleWatch that a command names does not exist."""

    reason = "NotThere"


class NotAllowed(Mistake):
    """Who gives a command may not do that in the cluster."""

    reason = "NotAllowed"


class AccessDenied(Mistake):
    """The registry answered 401 or 403, with the credentials we have.

    The refusal is the same for all who share it; `cure` is not, where their credentials are from several places.
    """

    reason = "AccessDenied"

    def __init__(self, refusal: str, *, cure: str = "") -> None:
        super().__init__(f"{refusal}; {cure}" if cure else refusal)
        self._refusal = refusal
        self._has_cure = bool(cure)

    def with_cure(self, cure: str) -> "AccessDenied":
        """The same to somebody else; where the credentials are no matter it stays as it is."""
        return AccessDenied(self._refusal, cure=cure if self._has_cure else "")


class RepositoryNotFound(Mistake):
    """The registry says that it has no such repository."""

    reason = "RepositoryNotFound"


class Fault(BundleWatchError):
    """Trying again may help."""

    reason = "ProgressingWithRetry"


class SecretNotFound(Fault):
    """A referenced Secret is not there, or not ours to read; the two are told alike on purpose."""

    reason = "SecretNotFound"


class ServiceAccountNotFound(Fault):
    """A referenced ServiceAccount is not there, or not ours to read."""

    reason = "ServiceAccountNotFound"


class IdentityUnavailable(Fault):
    """The cloud gives the operator no login: it has no identity there, or whoever gives logins out refuses or fails."""

    reason = "CloudIdentityUnavailable"


class RegistryUnavailable(Fault):
    """No connection, a deadline passed, a 5xx, or the registry's circuit is open."""

    reason = "RegistryUnavailable"


class RateLimited(RegistryUnavailable):
    """The registry asked us to slow down; `retry_after_s` seconds, if it said how long."""

    reason = "RateLimited"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotTrusted(RegistryUnavailable):
    """The registry's certificate cannot be verified with the authorities we trust for it."""

    reason = "CertificateNotTrusted"


class RegistryMisbehaved(Fault):
    """An answer broke the protocol, or a limit of ours; nothing of it is used."""

    reason = "RegistryMisbehaved"


class UnusableContent(RegistryMisbehaved):
    """One manifest or blob came whole and is too large or malformed: a property of it, not of the moment."""


class NotInRegistry(Fault):
    """A manifest or blob is not there (any more)."""

    reason = "Vanished"


class ClusterUnavailable(Fault):
    """The Kubernetes API did not answer, or not usefully."""

    reason = "ClusterUnavailable"


class InternalError(Fault):
    """A defect of ours that stopped one pass; the log has the details."""

    reason = "InternalError"


class Refused(BundleWatchError):
    """One write did not happen because its precondition did not hold; look again, then decide again."""

    reason = "Refused"


class ObjectGone(Refused):
    """The object was deleted."""


class ObjectChanged(Refused):
    """Somebody else changed what the write depended on."""
