"""From a pushed bundle to a patched Application: what the operator does, and what it never does.

The operator is the real process, the API server, etcd and the registry are real; Argo CD is not needed for what
is promised here, so these Applications have no status.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from kit.objects import Json, helm_source, native_source
from kit.scene import Scene
from kit.waiting import never

pytestmark = [pytest.mark.cluster, pytest.mark.registry]


def test_a_new_bundle_reaches_the_application_and_everything_says_so(scene: Scene) -> None:
    digest = {version: scene.publish(version) for version in ("1.0.0", "1.0.1")}
    scene.create_application(revision="1.0.0")
    scene.create_watch()

    scene.until_revision("1.0.1")
    scene.until(lambda: scene.status().get("history"))
    status = scene.status()

    assert status["candidate"] == {
        "tag": "1.0.1",
        "version": "1.0.1",
        "digest": digest["1.0.1"],
        "chart": "shop",
    }
    assert scene.verdicts() == {"1.0.1": "Chosen", "1.0.0": "Superseded"}
    assert status["history"][0]["tag"] == "1.0.1"
    assert "1.0.1" in status["summary"]
    scene.until(lambda: {event["reason"] for event in scene.events()} >= {"Moved"})
    scene.until(lambda: scene.events(kind="Application"))  # it is told second
    (told,) = scene.events(kind="Application")
    assert told["reason"] == "TargetRevisionChanged"
    assert "from 1.0.0 to 1.0.1" in told["message"]


def test_a_bundle_pushed_later_is_noticed_within_the_interval(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.create_application(revision="1.0.0")
    scene.create_watch(interval="10s")
    scene.until(lambda: scene.status().get("candidate"))

    scene.publish("1.0.1")

    scene.until_revision("1.0.1", timeout_s=20)


def test_the_reconcile_annotation_makes_it_look_at_once(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.create_application(revision="1.0.0")
    scene.create_watch(interval="1h")
    scene.until(lambda: scene.status().get("candidate"))

    scene.publish("1.0.1")
    scene.annotate(reconcile="please")

    scene.until_revision("1.0.1", timeout_s=10)
    scene.until(lambda: scene.status().get("lastHandledReconcileAt") == "please")


def test_flux_reconcile_annotation_is_honoured(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.create_application(revision="1.0.0")
    scene.create_watch(interval="1h")
    scene.until(lambda: scene.status().get("candidate"))

    scene.publish("1.0.1")
    scene.patch_watch({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "2026-01-01"}}})

    scene.until_revision("1.0.1", timeout_s=10)


def test_a_patch_is_ours_by_name_and_touches_nothing_else(scene: Scene) -> None:
    scene.publish("1.0.1")
    before = scene.create_application(revision="1.0.0")
    scene.create_watch()
    scene.until_revision("1.0.1")

    after = scene.application()
    managers = {entry["manager"]: entry["fieldsV1"] for entry in after["metadata"]["managedFields"]}
    ours = managers["bundlewatch"]
    assert ours.pop("f:metadata")["f:annotations"].keys() == {".", *(f"f:{name}" for name in after_annotations(after))}
    assert ours == {"f:spec": {"f:source": {"f:targetRevision": {}}}}
    before["spec"]["source"]["targetRevision"] = "1.0.1"
    assert after["spec"] == before["spec"]


def after_annotations(application: Json) -> set[str]:
    """The annotations of an Application that had none before; all of them are ours."""
    names = set(application["metadata"]["annotations"])
    assert all(name.startswith("bundlewatch.dev/") for name in names)
    return names


def test_an_image_under_a_version_tag_is_never_deployed_and_the_next_best_is(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    scene.registry.push_image(scene.path, "9.9.9")
    scene.registry.push_index(scene.path, "9.9.8")
    scene.create_application(revision="1.0.0")
    scene.create_watch()

    scene.until_revision("1.0.1")
    scene.until(lambda: scene.verdicts().get("9.9.9") == "NotAChart")
    assert scene.verdicts()["9.9.8"] == "NotAChart"


def test_a_chart_of_another_name_is_refused_with_the_cure(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1", name="other")
    scene.create_application(revision="0.9.0")
    scene.create_watch()

    scene.until_revision("1.0.0")
    scene.until(lambda: scene.verdicts().get("1.0.1") == "ChartNameMismatch")
    message = next(v["message"] for v in scene.status()["verdicts"] if v["tag"] == "1.0.1")
    assert "other" in message
    assert "--helm-compatible-chart" in message


def test_a_werf_bundle_goes_to_a_helm_source(scene: Scene) -> None:
    scene.registry.push_werf_bundle(scene.path, "shop", "1.0.1")
    scene.create_application(revision="1.0.0")
    scene.create_watch()

    scene.until_revision("1.0.1")


def test_a_werf_bundle_is_not_given_to_a_native_source_that_would_refuse_it(scene: Scene) -> None:
    scene.registry.push_werf_bundle(scene.path, "shop", "1.0.1")
    scene.create_application("shop", "", native_source(scene.repository, "1.0.0"))
    scene.create_watch()

    scene.until(lambda: scene.verdicts().get("1.0.1") == "NotDeployable")
    assert scene.revision() == "1.0.0"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(helm_source, "1.0.1+b1", id="helm wants the version"),
        pytest.param(native_source, "1.0.1_b1", id="native wants the tag"),
    ],
)
def test_build_metadata_is_spelt_as_the_source_needs_it(
    scene: Scene, source: Callable[[str, str], dict[str, object]], expected: str
) -> None:
    scene.publish("1.0.1+b1", tag="1.0.1_b1")
    scene.create_application("shop", "", source(scene.repository, "1.0.0"))
    scene.create_watch()

    scene.until_revision(expected)


def test_only_the_matching_source_of_several_is_moved(scene: Scene) -> None:
    scene.publish("1.0.1")
    values = {"repoURL": "https://git.example.com/values.git", "targetRevision": "main", "ref": "values"}
    scene.create_application("shop", "", values, helm_source(scene.repository, "1.0.0"))
    scene.create_watch()

    scene.until(lambda: scene.application()["spec"]["sources"][1]["targetRevision"] == "1.0.1")
    assert scene.application()["spec"]["sources"][0] == values


def test_several_matching_sources_need_a_choice_and_the_message_says_how(scene: Scene) -> None:
    scene.publish("1.0.1")
    first, second = helm_source(scene.repository, "1.0.0"), helm_source(scene.repository, "1.0.0")
    scene.create_application("shop", "", {**first, "name": "front"}, {**second, "name": "back"})
    scene.create_watch()

    condition = scene.until_ready("False", reason="SeveralMatchingSources")
    assert "source" in condition["message"]
    assert scene.condition("Stalled")["status"] == "True"

    scene.patch_watch({"spec": {"applications": [{"name": "shop", "source": "back"}]}})
    scene.until(lambda: scene.application()["spec"]["sources"][1]["targetRevision"] == "1.0.1")
    assert scene.application()["spec"]["sources"][0]["targetRevision"] == "1.0.0"


def test_an_application_of_another_repository_is_never_touched(scene: Scene) -> None:
    scene.publish("1.0.1")
    scene.create_application("shop", "", helm_source(f"{scene.repository}-other", "1.0.0"))
    scene.create_watch()

    scene.until_ready("False", reason="NoMatchingSource")
    assert scene.revision() == "1.0.0"


def test_nothing_is_moved_below_what_runs(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    scene.create_application(revision="1.2.0")
    scene.create_watch()

    scene.until(lambda: scene.verdicts().get("1.0.1") == "Downgrade")
    never(lambda: scene.revision() != "1.2.0", for_s=1)


def test_losing_status_moves_nothing_back(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.publish("1.0.1")
    scene.create_application(revision="1.0.0")
    scene.create_watch(interval="10s")
    scene.until_revision("1.0.1")
    scene.registry.delete_tag(scene.path, "1.0.1")

    scene.patch_watch_status(None)
    scene.annotate(reconcile="now")

    scene.until(lambda: scene.status().get("lastHandledReconcileAt") == "now")
    never(lambda: scene.revision() != "1.0.1", for_s=2)


def test_the_older_of_two_owners_wins_and_the_other_says_conflict(scene: Scene) -> None:
    scene.publish("1.0.1")
    scene.publish("2.0.0")
    scene.create_application(revision="1.0.0")
    scene.create_watch("older", applications=[{"name": "shop"}], tags={"range": "~1"})
    scene.until_revision("1.0.1")
    scene.until(lambda: scene.watch("older")["metadata"]["creationTimestamp"] < _second_now())
    scene.create_watch("younger", applications=[{"name": "shop"}])

    condition = scene.until_ready("False", reason="Conflict", name="younger")
    assert "older" in condition["message"]
    assert scene.revision() == "1.0.1"

    scene.delete_watch("older")
    scene.until_revision("2.0.0")


def test_a_selector_follows_labelled_applications_also_later_ones(scene: Scene) -> None:
    scene.publish("1.0.1")
    scene.create_application("one", "1.0.0", labels={"team": "web"})
    scene.create_application("stranger", "1.0.0", labels={"team": "data"})
    scene.create_watch(applications=[{"selector": {"matchLabels": {"team": "web"}}}])
    scene.until_revision("1.0.1", "one")

    scene.create_application("two", "1.0.0", labels={"team": "web"})

    scene.until_revision("1.0.1", "two")
    assert scene.revision("stranger") == "1.0.0"


def test_a_suspended_watch_moves_nothing_until_it_is_resumed(scene: Scene) -> None:
    scene.publish("1.0.1")
    scene.create_application(revision="1.0.0")
    scene.create_watch(suspend=True)

    scene.until_ready("True", reason="Suspended")
    never(lambda: scene.revision() != "1.0.0", for_s=1)

    scene.patch_watch({"spec": {"suspend": False}})
    scene.until_revision("1.0.1")


def test_a_pin_takes_exactly_that_tag_even_an_older_one(scene: Scene) -> None:
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        scene.publish(version)
    scene.create_application(revision="1.0.2")
    scene.create_watch(pin="1.0.1")

    scene.until_revision("1.0.1")

    scene.patch_watch({"spec": {"pin": None}})
    scene.until_revision("1.0.2")


def test_a_pinned_image_is_still_refused(scene: Scene) -> None:
    scene.publish("1.0.0")
    scene.registry.push_image(scene.path, "1.0.1")
    scene.create_application(revision="1.0.0")
    scene.create_watch(pin="1.0.1")

    scene.until(lambda: scene.verdicts().get("1.0.1") == "NotAChart")
    assert scene.revision() == "1.0.0"


def test_a_persons_later_choice_is_respected_until_resumed(scene: Scene) -> None:
    for version in ("1.0.0", "1.0.1"):
        scene.publish(version)
    scene.create_application(revision="1.0.0")
    scene.create_watch()
    scene.until_revision("1.0.1")
    scene.until(lambda: scene.status().get("applications", [{}])[0].get("target") == "1.0.1")

    scene.patch_application({"spec": {"source": {"targetRevision": "1.0.0"}}})

    condition = scene.until_ready("False", reason="Held")
    assert "kubectl-edit" in condition["message"]
    assert "bundlewatch.dev/resume" in condition["message"]
    never(lambda: scene.revision() != "1.0.0", for_s=1)

    scene.annotate(resume="yes")
    scene.until_revision("1.0.1")


@pytest.mark.parametrize(
    ("tags", "reason", "says"),
    [
        pytest.param({"pattern": "^v(?P<version>.+"}, "InvalidPattern", "pattern", id="pattern"),
        pytest.param({"range": ">>1"}, "InvalidRange", "range", id="range"),
        pytest.param({"range": ">2 <1"}, "InvalidRange", "range", id="empty range"),
    ],
)
def test_a_mistake_in_the_spec_stalls_and_names_the_field(
    scene: Scene, tags: dict[str, str], reason: str, says: str
) -> None:
    scene.publish("1.0.1")
    scene.create_application(revision="1.0.0")
    scene.create_watch(tags=tags)

    condition = scene.until_ready("False", reason=reason)
    assert says in condition["message"]
    assert scene.condition("Stalled")["status"] == "True"
    assert not scene.condition("Reconciling")
    assert scene.revision() == "1.0.0"

    scene.patch_watch({"spec": {"tags": None}})
    scene.until_revision("1.0.1")


def test_an_application_that_comes_later_is_served(scene: Scene) -> None:
    scene.publish("1.0.1")
    scene.create_watch()
    scene.until_ready("False", reason="ApplicationNotFound")

    scene.create_application(revision="1.0.0")

    scene.until_revision("1.0.1")


def test_an_unknown_repository_is_said_plainly(scene: Scene) -> None:
    scene.create_application(revision="1.0.0")
    scene.create_watch()

    condition = scene.until_ready("False", reason="RepositoryNotFound")
    assert scene.repository in condition["message"]


def _second_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
