"""What `bundlewatch wait` makes of one status: arrived, never, or what it still waits for."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import (
    ApplicationStatus,
    Bundle,
    BundleWatch,
    Condition,
    HistoryEntry,
    Quarantined,
    Status,
    Verdict,
)
from bundlewatch.engine.arrival import Ending, Line, Progress, answered, judge, mistake, news
from bundlewatch.engine.policies import compiled

EARLIER, NOW, LATER = "2026-11-24T04:00:00Z", datetime(2026, 11, 24, 4, 30, tzinfo=UTC), "2026-11-24T05:00:00Z"
OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
STALLED = {"type": "Stalled", "status": "True", "last_transition_time": EARLIER}


def app(phase: str = "Healthy", target: str | None = "1.0.4", name: str = "shop", **more: Any) -> ApplicationStatus:
    return ApplicationStatus(name=name, source=0, phase=phase, target=target, current=target, **more)


def ready(status: Any, reason: str, message: str = "") -> Condition:
    return Condition(type="Ready", status=status, reason=reason, message=message, last_transition_time=EARLIER)


def taken_back(reason: str = "RolledBack", tag: str = "1.0.3") -> tuple[Condition, ...]:
    """A state that is about the release of another bundle than 1.0.4."""
    message = f"{tag} failed (Degraded): shop: no more is known; it was taken back; have it tried again: kubectl"
    return (ready("False", reason, message), Condition(**{**STALLED, "reason": reason, "message": message}))


def mistaken(reason: str, message: str = "spec.tags: is wrong") -> tuple[Condition, ...]:
    return (ready("False", reason, message), Condition(**{**STALLED, "reason": reason, "message": message}))


def watch(
    *applications: ApplicationStatus,
    chosen: str | None = "1.0.4",
    digest: str = NEW,
    verdict: tuple[str, str] | None = None,
    spec: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    **status: Any,
) -> BundleWatch:
    """A BundleWatch whose status says this; `verdict`: on 1.0.4."""
    found = BundleWatch.parse(
        {
            "metadata": {"name": "shop", "namespace": "argocd", "generation": 3, "annotations": annotations or {}},
            "spec": {"repository": "registry.example.com/shop", "applications": [{"selector": {}}], **(spec or {})},
        }
    )
    verdicts = (Verdict(tag="1.0.4", reason=verdict[0], message=verdict[1]),) if verdict is not None else ()
    said: dict[str, Any] = {
        "observed_generation": 3,
        "conditions": (ready("True", "UpToDate"),),
        "candidate": Bundle(tag=chosen, digest=digest) if chosen is not None else None,
        "applications": applications,
        "verdicts": verdicts,
        **status,
    }
    return replace(found, status=Status(**said))


def judged(found: BundleWatch, tag: str = "1.0.4", **how: Any) -> Progress:
    return judge(found, tag, policy=compiled(found.spec), now=NOW, **how)


def failed(tag: str = "1.0.4", digest: str | None = NEW, message: str = "shop: Degraded for 2m") -> Quarantined:
    return Quarantined(tag=tag, digest=digest, reason="Degraded", message=message, since=EARLIER)


# It arrives


@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(watch(app()), "1.0.4 is healthy on its Application", id="one"),
        pytest.param(
            watch(app(), app(name="web"), app(name="web-2")), "1.0.4 is healthy on all 3 Applications", id="several"
        ),
        pytest.param(
            watch(app(), quarantine=(failed("1.0.3"),)), "1.0.4 is healthy on its Application", id="after a failure"
        ),
        pytest.param(
            watch(app(), quarantine=(failed(),), spec={"pin": "1.0.4"}),
            "1.0.4 is healthy on its Application",
            id="pinned",
        ),
    ],
)
def test_healthy_and_settled_everywhere_is_the_end(found: BundleWatch, says: str) -> None:
    progress = judged(found)

    assert (progress.ending, progress.reason, progress.message) == (Ending.HEALTHY, "Healthy", says)


@pytest.mark.parametrize(
    ("asked", "target"), [("1.0.4_b.7", "1.0.4+b.7"), ("1.0.4+b.7", "1.0.4_b.7"), ("1.0.4_b.7", "1.0.4_b.7")]
)
def test_a_tag_is_recognised_however_it_is_spelled(asked: str, target: str) -> None:
    assert judged(watch(app(target=target), chosen="1.0.4_b.7"), asked).ending is Ending.HEALTHY


@pytest.mark.parametrize(
    ("moved", "cautions"),
    [
        pytest.param([HistoryEntry(tag="1.0.4", digest=OLD), HistoryEntry(tag="1.0.3", digest=NEW)], True, id="moved"),
        pytest.param([HistoryEntry(tag="1.0.4", digest=NEW)], False, id="the same"),
        pytest.param([HistoryEntry(tag="1.0.4")], False, id="not known"),
        pytest.param([HistoryEntry(tag="1.0.3", digest=OLD)], False, id="of another tag"),
        pytest.param([], False, id="never moved"),
    ],
)
def test_a_tag_that_was_pushed_anew_after_it_was_set_is_told(moved: list[HistoryEntry], *, cautions: bool) -> None:
    progress = judged(watch(app(), history=tuple(moved)))

    assert progress.ending is Ending.HEALTHY
    assert (f"1.0.4 has been pushed anew since it was set, as {NEW} instead of {OLD}" in progress.message) is cautions


# It does not yet


@pytest.mark.parametrize(
    ("found", "reason", "says"),
    [
        pytest.param(
            watch(app(deadline=LATER)), "Healthy", "1.0.4 waits for shop, Healthy with 1.0.4", id="only just healthy"
        ),
        pytest.param(
            watch(app("Progressing", deadline=LATER, message="Deployment web: 1 of 3")),
            "Progressing",
            "1.0.4 waits for shop, Progressing with 1.0.4: Deployment web: 1 of 3",
            id="under way",
        ),
        pytest.param(
            watch(app(), app("Queued", "1.0.3", "web", message="1.0.4 waits for wave 0")),
            "Queued",
            "1.0.4 waits for web, Queued with 1.0.3: 1.0.4 waits for wave 0",
            id="a wave",
        ),
        pytest.param(
            watch(app(), app("Held", "1.0.2", "web", message="kubectl-edit has set it")),
            "Held",
            "kubectl-edit has set it",
            id="held",
        ),
        pytest.param(
            watch(app("ApplicationNotFound", None, message="there is no Application")),
            "ApplicationNotFound",
            "there is no Application",
            id="an Application is to come",
        ),
        pytest.param(
            watch(*(app("Waiting", name=f"shop-{number}") for number in range(5))),
            "Waiting",
            "shop-2, Waiting with 1.0.4 (and 2 more)",
            id="many",
        ),
        pytest.param(watch(), "NoApplication", "no Application to move", id="no Application"),
        pytest.param(
            watch(app(target="1.0.3"), chosen="1.0.3"),
            "NotListed",
            "does not list 1.0.4 yet, or far behind others; of what it lists, 1.0.3 is chosen",
            id="not listed",
        ),
        pytest.param(
            watch(app(target="1.0.2"), chosen=None, conditions=taken_back(), quarantine=(failed("1.0.3"),)),
            "NotListed",
            "does not list 1.0.4 yet, or far behind others; besides, RolledBack: 1.0.3 failed (Degraded): shop: no "
            "more is known",
            id="not listed, and another was taken back",
        ),
        pytest.param(
            watch(app("Held", "1.0.2"), chosen="1.0.3", conditions=(ready("False", "Held", "shop: set by hand"),)),
            "NotListed",
            "of what it lists, 1.0.3 is chosen; besides, Held: shop: set by hand",
            id="not listed, and an Application is held",
        ),
        pytest.param(
            watch(app(target="1.0.3"), chosen="1.0.3", conditions=mistaken("RepositoryNotFound", "there is none")),
            "RepositoryNotFound",
            "there is none",
            id="no repository yet",
        ),
        pytest.param(
            watch(
                app(target="1.0.3"),
                chosen="1.0.3",
                verdict=("TooYoung", "first seen a minute ago"),
                next_transition=LATER,
            ),
            "TooYoung",
            f"1.0.4: first seen a minute ago; looked at again at {LATER}",
            id="too young",
        ),
        pytest.param(
            watch(app(target="1.0.3"), verdict=("AwaitingApproval", "nobody has approved it")),
            "AwaitingApproval",
            "1.0.4: nobody has approved it",
            id="not approved",
        ),
        pytest.param(
            watch(app(target="1.0.3"), chosen=None, verdict=("Vanished", "gone")), "Vanished", "gone", id="vanished"
        ),
        pytest.param(
            watch(
                app(target="1.0.3"),
                chosen="1.0.3",
                conditions=(ready("False", "RegistryUnavailable", "the registry does not answer"),),
            ),
            "RegistryUnavailable",
            "the registry does not answer",
            id="no registry",
        ),
        pytest.param(
            watch(app(), spec={"suspend": True}),
            "Suspended",
            "until `bundlewatch resume shop -n argocd`",
            id="suspended",
        ),
        pytest.param(
            watch(app(), observed_generation=2), "NotLooked", "the operator has yet to look", id="an older spec"
        ),
        pytest.param(
            watch(app(), observed_generation=None, conditions=()),
            "NotLooked",
            "check that the operator runs",
            id="no operator",
        ),
        pytest.param(
            watch(app("Degraded", deadline=LATER), spec={"pin": "1.0.4"}), "Degraded", "with 1.0.4", id="pinned"
        ),
        pytest.param(
            watch(app("Degraded", deadline=LATER), quarantine=(failed(),), spec={"pin": "1.0.4"}),
            "Degraded",
            "with 1.0.4",
            id="pinned, though it failed before",
        ),
        pytest.param(
            watch(app("Syncing", deadline=LATER), spec={"pin": "1.0.4", "tags": {"range": "<1"}}),
            "Syncing",
            "with 1.0.4",
            id="pinned, though out of range",
        ),
        pytest.param(
            watch(app("Degraded", "1.0.3", deadline=EARLIER), spec={"pin": "1.0.4"}),
            "Degraded",
            "with 1.0.3",
            id="pinned, and the one before is out of time",
        ),
        pytest.param(
            watch(app("Blocked", "1.0.2"), chosen="1.0.3"), "NotListed", "1.0.3 is chosen", id="another one is blocked"
        ),
        pytest.param(
            watch(
                app(target="1.0.3"), chosen=None, quarantine=(failed("1.0.5"),), verdict=("TooYoung", "a minute old")
            ),
            "TooYoung",
            "a minute old",
            id="too young, though something newer failed",
        ),
        pytest.param(
            watch(app("Degraded", deadline=EARLIER)), "Degraded", "with 1.0.4", id="the operator is to conclude it"
        ),
        pytest.param(
            watch(app("Progressing", deadline=LATER), digest=NEW, quarantine=(failed(digest=OLD),)),
            "Progressing",
            "with 1.0.4",
            id="pushed anew after it failed",
        ),
        pytest.param(
            watch(app(target="1.0.3"), chosen="1.0.3", verdict=("Superseded", "nobody looked at it")),
            "Superseded",
            "nobody looked at it",
            id="not looked at",
        ),
    ],
)
def test_it_waits_and_says_what_for(found: BundleWatch, reason: str, says: str) -> None:
    progress = judged(found)

    assert (progress.ending, progress.reason) == (None, reason)
    assert says in progress.message


# It never will


@pytest.mark.parametrize(
    ("found", "reason", "says"),
    [
        pytest.param(
            watch(app(target="1.0.3"), chosen=None, quarantine=(failed(),)),
            "Degraded",
            "1.0.4 failed and is quarantined: shop: Degraded for 2m; now set: shop 1.0.3; "
            "publish something newer, or have it tried again: bundlewatch retry shop -n argocd 1.0.4",
            id="taken back",
        ),
        pytest.param(watch(app("Degraded"), quarantine=(failed(),)), "Degraded", "now set: shop 1.0.4", id="kept"),
        pytest.param(
            watch(app("Degraded"), quarantine=(failed(digest=None),)), "Degraded", "failed", id="of unknown digest"
        ),
        pytest.param(
            watch(app("Degraded", deadline=EARLIER, message="crash"), spec={"pin": "1.0.4"}),
            "Degraded",
            f"shop, Degraded with 1.0.4: crash; its time was up at {EARLIER}; set spec.pin to another tag",
            id="pinned, out of time",
        ),
        pytest.param(
            watch(app("Failed", deadline=EARLIER), spec={"rollout": {"onFailure": "Ignore"}}),
            "Failed",
            f"its time was up at {EARLIER}; publish something newer",
            id="ignored, out of time",
        ),
        pytest.param(
            watch(app(target="1.0.3"), chosen="1.0.3", spec={"tags": {"range": "<1.0.4"}}),
            "OutOfRange",
            "1.0.4 is above the range <1.0.4",
            id="by the spec, listed or not",
        ),
        pytest.param(
            watch(app(target="1.0.3"), spec={"tags": {"exclude": ["1.0.4"]}}), "Excluded", "excluded by", id="excluded"
        ),
        pytest.param(
            watch(app(target="v1.0.3"), chosen="v1.0.3", spec={"tags": {"pattern": "^v"}}),
            "PatternMismatch",
            "does not match",
            id="not the pattern",
        ),
        pytest.param(
            watch(app(target="1.0.3"), chosen="1.0.3", verdict=("NotAChart", "it is a container image")),
            "NotAChart",
            "1.0.4: it is a container image",
            id="an image",
        ),
        pytest.param(
            watch(app(target="2.0.0"), chosen=None, verdict=("Downgrade", "1.0.4 is below 2.0.0, which runs")),
            "Downgrade",
            "below 2.0.0",
            id="older than what runs",
        ),
        pytest.param(
            watch(app(target="1.0.3"), chosen="1.0.3", spec={"pin": "1.0.3"}), "Pinned", "exactly 1.0.3", id="pinned"
        ),
        pytest.param(
            watch(app("Progressing", "1.0.5"), chosen="1.0.5"),
            "Superseded",
            "1.0.5, which is newer, is chosen instead of 1.0.4; to follow that one: --or-newer",
            id="something newer",
        ),
        pytest.param(
            watch(app(), app(name="web", target="1.0.5")),
            "Superseded",
            "web stays at 1.0.5, which is newer than 1.0.4",
            id="something newer on one",
        ),
        pytest.param(
            watch(
                app(target="1.0.3"), chosen=None, quarantine=(failed("1.0.5"),), verdict=("Superseded", "passed over")
            ),
            "Superseded",
            "1.0.5, which is newer than 1.0.4, failed",
            id="passed over for what failed",
        ),
        pytest.param(
            watch(app("Blocked", "1.0.3", message="Helm takes no such tag")),
            "Blocked",
            "shop: Helm takes no such tag",
            id="blocked",
        ),
        pytest.param(
            watch(app(), app("Conflict", None, "web", message="argocd/older moves it"), chosen="1.0.4"),
            "Conflict",
            "web: argocd/older moves it",
            id="conflict",
        ),
    ],
)
def test_what_can_never_go_ends_it_with_the_reason(found: BundleWatch, reason: str, says: str) -> None:
    progress = judged(found)

    assert (progress.ending, progress.reason) == (Ending.FAILED, reason)
    assert says in progress.message
    # Before the operator has looked it may all be of the bundle before; where nobody knows, only good news counts.
    assert judged(found, looked=False).ending is None
    assert judged(found, looked=None).ending is None


def test_good_news_counts_where_nobody_asked_and_waits_for_the_answer_where_somebody_did() -> None:
    assert judged(watch(app()), looked=None).ending is Ending.HEALTHY
    assert judged(watch(app()), looked=False).ending is None


# Something newer


@pytest.mark.parametrize(
    ("found", "ending", "says"),
    [
        pytest.param(
            watch(app(target="1.0.5"), chosen="1.0.5"),
            Ending.HEALTHY,
            "1.0.5, which is newer than 1.0.4, is healthy on its Application",
            id="healthy",
        ),
        pytest.param(
            watch(app(), app(name="web", target="1.0.5")), Ending.HEALTHY, "healthy on all 2 Applications", id="on one"
        ),
        pytest.param(
            watch(app("Syncing", "1.0.5", deadline=LATER), chosen="1.0.5"),
            None,
            "1.0.5 waits for shop, Syncing",
            id="on its way",
        ),
        pytest.param(
            watch(app("Syncing", "1.0.5", deadline=LATER), chosen="1.0.5", quarantine=(failed(),)),
            None,
            "1.0.5 waits for shop",
            id="on its way after ours failed",
        ),
        pytest.param(
            watch(app("Syncing", deadline=LATER), app(name="web", target="1.0.5")),
            None,
            "1.0.4 waits for shop, Syncing",
            id="on one, and ours on its way on another",
        ),
        pytest.param(watch(app(target="1.0.3"), chosen="1.0.3"), None, "does not list 1.0.4 yet", id="older"),
        pytest.param(
            watch(app("Syncing", "1.0.3"), chosen="1.0.3"), None, "does not list 1.0.4 yet", id="older, on its way"
        ),
        pytest.param(watch(app(target="main"), chosen="main"), None, "does not list 1.0.4 yet", id="no version"),
        pytest.param(
            watch(app(target="1.0.3"), chosen=None, quarantine=(failed(),)), Ending.FAILED, "failed", id="ours failed"
        ),
        pytest.param(
            watch(app("Blocked", "1.0.3", message="no"), chosen="1.0.5"), Ending.FAILED, "shop: no", id="blocked"
        ),
    ],
)
def test_something_newer_will_do_where_it_was_said_to(found: BundleWatch, ending: Ending | None, says: str) -> None:
    progress = judged(found, or_newer=True)

    assert progress.ending is ending
    assert says in progress.message


# What is told


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        pytest.param(taken_back(), "RolledBack: 1.0.3 failed (Degraded): shop: no more is known", id="of another"),
        pytest.param(
            taken_back(tag="1.0.4"),
            "RolledBack: 1.0.4 failed (Degraded): shop: no more is known; it was taken back; have it tried again: "
            "kubectl",
            id="of ours",
        ),
        pytest.param(
            (ready("False", "RegistryUnavailable", "no answer; check it"),),
            "RegistryUnavailable: no answer; check it",
            id="of none",
        ),
    ],
)
def test_what_status_said_before_the_look_is_short_where_it_is_about_another_bundle(
    conditions: tuple[Condition, ...], says: str
) -> None:
    progress = judged(watch(app(target="1.0.2"), conditions=conditions), looked=False)

    assert progress.message == f"the operator has yet to look at the registry; so far it says {says}"


@pytest.mark.parametrize("reason", ["InvalidSpec", "InvalidPattern", "InvalidRange", "InvalidRepository"])
def test_a_mistake_in_this_spec_is_told_instead_of_a_look_that_never_comes(reason: str) -> None:
    found = watch(app(target="1.0.3"), conditions=mistaken(reason))

    assert mistake(found) == (reason, "spec.tags: is wrong")
    assert judged(found, looked=False).lines[0] == Line(None, reason, "spec.tags: is wrong")


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(watch(app(), observed_generation=2, conditions=mistaken("InvalidSpec")), id="an older spec"),
        pytest.param(watch(app(), conditions=mistaken("AccessDenied")), id="refused"),
        pytest.param(watch(app(), conditions=mistaken("RepositoryNotFound")), id="no repository"),
        pytest.param(watch(app(), conditions=mistaken("InvalidSecret")), id="a Secret"),
        pytest.param(watch(app(), conditions=taken_back()), id="taken back"),
        pytest.param(watch(app(), conditions=(ready("False", "InvalidSpec", "of another tool"),)), id="not stalled"),
    ],
)
def test_what_may_heal_is_no_mistake_in_the_spec(found: BundleWatch) -> None:
    assert mistake(found) is None


def test_every_application_has_a_line_and_two_sources_of_one_are_told_apart() -> None:
    second = replace(app("Syncing", message="the sync runs"), source=1)

    lines = judged(watch(app(deadline=LATER), second, app("ApplicationNotFound", None, "web", message="none"))).lines

    assert lines == (
        Line("shop[0]", "Healthy", "1.0.4: healthy, but not for long enough yet"),
        Line("shop[1]", "Syncing", "1.0.4: the sync runs"),
        Line("web", "ApplicationNotFound", "none"),
    )


def test_what_no_application_tells_has_a_line_of_its_own() -> None:
    progress = judged(watch(app(target="1.0.3"), chosen="1.0.3", verdict=("TooYoung", "first seen a minute ago")))

    assert progress.lines == (
        Line(None, "TooYoung", "1.0.4: first seen a minute ago"),
        Line("shop", "Healthy", "1.0.3"),
    )


# Whether the operator has looked


@pytest.mark.parametrize(
    ("handled", "requested", "generation", "answer"),
    [
        pytest.param("ours", "ours", 3, True, id="ours"),
        pytest.param(None, "ours", 3, False, id="never"),
        pytest.param("before", "ours", 3, False, id="one before"),
        pytest.param("ours", "later", 3, True, id="ours, and somebody asked again"),
        pytest.param("later", "later", 3, True, id="a later one, which replaced ours"),
        pytest.param("ours", "ours", 2, False, id="of an older spec"),
        pytest.param(None, None, 3, False, id="nobody asks any more"),
    ],
)
def test_it_has_looked_once_status_answers_us_or_whoever_asked_later(
    handled: str | None, requested: str | None, generation: int, *, answer: bool
) -> None:
    annotations = {"bundlewatch.dev/reconcile": requested} if requested else {}
    found = watch(annotations=annotations, last_handled_reconcile_at=handled, observed_generation=generation)

    assert answered(found, {"ours"}) is answer


def test_news_is_what_was_found_about_bundles_and_not_how_applications_fare() -> None:
    before = watch(app("Syncing"))

    assert not news(before.status, watch(app("Healthy")).status)
    assert news(before.status, watch(app("Syncing"), chosen="1.0.5").status)
    assert news(before.status, watch(app("Syncing"), verdict=("Chosen", "best")).status)
    assert news(before.status, watch(app("Syncing"), quarantine=(failed(),)).status)
