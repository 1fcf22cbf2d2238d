"""`bundlewatch explain`: which tag is taken and why each other one is not, live or before anything is applied."""

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from bundlewatch.bundle.inspection import Inspected, inspect
from bundlewatch.cli import cluster, manifests, registries, taglists, wording
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.endings import fail, note, run
from bundlewatch.cli.verdicts import coloured, document, table
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.engine.explanation import Explanation, explain_live, explain_offline
from bundlewatch.engine.keychain import DockerConfigFile
from bundlewatch.policy.verdict import Verdict

_NEAREST: Final = 11  # the choice, and the ten nearest to having been it
_LISTING_TIMEOUT_S: Final = 300.0
_NO_CHOICE: Final = 3
_OPERATORS_OWN: Final = (
    "if it names no login and the operator runs with --registry-docker-config, give that file to explain, too"
)


@click.command(short_help="Say which tag is taken, and why each other one is not.")
@click.argument("name", required=False, shell_complete=cluster.names)
@cluster.flags
@click.option(
    "-f",
    "--filename",
    "file",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="Explain the BundleWatch in this file (-: standard input); no cluster is asked.",
)
@click.option(
    "--tags-from",
    metavar="FILE",
    type=click.Path(allow_dash=True),
    help="With -f: take the tags from this file (-: standard input), one a line, or as JSON; no registry is asked "
    "either, and tags go by their names alone.",
)
@click.option("--current", metavar="TAG", help="With -f: the tag that runs. Nothing older is taken.")
@click.option(
    "--registry-docker-config",
    "docker_config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Without -f: the file that the operator was given by this flag, with logins for BundleWatches that name none.",
)
@click.option("--all", "everything", is_flag=True, help="Show every tag, not only the ten nearest to the choice.")
@click.option("--tag", metavar="TAG", help="Show this tag alone.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="json and yaml have every tag.",
)
def explain(
    *,
    login: Login,
    name: str | None,
    file: str | None,
    tags_from: str | None,
    current: str | None,
    docker_config: str | None,
    everything: bool,
    tag: str | None,
    output: str,
) -> None:
    """Say which tag is taken, and why each other one is not.

    \b
    bundlewatch explain shop -n argocd            the live BundleWatch: what the operator decides now
    bundlewatch explain -f shop.yaml              before it is applied; tags are listed from the registry
    bundlewatch explain -f shop.yaml --tags-from tags.txt --current 1.2.0

    Nothing is changed. Exit codes: 0 a tag is chosen, 3 none, 2 a mistake in the call, the file or the object, 1
    the cluster or the registry did not answer, or printing failed.
    """  # noqa: D301 - click wants the character
    if current == "":
        raise click.UsageError("--current is empty; name the tag that runs, or leave it out")
    if file is None:
        if name is None:
            raise click.UsageError("name a BundleWatch of the cluster, or a file with -f")
        for flag, value in (("--tags-from", tags_from), ("--current", current)):
            if value is not None:
                raise click.UsageError(f"{flag} goes with -f: of a live BundleWatch the cluster and registry are asked")
        explanation = run(_live(login, name, docker_config=docker_config))
    else:
        if docker_config is not None:
            raise click.UsageError("--registry-docker-config goes without -f; with -f set DOCKER_CONFIG to a directory")
        explanation = run(_offline(file, name, namespace=login.namespace, tags_from=tags_from, current=current))
    if tag is not None and tag not in set(explanation.tags):
        fail(_unknown(tag, explanation.tags), code=2)
    if output == "table":
        _print(explanation, everything=everything, tag=tag)
    else:
        shown = explanation.verdicts() if tag is None else explanation.verdicts((tag,))
        click.echo(document(explanation.choice, shown, style=output))
    if (why_none := explanation.findings.why_none) is not None:
        note(f"nothing is chosen: {why_none}")
        sys.exit(_NO_CHOICE)


async def _live(login: Login, name: str, *, docker_config: str | None) -> Explanation:
    default = DockerConfigFile(Path(docker_config)) if docker_config is not None else None

    async def ask(client: KubernetesClient, namespace: str) -> Explanation:
        async with registries.client() as registry:
            return await explain_live(
                name, namespace, cluster=client, registry=registry, timeout_s=_LISTING_TIMEOUT_S, default=default
            )

    with wording.spoken(wording.LIVE, hint=_OPERATORS_OWN if default is None else ""):
        return await login.client(ask)


async def _offline(
    file: str, name: str | None, *, namespace: str | None, tags_from: str | None, current: str | None
) -> Explanation:
    if file == tags_from == "-":
        raise click.UsageError("-f and --tags-from cannot both be standard input")
    watch = manifests.one(file, name=name, namespace=namespace)
    if tags_from is not None:
        return await explain_offline(watch, taglists.read(tags_from), current=current, look=None)
    with registries.access_of(watch) as (repository, access):
        async with registries.client() as registry:
            tags = await registry.list_tags(repository, access=access)

            async def look(tag: str) -> Inspected:
                return await inspect(registry, repository, tag, access=access, known=None)

            return await explain_offline(watch, tags, current=current, look=look)


def _print(explanation: Explanation, *, everything: bool, tag: str | None) -> None:
    watch, colour = explanation.watch, coloured()
    count = len(explanation.tags)
    tags = f"{count} tag{'' if count == 1 else 's'}"
    name = "/".join(filter(None, (watch.namespace, watch.name)))
    click.echo(f"BundleWatch {name}: {watch.spec.repository}, {tags}")
    for application, fate in explanation.applications:
        click.echo(f"Application {application}: {fate}")
    shown: Sequence[Verdict]
    if tag is not None:
        shown = explanation.verdicts((tag,))
    else:
        shown = explanation.verdicts() if everything else explanation.nearest(_NEAREST)
    if shown:
        click.echo(f"\n{table(shown)}", color=colour)
    if tag is None and count:
        said = ", ".join(f"{found} {reason}" for reason, found in explanation.counts().items())
        more = "; --all shows every one" if len(shown) < count else ""
        click.echo(f"\n{tags}: {said}{more}")


def _unknown(tag: str, tags: Sequence[str]) -> str:
    near = difflib.get_close_matches(tag, tags[:10_000], n=3)
    hint = f"; there is {', '.join(near)}" if near else ""
    return f"tag {tag!a} is none of the {len(tags)} tags{hint}"
