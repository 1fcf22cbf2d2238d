"""Shell completion: the script for a shell, and the answers kubectl asks for when this is its plugin.

kubectl runs `kubectl_complete-bundlewatch` with the words so far and takes Cobra's protocol: a completion a line,
then a directive.
"""

import sys
from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

from bundlewatch.cli.endings import printing

_PROGRAM: Final = "bundlewatch"
_VARIABLE: Final = "_BUNDLEWATCH_COMPLETE"
_FILES_TOO: Final = ":0"  # cobra.ShellCompDirectiveDefault
_NOTHING_ELSE: Final = ":4"  # cobra.ShellCompDirectiveNoFileComp


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, flags and names of BundleWatches.

    \b
    bash: source <(bundlewatch completion bash)
    zsh:  source <(bundlewatch completion zsh)
    fish: bundlewatch completion fish | source

    For `kubectl bundlewatch`, kubectl's own completion asks the program kubectl_complete-bundlewatch, which is
    installed beside this one; nothing is to be set up.
    """  # noqa: D301 - click wants the character
    complete = get_completion_class(shell)
    assert complete is not None  # it is one of the three
    click.echo(complete(context.find_root().command, {}, _PROGRAM, _VARIABLE).source())


def for_kubectl() -> None:
    """`kubectl_complete-bundlewatch`."""
    from bundlewatch.cli import main  # noqa: PLC0415 - it imports this module when it is asked to

    *words, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(main, {}, _PROGRAM, _VARIABLE).get_completions(words, incomplete)
    with printing():
        for item in found:
            if item.type == "plain":
                click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
        click.echo(_FILES_TOO if any(item.type != "plain" for item in found) else _NOTHING_ELSE)
