"""The definition on the real API server: what it refuses and how it says so, and what kubectl makes of it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundlewatch.api.conditions import State, conditions
from bundlewatch.api.status import (
    ApplicationStatus,
    Approved,
    Bundle,
    FirstSeen,
    HistoryEntry,
    Quarantined,
    Status,
    Verdict,
    in_short,
)
from bundlewatch.api.v1alpha1 import BundleWatch
from kit.api import ApiError
from kit.cluster import Cluster

TESTS = Path(__file__).parents[1]
BAD_OBJECTS = yaml.safe_load((TESTS / "unit" / "api" / "bad_objects.yaml").read_text())

SPEC = {"repository": "registry.example.com/shop/bundle", "applications": [{"name": "shop"}]}
WINDOW = {"kind": "Deny", "schedule": "0 0 * * *", "duration": "1h"}
NOW = "2026-11-24T04:26:50Z"


@pytest.fixture(scope="module")
def trial_namespace(cluster: Cluster) -> str:
    """For requests that are only tried (`dryRun`), so that hundreds of them can share it."""
    return cluster.namespace(prefix="crd-trial")


def path(namespace: str, name: str = "") -> str:
    return f"/apis/bundlewatch.dev/v1alpha1/namespaces/{namespace}/bundlewatches{name and '/'}{name}"


def manifest(namespace: str, name: str = "shop", **spec: Any) -> dict[str, Any]:
    fields = {key: value for key, value in {**SPEC, **spec}.items() if value is not None}
    return {
        "apiVersion": "bundlewatch.dev/v1alpha1",
        "kind": "BundleWatch",
        "metadata": {"name": name, "namespace": namespace},
        "spec": fields,
    }


def try_out(cluster: Cluster, namespace: str, spec: Mapping[str, Any], *, unknown: str = "Strict") -> dict[str, Any]:
    return cluster.api.post(path(namespace), manifest(namespace, **spec), dryRun="All", fieldValidation=unknown)


def write_status(cluster: Cluster, namespace: str, status: Status, name: str = "shop") -> dict[str, Any]:
    return cluster.api.patch(
        f"{path(namespace, name)}/status", {"status": status.to_dict()}, fieldManager="bundlewatch"
    )


def status_of(*names: str, state: State, candidate: Bundle | None = None) -> Status:
    return Status(
        observed_generation=1,
        conditions=conditions((), state=state, now=NOW, generation=1),
        summary=state.message,
        target=in_short(names),
        current=Bundle(tag="1.0.3", digest="sha256:4d5b", version="1.0.3", chart="shop"),
        candidate=candidate,
        applications=tuple(ApplicationStatus(name=name, phase="Healthy", since=NOW) for name in names),
    )


def table(text: str) -> list[list[str]]:
    """Columns as wide as their headings stand apart; a cell may be empty."""
    lines = text.splitlines()
    starts = [found.start() for found in re.finditer(r"(?<!\S)\S+", lines[0])]
    return [[line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)] for line in lines]


# What is refused


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in BAD_OBJECTS])
def test_a_mistake_is_refused_with_field_and_cure(cluster: Cluster, trial_namespace: str, row: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        try_out(cluster, trial_namespace, row["spec"], unknown="Ignore")

    assert refused.value.code == 422
    assert re.search(rf"(: |, |\[){re.escape(row['field'])}[:.\[]", refused.value.message)
    assert (row.get("server") or row["says"]) in refused.value.message


@pytest.mark.parametrize(
    ("spec", "field", "bound"),
    [
        ({"repository": "registry.example.com/" + "x" * 255}, "spec.repository", 255),
        ({"tags": {"pattern": "x" * 513}}, "spec.tags.pattern", 512),
        ({"tags": {"range": "x" * 513}}, "spec.tags.range", 512),
        ({"tags": {"exclude": ["x" * 257]}}, "spec.tags.exclude[0]", 256),
        ({"tags": {"exclude": ["x"] * 65}}, "spec.tags.exclude", 64),
        ({"pin": "x" * 129}, "spec.pin", 128),
        ({"applications": [{"name": f"shop-{n}"} for n in range(65)]}, "spec.applications", 64),
        ({"applications": [{"name": "x" * 254}]}, "spec.applications[0].name", 253),
        ({"applications": [{"name": "shop", "source": "x" * 129}]}, "spec.applications[0].source", 128),
        (
            {"applications": [{"selector": {"matchLabels": {f"key-{n}": "x" for n in range(17)}}}]},
            "spec.applications[0].selector.matchLabels",
            16,
        ),
        ({"access": {"secretRef": {"name": "x" * 254}}}, "spec.access.secretRef.name", 253),
        ({"gates": {"minAge": "1s" * 11}}, "spec.gates.minAge", 20),
        ({"gates": {"windows": [WINDOW] * 17}}, "spec.gates.windows", 16),
        ({"gates": {"windows": [{**WINDOW, "name": "x" * 65}]}}, "spec.gates.windows[0].name", 64),
        ({"gates": {"windows": [{**WINDOW, "schedule": "1" * 129}]}}, "spec.gates.windows[0].schedule", 128),
        ({"gates": {"windows": [{**WINDOW, "timeZone": "x" * 65}]}}, "spec.gates.windows[0].timeZone", 64),
        ({"gates": {"after": [{"name": f"shop-{n}"} for n in range(9)]}}, "spec.gates.after", 8),
        ({"gates": {"after": [{"name": "x" * 254}]}}, "spec.gates.after[0].name", 253),
        ({"rollout": {"timeout": "1m" * 11}}, "spec.rollout.timeout", 20),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_past_its_bound_is_refused_with_the_bound(
    cluster: Cluster, trial_namespace: str, spec: dict[str, Any], field: str, bound: int
) -> None:
    with pytest.raises(ApiError) as refused:
        try_out(cluster, trial_namespace, spec)

    assert f"{field}: Too" in refused.value.message
    assert str(bound) in refused.value.message


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"schedule": "daily"}, "spec.schedule"),
        ({"tags": {"signed": True}}, "spec.tags.signed"),
        ({"access": {"tokenRef": {"name": "regcred"}}}, "spec.access.tokenRef"),
        ({"applications": [{"name": "shop", "namespace": "argocd"}]}, "spec.applications[0].namespace"),
        (
            {"applications": [{"selector": {"matchExpressions": []}}]},
            "spec.applications[0].selector.matchExpressions",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unknown_field_is_refused_under_strict_validation(
    cluster: Cluster, trial_namespace: str, spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(ApiError) as refused:
        try_out(cluster, trial_namespace, spec)

    assert f'unknown field "{field}"' in refused.value.message


def test_kubectl_refuses_an_unknown_field_by_itself(cluster: Cluster, namespace: str) -> None:
    document = yaml.safe_dump(manifest(namespace, repo="registry.example.com/shop"))

    done = cluster.kubectl("apply", "--validate=strict", "-f", "-", input=document, check=False)

    assert done.returncode != 0
    assert 'unknown field "spec.repo"' in done.stderr


def test_an_edit_that_breaks_a_rule_is_refused_and_changes_nothing(cluster: Cluster, namespace: str) -> None:
    cluster.apply(manifest(namespace))

    done = cluster.kubectl(
        *("patch", "bw", "shop", "-n", namespace, "--type=merge", "-p", '{"spec":{"interval":"5s"}}'),
        check=False,
    )

    assert "spec.interval" in done.stderr
    assert "is below the floor: write 10s or more" in done.stderr
    assert cluster.api.get(path(namespace, "shop"))["spec"]["interval"] == "1m"


# What is taken


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"repository": "oci://registry.example.com:5000/a/b_c/d--e"}, id="scheme-and-port"),
        pytest.param({"repository": "localhost:5000/shop"}, id="localhost"),
        pytest.param({"repository": "[::1]:5000/shop"}, id="ip-version-6"),
        pytest.param({"interval": "10s"}, id="interval-at-the-floor"),
        pytest.param({"interval": "24h"}, id="interval-at-the-ceiling"),
        pytest.param({"interval": "1.5h30m10s"}, id="interval-in-parts"),
        pytest.param({"pin": "1.0.3_build.7"}, id="pin"),
        pytest.param({"pin": "", "tags": {"pattern": "", "range": ""}}, id="empty-as-templates-write-it"),
        pytest.param({"access": {"caSecretRef": {"name": "registry-ca"}}}, id="own-authority"),
        pytest.param({"access": {"insecure": True, "secretRef": {"name": "regcred"}}}, id="plain-with-secret"),
        pytest.param({"applications": [{"selector": {}}]}, id="every-application"),
        pytest.param({"gates": {"minAge": "0s", "approval": "Manual"}}, id="gates"),
        pytest.param({"gates": {"minAge": "", "windows": [], "after": []}}, id="gates-as-templates-write-them"),
        pytest.param(
            {
                "gates": {
                    "windows": [
                        {"kind": "Allow", "schedule": "*/15 9-17 1,15 * MON-FRI", "duration": "1m"},
                        {**WINDOW, "name": "freeze", "duration": "8760h", "timeZone": "America/Argentina/Buenos_Aires"},
                        {**WINDOW, "timeZone": "Etc/GMT+5"},
                    ]
                }
            },
            id="windows",
        ),
        pytest.param({"gates": {"after": [{"name": "a"}, {"name": "a.b", "soak": "8760h"}]}}, id="after"),
        pytest.param({"rollout": {"timeout": "10s", "degradedFor": "0s", "onFailure": "Ignore"}}, id="rollout"),
        pytest.param({"rollout": {"timeout": "24h", "sync": "Request"}}, id="rollout-at-the-ceiling"),
        pytest.param({"applications": [{"name": "a", "wave": 0}, {"selector": {}, "wave": 1000}]}, id="waves"),
        pytest.param(
            {
                "applications": [
                    {"name": "shop", "source": 0},
                    {"name": "shop-two", "source": "frontend"},
                    {"selector": {"matchLabels": {"example.com/team": "web", "stage": ""}}},
                ]
            },
            id="applications-of-every-kind",
        ),
    ],
)
def test_a_good_object_is_taken_and_read_back(cluster: Cluster, trial_namespace: str, spec: dict[str, Any]) -> None:
    taken = try_out(cluster, trial_namespace, spec)

    assert BundleWatch.parse(taken).spec == BundleWatch.parse(manifest(trial_namespace, **spec)).spec


def test_the_largest_spec_is_within_the_cost_of_the_rules(cluster: Cluster, trial_namespace: str) -> None:
    labels = {f"{'a' * 253}/{'k' * 61}{number:02}": "v" * 63 for number in range(16)}
    try_out(
        cluster,
        trial_namespace,
        {
            "repository": "registry.example.com/" + "x" * 234,
            "tags": {"pattern": "x" * 512, "exclude": ["x" * 256] * 64, "range": "x" * 512},
            "applications": [
                *({"name": f"{number:0253}", "source": "s" * 128} for number in range(32)),
                *({"selector": {"matchLabels": labels}} for _ in range(32)),
            ],
            "gates": {
                "minAge": "8760h0m0s0ms0ms0ms",
                "windows": [
                    {
                        "name": "x" * 64,
                        "kind": "Allow",
                        "schedule": "1," * 59 + "1 * * * *",
                        "duration": "8760h0m0s0ms0ms0ms",
                        "timeZone": "x" * 64,
                    }
                ]
                * 16,
                "after": [{"name": f"{number:0253}", "soak": "8760h0m0s0ms0ms0ms"} for number in range(8)],
            },
            "rollout": {"timeout": "24h0m0s0ms0ms0ms0ms", "degradedFor": "24h0m0s0ms0ms0ms0ms"},
            "pin": "x" * 128,
        },
    )


def test_defaults_are_visible_in_the_live_object(cluster: Cluster, namespace: str) -> None:
    live = cluster.api.post(path(namespace), manifest(namespace))

    assert live["spec"] == {
        **SPEC,
        "interval": "1m",
        "suspend": False,
        "access": {"fromArgoCD": False, "provider": "generic", "insecure": False},
        "tags": {"order": "semver", "direction": "Ascending", "prereleases": False},
        "gates": {"approval": "Automatic"},
        "rollout": {
            "sync": "Auto",
            "timeout": "10m",
            "degradedFor": "2m",
            "onExternalChange": "Hold",
            "allowDowngrade": False,
        },
    }


def test_what_stands_in_lists_is_stored_as_it_was_written(cluster: Cluster, namespace: str) -> None:
    gates = {
        "windows": [{"kind": "Deny", "schedule": "0 0 * * *", "duration": "1h"}],
        "after": [{"name": "shop-staging"}],
    }

    live = cluster.api.post(path(namespace), manifest(namespace, gates=gates))

    # Argo CD compares lists whole: a default in one would make the BundleWatch OutOfSync for ever.
    assert live["spec"]["gates"] == {**gates, "approval": "Automatic"}
    assert live["spec"]["applications"] == SPEC["applications"]


def test_server_side_apply_is_repeatable_beside_the_operator(cluster: Cluster, namespace: str) -> None:
    document = yaml.safe_dump(manifest(namespace, interval="5m"))
    apply = ("apply", "--server-side", "--field-manager=gitops", "-f", "-")
    cluster.kubectl(*apply, input=document)
    write_status(cluster, namespace, status_of("shop", state=State.settled("shop runs 1.0.3")))
    before = cluster.api.get(path(namespace, "shop"))

    cluster.kubectl(*apply, input=document)

    after = cluster.api.get(path(namespace, "shop"))
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert after["status"] == before["status"]


def test_two_appliers_of_one_field_are_told_which(cluster: Cluster, namespace: str) -> None:
    apply = ("apply", "--server-side", "-f", "-", "--field-manager")
    cluster.kubectl(*apply, "gitops", input=yaml.safe_dump(manifest(namespace, interval="5m")))

    done = cluster.kubectl(*apply, "somebody", input=yaml.safe_dump(manifest(namespace, interval="7m")), check=False)

    assert 'conflict with "gitops": .spec.interval' in done.stderr


# What status is


def test_status_and_spec_are_written_apart(cluster: Cluster, namespace: str) -> None:
    created = cluster.api.post(path(namespace), manifest(namespace))

    cluster.api.patch(f"{path(namespace, 'shop')}/status", {"status": {"summary": "seen"}, "spec": {"suspend": True}})
    cluster.api.patch(path(namespace, "shop"), {"status": {"summary": "forged"}})

    live = cluster.api.get(path(namespace, "shop"))
    assert live["status"] == {"summary": "seen"}
    assert live["spec"] == created["spec"]
    assert live["metadata"]["generation"] == created["metadata"]["generation"] == 1


def test_the_largest_status_that_we_can_make_is_stored(cluster: Cluster, namespace: str) -> None:
    cluster.api.post(path(namespace), manifest(namespace))
    text = "x" * 5000
    status = Status(
        observed_generation=1,
        conditions=conditions((), state=State.stalled(text, reason=text), now=NOW, generation=1),
        summary=text,
        target=text,
        current=Bundle(tag=text, digest=text, version=text, chart=text),
        applications=tuple(
            ApplicationStatus(
                name=f"{number:0253}",
                source=text,
                current=text,
                previous=text,
                target=text,
                phase=text,
                since=NOW,
                deadline=NOW,
                last_healthy=text,
                fallback=text,
                reverts=(NOW,) * 5,
            )
            for number in range(600)
        ),
        verdicts=tuple(Verdict(tag=text, version=text, reason=text, message=text) for _ in range(20)),
        history=tuple(HistoryEntry(tag=text, digest=text, version=text, time=NOW, message=text) for _ in range(20)),
        quarantine=tuple(Quarantined(tag=text, digest=text, reason=text, message=text, since=NOW) for _ in range(120)),
        first_seen=tuple(FirstSeen(digest=text, tag=text, time=NOW) for _ in range(70)),
        approved=tuple(Approved(tag=text, digest=text) for _ in range(20)),
        next_transition=NOW,
        last_handled_reconcile_at=text,
        last_handled_resume_at=text,
        last_handled_retry_at=text,
    )

    write_status(cluster, namespace, status)

    assert BundleWatch.parse(cluster.api.get(path(namespace, "shop"))).status == status


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ({"history": [{"tag": "1.0.3"}] * 11}, "status.history: Too many"),
        ({"history": [{"tag": "1.0.3", "time": "yesterday"}]}, "must be of type date-time"),
        ({"summary": "x" * 1025}, "status.summary: Too long"),
        (
            {"conditions": [{"type": "Ready", "status": "Perhaps"}]},
            "status.conditions[0].status: Unsupported value",
        ),
        ({"conditions": [{"type": "Ready"}]}, "status.conditions[0].lastTransitionTime: Required value"),
        (
            {
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "UpToDate",
                        "message": "",
                        "lastTransitionTime": NOW,
                    }
                ]
                * 2
            },
            "status.conditions[1]: Duplicate value",
        ),
    ],
    ids=["too-many-moves", "a-time-in-words", "too-long", "no-such-truth", "half-a-condition", "twice-ready"],
)
def test_a_forged_status_is_refused(cluster: Cluster, namespace: str, status: dict[str, Any], refusal: str) -> None:
    cluster.api.post(path(namespace), manifest(namespace))

    with pytest.raises(ApiError, match=re.escape(refusal)):
        cluster.api.patch(f"{path(namespace, 'shop')}/status", {"status": status})


# What kubectl makes of it


def test_get_shows_one_line_that_explains_each_object(cluster: Cluster, namespace: str) -> None:
    for name in ("fresh", "one", "three"):
        cluster.api.post(path(namespace), manifest(namespace, name))
    write_status(cluster, namespace, status_of("shop", state=State.settled("shop runs 1.0.3")), "one")
    rollout = status_of(
        *("shop", "shop-two", "shop-three"),
        state=State.progressing("1.0.4 is on its way"),
        candidate=Bundle(tag="1.0.4", version="1.0.4"),
    )
    write_status(cluster, namespace, rollout, "three")

    shown = table(cluster.kubectl("get", "bw", "-n", namespace).stdout)

    assert [row[:6] for row in shown] == [
        ["NAME", "APPLICATION", "CURRENT", "CANDIDATE", "READY", "STATUS"],
        ["fresh", "", "", "", "", ""],
        ["one", "shop", "1.0.3", "", "True", "shop runs 1.0.3"],
        ["three", "shop (+2)", "1.0.3", "1.0.4", "Unknown", "1.0.4 is on its way"],
    ]
    assert shown[0][6] == "AGE"
    assert all(re.fullmatch(r"\d+s", row[6]) for row in shown[1:])


def test_get_wide_shows_the_repository_too(cluster: Cluster, namespace: str) -> None:
    cluster.api.post(path(namespace), manifest(namespace))

    shown = table(cluster.kubectl("get", "bundlewatches", "-n", namespace, "-o", "wide").stdout)

    assert [row[-1] for row in shown] == ["REPOSITORY", "registry.example.com/shop/bundle"]


@pytest.mark.parametrize("category", ["all", "argocd"])
def test_get_of_a_category_shows_it(cluster: Cluster, namespace: str, category: str) -> None:
    cluster.api.post(path(namespace), manifest(namespace))

    assert "bundlewatch.bundlewatch.dev/shop" in cluster.kubectl("get", category, "-n", namespace, "-o", "name").stdout


def test_wait_for_ready_returns_when_it_is_and_not_before(cluster: Cluster, namespace: str) -> None:
    cluster.api.post(path(namespace), manifest(namespace))
    wait = ("wait", "--for=condition=Ready", "bw/shop", "-n", namespace)
    retrying = State.retrying("the registry does not answer", reason="RegistryUnavailable")
    write_status(cluster, namespace, status_of("shop", state=retrying))
    assert cluster.kubectl(*wait, "--timeout=1s", check=False).returncode != 0
    assert cluster.kubectl(
        "wait", "--for=condition=Reconciling", "bw/shop", "-n", namespace, "--timeout=10s"
    ).stdout.endswith("condition met\n")

    write_status(cluster, namespace, status_of("shop", state=State.settled("shop runs 1.0.3")))

    assert cluster.kubectl(*wait, "--timeout=10s").stdout.endswith("condition met\n")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (
            "bw",
            [
                "GROUP: bundlewatch.dev",
                "A BundleWatch watches one OCI repository",
                "spec <Object> -required-",
            ],
        ),
        ("bw.spec", ["repository <string> -required-", "Default: 1m.", "applications <[]Object> -required-"]),
        ("bw.spec.repository", ["No tag and no digest.", "Example: registry.example.com/shop/bundle"]),
        ("bw.spec.interval", ["with the units s, m or h, from 10s to 24h", "Default: 1m.", "Example: 1h30m"]),
        ("bw.spec.tags.pattern", ["a group named `version`", "Example: '^v(?P<version>.+)$'"]),
        ("bw.spec.tags.range", ["'>=1.2 <2'", "Left out or empty: every version."]),
        ("bw.spec.applications.source", ["counted from 0", "Examples: frontend, 1"]),
        ("bw.spec.applications.wave", ["Its place in the order", "Default: 0"]),
        ("bw.spec.gates.minAge", ["first seen the bundle, by its digest", "Example: 1h"]),
        ("bw.spec.gates.windows.schedule", ["five cron fields", "'0 9 * * 1-5'"]),
        ("bw.spec.gates.after", ["must have had the bundle healthy first", "soak: 2h"]),
        ("bw.spec.rollout.onFailure", ["goes back, once", "the bundle is quarantined"]),
        ("bw.status.quarantine", ["Bundles that failed here"]),
        ("bw.spec.access.insecure", ["plain HTTP", "Default: false, HTTPS only."]),
        ("bw.status.conditions", ["enum: True, False, Unknown"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_explain_says_what_a_field_means(cluster: Cluster, field: str, words: list[str]) -> None:
    said = " ".join(cluster.kubectl("explain", field).stdout.split())

    assert [word for word in words if word not in said] == []


def test_describe_says_why(cluster: Cluster, namespace: str) -> None:
    cluster.api.post(path(namespace), manifest(namespace))
    stalled = State.stalled("spec.tags.range '>1 <1' admits nothing: widen it", reason="InvalidRange")
    write_status(cluster, namespace, status_of("shop", state=stalled))

    said = cluster.kubectl("describe", "bw", "shop", "-n", namespace).stdout

    assert "spec.tags.range '>1 <1' admits nothing: widen it" in said
    assert "InvalidRange" in said
