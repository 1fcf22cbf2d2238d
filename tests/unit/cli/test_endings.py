"""How commands end: what could not be printed is told, and a reader that has gone is nobody's mistake."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "bundlewatch"


@pytest.mark.parametrize("arguments", [["--help"], ["crd"], ["crd", "--help"], ["completion", "bash"]], ids=" ".join)
def test_a_full_disk_is_told_in_a_line_and_ends_with_1(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("bundlewatch: standard output cannot be written to: No space left on device")
    assert done.stderr.count("\n") == 1


def test_a_mistake_is_told_as_such_even_where_nothing_can_be_printed() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([PROGRAM, "tags", "UPPER"], stdout=full, stderr=full, check=False)

    assert done.returncode == 2


def test_a_reader_that_has_gone_is_not_complained_about() -> None:
    done = subprocess.run(f"{PROGRAM} crd | true", shell=True, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("", "")


def test_a_closed_standard_output_is_no_traceback() -> None:
    done = subprocess.run(f"{PROGRAM} crd >&-", shell=True, capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr
