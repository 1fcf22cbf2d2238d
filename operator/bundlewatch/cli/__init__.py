"""The command line: one module a command, each a thin reading of flags.

Exit codes are documented by each command; common to all: 0 done, 2 a mistake of whoever called it, 1 anything
else, such as a full disk under standard output. A command is imported when it is called, since `run` brings all of
Kubernetes with it.
"""

from importlib import import_module
from typing import Any, Final

import click

from bundlewatch import __version__
from bundlewatch.cli.endings import printing

_COMMANDS: Final = (
    *("run", "explain", "wait", "reconcile", "approve", "retry", "suspend", "resume"),
    *("tags", "inspect", "validate", "crd", "completion"),
)
"""Each in a module of its name; in the order of `--help`."""


class _Commands(click.Group):
    def main(self, *arguments: Any, **options: Any) -> Any:
        with printing():
            return super().main(*arguments, **options)

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = getattr(import_module(f"bundlewatch.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="bundlewatch")
def main() -> None:
    """Move Argo CD Applications to new OCI bundles, and always say why."""


def kubectl_plugin() -> None:
    """The same as `kubectl bundlewatch`, which is how kubectl calls a program named `kubectl-bundlewatch`."""
    main(prog_name="kubectl bundlewatch")
