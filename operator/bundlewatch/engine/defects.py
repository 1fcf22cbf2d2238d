"""Defects of ours, met at work: what failed in a way nobody expected is tried again like any other fault.

The log gets the traceback of each once, and a line whenever it comes back: a defect that meets ten thousand
BundleWatches is still one defect.
"""

import logging

from bundlewatch.errors import InternalError

logger = logging.getLogger(__name__)


class Defects:
    """Knows which have been told."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str, int]] = set()

    def tell(self, error: Exception, *, work: str) -> InternalError:
        """Log a defect that stopped `work`, and say it as an error that a status can show."""
        kind = type(error).__name__
        place = (kind, *_place(error))
        if place in self._told:
            logger.error("%s failed again by a defect told before: %s", work, kind)
        else:
            self._told.add(place)
            logger.error("%s failed in a way nobody expected", work, exc_info=error)
        return InternalError(
            f"a defect of BundleWatch itself ({kind}); it is tried again, and the operator's log has the traceback "
            "to report it with"
        )


def _place(error: Exception) -> tuple[str, int]:
    """File and line that raised it."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return ("", 0) if step is None else (step.tb_frame.f_code.co_filename, step.tb_lineno)
