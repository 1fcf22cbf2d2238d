"""`bundlewatch wait` on the real API server, while the test says in status what the operator would."""

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bundlewatch.api.status import Condition, Quarantined, Verdict
from kit.argocd import Standin
from kit.cluster import Cluster
from kit.scene import Scene
from kit.shop import DIGEST, LATER, THEN, Shop, app
from kit.tcp_proxy import TcpProxy
from kit.waiting import eventually

signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background inherits it ignored


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> Iterator[Shop]:
    found = Shop(cluster, namespace)
    with found.jobs:
        yield found


def before_the_push(shop: Shop, **spec: Any) -> None:
    shop.create(**spec)
    shop.says(app(target="1.0.3"), chosen="1.0.3")


def test_a_release_is_followed_line_by_line_until_it_is_healthy_everywhere(shop: Shop) -> None:
    shop.create()
    shop.says(app(target="1.0.3"), app(target="1.0.3", name="web"), chosen="1.0.3")

    job = shop.start("wait", "--for", "1.0.4", kubectl=True)
    shop.asked()
    seen = job.lines(3)
    queued = app("Queued", "1.0.3", "web", message="1.0.4 waits for wave 0")
    shop.says(app("Syncing", deadline=LATER, message="the sync runs"), queued)
    seen += job.lines(2)
    shop.says(app(), app("Progressing", name="web", deadline=LATER))
    seen += job.lines(2)
    shop.says(app(), app(name="web", deadline=LATER))  # it is as before but for its health
    seen += job.lines(1)
    shop.says(app(), app(name="web"))
    code, rest, err = job.end()

    lines = [*seen, *rest]
    assert [line.partition("  ")[2] for line in lines] == [
        "-  NotLooked  the operator has yet to look at the registry",
        "shop  Healthy  1.0.3",
        "web  Healthy  1.0.3",
        "shop  Syncing  1.0.4: the sync runs",
        "web  Queued  1.0.3: 1.0.4 waits for wave 0",
        "shop  Healthy  1.0.4",
        "web  Progressing  1.0.4",
        "web  Healthy  1.0.4: healthy, but not for long enough yet",
        "web  Healthy  1.0.4",
        "-  Healthy  1.0.4 is healthy on all 2 Applications",
    ]
    assert all(datetime.fromisoformat(line[:20]).tzinfo == UTC for line in lines)
    assert (code, err) == (0, "")


def test_what_status_said_before_the_operator_looked_ends_nothing(shop: Shop) -> None:
    before_the_push(shop)
    failed = Quarantined(tag="1.0.4", digest="sha256:" + "0" * 64, reason="Degraded", message="shop", since=THEN)
    refused = Verdict(tag="1.0.4", reason="Quarantined", message="it failed")
    shop.says(app(target="1.0.3"), chosen="1.0.3", quarantine=(failed,), verdicts=(refused,))

    job = shop.start("wait", "--for", "1.0.4")
    shop.asked()
    time.sleep(2.5)
    assert job.process.poll() is None
    shop.says(app())

    assert job.end()[0] == 0


def test_a_release_that_was_taken_back_ends_with_1_and_says_what_argo_cd_said(shop: Shop) -> None:
    before_the_push(shop)
    message = "shop: Degraded for 2m without a break: Deployment web: CrashLoopBackOff"
    failed = Quarantined(tag="1.0.4", digest=DIGEST, reason="Degraded", message=message, since=THEN)

    job = shop.start("wait", "--for", "1.0.4")
    shop.asked()
    shop.says(app("Syncing", "1.0.3"), chosen="1.0.3", quarantine=(failed,))
    code, lines, err = job.end()

    assert code == 1
    assert "  -  Degraded  1.0.4 failed and is quarantined" in lines[-1]
    assert err == (
        f"bundlewatch: BundleWatch {shop.namespace}/shop: Degraded: 1.0.4 failed and is quarantined: {message}; "
        "now set: shop 1.0.3; publish something newer, or have it tried again: bundlewatch retry shop "
        f"-n {shop.namespace} 1.0.4\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param((), 1, "Superseded: 1.0.5, which is newer, is chosen instead of 1.0.4", id="not-asked-for"),
        pytest.param(("--or-newer",), 0, "", id="or-newer"),
    ],
)
def test_something_newer_will_do_only_where_it_was_said(
    shop: Shop, arguments: tuple[str, ...], code: int, says: str
) -> None:
    before_the_push(shop)

    job = shop.start("wait", "--for", "1.0.4", *arguments)
    shop.asked()
    shop.says(app(target="1.0.5"), chosen="1.0.5")
    ended, _, err = job.end()

    assert (ended, says in err) == (code, True)


