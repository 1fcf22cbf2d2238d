"""`bundlewatch crd`: the CustomResourceDefinition, generated from the models."""

import click

from bundlewatch.api.crd import render


@click.command(short_help="Print the CustomResourceDefinition of BundleWatch.")
def crd() -> None:
    """Print the CustomResourceDefinition of BundleWatch as YAML.

    \b
    bundlewatch crd | kubectl apply --server-side -f -
    """  # noqa: D301 - click wants the character
    click.echo(render(), nl=False)
