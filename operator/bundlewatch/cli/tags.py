"""`bundlewatch tags`: all tags of a repository, or an error, never a part."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import click

from bundlewatch.cli import registries, wording
from bundlewatch.cli.endings import note, run
from bundlewatch.cli.registries import Login
from bundlewatch.registry.client import Listing
from bundlewatch.registry.reference import Repository, parse_repository

_LONG_S: Final = 0.5


@click.command(short_help="List the tags of a repository.")
@click.argument("repository")
@registries.flags
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def tags(*, login: Login, repository: str, output: str) -> None:
    """List all tags of a repository, sorted as text.

    \b
    bundlewatch tags registry.example.com/shop/bundle
    bundlewatch tags registry.example.com/shop/bundle | bundlewatch explain -f shop.yaml --tags-from -

    Exit codes: 0 all tags were listed, 2 a mistake in the call, or the registry knows no such repository or refuses
    the login, 1 the registry did not answer, or not completely: then nothing is printed; or printing failed.
    """  # noqa: D301 - click wants the character
    wanted, listing = run(_list(repository, login))
    if output == "json":
        click.echo(json.dumps({"repository": str(wanted), "tags": listing.tags}, indent=2))
    elif listing.tags:
        click.echo("\n".join(listing.tags))
    if listing.skipped:
        note(f"{listing.skipped} more entries are no tags and were left out")


async def _list(text: str, login: Login) -> tuple[Repository, Listing]:
    with wording.spoken(wording.FLAGS):
        repository = parse_repository(text)
    with _progress() as progress, login.access(repository) as access:
        async with registries.client() as registry:
            return repository, await registry.listing(repository, access=access, progress=progress)


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A line on a terminal that says how far a long listing is; how long it will be, no registry says."""
    began, told = time.monotonic(), False

    def tell(count: int) -> None:
        nonlocal told
        if sys.stderr.isatty() and time.monotonic() - began > _LONG_S:
            told = True
            with suppress(OSError):
                click.echo(f"\r{count:,} tags …", err=True, nl=False)

    try:
        yield tell
    finally:
        if told:
            with suppress(OSError):
                click.echo("\r\x1b[K", err=True, nl=False)