def test_when_time_is_up_it_says_what_it_waited_for_and_ends_with_3(shop: Shop) -> None:
    before_the_push(shop)
    wait = Verdict(tag="1.0.4", reason="AwaitingApproval", message="nobody has approved it")

    job = shop.start("wait", "--for", "1.0.4", "--timeout", "3s")
    shop.asked()
    shop.says(app(target="1.0.3"), chosen="1.0.3", verdicts=(wait,))
    code, _, err = job.end()

    assert code == 3
    assert err == (
        f"bundlewatch: time is up after 3 s; BundleWatch {shop.namespace}/shop waits: AwaitingApproval: 1.0.4: "
        "nobody has approved it\n"
    )


def test_a_mistake_in_the_spec_that_the_operator_tells_of_ends_with_2_at_once(shop: Shop) -> None:
    before_the_push(shop)
    wrong = {"reason": "InvalidSpec", "message": "spec.gates.windows[0] is wrong", "last_transition_time": THEN}
    found = (Condition(type="Ready", status="False", **wrong), Condition(type="Stalled", status="True", **wrong))
    shop.says(app(target="1.0.3"), chosen="1.0.3", conditions=found)

    code, lines, err = shop.start("wait", "--for", "1.0.4").end()

    assert (code, lines) == (2, [])
    assert err == f"bundlewatch: BundleWatch {shop.namespace}/shop: InvalidSpec: spec.gates.windows[0] is wrong\n"


def test_an_operator_that_is_not_heard_of_is_told_with_what_to_check(shop: Shop) -> None:
    before_the_push(shop)

    code, lines, err = shop.start("wait", "--for", "1.0.4", "--timeout", "2s").end()

    assert code == 3
    assert lines[0].endswith("  -  NotLooked  the operator has yet to look at the registry")
    assert err.endswith(
        "waits: NotLooked: the operator has yet to look at the registry; check that the operator runs and serves the "
        "namespace, and that the registry answers\n"
    )


def test_an_interrupt_ends_with_130_and_says_what_it_waited_for(shop: Shop) -> None:
    before_the_push(shop)

    job = shop.start("wait", "--for", "1.0.4")
    job.lines(1)
    job.process.send_signal(signal.SIGINT)
    code, _, err = job.end()

    assert code == 130
    assert (
        err
        == "bundlewatch: interrupted; shop waits for 1.0.4: NotLooked: the operator has yet to look at the registry\n"
    )


def test_the_result_can_be_had_as_json(shop: Shop) -> None:
    before_the_push(shop)

    job = shop.start("wait", "--for", "1.0.4", "-o", "json")
    shop.asked()
    shop.says(app())
    out, err = job.process.communicate(timeout=30)

    assert json.loads(out) == {
        "namespace": shop.namespace,
        "name": "shop",
        "tag": "1.0.4",
        "result": "Healthy",
        "reason": "Healthy",
        "message": "1.0.4 is healthy on its Application",
        "applications": [
            {
                "name": "shop",
                "source": 0,
                "phase": "Healthy",
                "current": "1.0.4",
                "target": "1.0.4",
                "message": None,
            }
        ],
    }
    assert "  shop  Healthy  1.0.4" in err


