"""No error of the registry client names a field, a Secret or the operator to a person who has flags, or a file."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from bundlewatch import registry
from bundlewatch.cli.wording import FILE, FILE_IN_THE_CLEAR, FLAGS, LIVE, Wording, in_words, spoken
from bundlewatch.errors import AccessDenied, BundleWatchError, RateLimited, RegistryUnavailable, RepositoryNotFound

FOREIGN = re.compile(r"spec\.|operator|(?:the|name a|from a) Secret")
OF_MIRRORS = re.compile(r"--registry-config|SSL_CERT_FILE")
"""The operator alone is given mirrors: no message about one is seen at a terminal."""


def modules() -> Iterator[ModuleType]:
    """Of the client itself; `providers` are asked by the operator alone."""
    for file in sorted(Path(inspect.getfile(registry)).parent.glob("[a-z]*.py")):
        yield import_module(f"bundlewatch.registry.{file.stem}")


def texts(module: ModuleType) -> Iterator[str]:
    """Every text that can become a message, or a part of one, with the module's own constants put in."""
    tree = ast.parse(inspect.getsource(module))
    nobodys: set[int] = set()  # documentation, what is compared with, and what is a part of another text
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr | ast.Compare | ast.JoinedStr):
            nobodys.update(id(part) for part in ast.walk(node) if isinstance(part, ast.Constant))
    used = {name for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for name in names(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and used.intersection(names(node)):
            nobodys.update(id(part) for part in ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(put_in(part, module) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in nobodys:
            yield node.value


def names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id.isupper()}


def put_in(part: ast.expr, module: ModuleType) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    constant = getattr(module, part.value.id, None) if isinstance(part.value, ast.Name) else None
    return constant if isinstance(constant, str) else "…"


MESSAGES = [
    pytest.param(module.__name__.rpartition(".")[2], text, id=f"{module.__name__.rpartition('.')[2]}: {text[:60]}")
    for module in modules()
    for text in texts(module)
    if FOREIGN.search(text) and not OF_MIRRORS.search(text)
]


@pytest.mark.parametrize(("module", "text"), MESSAGES)
def test_whoever_has_flags_is_told_of_flags(module: str, text: str) -> None:
    assert not FOREIGN.search(in_words(text, FLAGS))


@pytest.mark.parametrize(("module", "text"), MESSAGES)
def test_whoever_has_a_file_is_told_of_what_stands_in_it_and_of_commands(module: str, text: str) -> None:
    if module not in {"tls", "reference"}:  # it has no certificates, and its repository was read before
        for wording in (FILE, FILE_IN_THE_CLEAR):
            assert not FOREIGN.search(in_words(text, wording).replace("spec.access.insecure", ""))


@pytest.mark.parametrize(("module", "text"), MESSAGES)
def test_whoever_asks_about_a_live_object_is_not_sent_to_the_operators_environment(module: str, text: str) -> None:
    assert "operator" not in in_words(text, LIVE)


@pytest.mark.parametrize(
    ("wording", "row"), [pytest.param(wording, row, id=row[0]) for wording in (FLAGS, FILE) for row in wording]
)
def test_nothing_is_reworded_that_nobody_says(wording: Wording, row: tuple[str, str]) -> None:
    before = wording[: wording.index(row)]

    assert any(row[0] in in_words(text, before) for module in modules() for text in texts(module))


@pytest.mark.parametrize("kind", [AccessDenied, RepositoryNotFound, RegistryUnavailable, RateLimited])
def test_an_error_stays_what_it_was(kind: type[BundleWatchError]) -> None:
    with pytest.raises(kind, match=r"^no; leave out --insecure"), spoken(FLAGS):
        raise kind("no; remove spec.access.insecure")


def test_a_hint_is_added_where_a_login_may_be_what_is_missing() -> None:
    with pytest.raises(AccessDenied, match=r"^no; there is none$"), spoken(FLAGS, hint="there is none"):
        raise AccessDenied("no")
    with pytest.raises(RegistryUnavailable, match=r"^no$"), spoken(FLAGS, hint="there is none"):
        raise RegistryUnavailable("no")
