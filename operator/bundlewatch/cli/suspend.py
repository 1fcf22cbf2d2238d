"""`bundlewatch suspend`: neither look at the registry nor change an Application, until it is resumed."""

import click

from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.endings import run
from bundlewatch.cli.requests import Subject
from bundlewatch.cluster.client import KubernetesClient


@click.command(short_help="Stop looking and moving, until `resume`.")
@click.argument("name", shell_complete=cluster.names)
@cluster.flags
def suspend(*, login: Login, name: str) -> None:
    """Stop: neither look at the registry nor change an Application. It sets spec.suspend; `resume` goes on.

    A release that is under way is then not taken back either. Where a GitOps tool applies the BundleWatch, set
    spec.suspend in its manifest instead: the tool puts it back.

    Exit codes: 0 it is suspended, 2 a mistake in the call or no such BundleWatch, 1 the cluster did not answer.
    """

    async def work(client: KubernetesClient, namespace: str) -> str:
        subject = Subject(client, namespace, name)
        watch = await subject.read()
        if watch.spec.suspend:
            return f"{subject} is suspended already"
        await subject.patch({"spec": {"suspend": True}})
        moving = sorted({entry.name for entry in watch.status.applications if entry.deadline})
        left = f"; a release is under way on {', '.join(moving)}, and is left as it is" if moving else ""
        return f"{subject} is suspended{left}; to go on: {subject.command('resume')}"

    click.echo(run(login.client(work)))
