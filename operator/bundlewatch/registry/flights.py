"""Work that several wait for, done once.

Each waits behind `asyncio.shield`, so that one who gives up takes nothing from the others. Which work is whose, and
how long its result is good for, is kept by whoever begins it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def begin(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """The work under way. Everybody who waited may be gone at its end; an error is then nobody's, not a warning."""
    flight = asyncio.create_task(work)
    flight.add_done_callback(_retrieved)
    return flight


def _retrieved(flight: "asyncio.Task[Any]") -> None:
    if not flight.cancelled():
        flight.exception()
