"""The command line: one module a command, each a thin reading of flags.

Exit codes: 0 done, 2 a mistake in how it was called, 1 anything else. Every flag has a twin in the
environment, `BUNDLEWATCH_<FLAG>`, which `--help` names.
"""

import click

from bundlewatch import __version__
from bundlewatch.cli.crd import crd
from bundlewatch.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="bundlewatch")
def main() -> None:
    """Move Argo CD Applications to new OCI bundles, and always say why."""


main.add_command(run)
main.add_command(crd)
