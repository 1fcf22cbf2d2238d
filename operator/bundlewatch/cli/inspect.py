"""`bundlewatch inspect`: what a tag is, before anybody deploys it."""

import json
from collections.abc import Iterator

import click

from bundlewatch.bundle.artifact import Artifact, describe
from bundlewatch.cli import registries, wording
from bundlewatch.cli.endings import run
from bundlewatch.cli.registries import Login
from bundlewatch.errors import InvalidReference, NotInRegistry, RepositoryNotFound
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.manifests import digest_of
from bundlewatch.registry.reference import Reference, parse_reference


@click.command(short_help="Say what a tag is.")
@click.argument("reference", metavar="REPOSITORY:TAG")
@registries.flags
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def inspect(*, login: Login, reference: str, output: str) -> None:
    """Say what a tag, or a digest behind an @, is: kind, chart, digest, size, layers, annotations, and the commit.

    \b
    bundlewatch inspect registry.example.com/shop/bundle:1.0.3

    A tag and a digest together are one reference, and a mistake where the tag is another manifest now. Exit codes: 0
    it is there, 2 a mistake in the call, or the registry refuses the login, 1 the tag or the repository is not
    there, the registry did not answer, or printing failed.
    """  # noqa: D301 - click wants the character
    wanted, artifact = run(_describe(reference, login))
    if output == "json":
        click.echo(json.dumps(_document(wanted, artifact), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(wanted, artifact)))


async def _describe(text: str, login: Login) -> tuple[Reference, Artifact]:
    with wording.spoken(wording.FLAGS):
        wanted = parse_reference(text)
    named = wanted.digest or wanted.tag
    if named is None:
        raise InvalidReference(f"{text} names no tag; write {text}:TAG, or list them with `bundlewatch tags {text}`")
    try:
        with login.access(wanted.repository) as access:
            async with registries.client(tells_quotas=True) as registry:
                if wanted.tag is not None and wanted.digest is not None:
                    await _meet(registry, wanted, access=access)
                return wanted, await describe(registry, wanted.repository, named, access=access, lenient=True)
    except RepositoryNotFound as error:
        raise NotInRegistry(
            str(error)
        ) from error  # of a tag that is not there most registries say the one or the other
    except NotInRegistry as error:
        raise NotInRegistry(f"{error}; list what there is with `bundlewatch tags {wanted.repository}`") from error


async def _meet(registry: RegistryClient, wanted: Reference, *, access: Access) -> None:
    """Raises where a tag is another manifest than the digest beside it: either alone could be taken for the other."""
    assert wanted.tag is not None
    assert wanted.digest is not None
    manifest = await registry.get_manifest(wanted.repository, wanted.tag, access=access)
    found = digest_of(manifest.raw, algorithm=wanted.digest.partition(":")[0])
    if found != wanted.digest:
        repository = wanted.repository
        raise InvalidReference(
            f"{repository}:{wanted.tag} is {found} now, and not {wanted.digest}; name one of the two: "
            f"{repository}:{wanted.tag} or {repository}@{wanted.digest}"
        )


def _document(wanted: Reference, artifact: Artifact) -> dict[str, object]:
    known, chart = artifact.provenance, artifact.chart
    return {
        "repository": str(wanted.repository),
        "tag": wanted.tag,
        "kind": artifact.kind,
        "chart": None if chart is None else {"name": chart.name, "version": chart.version},
        "problem": artifact.problem,
        "unread": artifact.unread,
        "digest": artifact.digest,
        "mediaType": artifact.media_type,
        "size": artifact.size,
        "layers": [
            {"digest": layer.digest, "mediaType": layer.media_type, "size": layer.size} for layer in artifact.layers
        ],
        "annotations": dict(artifact.annotations),
        "commit": known.commit,
        "commitTime": known.commit_time,
        "pipeline": known.pipeline,
    }


def _lines(wanted: Reference, artifact: Artifact) -> Iterator[str]:
    known = artifact.provenance
    chart = f"{artifact.chart.name} {artifact.chart.version}" if artifact.chart is not None else None
    commit = f"{known.commit} of {known.commit_time}" if known.commit and known.commit_time else known.commit
    facts = (
        ("Reference", str(wanted)),
        ("Kind", artifact.kind),
        ("Chart", chart),
        ("Problem", artifact.problem),
        ("Archive", artifact.unread and f"not read: {artifact.unread}"),
        ("Commit", commit),
        ("Pipeline", known.pipeline),
        ("Digest", artifact.digest),
        ("Media type", artifact.media_type),
        ("Size", f"{artifact.size:,} bytes"),
    )
    yield from (f"{name + ':':<12} {value}" for name, value in facts if value)
    what = "Manifests" if artifact.kind == "index" else "Layers"
    shown, count = len(artifact.layers), artifact.layers_in_all
    yield f"{what + ':':<12} {count}" + (f", the first {shown} are shown" if shown < count else "")
    yield from (f"  {layer.digest}  {layer.size:>12,} bytes  {layer.media_type}" for layer in artifact.layers)
    if artifact.annotations:
        yield "Annotations:"
        yield from (f"  {name}: {value}" for name, value in artifact.annotations.items())
