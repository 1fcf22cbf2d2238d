"""Lists of tags in a file: one a line, or JSON as `crane`, `skopeo`, `oras` and registries print them."""

import json

from bundlewatch.cli import files
from bundlewatch.cli.endings import note
from bundlewatch.cli.files import FileProblem
from bundlewatch.errors import InvalidReference
from bundlewatch.registry.reference import is_tag


def read(file: str) -> tuple[str, ...]:
    """The tags in a file (-: standard input), each once; what is no tag is left out and told on standard error.

    Raises InvalidReference where the file cannot be read.
    """
    try:
        text = files.read(file)
    except FileProblem as problem:
        raise InvalidReference(f"--tags-from {file}: {problem}") from None
    entries = dict.fromkeys(_entries(text, file))
    tags = tuple(entry for entry in entries if is_tag(entry))
    if entries and not tags:
        first = next(iter(entries))
        raise InvalidReference(
            f"--tags-from {file}: has no tag in it, but such as {first[:60]!a}; write tags alone, one a line"
        )
    if len(tags) < len(entries):
        first = next(entry for entry in entries if not is_tag(entry))
        count = len(entries) - len(tags)
        note(f"{count} in {file} left out, being no tag: {first[:60]!a} …")
    return tags


def _entries(text: str, file: str) -> list[str]:
    if not text.lstrip().startswith(("{", "[")):
        return [stripped for line in text.splitlines() if (stripped := line.strip())]
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidReference(f"--tags-from {file}: begins like JSON and is none: {error}") from None
    if isinstance(content, dict):
        content = content.get("tags", content.get("Tags", ""))
        content = [] if content is None else content  # of a repository without tags
    if not isinstance(content, list) or not all(isinstance(entry, str) for entry in content):
        raise InvalidReference(f"--tags-from {file}: this JSON is neither a list of tags nor has one under tags")
    return content