def test_it_reads_one_object_once_a_second_and_asks_once(shop: Shop) -> None:
    before_the_push(shop)

    with shop.cluster.recording() as asked:
        job = shop.start("wait", "--for", "1.0.4", "--timeout", "5s")
        assert job.end()[0] == 3

    ours = [entry for entry in asked.entries if entry.agent == "bundlewatch"]
    assert {(entry.verb, entry.resource, entry.name) for entry in ours} == {
        ("get", "bundlewatches", "shop"),
        ("patch", "bundlewatches", "shop"),
    }
    assert sum(entry.verb == "patch" for entry in ours) == 1
    assert 5 <= sum(entry.verb == "get" for entry in ours) <= 8


def test_the_request_is_signed_so_that_gitops_tools_can_tell(shop: Shop) -> None:
    before_the_push(shop)

    job = shop.start("wait", "--for", "1.0.4", "--timeout", "2s")
    shop.asked()
    job.end()

    managers = {entry["manager"] for entry in shop.live()["metadata"]["managedFields"]}
    assert "bundlewatch-cli" in managers


def test_without_asking_nothing_is_written_and_the_next_look_is_waited_for(shop: Shop) -> None:
    before_the_push(shop)
    failed = Quarantined(tag="1.0.4", digest="sha256:" + "0" * 64, reason="Degraded", message="shop", since=THEN)
    shop.says(app(target="1.0.3"), chosen="1.0.3", quarantine=(failed,))

    with shop.cluster.recording() as asked:
        job = shop.start("wait", "--for", "1.0.4", "--no-reconcile")
        job.lines(1)
        time.sleep(1.5)
        assert job.process.poll() is None
        shop.says(app())
        assert job.end()[0] == 0

    assert [entry for entry in asked.entries if entry.agent == "bundlewatch" and entry.writes] == []


def test_a_failure_counts_without_asking_once_status_has_news(shop: Shop) -> None:
    before_the_push(shop)
    failed = Quarantined(tag="1.0.4", digest=DIGEST, reason="SyncFailed", message="shop: hook failed", since=THEN)

    job = shop.start("wait", "--for", "1.0.4", "--no-reconcile")
    job.lines(1)
    shop.says(app(target="1.0.3"), chosen="1.0.3", quarantine=(failed,))
    code, _, err = job.end()

    assert (code, "SyncFailed: 1.0.4 failed and is quarantined: shop: hook failed" in err) == (1, True)


def test_an_outage_of_the_api_server_is_told_and_waited_out(shop: Shop) -> None:
    before_the_push(shop)

    with TcpProxy.start(shop.cluster.port) as cable:
        job = shop.start("wait", "--for", "1.0.4", kubeconfig=shop.cluster.kubeconfig_through(cable.port))
        shop.asked()
        job.lines(1)
        cable.refuse()
        time.sleep(2.5)
        assert job.process.poll() is None
        cable.accept()
        shop.says(app())
        code, _, err = job.end()

    assert code == 0
    assert err.count("did not answer") == 1
    assert "bundlewatch: the Kubernetes API answers again\n" in err


def test_one_that_is_deleted_meanwhile_can_never_go(shop: Shop) -> None:
    before_the_push(shop)

    job = shop.start("wait", "--for", "1.0.4")
    shop.asked()
    shop.cluster.api.delete(shop.path)
    code, _, err = job.end()

    assert (code, "Deleted: there is no BundleWatch" in err) == (1, True)


def test_one_that_is_made_anew_is_asked_as_well(shop: Shop) -> None:
    before_the_push(shop)

    with TcpProxy.start(shop.cluster.port) as cable:
        job = shop.start("wait", "--for", "1.0.4", kubeconfig=shop.cluster.kubeconfig_through(cable.port))
        shop.asked()
        job.lines(1)
        cable.refuse()  # so that it does not see the moment between the two
        shop.cluster.api.delete(shop.path)
        before_the_push(shop)
        cable.accept()
        shop.asked()
        shop.says(app())

        assert job.end()[0] == 0


