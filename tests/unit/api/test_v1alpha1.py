"""Reading a live object: what is right becomes values, what is wrong is named together with its cure."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bundlewatch.api.v1alpha1 import (
    Access,
    ApplicationTarget,
    BundleWatch,
    Gates,
    Identity,
    LabelSelector,
    Rollout,
    SecretReference,
    Status,
    Tags,
    Upstream,
    Window,
)
from bundlewatch.errors import InvalidSpec

BAD_OBJECTS = yaml.safe_load(Path(__file__).with_name("bad_objects.yaml").read_text())

SPEC = {"repository": "registry.example.com/shop/bundle", "applications": [{"name": "shop"}]}


def body(**parts: Any) -> dict[str, Any]:
    return {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {
            "name": "shop",
            "namespace": "argocd",
            "uid": "64fa4331-f0b8-4116-8ee3-2cab0e38f5ba",
            "generation": 3,
            "resourceVersion": "354",
            "creationTimestamp": "2026-11-24T04:26:50Z",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "bundlewatch.dev/reconcile": "now",
            },
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": SPEC,
        **parts,
    }


def test_every_field_of_an_object_is_read() -> None:
    watch = BundleWatch.parse(
        body(
            spec={
                "repository": "oci://registry.example.com/shop/bundle",
                "interval": "1h30m",
                "suspend": True,
                "access": {
                    "secretRef": {"name": "regcred"},
                    "serviceAccountName": "shop",
                    "fromArgoCD": True,
                    "provider": "generic",
                    "caSecretRef": {"name": "registry-ca"},
                },
                "tags": {
                    "pattern": "^v",
                    "exclude": ["1.0.13"],
                    "order": "calver",
                    "direction": "Descending",
                    "range": "~1.0",
                    "prereleases": True,
                },
                "gates": {
                    "minAge": "1h",
                    "windows": [
                        {
                            "name": "office hours",
                            "kind": "Allow",
                            "schedule": "0 9 * * 1-5",
                            "duration": "8h",
                            "timeZone": "Europe/Berlin",
                        }
                    ],
                    "approval": "Manual",
                    "after": [{"name": "shop-staging", "soak": "2h"}],
                },
                "rollout": {
                    "sync": "Request",
                    "timeout": "20m",
                    "degradedFor": "90s",
                    "onFailure": "Hold",
                    "onExternalChange": "Override",
                    "allowDowngrade": True,
                },
                "applications": [
                    {"name": "shop", "source": "frontend", "wave": 1},
                    {"selector": {"matchLabels": {"example.com/team": "web"}}, "source": 1},
                ],
                "pin": "1.0.3",
            },
            status={"summary": "all is well"},
        )
    )

    assert (watch.namespace, watch.name, watch.uid, watch.generation, watch.resource_version) == (
        "argocd",
        "shop",
        "64fa4331-f0b8-4116-8ee3-2cab0e38f5ba",
        3,
        "354",
    )
    assert watch.creation_timestamp == "2026-11-24T04:26:50Z"
    assert not watch.deleting
    assert watch.spec.repository == watch.repository == "oci://registry.example.com/shop/bundle"
    assert watch.spec.interval_s == 5400
    assert watch.spec.suspend
    assert watch.spec.access == Access(
        secret_ref=SecretReference(name="regcred"),
        service_account_name="shop",
        from_argo_cd=True,
        ca_secret_ref=SecretReference(name="registry-ca"),
    )
    assert watch.spec.tags == Tags(
        pattern="^v", exclude=("1.0.13",), order="calver", direction="Descending", range="~1.0", prereleases=True
    )
    window = Window(name="office hours", kind="Allow", schedule="0 9 * * 1-5", duration="8h", time_zone="Europe/Berlin")
    upstream = Upstream(name="shop-staging", soak="2h")
    assert watch.spec.gates == Gates(min_age="1h", windows=(window,), approval="Manual", after=(upstream,))
    assert (watch.spec.gates.min_age_s, window.duration_s, upstream.soak_s) == (3600, 8 * 3600, 7200)
    assert watch.spec.rollout == Rollout(
        sync="Request",
        timeout="20m",
        degraded_for="90s",
        on_failure="Hold",
        on_external_change="Override",
        allow_downgrade=True,
    )
    assert (watch.spec.rollout.timeout_s, watch.spec.rollout.degraded_for_s) == (1200, 90)
    assert watch.spec.applications == (
        ApplicationTarget(name="shop", source="frontend", wave=1),
        ApplicationTarget(selector=LabelSelector(match_labels={"example.com/team": "web"}), source=1),
    )
    assert watch.spec.pin == "1.0.3"
    assert watch.status == Status(summary="all is well")


def test_what_is_left_out_gets_its_default() -> None:
    spec = BundleWatch.parse(body()).spec

    assert spec.interval_s == 60
    assert not spec.suspend
    assert spec.access == Access()
    assert spec.tags == Tags()
    assert (spec.tags.order, spec.tags.direction) == ("semver", "Ascending")
    assert spec.gates == Gates()
    assert spec.gates.min_age_s == 0
    assert (spec.rollout.timeout_s, spec.rollout.degraded_for_s) == (600, 120)
    assert (spec.rollout.sync, spec.rollout.on_failure, spec.rollout.on_external_change) == ("Auto", None, "Hold")
    assert not spec.rollout.allow_downgrade
    assert spec.applications[0].wave == 0
    assert spec.pin is None


def test_what_is_left_out_in_a_list_gets_its_default() -> None:
    gates = {
        "windows": [{"name": "", "kind": "Deny", "schedule": "0 0 * * *", "duration": "1h"}],
        "after": [{"name": "shop-staging"}],
    }

    read = BundleWatch.parse(body(spec={**SPEC, "gates": gates})).spec.gates

    assert (read.windows[0].time_zone, read.windows[0].name, read.after[0].soak_s) == ("UTC", None, 0)


@pytest.mark.parametrize(
    ("name", "title"), [("office hours", "window office hours"), (None, "window '0 9 * * 1-5'")], ids=["named", "not"]
)
def test_a_window_is_called_by_its_name_or_else_by_its_schedule(name: str | None, title: str) -> None:
    assert Window(name=name, kind="Allow", schedule="0 9 * * 1-5", duration="8h").title == title


def test_fields_of_a_newer_version_are_ignored() -> None:
    spec = {
        **SPEC,
        "verify": {"images": "Exist"},
        "tags": {"signed": True},
        "applications": [{"name": "shop", "namespace": "argocd"}],
    }

    assert BundleWatch.parse(body(spec=spec)).spec == BundleWatch.parse(body()).spec


def test_empty_text_of_a_template_means_not_set() -> None:
    spec = {**SPEC, "pin": "", "tags": {"pattern": "", "range": ""}, "gates": {"minAge": ""}}

    assert BundleWatch.parse(body(spec=spec)).spec == BundleWatch.parse(body()).spec


@pytest.mark.parametrize(
    "repository",
    [
        "registry.example.com/shop",
        "registry.example.com:5000/shop/bundle",
        "oci://registry.example.com/shop",
        "localhost/shop",
        "localhost:5000/shop",
        "registry:5000/shop",
        "10.0.0.7/shop",
        "[::1]:5000/shop",
        "docker.io/library/nginx",
        "ghcr.io/some-org/a.b_c__d---e/bundle",
    ],
)
def test_a_repository_as_registries_have_it_is_taken(repository: str) -> None:
    assert BundleWatch.parse(body(spec={**SPEC, "repository": repository})).spec.repository == repository


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in BAD_OBJECTS])
def test_a_mistake_is_told_with_object_field_and_cure(row: dict[str, Any]) -> None:
    spec = {key: value for key, value in {**SPEC, **row["spec"]}.items() if value is not None}

    with pytest.raises(InvalidSpec) as caught:
        BundleWatch.parse(body(spec=spec))

    assert caught.value.message.startswith(f"BundleWatch argocd/shop: {row['field']}")
    assert (row.get("reader") or row["says"]) in caught.value.message
    assert not caught.value.retry


@pytest.mark.parametrize(
    ("spec", "field", "bound"),
    [
        ({"repository": "registry.example.com/" + "x" * 255}, "spec.repository", 255),
        ({"tags": {"pattern": "x" * 513}}, "spec.tags.pattern", 512),
        ({"tags": {"range": "x" * 513}}, "spec.tags.range", 512),
        ({"pin": "x" * 129}, "spec.pin", 128),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_text_past_its_bound_is_told_the_bound(spec: dict[str, object], field: str, bound: int) -> None:
    with pytest.raises(InvalidSpec, match=f"{field} is too long: write at most {bound} characters"):
        BundleWatch.parse(body(spec={**SPEC, **spec}))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        pytest.param(
            {"order": "SemVer"},
            "spec.tags.order must be 'semver', 'calver', 'numerical' or 'alphabetical'",
            id="one of four",
        ),
        pytest.param({"direction": None}, "spec.tags.direction must be 'Ascending' or 'Descending'", id="one of two"),
        pytest.param(
            {"order": "\x1b{message}", "direction": "desc"},
            "spec.tags.order must be 'semver', 'calver', 'numerical' or 'alphabetical'; "
            "spec.tags.direction must be 'Ascending' or 'Descending'",
            id="both",
        ),
    ],
)
def test_a_word_that_is_not_among_the_choices_is_told_all_of_them(tags: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        BundleWatch.parse(body(spec={**SPEC, "tags": tags}))

    assert caught.value.message == f"BundleWatch argocd/shop: {message}"


@pytest.mark.parametrize(
    "tags",
    [
        pytest.param(
            {"order": "calver", "direction": "Descending", "range": "2024.x", "prereleases": True}, id="calver"
        ),
        pytest.param({"order": "semver", "direction": "Ascending", "range": "^1", "prereleases": True}, id="semver"),
        pytest.param({"order": "numerical", "range": "", "prereleases": False}, id="a template leaves them empty"),
        pytest.param({"order": "alphabetical", "direction": "Descending", "pattern": "^v"}, id="alphabetical"),
    ],
)
def test_what_an_order_knows_is_taken(tags: dict[str, object]) -> None:
    assert BundleWatch.parse(body(spec={**SPEC, "tags": tags})).spec.tags.order == tags["order"]


def test_several_mistakes_are_told_at_once_and_counted_when_many() -> None:
    spec = {"interval": "5s", "pin": ">=1", "tags": {"exclude": [1, 2]}}

    with pytest.raises(InvalidSpec) as caught:
        BundleWatch.parse(body(spec=spec))

    assert caught.value.message == (
        "BundleWatch argocd/shop: spec.repository is missing: set it; "
        "spec.interval is below the floor: write 10s or more; "
        "the annotation bundlewatch.dev/reconcile looks at once; "
        "spec.tags.exclude[0] must be text: put it in quotes; and 3 more"
    )


def test_one_wrong_entry_is_not_also_called_a_missing_entry() -> None:
    with pytest.raises(InvalidSpec) as caught:
        BundleWatch.parse(body(spec={**SPEC, "applications": [{"name": "Shop"}]}))

    assert "too few" not in caught.value.message


def test_what_a_stranger_wrote_cannot_break_a_line_of_a_message() -> None:
    labels = {"bad\n\x1b[31mkey": 7}

    with pytest.raises(InvalidSpec) as caught:
        BundleWatch.parse(body(spec={**SPEC, "applications": [{"selector": {"matchLabels": labels}}]}))

    assert caught.value.message.isprintable()


def test_braces_in_an_object_are_only_text() -> None:
    with pytest.raises(InvalidSpec, match="needs exactly one of name and selector"):
        BundleWatch.parse(body(spec={**SPEC, "applications": [{"source": "{message}"}]}))


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(None, id="no-spec"),
        pytest.param([], id="a-list"),
        pytest.param("text", id="text"),
        pytest.param({"repository": "registry.example.com/shop"}, id="half-a-spec"),
    ],
)
def test_an_object_that_cannot_be_read_is_still_known(broken: object) -> None:
    wrong = body(spec=broken, status={"observedGeneration": 2})

    with pytest.raises(InvalidSpec, match=r"BundleWatch argocd/shop: .*spec.applications is missing: set it"):
        BundleWatch.parse(wrong)
    identity = Identity.of(wrong)

    assert str(identity) == "BundleWatch argocd/shop"
    assert identity.generation == 3
    assert identity.status.observed_generation == 2
    assert identity.reconcile_requested == "now"


def test_the_repository_of_a_wrong_object_is_known_as_it_was_written() -> None:
    wrong = body(spec={"repository": "registry.example.com/shop:1.0"})

    assert Identity.of(wrong).repository == "registry.example.com/shop:1.0"


@pytest.mark.parametrize("nonsense", [{}, {"metadata": None}, {"metadata": {"name": 7, "annotations": [1]}}])
def test_nothing_that_arrives_can_make_identity_fail(nonsense: dict[str, object]) -> None:
    identity = Identity.of(nonsense)

    assert (identity.name, identity.generation, identity.status) == ("", 0, Status())


def test_an_object_on_its_way_out_says_so() -> None:
    leaving = body()
    leaving["metadata"]["deletionTimestamp"] = "2026-11-24T05:00:00Z"

    assert BundleWatch.parse(leaving).deleting


def test_only_annotations_that_mean_something_are_kept() -> None:
    assert dict(BundleWatch.parse(body()).annotations) == {"bundlewatch.dev/reconcile": "now"}


def test_a_selector_asks_for_each_of_its_labels_exactly() -> None:
    selector = LabelSelector(match_labels={"team": "web", "stage": "test"})

    assert selector.matches({"team": "web", "stage": "test", "more": "yes"})
    assert not selector.matches({"team": "web"})
    assert not selector.matches({"team": "web", "stage": "tests"})
    assert LabelSelector().matches({})
