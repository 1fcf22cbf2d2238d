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


@pytest.mark.parametrize("command", ["crd", "--help", "--version"])
def test_what_a_closed_standard_output_does_not_take_is_told(command: str) -> None:
    done = subprocess.run(f"{PROGRAM} {command} >&-", shell=True, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        "bundlewatch: standard output cannot be written to: it is closed; what is there is not complete\n"
    )


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", "2>/dev/full >&-"])
def test_who_prints_nothing_needs_no_output_and_what_is_only_a_note_no_error_output(where: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(
        "apiVersion: bundlewatch.dev/v1alpha1\nkind: BundleWatch\nmetadata: {name: shop}\n"
        "spec: {repository: registry.example.com/shop, applications: [{name: shop}]}\n"
    )
    done = subprocess.run(f"{PROGRAM} validate {file} {where}", shell=True, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
