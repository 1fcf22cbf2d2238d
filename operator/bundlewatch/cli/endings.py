"""How a command ends when something goes wrong: the error's message, and 2 for a mistake or 1 for anything else."""

import asyncio
import errno
import io
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn, TypeVar

import click

from bundlewatch.errors import BundleWatchError, Mistake

T = TypeVar("T")

INTERRUPTED: Final = 130  # as shells have it: 128 and the signal's number; 1 would say that something was found wrong

_UNWRITABLE: Final = (errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, or the end of the program."""
    try:
        return asyncio.run(work)
    except BundleWatchError as error:
        fail(str(error), code=2 if isinstance(error, Mistake) else 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def fail(message: str, *, code: int) -> NoReturn:
    note(message)
    sys.exit(code)


def note(message: str) -> None:
    """A line on standard error. Where that cannot be written to, the exit code and standard output still tell."""
    with suppress(OSError):
        click.echo(f"bundlewatch: {message}", err=True)


@contextmanager
def printing() -> Iterator[None]:
    """All that is printed in the block arrives, or the program ends with 1 and says that it did not.

    Of a reader that has gone (`… | head`) nothing is said. What the output's encoding has no character for is printed
    as an escape.
    """
    if sys.stdout is None:  # it was closed before we began
        sys.stdout = _Closed()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in (*_UNWRITABLE, errno.EPIPE) or error.filename is not None:
            raise
        _forget_what_is_unwritten()
        if error.errno == errno.EPIPE:
            sys.exit(1)
        fail(f"standard output cannot be written to: {error.strerror}; what is there is not complete", code=1)


class _Closed(io.TextIOBase):
    """Stands in for a standard output that is closed: it matters only to who prints something."""

    def write(self, text: str) -> int:
        if text:
            raise OSError(errno.EBADF, "it is closed")
        return 0


def _forget_what_is_unwritten() -> None:
    """Or Python tries again at its very end, and complains in its own words."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
