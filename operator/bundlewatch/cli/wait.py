"""`bundlewatch wait`: follow a bundle after its push until it is healthy everywhere, failed, or time is up."""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import click

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.durations import Duration
from bundlewatch.cli.endings import INTERRUPTED, fail
from bundlewatch.cli.requests import Subject
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.engine.arrival import Ending, Line, Progress
from bundlewatch.engine.awaiting import Awaiting
from bundlewatch.errors import BundleWatchError

_MISTAKE: Final = 2
_TIMED_OUT: Final = 3
_TIMED_OUT_WORD: Final = "TimedOut"


@click.command(short_help="Wait until a bundle is healthy on every Application.")
@click.argument("name", shell_complete=cluster.names)
@cluster.flags
@click.option("--for", "tag", metavar="TAG", required=True, help="The tag that was pushed.")
@click.option("--timeout", "timeout_s", type=Duration(), default="10m", show_default=True, help="How long to wait.")
@click.option("--or-newer", is_flag=True, help="A newer bundle that is healthy everywhere will do.")
@click.option(
    "--reconcile/--no-reconcile",
    "ask",
    default=True,
    show_default=True,
    help="Ask the operator to look at the registry at once; this takes the right to patch BundleWatches.",
)
@click.option("-o", "--output", type=click.Choice(["lines", "json"]), default="lines", show_default=True)
def wait(*, login: Login, name: str, tag: str, timeout_s: float, or_newer: bool, ask: bool, output: str) -> None:
    """Wait until a bundle is healthy on every Application of a BundleWatch; made for the job after a push.

    \b
    bundlewatch wait shop -n argocd --for 1.0.4 --timeout 10m

    Each change is a line on standard output: time, Application, phase, message. With -o json the lines go to
    standard error and the result to standard output.

    Exit codes: 0 healthy everywhere, 1 it failed, was taken back or can never go, 3 time is up, 2 a mistake in the
    call or in the spec, no such BundleWatch, or no cluster, 130 it was interrupted.
    """  # noqa: D301 - click wants the character
    if not tag:
        raise click.UsageError("--for is empty; name the tag that was pushed")

    awaiting: Awaiting | None = None

    async def work(client: KubernetesClient, namespace: str) -> "_Result":
        nonlocal awaiting
        subject = Subject(client, namespace, name)
        awaiting = Awaiting(
            watched=subject,
            tag=tag,
            timeout_s=timeout_s,
            ask=ask,
            or_newer=or_newer,
            tell=partial(_tell, to_stderr=output == "json"),
            tell_trouble=lambda trouble: click.echo(f"bundlewatch: {trouble}", err=True),
            now=_now,
        )
        return _Result(subject, tag, timeout_s, *await awaiting.end())

    try:
        result = asyncio.run(login.client(work))
    except BundleWatchError as error:  # 1 says something of the bundle here
        fail(str(error), code=_MISTAKE)
    except KeyboardInterrupt:
        waits = _waits(awaiting.progress if awaiting is not None else None)
        fail(f"interrupted; {name} waits for {tag}: {waits}", code=INTERRUPTED)
    if output == "json":
        click.echo(json.dumps(result.as_json(), indent=2, ensure_ascii=False))
    if result.code:
        click.echo(f"bundlewatch: {result.sentence}", err=True)
    sys.exit(result.code)


@dataclass(frozen=True, slots=True)
class _Result:
    """How it ended."""

    subject: Subject
    tag: str
    timeout_s: float
    watch: BundleWatch
    progress: Progress

    @property
    def word(self) -> str:
        return str(self.progress.ending or _TIMED_OUT_WORD)

    @property
    def code(self) -> int:
        return {Ending.HEALTHY: 0, Ending.FAILED: 1, None: _TIMED_OUT}[self.progress.ending]

    @property
    def sentence(self) -> str:
        if self.progress.ending is None:
            return f"time is up after {self.timeout_s:g} s; {self.subject} waits: {_waits(self.progress)}"
        return f"{self.subject}: {self.progress.reason}: {self.progress.message}"

    def as_json(self) -> dict[str, object]:
        return {
            "namespace": self.subject.namespace,
            "name": self.subject.name,
            "tag": self.tag,
            "result": self.word,
            "reason": self.progress.reason,
            "message": self.progress.message,
            "applications": [
                {
                    "name": entry.name,
                    "source": entry.source,
                    "phase": entry.phase,
                    "current": entry.current,
                    "target": entry.target,
                    "message": entry.message,
                }
                for entry in self.watch.status.applications
            ],
        }


def _waits(progress: Progress | None) -> str:
    if progress is None:
        return "the Kubernetes API has not answered yet"
    return f"{progress.reason}: {progress.message}"


def _tell(line: Line, *, to_stderr: bool) -> None:
    time = _now().strftime("%Y-%m-%dT%H:%M:%SZ")
    click.echo(f"{time}  {line.application or '-'}  {line.phase or '-'}  {line.message}", err=to_stderr)


def _now() -> datetime:
    return datetime.now(UTC)
