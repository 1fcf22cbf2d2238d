"""Each target is moved, kept, held or refused, by rules in a fixed order, and what is not moved says why."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.application import parse
from bundlewatch.argocd.matching import kind_of
from bundlewatch.policy.policy import Policy
from bundlewatch.rollout.plan import Action, Choice, Step, Terms, fits, plan, running_of, runs
from bundlewatch.rollout.targets import Target

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": "."}
DIGEST = "sha256:" + "1" * 64
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANY = "(?P<version>[0-9]+)"


def target(
    live: str | None,
    *,
    source: dict[str, str] = HELM,
    manager: str | None = None,
    resolved: str = "",
    deployed: str = "",
    looked: bool = True,
    beside: dict[str, str] | None = None,
    name: str = "shop",
    **metadata: Any,
) -> Target:
    """A target whose target revision is `live`, as `manager` wrote it; Argo CD made `resolved` of it, and has
    `deployed` as the last one that went well. `looked`: Argo CD has looked at it at all. `beside`: a second source.
    """
    wanted = source | ({} if live is None else {"targetRevision": live})
    managed: dict[str, Any] = {
        "manager": manager,
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:sources": {}} if beside else {"f:source": {"f:targetRevision": {}}}},
    }
    status = {
        "sync": {"status": "Synced", "revision": resolved, "comparedTo": {"source": wanted}},
        "history": [{"source": source | {"targetRevision": deployed}, "revision": deployed}] if deployed else [],
    }
    application = parse(
        {
            "metadata": {
                "namespace": "argocd",
                "name": name,
                "managedFields": [] if manager is None else [managed],
                **metadata,
            },
            "spec": {"sources": [wanted, beside]} if beside else {"source": wanted},
            "status": status if looked else {},
        }
    )
    found = application.sources[0]
    kind = kind_of(found)
    assert kind is not None
    return Target(application, found, kind)


def policy(pattern: str | None = None) -> Policy:
    return Policy.compile(pattern=pattern)


def choice(
    tag: str = "1.1.0",
    *,
    pinned: bool = False,
    chart: str = "bundle",
    legacy_layer: bool = False,
    downgrade: bool = False,
) -> Choice:
    return Choice(
        tag=tag,
        reading=policy().read(tag),
        chart_name=chart,
        legacy_layer=legacy_layer,
        pinned=pinned,
        downgrade=downgrade,
    )


def terms(pattern: str | None = None, *, released: bool = False) -> Terms:
    return Terms(watch="shop", read=policy(pattern).read, now=NOW, released=released)


def step(
    chosen: Choice,
    aim: Target,
    *,
    wanted: str | None = None,
    phase: str | None = None,
    released: bool = False,
    pattern: str | None = None,
) -> Step:
    """`wanted`: the target revision that status says we wanted there; `phase`: where it says that it was."""
    record = ApplicationStatus(name=aim.application.name, source=0, target=wanted, phase=phase)
    records = {} if wanted is None else {aim.key: record}
    (found,) = plan(chosen, [aim], records=records, terms=terms(pattern, released=released))
    assert found.target is aim
    return found


@pytest.mark.parametrize(
    ("tag", "aim", "desired"),
    [
        pytest.param("1.1.0", target("1.0.0"), "1.1.0", id="something older runs"),
        pytest.param("1.1.0_b", target("1.0.0"), "1.1.0+b", id="a Helm source takes a version"),
        pytest.param("1.1.0_b", target("1.0.0", source=NATIVE), "1.1.0_b", id="a native source takes the tag"),
        pytest.param("1.1.0", target(None), "1.1.0", id="nothing was ever asked for"),
        pytest.param("1.1.0", target("1.0.0-rc.1"), "1.1.0", id="a prerelease runs"),
        pytest.param("1.1.0", target("~1.0", resolved="1.0.7"), "1.1.0", id="a range runs something older"),
        pytest.param("1.1.0", target("~1.1", resolved="1.1.0"), "1.1.0", id="a range runs the same"),
        pytest.param("1.1.0_b", target("1.1.0+a"), "1.1.0+b", id="build metadata makes nothing older"),
    ],
)
def test_what_runs_something_older_is_moved(tag: str, aim: Target, desired: str) -> None:
    found = step(choice(tag), aim)

    assert (found.action, found.desired, found.message) == (Action.MOVE, desired, "")


@pytest.mark.parametrize(
    ("tag", "aim"),
    [
        pytest.param("1.1.0", target("1.1.0"), id="the same text"),
        pytest.param("1.1.0_b", target("1.1.0+b"), id="as a Helm source spells it"),
        pytest.param("1.1.0_b", target("1.1.0_b", source=NATIVE), id="as a native source spells it"),
    ],
)
def test_what_is_already_there_is_kept(tag: str, aim: Target) -> None:
    found = step(choice(tag), aim)

    assert (found.action, found.desired, found.message) == (Action.KEEP, aim.source.target_revision, "")


@pytest.mark.parametrize(
    ("aim", "message"),
    [
        pytest.param(target("1.2.0"), "runs 1.2.0, which is newer than 1.1.0", id="by what was asked for"),
        pytest.param(target("^1", resolved="1.9.9"), "runs 1.9.9, which is newer than 1.1.0", id="by its range"),
        pytest.param(target("^1", deployed="1.9.9"), "runs 1.9.9, which is newer than 1.1.0", id="by its history"),
    ],
)
def test_nothing_is_moved_below_what_runs(aim: Target, message: str) -> None:
    found = step(choice(), aim)

    assert (found.action, found.desired, found.message) == (Action.KEEP, aim.source.target_revision, message)


@pytest.mark.parametrize(
    "aim",
    [
        pytest.param(target("1.2.0"), id="something newer runs"),
        pytest.param(target("latest", source=NATIVE, resolved=DIGEST), id="nobody can tell what runs"),
    ],
)
@pytest.mark.parametrize("chosen", [choice(pinned=True), choice(downgrade=True)], ids=["pin", "allowDowngrade"])
def test_a_pin_and_a_wanted_downgrade_move_down_and_where_nobody_can_tell(chosen: Choice, aim: Target) -> None:
    found = step(chosen, aim)

    assert (found.action, found.desired) == (Action.MOVE, "1.1.0")


@pytest.mark.parametrize(
    ("aim", "live"),
    [
        pytest.param(target("latest", source=NATIVE, resolved=DIGEST), "latest", id="a tag that is no version"),
        pytest.param(target(DIGEST, source=NATIVE), DIGEST, id="a digest"),
        pytest.param(target("latest", source=NATIVE, deployed="1.0.0"), "latest", id="whatever ran before"),
        pytest.param(target("noble", source=NATIVE, resolved="1.0.0"), "noble", id="whatever it came to"),
    ],
)
@pytest.mark.parametrize("pattern", [None, pytest.param(ANY, id="a pattern that finds a number in any text")])
def test_where_nobody_can_tell_what_runs_nothing_is_moved(aim: Target, live: str, pattern: str | None) -> None:
    found = step(choice(), aim, pattern=pattern)

    assert (found.action, found.desired) == (Action.REFUSE, live)
    assert found.message == (
        f"targetRevision '{live}' is no version that spec.tags reads, so it cannot be told whether 1.1.0 is newer "
        "than what runs; set targetRevision to a version once, or spec.pin to 1.1.0, or spec.rollout.allowDowngrade "
        "to true"
    )


@pytest.mark.parametrize(
    ("chosen", "aim", "message"),
    [
        pytest.param(
            choice(chart="shop"),
            target("1.0.0"),
            "the chart is named 'shop', but its repository ends in 'bundle', and Argo CD looks for a directory of that "
            "name in the archive: publish with `werf bundle publish --helm-compatible-chart`, or set `name: bundle` in "
            "Chart.yaml",
            id="a chart of another name",
        ),
        pytest.param(
            choice("release-1"),
            target("1.0.0"),
            "tag 'release-1' is no version, and Helm, which Argo CD runs for this source, takes only versions: "
            "publish under one, as `werf bundle publish --tag 1.2.3` and `helm push` do",
            id="a tag that is no version",
        ),
        pytest.param(
            choice(legacy_layer=True),
            target("1.0.0", source=NATIVE),
            "the chart's layer has the type application/tar+gzip, as werf writes it, which Argo CD refuses in an "
            "oci:// source: use a Helm source, `repoURL: registry.example.com/shop` (without oci://) and "
            "`chart: bundle`, and publish with `werf bundle publish --helm-compatible-chart`",
            id="a layer that a native source cannot take",
        ),
    ],
)
def test_what_argo_cd_could_not_deploy_is_not_written(chosen: Choice, aim: Target, message: str) -> None:
    found = step(chosen, aim)

    assert (found.action, found.desired, found.message) == (Action.REFUSE, "1.0.0", message)


@pytest.mark.parametrize(
    ("chosen", "aim"),
    [
        pytest.param(choice(chart="shop"), target("1.0.0", source=NATIVE), id="a native source does not mind the name"),
        pytest.param(choice("release-1"), target("1.0.0", source=NATIVE), id="nor a tag that is no version"),
        pytest.param(choice(legacy_layer=True), target("1.0.0"), id="a Helm source takes werf's layer"),
        pytest.param(choice("v1.1"), target("1.0.0"), id="and a version as Helm takes it"),
    ],
)
def test_a_bundle_fits_a_source_that_can_take_it(chosen: Choice, aim: Target) -> None:
    assert fits(chosen, aim) is None


HELD = (
    "kubectl-edit set targetRevision to 1.0.0 after BundleWatch had set 1.0.5, so it is left alone; "
    'to go on: kubectl annotate bundlewatch shop -n argocd --overwrite bundlewatch.dev/resume="$(date)"'
)


def test_a_persons_later_decision_is_respected() -> None:
    found = step(choice(), target("1.0.0", manager="kubectl-edit"), wanted="1.0.5")

    assert (found.action, found.desired, found.message) == (Action.HOLD, "1.0.5", HELD)


@pytest.mark.parametrize(
    ("live", "manager", "message"),
    [
        pytest.param("1.0.0", "", "somebody set targetRevision to 1.0.0 after ", id="a writer without a name"),
        pytest.param("1.0.0", None, "somebody set targetRevision to 1.0.0 after ", id="a writer nobody knows"),
        pytest.param(None, "kubectl", "kubectl set targetRevision to nothing after ", id="who took it away"),
    ],
)
def test_a_hold_says_what_is_known_of_who_did_what(live: str | None, manager: str | None, message: str) -> None:
    found = step(choice(), target(live, manager=manager), wanted="1.0.5")

    assert found.message.startswith(message)


@pytest.mark.parametrize(
    ("live", "phase", "action"),
    [
        pytest.param("1.0.0", None, Action.HOLD, id="older than what we had set"),
        pytest.param("main", None, Action.HOLD, id="no version"),
        pytest.param("1.0.9", "Held", Action.HOLD, id="it was held before"),
        pytest.param("1.0.9", None, Action.MOVE, id="newer, as an untold move of ours is"),
    ],
)
def test_among_several_sources_our_own_name_does_not_undo_a_persons_decision(
    live: str, phase: str | None, action: Action
) -> None:
    # Somebody set the first source, and then we moved the second: the API server remembers the last writer of both.
    aim = target(live, manager="bundlewatch", beside=NATIVE | {"targetRevision": "2.0.0"})

    assert step(choice(), aim, wanted="1.0.5", phase=phase).action is action


@pytest.mark.parametrize(
    ("mover", "action"),
    [
        pytest.param("argocd/till", Action.HOLD, id="the other moved last"),
        pytest.param("argocd/shop", Action.MOVE, id="we did"),
    ],
)
def test_among_several_sources_of_several_watches_the_application_tells_whose_our_name_is(
    mover: str, action: Action
) -> None:
    aim = target(
        "1.0.9",
        manager="bundlewatch",
        beside=NATIVE | {"targetRevision": "2.0.0"},
        annotations={"bundlewatch.dev/watch": mover},
    )

    assert step(choice(), aim, wanted="1.0.5").action is action


def test_a_range_whose_version_argo_cd_does_not_tell_is_not_moved() -> None:
    found = step(choice(), target("1.*"))

    assert (found.action, found.desired) == (Action.REFUSE, "1.*")
    assert "wait until Argo CD tells, or set targetRevision to a version once" in found.message


def test_of_equal_versions_the_lower_build_is_a_step_back() -> None:
    found = step(choice("1.0.0_b1"), target("1.0.0+b2"))

    assert (found.action, found.message) == (Action.KEEP, "runs 1.0.0+b2, which is newer than 1.0.0_b1")


def test_a_hold_names_the_maker_that_puts_it_back_and_the_rule_to_paste() -> None:
    owner = {"kind": "ApplicationSet", "name": "shops", "controller": True}

    found = step(choice(), target("1.0.0", manager="argocd", ownerReferences=[owner]), wanted="1.0.5")

    assert found.message == (
        "argocd set targetRevision to 1.0.0 after BundleWatch had set 1.0.5, so it is left alone; "
        "ApplicationSet argocd/shops owns Application argocd/shop and puts its targetRevision back; add to that "
        "ApplicationSet: {spec: {ignoreApplicationDifferences: [{name: shop, "
        "jsonPointers: [/spec/source/targetRevision]}]}}; "
        'to go on: kubectl annotate bundlewatch shop -n argocd --overwrite bundlewatch.dev/resume="$(date)"'
    )


@pytest.mark.parametrize(
    ("manager", "wanted", "released"),
    [
        pytest.param("kubectl", None, False, id="we never wanted anything there"),
        pytest.param("kubectl", "1.0.0", False, id="it is what we wanted"),
        pytest.param("bundlewatch", "1.0.5", False, id="we wrote it, and status was lost"),
        pytest.param("kubectl", "1.0.5", True, id="a person ended all holds"),
    ],
)
def test_what_is_no_later_decision_of_another_holds_nothing(
    manager: str | None, wanted: str | None, *, released: bool
) -> None:
    found = step(choice(), target("1.0.0", manager=manager), wanted=wanted, released=released)

    assert (found.action, found.desired) == (Action.MOVE, "1.1.0")


PERSON: dict[str, Any] = {"manager": "kubectl"}
WE_WANTED: dict[str, Any] = {"wanted": "1.0.5"}


@pytest.mark.parametrize(
    ("chosen", "aim", "status", "action"),
    [
        pytest.param(choice(), target("1.1.0", **PERSON), WE_WANTED, Action.KEEP, id="there before held"),
        pytest.param(choice(chart="shop"), target("1.1.0"), {}, Action.KEEP, id="there before unfit"),
        pytest.param(choice(chart="shop"), target("1.0.0", **PERSON), WE_WANTED, Action.HOLD, id="held before unfit"),
        pytest.param(choice(), target("2.0.0", **PERSON), WE_WANTED, Action.HOLD, id="held before newer"),
        pytest.param(choice(), target("main", **PERSON), WE_WANTED, Action.HOLD, id="held before unreadable"),
        pytest.param(
            choice("1.0.5", pinned=True), target("1.0.0", **PERSON), WE_WANTED, Action.HOLD, id="held before pinned"
        ),
        pytest.param(
            choice(pinned=True), target("1.0.0", **PERSON), WE_WANTED, Action.MOVE, id="a newer pin before held"
        ),
        pytest.param(choice(chart="shop", pinned=True), target("1.0.0"), {}, Action.REFUSE, id="unfit before pinned"),
        pytest.param(choice(chart="shop"), target("2.0.0"), {}, Action.REFUSE, id="unfit before newer"),
    ],
)
def test_of_several_rules_the_first_decides(
    chosen: Choice, aim: Target, status: dict[str, Any], action: Action
) -> None:
    assert step(chosen, aim, **status).action is action


def test_every_target_gets_its_own_step() -> None:
    behind, held, ahead = (
        target("1.0.0", name="behind"),
        target("1.0.0", name="held", manager="kubectl"),
        target("2.0.0", name="ahead"),
    )
    records = {held.key: ApplicationStatus(name="held", source=0, target="1.0.5")}

    steps = plan(choice(), [behind, held, ahead], records=records, terms=terms())

    assert [(found.target.application.name, found.action) for found in steps] == [
        ("behind", Action.MOVE),
        ("held", Action.HOLD),
        ("ahead", Action.KEEP),
    ]


def test_of_several_sources_only_the_one_of_the_record_is_held() -> None:
    body = {
        "metadata": {
            "namespace": "argocd",
            "name": "shop",
            "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:sources": {}}}}],
        },
        "spec": {"sources": [HELM | {"targetRevision": "1.0.0"}, HELM | {"targetRevision": "1.0.0"}]},
    }
    application = parse(body)
    targets = [Target(application, source, kind) for source in application.sources if (kind := kind_of(source))]
    records = {
        ("shop", 0): ApplicationStatus(name="shop", source=0, target="1.0.0"),
        ("shop", 1): ApplicationStatus(name="shop", source=1, target="1.0.5"),
    }

    steps = plan(choice(), targets, records=records, terms=terms())

    assert [found.action for found in steps] == [Action.MOVE, Action.HOLD]


@pytest.mark.parametrize(
    ("aim", "pattern", "version"),
    [
        pytest.param(target("1.1.0", resolved="1.0.0", deployed="1.0.0"), None, "1.1.0", id="what was asked for"),
        pytest.param(target("~1", resolved="1.0.7", deployed="1.0.6"), None, "1.0.7", id="what a range came to"),
        pytest.param(target("~1", deployed="1.0.6"), None, "1.0.6", id="what was deployed last"),
        pytest.param(target("1.0.0+b"), None, "1.0.0+b", id="as a Helm source spells it"),
        pytest.param(target("1.0.0_b", source=NATIVE), None, "1.0.0+b", id="as a native source spells it"),
        pytest.param(target(f"1.0.0@{DIGEST}", source=NATIVE), None, "1.0.0", id="a tag with its digest"),
        pytest.param(target("app-1.0.0", source=NATIVE), "^app-(?P<version>.+)$", "1.0.0", id="through the pattern"),
        pytest.param(target("1.0.0"), "^app-(?P<version>.+)$", "1.0.0", id="beside the pattern"),
        pytest.param(target(None), None, None, id="nothing"),
        pytest.param(target("latest", source=NATIVE, resolved=DIGEST), None, None, id="no version"),
        pytest.param(target("1.*", source=NATIVE, resolved=DIGEST), ANY, None, id="the 256 of a digest is no version"),
    ],
)
def test_what_runs_is_what_was_asked_for_last_that_is_a_version(
    aim: Target, pattern: str | None, version: str | None
) -> None:
    found = runs(aim, read=policy(pattern).read)

    assert (None if found is None or found.reading is None else str(found.reading)) == version


@pytest.mark.parametrize(
    ("revisions", "floor"),
    [
        pytest.param(["1.2.0", "1.10.0", "1.9.0"], "1.2.0", id="the lowest"),
        pytest.param(["1.2.0", "latest"], "1.2.0", id="of those that can be told"),
        pytest.param(["1.2.0", None], None, id="one never ran"),
        pytest.param(["latest"], None, id="none can be told"),
        pytest.param([], None, id="there is no target"),
    ],
)
def test_the_floor_is_the_lowest_that_runs_and_none_where_one_runs_nothing(
    revisions: list[str | None], floor: str | None
) -> None:
    targets = [target(live, source=NATIVE) for live in revisions]

    found = running_of(targets, read=policy().read, downgrade=False)

    assert (None if found.floor is None else str(found.floor)) == floor


@pytest.mark.parametrize(
    ("revisions", "downgrade", "unread"),
    [
        pytest.param(["latest", "main"], False, "latest", id="of none it can be told"),
        pytest.param(["latest", "1.0.0"], False, None, id="of one it can be told"),
        pytest.param(["latest", None], False, None, id="one runs nothing yet"),
        pytest.param(["latest"], True, None, id="it does not matter"),
        pytest.param([], False, None, id="there is nobody"),
    ],
)
def test_where_of_nobody_it_can_be_told_what_runs_nothing_is_newer(
    *, revisions: list[str | None], downgrade: bool, unread: str | None
) -> None:
    targets = [target(live, source=NATIVE) for live in revisions]

    assert running_of(targets, read=policy().read, downgrade=downgrade).unread == unread


@pytest.mark.parametrize(
    ("live", "chosen", "action"),
    [
        pytest.param("5", "7", Action.KEEP, id="the higher is the older"),
        pytest.param("7", "5", Action.MOVE, id="the lower is the newer"),
    ],
)
def test_a_descending_order_turns_what_is_older_around(live: str, chosen: str, action: Action) -> None:
    descending = Policy.compile(order="numerical", direction="Descending")
    bundle = replace(choice(chosen), reading=descending.read(chosen))

    told = Terms(watch="shop", read=descending.read, now=NOW)
    (found,) = plan(bundle, [target(live, source=NATIVE)], records={}, terms=told)

    assert found.action is action


def test_where_a_downgrade_is_wanted_there_is_no_floor() -> None:
    found = running_of([target("1.2.0")], read=policy().read, downgrade=True)

    assert (found.floor, found.tags) == (None, {"1.2.0"})


def test_what_runs_is_told_by_its_tags() -> None:
    targets = [target("1.2.0+b", resolved="1.1.0"), target("1.0.0", source=NATIVE), target("latest", source=NATIVE)]

    assert running_of(targets, read=policy().read, downgrade=False).tags == {"1.2.0_b", "1.0.0"}
