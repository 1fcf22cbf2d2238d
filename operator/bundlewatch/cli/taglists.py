"""Lists of tags in a file: one a line, or JSON as `crane`, `skopeo`, `oras` and registries print them."""

import json
import sys
from pathlib import Path

import click

from bundlewatch.errors import InvalidReference
from bundlewatch.registry.reference import is_tag


def read(file: str) -> tuple[str, ...]:
    """The tags in a file (-: standard input), each once; what is no tag is left out and told on standard error.

    Raises InvalidReference where the file cannot be read.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidReference(f"--tags-from {file}: {reason}") from None
    entries = dict.fromkeys(_entries(text, file))
    tags = tuple(entry for entry in entries if is_tag(entry))
    if len(tags) < len(entries):
        first = next(entry for entry in entries if not is_tag(entry))
        count = len(entries) - len(tags)
        click.echo(f"bundlewatch: {count} in {file} left out, being no tag: {first[:60]!a} …", err=True)
    return tags


def _entries(text: str, file: str) -> list[str]:
    if not text.lstrip().startswith(("{", "[")):
        return [stripped for line in text.splitlines() if (stripped := line.strip())]
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidReference(f"--tags-from {file}: begins like JSON and is none: {error}") from None
    if isinstance(content, dict):
        content = content.get("tags", content.get("Tags"))
    if not isinstance(content, list) or not all(isinstance(entry, str) for entry in content):
        raise InvalidReference(f"--tags-from {file}: this JSON is neither a list of tags nor has one under tags")
    return content
