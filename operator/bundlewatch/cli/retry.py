"""`bundlewatch retry`: lift the quarantine of a bundle that failed."""

import click

from bundlewatch.api import annotations
from bundlewatch.api.v1alpha1 import BundleWatch, Quarantined
from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.endings import run
from bundlewatch.cli.requests import Subject, stamp
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.errors import InvalidReference

_SHOWN = 10


@click.command(short_help="Have a bundle tried again that failed.")
@click.argument("name", shell_complete=cluster.names)
@click.argument("tag", required=False)
@cluster.flags
def retry(*, login: Login, name: str, tag: str | None) -> None:
    """Have a bundle tried again that failed: its quarantine is lifted. Without TAG: the one that failed last.

    \b
    bundlewatch retry shop -n argocd
    bundlewatch retry shop 1.0.4 -n argocd

    Exit codes: 0 it is asked for, 2 a mistake in the call, no such BundleWatch, or no such bundle in its quarantine,
    1 the cluster did not answer.
    """  # noqa: D301 - click wants the character

    async def work(client: KubernetesClient, namespace: str) -> tuple[Subject, BundleWatch, Quarantined]:
        subject = Subject(client, namespace, name)
        watch = await subject.read()
        entry = _entry(watch, tag)
        await subject.annotate(annotations.RETRY, f"{entry.tag} {stamp()}")
        return subject, watch, entry

    subject, watch, entry = run(login.client(work))
    failed = f"; it failed ({entry.reason}) at {entry.since}" if entry.since else ""
    click.echo(f"{subject}: {entry.tag} is to be tried again{failed}")
    if watch.spec.suspend:
        click.echo("nothing goes while spec.suspend is true")
    else:
        click.echo(f"it goes as soon as nothing else is against it: {subject.command('wait')} --for {entry.tag}")


def _entry(watch: BundleWatch, tag: str | None) -> Quarantined:
    quarantine = watch.status.quarantine
    if not quarantine:
        raise InvalidReference(
            f"nothing is quarantined by {watch}; "
            f"`kubectl describe bw {watch.name} -n {watch.namespace}` says what it does"
        )
    if tag is None:
        return quarantine[0]
    for entry in quarantine:
        if entry.tag == tag:
            return entry
    listed = ", ".join(f"{entry.tag} ({entry.reason})" for entry in quarantine[:_SHOWN])
    more = f" and {len(quarantine) - _SHOWN} more" if len(quarantine) > _SHOWN else ""
    raise InvalidReference(f"{tag} is not quarantined by {watch}; these are: {listed}{more}")
