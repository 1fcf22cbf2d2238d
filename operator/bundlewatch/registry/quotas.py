"""What a registry says is left of a quota: `ratelimit-limit` and its kin, as Docker Hub sends them.

    ratelimit-limit: 100;w=21600
    ratelimit-remaining: 20;w=21600
    docker-ratelimit-source: 192.0.2.1

A registry may send anything there; what cannot be read says nothing. Sends nothing itself, and decides nothing.
Rules: Docker Hub's documentation of pull limits; draft-polli-ratelimit-headers-02 for the form.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bundlewatch.registry.untrusted import clean

logger = logging.getLogger(__name__)

_VALUE = re.compile(r"\s*([0-9]{1,12})\s*(?:;\s*w=([0-9]{1,9})\s*)?", re.ASCII)
_DEFAULT_WINDOW_S = 21_600
_FEW = 0.1
_HOSTS_KEPT = 1024
_SOURCES_KEPT = 16


@dataclass(frozen=True, slots=True)
class Quota:
    """What was left when the registry last said so."""

    limit: int  # requests that count, in a window
    remaining: int
    window_s: int
    source: str  # whom it is counted for: an address or an account; empty: not said

    @property
    def is_scarce(self) -> bool:
        """Less than a tenth is left."""
        return self.remaining < _FEW * self.limit


def parse(*, limit: str | None, remaining: str | None, source: str | None) -> Quota | None:
    """From the three headers; None: nothing is said, or nothing that can be read."""
    most = _VALUE.fullmatch(limit[:64]) if limit else None
    left = _VALUE.fullmatch(remaining[:64]) if remaining else None
    if most is None or left is None or not int(most[1]):
        return None
    window_s = int(most[2] or left[2] or _DEFAULT_WINDOW_S) or _DEFAULT_WINDOW_S
    return Quota(int(most[1]), int(left[1]), window_s, clean(source or "", 64))


class Quotas:
    """What every host has said, each source of it apart; tells once when little is left, and once when enough is."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[str, dict[str, tuple[Quota, float]]] = {}
        self._scarce: set[str] = set()

    def note(self, host: str, said: Quota) -> Quota:
        """Take what a host says now; gives the one of its quotas of which least is left."""
        if host not in self._said and len(self._said) >= _HOSTS_KEPT:
            oldest = next(iter(self._said))
            del self._said[oldest]
            self._scarce.discard(oldest)
        known = self._said.setdefault(host, {})
        known.pop(said.source, None)
        known[said.source] = said, self._clock()
        while len(known) > _SOURCES_KEPT:
            known.pop(next(iter(known)))
        least = self._least(host)
        assert least is not None
        if least.is_scarce and host not in self._scarce:
            self._scarce.add(host)
            logger.warning(
                "%s has %d of %d requests left in %d s and is asked for manifests more slowly; a login may have a "
                "higher limit",
                host,
                least.remaining,
                least.limit,
                least.window_s,
            )
        elif not least.is_scarce and host in self._scarce:
            self._scarce.discard(host)
            logger.info("%s has %d of %d requests left again", host, least.remaining, least.limit)
        return least

    def all(self) -> Mapping[str, Quota]:
        """The scarcest of each host; what is older than its window is forgotten."""
        return {host: least for host in tuple(self._said) if (least := self._least(host)) is not None}

    def _least(self, host: str) -> Quota | None:
        now = self._clock()
        known = self._said[host]
        for source, (quota, when) in tuple(known.items()):
            if now - when > quota.window_s:
                del known[source]
        return min(
            (quota for quota, _ in known.values()), key=lambda quota: quota.remaining / quota.limit, default=None
        )
