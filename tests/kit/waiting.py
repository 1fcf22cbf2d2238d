"""Waiting for something that becomes true by itself. Knows nothing of what is awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def eventually(
    predicate: Callable[[], Value],
    *,
    timeout_s: float = 15,
    every_s: float = 0.05,
    message: str | Callable[[], str] = "",
) -> Value:
    """The first truthy result of `predicate`.

    An AssertionError in it counts as "not yet"; any other exception ends the wait. After `timeout_s` raises
    AssertionError with `message` and with what the predicate said last.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            last: object = (value := predicate())
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            said = message() if callable(message) else message
            raise AssertionError(f"not within {timeout_s:g} s: {said or predicate}; last seen: {last!r}")
        time.sleep(every_s)


def never(predicate: Callable[[], object], *, for_s: float, every_s: float = 0.05, message: str = "") -> None:
    """Fails as soon as `predicate` is truthy; returns when it was not for `for_s`."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        if seen := predicate():
            raise AssertionError(f"{message or predicate} became true: {seen!r}")
        time.sleep(every_s)