def test_one_that_was_never_there_ends_with_2(shop: Shop) -> None:
    code, lines, err = shop.start("wait", "--for", "1.0.4").end()

    assert (code, lines) == (2, [])
    assert f"there is no BundleWatch {shop.namespace}/shop; `kubectl get bw --all-namespaces` lists all" in err


def test_a_cluster_that_does_not_answer_at_all_ends_with_2(shop: Shop) -> None:
    with TcpProxy.start(shop.cluster.port) as cable:
        cable.refuse()
        code, _, err = shop.start(
            "wait", "--for", "1.0.4", kubeconfig=shop.cluster.kubeconfig_through(cable.port)
        ).end()

    assert (code, "the Kubernetes API did not answer" in err) == (2, True)


def test_who_may_only_read_is_told_how_to_wait_all_the_same(shop: Shop) -> None:
    before_the_push(shop)
    api, namespace = shop.cluster.api, shop.namespace
    api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "ci"}})
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": ["bundlewatch.dev"], "resources": ["bundlewatches"], "verbs": ["get"]}
    api.post(f"{rbac}/roles", {"metadata": {"name": "ci"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "ci"}
    subject = {"kind": "ServiceAccount", "name": "ci", "namespace": namespace}
    api.post(f"{rbac}/rolebindings", {"metadata": {"name": "ci"}, "roleRef": role, "subjects": [subject]})
    reader = shop.cluster.kubeconfig_for("ci", namespace)

    def refused() -> tuple[int, str]:
        code, _, err = shop.start("wait", "--for", "1.0.3", kubeconfig=reader).end()
        assert "bundlewatches" in err
        return code, err

    code, err = eventually(lambda: found if "--no-reconcile" in (found := refused())[1] else None)
    assert code == 2
    assert "the verb patch on bundlewatches.bundlewatch.dev is needed, or --no-reconcile" in err
    assert shop.start("wait", "--for", "1.0.3", "--no-reconcile", kubeconfig=reader).end()[0] == 0


# The operator that this one starts stays for those after it.
def test_it_understands_what_the_real_operator_says(scene: Scene) -> None:
    watched = Shop(scene.cluster, scene.namespace)
    with Standin(scene.cluster, namespace=scene.namespace) as argocd, watched.jobs:
        scene.publish("1.0.0")
        scene.create_application(revision="1.0.0")
        scene.create_watch(interval="1h", rollout={"degradedFor": "3s"})
        scene.until(lambda: scene.status().get("candidate"))
        scene.publish("1.0.1")

        assert watched.start("wait", "--for", "1.0.1", "--timeout", "60s").end(timeout_s=90)[0] == 0
        assert scene.revision() == "1.0.1"

        argocd.script(scene.namespace, "shop", "03", version="1.0.2")
        scene.publish("1.0.2")
        code, _, err = watched.start("wait", "--for", "1.0.2", "--timeout", "60s").end(timeout_s=90)

        assert code == 1
        assert "Degraded: 1.0.2 failed and is quarantined: shop: Degraded for 3s" in err


def test_a_mistake_that_only_the_real_operator_finds_ends_it_with_2(scene: Scene) -> None:
    watched = Shop(scene.cluster, scene.namespace)
    window = {"kind": "Allow", "schedule": "0 9 * * *", "duration": "1h", "timeZone": "Europe/Nowhere"}
    with watched.jobs:
        scene.publish("1.0.0")
        scene.create_application(revision="1.0.0")
        scene.create_watch(gates={"windows": [window]})
        scene.until(lambda: scene.status().get("conditions"))

        code, lines, err = watched.start("wait", "--for", "1.0.0", "--timeout", "20s").end()

    assert (code, lines) == (2, [])
    assert "InvalidSpec: spec.gates.windows[0].timeZone" in err
