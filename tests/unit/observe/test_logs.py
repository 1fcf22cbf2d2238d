"""What the log looks like: one line an entry, with the fields by which one searches; strangers cannot forge one."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from bundlewatch.observe import logs

ABOUT = {"object": "argocd/shop", "repository": "registry.example.com/shop", "tag": "1.0.1", "reason": "Moved"}


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, given back as it was."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    quiet = {name: logging.getLogger(name).level for name in logs._QUIET}
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)


def test_a_json_entry_carries_object_repository_tag_and_reason(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(style="json", level="info", stream=stream)

    root.info("moved %s", "shop", extra=ABOUT)

    entry = json.loads(stream.getvalue())
    assert entry.items() >= {"message": "moved shop", "level": "info", "logger": "root", **ABOUT}.items()
    assert "timestamp" in entry


def test_a_console_entry_shows_the_same_fields_in_one_line(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(style="console", level="info", stream=stream)

    root.warning("moved", extra=ABOUT)

    (line,) = stream.getvalue().splitlines()
    assert line.endswith(
        "WARNING moved  object=argocd/shop repository=registry.example.com/shop tag=1.0.1 reason=Moved"
    )


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_strangers_text_makes_neither_a_second_entry_nor_a_terminal_escape(root: logging.Logger, style: str) -> None:
    stream = io.StringIO()
    logs.configure(style=style, level="info", stream=stream)

    root.info("tag %s", "\x1b[31mred", extra={"tag": "1.0\nERROR forged"})

    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_a_traceback_is_whole(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(style="console", level="info", stream=stream)

    try:
        int("seven")
    except ValueError:
        root.exception("a pass failed")

    assert "Traceback (most recent call last):" in stream.getvalue()
    assert "ValueError: invalid literal" in stream.getvalue()


def test_what_is_below_the_level_is_not_told(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(style="json", level="warning", stream=stream)

    root.info("small talk")

    assert stream.getvalue() == ""


def test_what_a_library_hangs_onto_a_record_breaks_no_line(root: logging.Logger) -> None:
    stream = io.StringIO()
    logs.configure(style="json", level="info", stream=stream)

    root.error("a handler failed", extra={"settings": object(), "k8s_ref": {"uid": b"1"}, "object": "argocd/shop"})

    entry = json.loads(stream.getvalue())
    assert entry["message"] == "a handler failed"
    assert entry["object"] == "argocd/shop"
    assert "timestamp" in entry
