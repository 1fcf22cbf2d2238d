"""`bundlewatch approve`: let a bundle go that waits for a person."""

import re

import click

from bundlewatch.api import annotations, grammar
from bundlewatch.api.gates import MANUAL
from bundlewatch.api.v1alpha1 import BundleWatch, Verdict
from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.endings import run
from bundlewatch.cli.requests import Subject
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.errors import InvalidReference, InvalidSpec
from bundlewatch.policy.verdict import Reason

_DIGEST = re.compile(r"[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{16,256}")  # the grammar of the OCI image spec


@click.command(short_help="Approve a bundle where spec.gates.approval is Manual.")
@click.argument("name", shell_complete=cluster.names)
@click.argument("bundle", metavar="TAG[@DIGEST]")
@cluster.flags
def approve(*, login: Login, name: str, bundle: str) -> None:
    """Approve a bundle where spec.gates.approval is Manual.

    \b
    bundlewatch approve shop 1.0.4 -n argocd
    bundlewatch approve shop 1.0.4@sha256:4d5b…    exactly this one, whatever the tag is moved to

    The operator notes the digest that the tag has then; a tag that is pushed anew has to be approved anew.

    Exit codes: 0 it is approved, 2 a mistake in the call, no such BundleWatch, or it needs no approval, 1 the cluster
    did not answer.
    """  # noqa: D301 - click wants the character
    tag, at, digest = bundle.partition("@")
    wrong = "it is empty" if not tag else grammar.PIN.broken_by(tag)
    if wrong is not None or (at and not _DIGEST.fullmatch(digest)):
        raise click.UsageError(f"{bundle!a} is no tag and no TAG@DIGEST: {wrong or 'the digest is none'}")

    async def work(client: KubernetesClient, namespace: str) -> tuple[Subject, BundleWatch]:
        subject = Subject(client, namespace, name)
        watch = await subject.read()
        if watch.spec.gates.approval != MANUAL:
            raise InvalidSpec(
                f"{subject} needs no approval: spec.gates.approval is {watch.spec.gates.approval}; what keeps {tag} "
                f"from going says `bundlewatch explain {name} --tag {tag}`"
            )
        _check(watch, tag, digest)
        await subject.annotate(annotations.APPROVE, bundle)
        return subject, watch

    subject, watch = run(login.client(work))
    click.echo(f"{subject}: {bundle} is approved; {_next(watch, tag)}")


def _check(watch: BundleWatch, tag: str, digest: str) -> None:
    """Raises InvalidReference where the digest is known to be another one."""
    candidate = watch.status.candidate
    known = candidate.digest if candidate is not None and candidate.tag == tag else None
    if digest and known is not None and known != digest:
        raise InvalidReference(f"the tag {tag} has the digest {known} by now: approve {tag}@{known}, if it is meant")


def _next(watch: BundleWatch, tag: str) -> str:
    verdict: Verdict | None = next((found for found in watch.status.verdicts if found.tag == tag), None)
    if watch.spec.suspend:
        return "nothing goes while spec.suspend is true"
    if verdict is None:
        return "status says nothing of this tag yet; it goes once it is listed and nothing else is against it"
    if verdict.reason == Reason.AWAITING_APPROVAL:
        return "it goes now, if no other gate is closed"
    if verdict.reason in {Reason.CHOSEN, Reason.CURRENT}:
        return f"it is {verdict.reason} already"
    return f"but so far it is {verdict.reason}: {verdict.message or verdict.reason}"
