"""How a command ends when something goes wrong: the error's message, and 2 for a mistake or 1 for a fault."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

import click

from bundlewatch.errors import BundleWatchError, Mistake

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], *, spoken: Callable[[str], str] = str) -> T:
    """The result of the work, or the end of the program; `spoken`: in which words."""
    try:
        return asyncio.run(work)
    except BundleWatchError as error:
        fail(spoken(str(error)), code=2 if isinstance(error, Mistake) else 1)


def fail(message: str, *, code: int) -> NoReturn:
    click.echo(f"bundlewatch: {message}", err=True)
    sys.exit(code)
