"""The commands by which people act on a BundleWatch: what they write, and what they say of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bundlewatch.api.annotations import retry_requested
from bundlewatch.api.status import Approved, FirstSeen, Quarantined, Verdict
from bundlewatch.cli import main
from kit.cluster import Cluster
from kit.shop import DIGEST, LATER, THEN, Shop, app

OTHER = "sha256:" + "2" * 64
MANUAL = {"gates": {"approval": "Manual"}}
FAILED = Quarantined(tag="1.0.5", digest=DIGEST, reason="Degraded", message="shop", since=THEN)
EARLIER = Quarantined(tag="1.0.4", digest=DIGEST, reason="SyncFailed", message="shop", since=THEN)


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    found = Shop(cluster, namespace)
    with found.jobs:
        yield found


def called(shop: Shop, command: str, *arguments: str) -> Result:
    """In this process: a dozen programs that start one after another would take most of the time."""
    argv = [command, "shop", "-n", shop.namespace, *arguments]
    return CliRunner().invoke(main, argv, env={"KUBECONFIG": str(shop.cluster.kubeconfig)})


def run(shop: Shop, command: str, *arguments: str) -> str:
    """What it prints where it succeeds."""
    done = called(shop, command, *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.rstrip().replace(shop.namespace, "argocd")


def refused(shop: Shop, command: str, *arguments: str) -> str:
    """What it says on standard error where it does not, after having written nothing."""
    before = shop.live()
    done = called(shop, command, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert shop.live() == before
    return done.stderr.replace(shop.namespace, "argocd")


# approve


@pytest.mark.parametrize(
    ("bundle", "verdict", "says"),
    [
        pytest.param(
            "1.0.4", ("AwaitingApproval", "nobody has"), "it goes as soon as nothing else is against it", id="awaited"
        ),
        pytest.param(
            f"1.0.4@{DIGEST}",
            ("AwaitingApproval", "nobody has"),
            "it goes once the operator finds that 1.0.4 has this digest",
            id="digest",
        ),
        pytest.param(
            "1.0.4", ("Quarantined", "it failed"), "but so far it is Quarantined: it failed", id="quarantined"
        ),
        pytest.param("1.0.4", None, "it goes once it is listed and nothing else is against it", id="not-listed"),
        pytest.param(f"1.0.4@{DIGEST}", None, "it goes once it is listed with this digest and nothing", id="not-known"),
    ],
)
def test_an_approval_is_written_and_what_comes_next_is_told(
    shop: Shop, bundle: str, verdict: tuple[str, str] | None, says: str
) -> None:
    shop.create(**MANUAL)
    verdicts = (Verdict(tag="1.0.4", reason=verdict[0], message=verdict[1]),) if verdict is not None else ()
    shop.says(app(target="1.0.3"), chosen="1.0.3", verdicts=verdicts)

    said = run(shop, "approve", bundle)

    assert shop.annotation("approve") == bundle
    assert said.startswith(f"BundleWatch argocd/shop: {bundle} is approved; ")
    assert says in said


def test_the_other_gates_that_an_approved_bundle_waits_for_are_told(shop: Shop) -> None:
    always = {"kind": "Deny", "schedule": "* * * * *", "duration": "1h"}
    shop.create(gates={"approval": "Manual", "minAge": "1h", "windows": [always], "after": [{"name": "staging"}]})
    seen = FirstSeen(tag="1.0.4", digest=DIGEST, time="2066-11-24T04:26:50Z")
    waits = Verdict(tag="1.0.4", reason="AwaitingApproval", message="nobody has")
    shop.says(app(target="1.0.3"), chosen="1.0.3", verdicts=(waits,), first_seen=(seen,))

    said = run(shop, "approve", "1.0.4")

    assert "it goes once these gates are open as well: 1.0.4 must be 1h old: it was first seen 2066-11-24" in said
    assert "Applications are not moved within window" in said
    assert said.endswith("spec.gates.after, healthy on staging")


@pytest.mark.parametrize(
    ("before", "recorded", "after", "lost"),
    [
        pytest.param("1.0.5", (), "1.0.4", True, id="not-recorded"),
        pytest.param(f"1.0.5@{DIGEST}", (Approved(tag="1.0.5", digest=OTHER),), "1.0.4", True, id="another-recorded"),
        pytest.param("1.0.5", (Approved(tag="1.0.5", digest=DIGEST),), "1.0.4", False, id="recorded"),
        pytest.param("1.0.4", (), f"1.0.4@{DIGEST}", False, id="the-same-more-exactly"),
        pytest.param(f"1.0.4@{OTHER}", (), f"1.0.4@{DIGEST}", True, id="another-digest"),
        pytest.param("1.0.4", (), "1.0.4", False, id="the-same"),
    ],
)
def test_an_earlier_approval_that_is_lost_is_named_with_the_command_to_give_it_again(
    shop: Shop, before: str, recorded: tuple[Approved, ...], after: str, *, lost: bool
) -> None:
    shop.create(**MANUAL)
    shop.says(app(target="1.0.3"), chosen="1.0.3", approved=recorded)
    assert called(shop, "approve", before).stderr == ""

    done = called(shop, "approve", after)

    assert (done.exit_code, shop.annotation("approve")) == (0, after)
    assert done.stderr == (
        f"bundlewatch: the approval of {before} is replaced, and status.approved does not have it yet; to give it "
        f"again: bundlewatch approve shop -n {shop.namespace} {before}\n"
        if lost
        else ""
    )


@pytest.mark.parametrize(
    ("spec", "bundle", "says"),
    [
        pytest.param({}, "1.0.4", "needs no approval: spec.gates.approval is Automatic", id="automatic"),
        pytest.param({}, "1.0.4", "says `bundlewatch explain shop -n argocd --tag 1.0.4`", id="what-then"),
        pytest.param(MANUAL, ">=1", "must be one tag, not a range", id="range"),
        pytest.param(MANUAL, "1.0.4@4d5b", "the digest is none", id="no-digest"),
        pytest.param(MANUAL, "1.0.4@", "the digest is none", id="empty-digest"),
        pytest.param(
            MANUAL, f"1.0.4@sha256:{'0' * 64}", f"the tag 1.0.4 has the digest {DIGEST} by now", id="other-digest"
        ),
    ],
)
def test_what_cannot_be_approved_is_refused(shop: Shop, spec: dict[str, Any], bundle: str, says: str) -> None:
    shop.create(**spec)
    shop.says(app(target="1.0.3"))

    assert says in refused(shop, "approve", bundle)


# retry


@pytest.mark.parametrize(("arguments", "tag"), [((), "1.0.5"), (("1.0.4",), "1.0.4")], ids=["newest", "named"])
def test_what_failed_is_tried_again_each_time_it_is_asked_for(shop: Shop, arguments: tuple[str, ...], tag: str) -> None:
    shop.create()
    shop.says(app(target="1.0.3"), chosen="1.0.3", quarantine=(FAILED, EARLIER))

    said = run(shop, "retry", *arguments)
    first = shop.annotation("retry") or ""
    run(shop, "retry", *arguments)
    second = shop.annotation("retry") or ""

    assert first.split()[0] == second.split()[0] == tag
    assert first != second
    assert retry_requested({"bundlewatch.dev/retry": second}) == second  # status can answer it as it stands
    assert f"{tag} is to be tried again; it failed (" in said
    assert said.endswith(f"bundlewatch wait shop -n argocd --for {tag}")


def test_what_is_not_quarantined_is_not_tried_again_and_what_is_gets_listed(shop: Shop) -> None:
    shop.create()
    shop.says(app(target="1.0.3"), chosen="1.0.3", quarantine=(FAILED, EARLIER))

    said = refused(shop, "retry", "1.0.6")

    assert (
        "1.0.6 is not quarantined by BundleWatch argocd/shop; these are: 1.0.5 (Degraded), 1.0.4 (SyncFailed)" in said
    )


def test_without_a_quarantine_there_is_nothing_to_try_again(shop: Shop) -> None:
    shop.create()
    shop.says(app())

    said = refused(shop, "retry")

    assert "nothing is quarantined by BundleWatch argocd/shop; `kubectl describe bw shop -n argocd` says what" in said


# suspend and resume


def test_suspend_stops_it_and_says_what_is_left_as_it_is(shop: Shop) -> None:
    shop.create()
    shop.says(app("Syncing", deadline=LATER))

    said = run(shop, "suspend")

    assert shop.live()["spec"]["suspend"] is True
    assert said == (
        "BundleWatch argocd/shop is suspended; a release is under way on shop, and is left as it is; "
        "to go on: bundlewatch resume shop -n argocd"
    )
    assert run(shop, "suspend") == "BundleWatch argocd/shop is suspended already"


@pytest.mark.parametrize(
    ("suspended", "phase", "says"),
    [
        pytest.param(True, "Healthy", "it is not suspended any more", id="suspended"),
        pytest.param(False, "Held", "shop is moved again", id="held"),
        pytest.param(True, "Held", "it is not suspended any more, and shop is moved again", id="both"),
        pytest.param(False, "Healthy", "nothing was suspended or held", id="neither"),
    ],
)
def test_resume_goes_on_whatever_it_was_that_stopped_it(shop: Shop, *, suspended: bool, phase: str, says: str) -> None:
    shop.create(suspend=suspended)
    shop.says(app(phase))

    said = run(shop, "resume")

    assert shop.live()["spec"]["suspend"] is False
    assert shop.annotation("resume")
    assert said == f"BundleWatch argocd/shop: {says}; what comes next: kubectl get bw shop -n argocd"


def test_who_sets_a_field_is_told_from_the_operator_and_from_gitops(shop: Shop) -> None:
    shop.create()

    run(shop, "suspend")

    owners = {
        entry["manager"]
        for entry in shop.live()["metadata"]["managedFields"]
        if "f:suspend" in entry["fieldsV1"].get("f:spec", {})
    }
    assert owners == {"bundlewatch-cli"}


# reconcile


def test_reconcile_asks_and_does_not_wait(shop: Shop) -> None:
    shop.create()

    said = run(shop, "reconcile")

    assert shop.annotation("reconcile")
    assert said == (
        "BundleWatch argocd/shop: the registry is looked at now; what came of it: kubectl get bw shop -n argocd"
    )


def test_reconcile_can_wait_for_the_answer_and_prints_it(shop: Shop) -> None:
    shop.create()
    shop.says(app(), summary="of before", last_handled_reconcile_at="something else")

    job = shop.start("reconcile", "--wait")
    shop.asked()
    shop.says(app(), summary="shop runs 1.0.4, Synced and Healthy")

    assert job.end() == (0, [f"BundleWatch {shop.namespace}/shop: shop runs 1.0.4, Synced and Healthy"], "")


def test_an_answer_that_does_not_come_is_told_with_3(shop: Shop) -> None:
    shop.create()

    done = called(shop, "reconcile", "--wait", "--timeout", "1s")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "time is up after 1 s" in done.stderr
    assert "check that the operator runs" in done.stderr


def test_what_is_suspended_looks_at_nothing(shop: Shop) -> None:
    shop.create(suspend=True)

    assert "is suspended and looks at nothing; first: bundlewatch resume shop -n argocd" in refused(shop, "reconcile")


# All of them


@pytest.mark.parametrize(
    "command", [("approve", "1.0.4"), ("retry",), ("suspend",), ("resume",), ("reconcile",)], ids=lambda words: words[0]
)
def test_one_that_is_not_there_is_named(shop: Shop, command: tuple[str, ...]) -> None:
    done = called(shop, *command)

    assert (done.exit_code, done.stdout) == (2, "")
    assert f"there is no BundleWatch {shop.namespace}/shop; `kubectl get bw --all-namespaces` lists all" in done.stderr


def test_they_are_commands_of_kubectl_too(shop: Shop) -> None:
    shop.create()

    assert shop.start("suspend", kubectl=True).end()[0] == 0

    assert shop.live()["spec"]["suspend"] is True
