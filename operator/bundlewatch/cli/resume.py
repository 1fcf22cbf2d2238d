"""`bundlewatch resume`: go on after `suspend`, and after somebody else has set a target revision."""

import click

from bundlewatch.api import annotations
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.endings import run
from bundlewatch.cli.requests import Subject, stamp
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.rollout.phases import HELD, REVERTED


@click.command(short_help="Go on: after `suspend`, and where Applications are held.")
@click.argument("name", shell_complete=cluster.names)
@cluster.flags
def resume(*, login: Login, name: str) -> None:
    """Go on: spec.suspend becomes false, and Applications that somebody else has set are moved again.

    Exit codes: 0 it goes on, 2 a mistake in the call or no such BundleWatch, 1 the cluster did not answer.
    """

    async def work(client: KubernetesClient, namespace: str) -> str:
        subject = Subject(client, namespace, name)
        watch = await subject.read()
        asked: dict[str, object] = {"metadata": {"annotations": {annotations.RESUME: stamp()}}}
        if watch.spec.suspend:
            asked["spec"] = {"suspend": False}
        await subject.patch(asked)
        return f"{subject}: {_told(watch)}; what comes next: kubectl get bw {name} -n {namespace}"

    click.echo(run(login.client(work)))


def _told(watch: BundleWatch) -> str:
    held = sorted({entry.name for entry in watch.status.applications if entry.phase in {HELD, REVERTED}})
    if not watch.spec.suspend and not held:
        return "nothing was suspended or held"
    suspended = ["it is not suspended any more"] if watch.spec.suspend else []
    released = [f"{', '.join(held)} is moved again" if len(held) == 1 else f"{', '.join(held)} are moved again"]
    return ", and ".join([*suspended, *(released if held else [])])
