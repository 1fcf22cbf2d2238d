"""Verdicts on a terminal, and for programs."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Final

import click
import yaml

from bundlewatch.policy.verdict import Reason, Verdict

_COLOURS: Final[Mapping[Reason, str]] = {
    Reason.CHOSEN: "green",
    Reason.CURRENT: "cyan",
    Reason.SUPERSEDED: "bright_black",
    Reason.NOT_A_BUNDLE_TAG: "bright_black",
}
_OTHER_COLOUR: Final = "yellow"
_GAP: Final = "   "  # kubectl's
_ANY_WIDTH: Final = 2**20
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast, where it was built


def coloured() -> bool | None:
    """Whether output has colours; None: as the terminal takes them. https://no-color.org"""
    return False if os.environ.get("NO_COLOR") else None


def table(verdicts: Sequence[Verdict]) -> str:
    """One line a verdict, each in the colour of its reason."""
    rows = [
        ("TAG", "VERSION", "VERDICT"),
        *((verdict.tag, verdict.version or "", verdict.reason) for verdict in verdicts),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row, verdict in zip(rows, (None, *verdicts), strict=True):
        cells = _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        if verdict is None:
            lines.append(f"{cells}{_GAP}WHY")
        else:
            lines.append(click.style(f"{cells}{_GAP}{verdict.message}", fg=_COLOURS.get(verdict.reason, _OTHER_COLOUR)))
    return "\n".join(lines)


def document(choice: Verdict | None, verdicts: Sequence[Verdict], *, style: str) -> str:
    """The choice and the verdicts as JSON or YAML, in the form that `explain` documents."""
    chosen = None if choice is None else {"tag": choice.tag, "version": choice.version}
    entries = [
        {"tag": verdict.tag, "version": verdict.version, "reason": str(verdict.reason), "message": verdict.message}
        for verdict in verdicts
    ]
    if style == "yaml":
        content = {"choice": chosen, "verdicts": entries}
        text = yaml.dump(content, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=_ANY_WIDTH)
        return text.rstrip("\n")
    # A verdict a line: a person can read it, `grep` finds it, and a hundred thousand are written in a second.
    lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
    listed = f"[\n{lines}\n  ]" if lines else "[]"
    return f'{{\n  "choice": {json.dumps(chosen, ensure_ascii=False)},\n  "verdicts": {listed}\n}}'
