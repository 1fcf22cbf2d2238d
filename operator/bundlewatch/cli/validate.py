"""`bundlewatch validate`: whether manifests would be taken, without a cluster, a registry or a network.

Two have a say: the API server, in whose words `api.admission` tells what it would refuse, and the operator, which
would stall on patterns and ranges that do not compile, and on BundleWatches that wait for each other. This module
finds the files and prints.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from bundlewatch.api.admission import Document, Unreadable, complaints, documents, is_meant, stored
from bundlewatch.api.text import clean
from bundlewatch.api.v1alpha1 import KIND, BundleWatch
from bundlewatch.cli import files, secrets
from bundlewatch.cli.endings import note
from bundlewatch.cli.files import STANDARD_INPUT, FileProblem
from bundlewatch.engine.gatekeeping import in_order
from bundlewatch.engine.policies import compiled
from bundlewatch.errors import Mistake
from bundlewatch.policy.gates import Gates

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_AFTER: Final = ("spec", "gates", "after")
_LONGEST: Final = 4096  # characters of a line
_TEMPLATED: Final = (
    "{{ in a value is text here: if this is a template, render it first, as by "
    "helm template … | bundlewatch validate -f -"
)
_ONE_OF_A_NAME: Final = "of two with one name the later overwrites the other; rename one, or remove it"


@click.command(short_help="Check manifests without a cluster.")
@click.option(
    "-f",
    "--filename",
    "named",
    multiple=True,
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="File of manifests, directory of such files, or - for standard input; may be repeated.",
)
@click.argument("more", nargs=-1, metavar="[FILE]...", type=click.Path(allow_dash=True))
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="One line a mistake, or all of it as one JSON object.",
)
def validate(named: tuple[str, ...], more: tuple[str, ...], output: str) -> None:
    """Check manifests as the API server would, and as the operator would read them, without either.

    \b
    bundlewatch validate -f apps/
    helm template shop | bundlewatch validate -f -

    Files are YAML or JSON with any number of documents; what is no BundleWatch is skipped. A directory means every
    .yaml, .yml and .json under it. Exit codes: 0 every BundleWatch is valid, 2 one is not, a file cannot be read,
    or there is no BundleWatch at all.
    """  # noqa: D301 - click wants the character
    if not named and not more:
        raise click.UsageError("name what to check: bundlewatch validate -f FILE, or - for standard input")
    report = _Report()
    for file in dict.fromkeys(file for name in (*named, *more) for file in _files(name)):
        report.add(file)
    report.find_circles()
    if output == "json":
        click.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        for line in report.lines():
            click.echo(line)
    note(report.summary())
    if not report.valid:
        sys.exit(2)


@dataclass(frozen=True, slots=True)
class _Error:
    line: int
    message: str


@dataclass(slots=True)
class _Checked:
    """One object, or a file of which nothing more can be said."""

    file: str
    line: int
    kind: str = ""
    namespace: str = ""
    name: str = ""
    errors: list[_Error] = field(default_factory=list)

    @property
    def title(self) -> str:
        name = "/".join(filter(None, (self.namespace, self.name)))
        return " ".join(filter(None, (self.kind, name)))


class _Report:
    """What was found in the files so far."""

    def __init__(self) -> None:
        self._checked: list[_Checked] = []
        self._skipped = 0
        self._places: dict[tuple[str, str], str] = {}
        self._read: dict[tuple[str, str], tuple[BundleWatch, _Checked, int]] = {}

    def add(self, file: str) -> None:
        shown = "<stdin>" if file == STANDARD_INPUT else file
        try:
            for document in documents(files.read(file)):
                if is_meant(document.value):
                    self._checked.append(self._check(document, shown))
                else:
                    self._skipped += 1
        except FileProblem as problem:
            self._checked.append(_Checked(shown, problem.line, errors=[_Error(problem.line, str(problem))]))
        except Unreadable as error:
            self._checked.append(_Checked(shown, error.line, errors=[_Error(error.line, str(error))]))

    def find_circles(self) -> None:
        """Add what the operator would say of each BundleWatch that waits for itself, by way of others in the files."""
        for watch, checked, line in self._read.values():
            try:
                in_order(watch, self)
            except Mistake as error:
                checked.errors.append(_Error(line, error.message))

    def watch(self, namespace: str, name: str) -> BundleWatch | None:
        """The one that was read from the files; None: it is in none, or cannot be read."""
        found = self._read.get((namespace, name))
        return found[0] if found is not None else None

    def _check(self, document: Document, file: str) -> _Checked:
        body = document.value
        assert isinstance(body, Mapping)
        kind, namespace, name = _identity(body)
        checked = _Checked(file, document.line, kind, namespace, name)
        found = [*document.repetitions(), *complaints(body)]
        # In the order of the lines; what is said of the object as a whole comes last.
        found.sort(key=lambda complaint: (not complaint.path, document.line_of(complaint.path)))
        checked.errors.extend(_Error(document.line_of(each.path), secrets.hidden(each.text, body)) for each in found)
        if not found:
            try:
                watch = BundleWatch.parse(stored(body))
                if name:
                    self._read[namespace, name] = (watch, checked, document.line_of(_AFTER))
                _compile(watch)
            except Mistake as error:
                line = document.line_of(_path(error.message))
                checked.errors.append(_Error(line, secrets.hidden(error.message, body)))
        if checked.errors and "{{" in json.dumps(body):
            checked.errors.append(_Error(document.line, _TEMPLATED))
        here = f"{file}:{document.line}"
        first = self._places.setdefault((namespace, name), here) if name else here
        if first is not here:
            checked.errors.append(_Error(document.line, f"is already at {first}: {_ONE_OF_A_NAME}"))
        return checked

    @property
    def valid(self) -> bool:
        return bool(self._checked) and not any(checked.errors for checked in self._checked)

    def lines(self) -> Iterator[str]:
        for checked in self._checked:
            for error in checked.errors:
                where = f"{checked.file}:{error.line}"
                yield clean(": ".join(filter(None, (where, checked.title, error.message))), max_length=_LONGEST)

    def summary(self) -> str:
        objects = [checked for checked in self._checked if checked.kind]
        good = sum(not checked.errors for checked in objects)
        unread = len(self._checked) - len(objects)
        told = f"{_counted(good, 'BundleWatch', 'BundleWatches')} valid" if objects else "no BundleWatch found"
        if good < len(objects):
            told += f", {len(objects) - good} not"
        if unread:
            told += f"; {_counted(unread, 'file', 'files')} cannot be read"
        if self._skipped:
            told += f"; {_counted(self._skipped, 'other object', 'other objects')} skipped"
        return told

    def as_json(self) -> dict[str, object]:
        return {
            "valid": self.valid,
            "objects": [
                {
                    "file": clean(checked.file, max_length=_LONGEST),
                    "line": checked.line,
                    "namespace": checked.namespace,
                    "name": checked.name,
                    "valid": not checked.errors,
                    "errors": [
                        {"line": error.line, "message": clean(error.message, max_length=_LONGEST)}
                        for error in checked.errors
                    ],
                }
                for checked in self._checked
            ],
            "skipped": self._skipped,
        }


def _files(name: str) -> Iterator[str]:
    if name != STANDARD_INPUT and Path(name).is_dir():
        yield from (str(path) for path in sorted(Path(name).rglob("*")) if path.suffix in _SUFFIXES and path.is_file())
    else:
        yield name


def _identity(body: Mapping[str, object]) -> tuple[str, str, str]:
    """Kind, namespace and name, as far as they are there."""
    metadata = body.get("metadata")
    of = metadata if isinstance(metadata, Mapping) else {}
    return _text(body.get("kind")) or KIND, _text(of.get("namespace")), _text(of.get("name"))


def _text(value: object) -> str:
    return clean(value, max_length=253) if isinstance(value, str) else ""


def _compile(watch: BundleWatch) -> None:
    """Raises Mistake where the operator would stall without looking at anything else."""
    compiled(watch.spec)
    Gates.compile(watch.spec.gates, name=watch.name, namespace=watch.namespace)


def _path(message: str) -> tuple[str, ...]:
    """The field that a message begins with, such as spec.tags.range."""
    return tuple(message.partition(" ")[0].rstrip(":").split("."))


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
