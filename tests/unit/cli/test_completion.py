"""A shell completes what there is, also behind `kubectl bundlewatch`."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bundlewatch.cli import main

PROGRAMS = Path(sys.executable).parent


def complete(*words: str) -> list[str]:
    """What kubectl is told for the words so far, of which the last is incomplete."""
    program = PROGRAMS / "kubectl_complete-bundlewatch"
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True, env={"KUBECONFIG": "/none"})
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])

    assert done.exit_code == 0
    assert f"_BUNDLEWATCH_COMPLETE={shell}_complete" in done.stdout


def test_the_script_for_bash_completes(tmp_path: Path) -> None:
    script = f"source <({PROGRAMS}/bundlewatch completion bash); COMP_WORDS=(bundlewatch expl); COMP_CWORD=1; "

    done = subprocess.run(
        ["bash", "-c", f'{script} _bundlewatch_completion bundlewatch; echo "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{PROGRAMS}:/usr/bin:/bin"},
    )

    assert done.stdout == "explain\n"


def test_kubectl_is_told_the_commands_and_no_files() -> None:
    *commands, directive = complete("")

    assert [line.partition("\t")[0] for line in commands] == [
        "run",
        "explain",
        "wait",
        "reconcile",
        "approve",
        "retry",
        "suspend",
        "resume",
        "tags",
        "inspect",
        "validate",
        "crd",
        "completion",
    ]
    assert directive == ":4"


def test_kubectl_is_told_flags_and_their_choices() -> None:
    assert [line.partition("\t")[0] for line in complete("explain", "--tag")] == ["--tags-from", "--tag", ":4"]
    assert complete("explain", "-o", "j") == ["json", ":4"]


def test_where_a_file_is_wanted_the_shell_offers_files() -> None:
    assert complete("explain", "-f", "") == [":0"]


def test_without_a_cluster_no_names_are_offered_and_nothing_is_said() -> None:
    assert complete("explain", "sh") == [":4"]


def test_as_a_plugin_it_calls_itself_as_it_was_called() -> None:
    done = subprocess.run(
        [PROGRAMS / "kubectl-bundlewatch", "explain", "-h"], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith("Usage: kubectl bundlewatch explain ")
