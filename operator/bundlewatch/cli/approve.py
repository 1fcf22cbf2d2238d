"""`bundlewatch approve`: let a bundle go that waits for a person."""

import re
from datetime import UTC, datetime

import click

from bundlewatch.api import annotations, grammar
from bundlewatch.api.gates import MANUAL
from bundlewatch.api.moments import moment
from bundlewatch.api.v1alpha1 import BundleWatch, Verdict
from bundlewatch.cli import cluster
from bundlewatch.cli.cluster import Login
from bundlewatch.cli.endings import note, run
from bundlewatch.cli.requests import Subject
from bundlewatch.cluster.client import KubernetesClient
from bundlewatch.errors import InvalidReference, InvalidSpec, Mistake
from bundlewatch.policy.gates import Approval, Candidate, Gates, Soak
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

    The operator notes the digest that the tag has then; a tag that is pushed anew has to be approved anew. The
    annotation has room for one: an earlier approval that the operator has not noted yet is replaced, and named.

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
                f"from going says `{subject.command('explain')} --tag {tag}`"
            )
        _check(watch, tag, digest)
        await subject.annotate(annotations.APPROVE, bundle)
        return subject, watch

    subject, watch = run(login.client(work))
    click.echo(f"{subject}: {bundle} is approved; {_next(watch, tag, digest)}")
    lost = _replaced(watch, tag, digest)
    if lost is not None:
        again = f"{subject.command('approve')} {lost}"
        note(f"the approval of {lost} is replaced, and status.approved does not have it yet; to give it again: {again}")


def _check(watch: BundleWatch, tag: str, digest: str) -> None:
    """Raises InvalidReference where the digest is known to be another one."""
    candidate = watch.status.candidate
    known = candidate.digest if candidate is not None and candidate.tag == tag else None
    if digest and known is not None and known != digest:
        raise InvalidReference(f"the tag {tag} has the digest {known} by now: approve {tag}@{known}, if it is meant")


def _replaced(watch: BundleWatch, tag: str, digest: str) -> str | None:
    """The earlier approval that is lost with the annotation: status has not recorded it; None: nothing is lost."""
    before = watch.approval
    if before is None:
        return None
    earlier, _, exactly = before.partition("@")
    if any(each.tag == earlier and exactly in {"", each.digest} for each in watch.status.approved):
        return None
    if earlier == tag and ("" in {digest, exactly} or digest == exactly):
        return None
    return before


def _next(watch: BundleWatch, tag: str, digest: str) -> str:
    verdict: Verdict | None = next((found for found in watch.status.verdicts if found.tag == tag), None)
    if watch.spec.suspend:
        return "nothing goes while spec.suspend is true"
    if verdict is None:
        listed = "listed with this digest" if digest else "listed"
        return f"status says nothing of this tag yet; it goes once it is {listed} and nothing else is against it"
    if verdict.reason == Reason.AWAITING_APPROVAL:
        return f"it goes {_once(watch, tag, digest)}"
    if verdict.reason in {Reason.CHOSEN, Reason.CURRENT}:
        return f"it is {verdict.reason} already"
    return f"but so far it is {verdict.reason}: {verdict.message or verdict.reason}"


def _once(watch: BundleWatch, tag: str, digest: str) -> str:
    """When a bundle goes that was waiting for its approval, as far as spec and status tell."""
    conditions = (
        [f"once the operator finds that {tag} has this digest"] if digest and not _has(watch, tag, digest) else []
    )
    shut = _shut(watch, tag, digest)
    if shut:
        conditions.append(f"once these gates are open as well: {'; '.join(shut)}")
    return " and ".join(conditions) or "as soon as nothing else is against it"


def _has(watch: BundleWatch, tag: str, digest: str) -> bool:
    """Whether status tells that the tag has this digest."""
    candidate = watch.status.candidate
    return candidate is not None and (candidate.tag, candidate.digest) == (tag, digest)


def _shut(watch: BundleWatch, tag: str, digest: str) -> list[str]:
    """What the other gates of the spec say now; of upstreams only which they are."""
    spec = watch.spec.gates
    try:
        gates = Gates.compile(spec, name=watch.name, namespace=watch.namespace)
    except Mistake as error:
        return [str(error)]
    now = datetime.now(UTC)
    seen = [each for each in watch.status.first_seen if each.tag == tag and digest in {"", each.digest}]
    first = max((time for each in seen if (time := moment(each.time)) is not None), default=None)
    young = gates.why_not(
        Candidate(tag=tag, digest=digest, version=None),
        approval=Approval(granted=True, recorded=()),
        first_seen=first,
        upstreams={after.name: Soak(met=True, message="") for after in spec.after},
        now=now,
    )
    shut = [waiting.message for waiting in (young, gates.closed(now)) if waiting is not None]
    if spec.after:
        shut.append(f"spec.gates.after, healthy on {', '.join(after.name for after in spec.after)}")
    return shut
