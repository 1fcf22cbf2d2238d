"""What is known of each mirror: whether it is down, and whom it refuses; and what the log is told of that.

One that is down is asked once a minute, by a single question, so that mirrors that hang do not cost every question
their patience. Whoever runs the operator reads of each change once, and not at each question. Asks nothing itself.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from bundlewatch.registry.hosts import Mirror
from bundlewatch.registry.reference import Repository

logger = logging.getLogger(__name__)

_ASKED_EVERY_S = 60.0  # when it is down
_REFUSED_KEPT = 1024


@dataclass(slots=True)
class _State:
    asked_again_at: float | None = None  # None: it is not down
    refused: set[str] = field(default_factory=set)  # paths of repositories; empty: it refuses none that is known


class MirrorStates:
    """By registry and mirror: one host may be the mirror of several registries."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._states: dict[tuple[str, Mirror], _State] = {}

    def may_be_asked(self, repository: Repository, mirror: Mirror) -> bool:
        """True once a minute for one that is down: who is told so is the one that tries it."""
        state = self._of(repository, mirror)
        if state.asked_again_at is None:
            return True
        if self._clock() < state.asked_again_at:
            return False
        state.asked_again_at = self._clock() + _ASKED_EVERY_S
        return True

    def down(self, repository: Repository, mirror: Mirror, why: str) -> None:
        state = self._of(repository, mirror)
        self._say(repository, mirror, why, changed=state.asked_again_at is None)
        state.asked_again_at = self._clock() + _ASKED_EVERY_S

    def refuses(self, repository: Repository, mirror: Mirror, why: str) -> None:
        """It is there, and lets us not in here."""
        self._up(repository, mirror)
        refused = self._of(repository, mirror).refused
        self._say(repository, mirror, why, changed=not refused)
        if len(refused) < _REFUSED_KEPT:
            refused.add(repository.path)

    def answered(self, repository: Repository, mirror: Mirror, *, why: str = "") -> None:
        """It is there; `why` it was passed over all the same, if it was."""
        self._up(repository, mirror)
        refused = self._of(repository, mirror).refused
        if repository.path in refused:
            refused.discard(repository.path)
            if not refused:
                logger.info("mirror %s of %s refuses us no longer", mirror.host, repository.host)
        if why:
            self._say(repository, mirror, why, changed=False)

    def _up(self, repository: Repository, mirror: Mirror) -> None:
        state = self._of(repository, mirror)
        if state.asked_again_at is not None:
            state.asked_again_at = None
            logger.info(
                "mirror %s of %s answers again", mirror.host, repository.host, extra={"repository": str(repository)}
            )

    def _say(self, repository: Repository, mirror: Mirror, why: str, *, changed: bool) -> None:
        logger.log(
            logging.WARNING if changed else logging.DEBUG,
            "mirror %s of %s is passed over: %s",
            mirror.host,
            repository.host,
            why,
            extra={"repository": str(repository)},
        )

    def _of(self, repository: Repository, mirror: Mirror) -> _State:
        return self._states.setdefault((repository.host, mirror), _State())
