"""Files that a command is given, read the same way by all: UTF-8, a byte order mark or none; `-` is standard input."""

import sys
from pathlib import Path

STANDARD_INPUT = "-"


class FileProblem(Exception):
    """It cannot be read; the message says why, to go on after its name. `line`: where, counted from 1."""

    def __init__(self, message: str, *, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def read(file: str) -> str:
    """The text of a file. Raises FileProblem."""
    try:
        raw = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise FileProblem(f"cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileProblem("is no text in UTF-8: save it in this encoding", line=line) from None
