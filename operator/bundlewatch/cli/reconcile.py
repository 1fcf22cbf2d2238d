"""`bundlewatch reconcile`: have the operator look at the registry now."""

import asyncio
from typing import Final

import click

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.durations import Duration
from bundlewatch.cli.endings import fail, run
from bundlewatch.cli.requests import Subject
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.engine.arrival import UNHEARD, answered
from bundlewatch.errors import ClusterUnavailable, InvalidSpec

_EVERY_S: Final = 1.0
_TIMED_OUT: Final = 3


@click.command(short_help="Have the operator look at the registry now.")
@click.argument("name", shell_complete=cluster.names)
@cluster.flags
@click.option("--wait", "wait_for_it", is_flag=True, help="Wait until it has looked, and print what came of it.")
@click.option("--timeout", "timeout_s", type=Duration(), default="1m", show_default=True, help="How long, with --wait.")
def reconcile(*, login: Login, name: str, wait_for_it: bool, timeout_s: float) -> None:
    """Have the operator look at the registry now, as after a push that it has not heard of.

    Exit codes: 0 it is asked for (with --wait: done), 3 not done in time, 2 a mistake in the call, no such
    BundleWatch, or it is suspended, 1 the cluster did not answer.
    """

    async def work(client: KubernetesClient, namespace: str) -> tuple[Subject, BundleWatch | None]:
        subject = Subject(client, namespace, name)
        if (await subject.read()).spec.suspend:
            raise InvalidSpec(f"{subject} is suspended and looks at nothing; first: {subject.command('resume')}")
        token = await subject.ask_to_look()
        return subject, await _answer(subject, token, timeout_s) if wait_for_it else None

    subject, watch = run(login.client(work))
    if not wait_for_it:
        click.echo(
            f"{subject}: the registry is looked at now; what came of it: kubectl get bw {name} -n {subject.namespace}"
        )
    elif watch is not None:
        click.echo(f"{subject}: {watch.status.summary or 'it has looked, and says nothing'}")
    else:
        fail(
            f"time is up after {timeout_s:g} s; {subject} was not looked at: {UNHEARD}",
            code=_TIMED_OUT,
        )


async def _answer(subject: Subject, token: str, timeout_s: float) -> BundleWatch | None:
    """The BundleWatch once the operator has looked; None: it did not in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    while True:
        try:
            watch = await subject.read()
        except ClusterUnavailable:
            if loop.time() >= until:
                raise
        else:
            if answered(watch, {token}):
                return watch
            if loop.time() >= until:
                return None
        await asyncio.sleep(min(_EVERY_S, max(0.0, until - loop.time())))
