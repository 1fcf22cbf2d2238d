"""How a repository fares that is polled: who uses it, how its last listing ended, and when to ask again.

Pure bookkeeping; the engine polls. Times are seconds of its monotonic clock.
"""

from dataclasses import dataclass, field

from bundlewatch.engine.schedule import backoff_s
from bundlewatch.engine.table import Name
from bundlewatch.errors import (
    AccessDenied,
    BundleWatchError,
    IdentityUnavailable,
    InternalError,
    InvalidSecret,
    Mistake,
    NotTrusted,
    RateLimited,
    SecretNotFound,
    ServiceAccountNotFound,
)

_SECRET_S = 5.0  # how soon a corrected Secret is to be noticed; one reading of it, and no request to the registry

_TOLD_ANEW = Mistake | InternalError | SecretNotFound | ServiceAccountNotFound | IdentityUnavailable


@dataclass(slots=True)
class Polled:
    """A route that is polled."""

    users: set[Name] = field(default_factory=set)
    turn: int = 0
    failures: int = 0
    trouble: BundleWatchError | None = None
    wanted_since: float = 0.0
    """A listing from before this moment will not do: somebody asked then, or one failed then."""

    asked_at: float = 0.0
    """When somebody last asked for a listing."""

    answered_at: float = -1.0
    """When the last listing that has ended, well or not, began."""

    def ask(self, *, now: float) -> None:
        """Somebody asks: what was listed, or refused, before now will not do."""
        self.wanted_since = self.asked_at = now

    def succeeded(self, *, began: float) -> None:
        self.failures, self.trouble = 0, None
        self.turn += 1
        self.answered_at = began

    def failed(self, trouble: BundleWatchError, *, began: float) -> bool:
        """Whether that is news, worth a line of log and a write of status: once a change, not once a try.

        The same kind of fault in other words is none; where a person has to do something the words are what matters.
        """
        self.failures += 1
        self.wanted_since = max(self.wanted_since, began)
        self.answered_at = began
        known = self.trouble
        words_matter = isinstance(trouble, _TOLD_ANEW)
        if type(trouble) is type(known) and not (words_matter and str(trouble) != str(known)):
            return False
        self.trouble = trouble
        return True


def pause_s(error: BundleWatchError, *, failures: int, interval_s: float, key: str) -> float:
    """How long to wait after a failed listing, in seconds.

    Where a changed Secret is the cure it is read again soon; that sends no credential that was refused.
    """
    if isinstance(error, RateLimited) and error.retry_after_s is not None:
        return max(error.retry_after_s, backoff_s(failures, interval_s=interval_s, key=key))
    if isinstance(error, AccessDenied | InvalidSecret | NotTrusted | SecretNotFound | ServiceAccountNotFound):
        return min(interval_s, _SECRET_S)
    if isinstance(error, Mistake):
        return interval_s
    return backoff_s(failures, interval_s=interval_s, key=key)
