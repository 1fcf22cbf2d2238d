"""How a command ends when something goes wrong: the error's message, and 2 for a mistake or 1 for anything else."""

import asyncio
import errno
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn, TypeVar

import click

from bundlewatch.errors import BundleWatchError, Mistake

T = TypeVar("T")

_UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, or the end of the program."""
    try:
        return asyncio.run(work)
    except BundleWatchError as error:
        fail(str(error), code=2 if isinstance(error, Mistake) else 1)


def fail(message: str, *, code: int) -> NoReturn:
    with suppress(OSError):  # the exit code still tells
        click.echo(f"bundlewatch: {message}", err=True)
    sys.exit(code)


@contextmanager
def printing() -> Iterator[None]:
    """All that is printed in the block arrives, or the program ends with 1 and says that it did not.

    Of a reader that has gone (`… | head`) nothing is said.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # it was closed before we began
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in (*_UNWRITABLE, errno.EPIPE) or error.filename is not None:
            raise
        _forget_what_is_unwritten()
        if error.errno == errno.EPIPE:
            sys.exit(1)
        fail(f"standard output cannot be written to: {error.strerror}; what is there is not complete", code=1)


def _forget_what_is_unwritten() -> None:
    """Or Python tries again at its very end, and complains in its own words."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
