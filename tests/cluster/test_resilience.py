"""What breaks around the operator, or breaks the operator itself, and what is true in spite of it."""

import threading
import time
from collections.abc import Callable

import pytest

from kit import faults
from kit.objects import WATCHES, bundle_watch, helm_source
from kit.operator import OperatorProcess
from kit.proxy import Proxy, Request
from kit.scene import Scene
from kit.tcp_proxy import TcpProxy
from kit.waiting import never

StartOperator = Callable[..., OperatorProcess]


def lists_tags(request: Request) -> bool:
    return request.path.endswith("/tags/list")


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_a_crash_at_any_moment_and_a_restart_lead_to_the_same_end(
    stage: Scene, operator_process: StartOperator, after_s: float
) -> None:
    stage.publish("1.0.0")
    stage.create_application(revision="1.0.0")
    stage.create_watch()
    operator = operator_process(f"--namespace={stage.namespace}")
    stage.until(lambda: stage.status().get("candidate", {}).get("tag") == "1.0.0")

    stage.publish("1.0.1")
    stage.annotate(reconcile="now")
    time.sleep(after_s)
    operator.kill()
    operator.start()

    stage.until_revision("1.0.1")
    stage.until(lambda: [entry["tag"] for entry in stage.status().get("history", [])] == ["1.0.1"])
    status = stage.status()
    assert status["applications"][0]["target"] == "1.0.1"
    assert status["applications"][0].get("previous") == "1.0.0"
    assert status["candidate"]["tag"] == "1.0.1"
    assert status["lastHandledReconcileAt"] == "now"


def test_sigterm_ends_within_five_seconds_also_while_a_registry_hangs(
    stage: Scene, operator_process: StartOperator
) -> None:
    stage.publish("1.0.1")
    with Proxy.start(stage.registry.host) as proxy:
        proxy.fault(faults.Hang())
        stage.create_application(revision="1.0.0")
        stage.create_watch(repository=f"{proxy.host}/{stage.path}")
        operator = operator_process(f"--namespace={stage.namespace}")
        stage.until(lambda: proxy.requests)

        assert operator.stop() < 5


def test_an_idle_system_writes_nothing(stage: Scene, operator_process: StartOperator) -> None:
    stage.publish("1.0.0")
    stage.publish("1.0.1")
    stage.registry.push_image(stage.path, "9.9.9")
    stage.create_application(revision="1.0.0")
    stage.create_application("manual", "1.0.0", automated=False)
    stage.create_watch()
    stage.create_watch("broken", applications=[{"name": "nobody"}])
    stage.create_watch("missing", repository=f"{stage.repository}-none")
    operator_process(f"--namespace={stage.namespace}")
    stage.until_revision("1.0.1")
    for name in ("shop", "broken", "missing"):
        stage.until(lambda name=name: stage.status(name).get("conditions"))
    time.sleep(3)

    with stage.cluster.recording() as recording, stage.registry.recording() as asked:
        time.sleep(25)

    assert recording.writes(namespace=stage.namespace) == []
    assert len([request for request in asked.requests if request.path.endswith(f"{stage.path}/tags/list")]) >= 2


def test_no_edit_of_a_person_is_lost_while_hundred_applications_are_moved(
    stage: Scene, operator_process: StartOperator
) -> None:
    stage.publish("1.0.0")
    stage.publish("1.0.1")
    names = [f"shop-{number}" for number in range(100)]
    for name in names:
        stage.create_application(name, "1.0.0", labels={"team": "web"})
    edits = 0
    stop = threading.Event()
    problems: list[BaseException] = []

    def edit_everything() -> None:
        nonlocal edits
        try:
            while not stop.is_set() or edits % len(names):
                name = names[edits % len(names)]
                stage.patch_application(
                    {"spec": {"source": {"helm": {"parameters": [{"name": "edit", "value": str(edits)}]}}}}, name
                )
                edits += 1
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            problems.append(error)

    person = threading.Thread(target=edit_everything)
    person.start()
    try:
        stage.create_watch(applications=[{"selector": {"matchLabels": {"team": "web"}}}])
        operator_process(f"--namespace={stage.namespace}")
        stage.until(lambda: {stage.revision(name) for name in names} == {"1.0.1"}, timeout_s=60)
    finally:
        stop.set()
        person.join()

    assert not problems
    last = {name: max(edit for edit in range(edits) if names[edit % len(names)] == name) for name in names}
    for name in names:
        source = stage.application(name)["spec"]["source"]
        assert source["helm"]["parameters"] == [{"name": "edit", "value": str(last[name])}]
        assert source["targetRevision"] == "1.0.1"


def test_a_person_who_moves_an_application_during_the_move_is_not_overwritten_with_stale_knowledge(
    stage: Scene, operator_process: StartOperator
) -> None:
    for version in ("1.0.0", "1.0.1"):
        stage.publish(version)
    names = [f"shop-{number}" for number in range(20)]
    for name in names:
        stage.create_application(name, "1.0.0", labels={"team": "web"})
    stage.create_watch(applications=[{"selector": {}}])
    operator_process(f"--namespace={stage.namespace}")
    for name in names:
        stage.patch_application({"spec": {"source": {"targetRevision": "1.5.0"}}}, name)

    never(lambda: {"1.0.0"} & {stage.revision(name) for name in names}, for_s=2)
    assert {stage.revision(name) for name in names} == {"1.5.0"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.Status(500), id="500"),
        pytest.param(faults.too_many_requests(), id="429"),
        pytest.param(faults.HalfBody(), id="half a body"),
        pytest.param(faults.Reset(at_byte=10), id="reset"),
        pytest.param(faults.WrongLength(by_bytes=-5), id="too short a length"),
        pytest.param(faults.Garbage(), id="no HTTP"),
        pytest.param(faults.Lie(lambda answer: faults.Response(200, answer.headers, b'{"tags": 1}')), id="a lie"),
    ],
)
def test_a_listing_that_fails_halfway_moves_nothing_and_the_last_choice_stands(
    stage: Scene, operator_process: StartOperator, fault: faults.Fault
) -> None:
    stage.publish("1.0.0")
    stage.registry.bulk_tags(stage.path, [f"0.0.{number}" for number in range(1500)])
    with Proxy.start(stage.registry.host) as proxy:
        repository = f"{proxy.host}/{stage.path}"
        stage.create_application("shop", "", helm_source(repository, "1.0.0"))
        stage.create_watch(repository=repository, interval="1h")
        operator_process(f"--namespace={stage.namespace}")
        stage.until(lambda: stage.status().get("candidate", {}).get("tag") == "1.0.0")

        stage.publish("1.0.1")
        proxy.fault(fault, when=lambda request: lists_tags(request) and "last=" in request.query)
        stage.annotate(reconcile="now")
        condition = stage.until_ready("False")

        assert proxy.host in condition["message"]
        assert stage.condition("Reconciling").get("reason") == "ProgressingWithRetry"
        assert stage.status()["candidate"]["tag"] == "1.0.0"
        assert stage.revision() == "1.0.0"

        proxy.clear()
        stage.until_revision("1.0.1", timeout_s=40)


def test_a_hung_registry_holds_up_nobody_else(stage: Scene, operator_process: StartOperator) -> None:
    stage.publish("1.0.1")
    with Proxy.start(stage.registry.host) as proxy:
        proxy.fault(faults.HangInBody())
        for number in range(20):
            stage.create_application(f"hung-{number}", "", helm_source(f"{proxy.host}/{stage.path}", "1.0.0"))
            stage.create_watch(f"hung-{number}", repository=f"{proxy.host}/{stage.path}-{number}")
        operator_process(f"--namespace={stage.namespace}", "--registry-timeout=5")
        stage.until(lambda: proxy.requests)

        stage.create_application(revision="1.0.0")
        stage.create_watch()

        stage.until_revision("1.0.1", timeout_s=4)
        condition = stage.until_ready("False", name="hung-0")
        assert condition["reason"] == "RegistryUnavailable"


def test_a_restarted_api_server_is_no_end(stage: Scene, operator_process: StartOperator) -> None:
    stage.publish("1.0.0")
    stage.create_application(revision="1.0.0")
    stage.create_watch(interval="10s")
    operator = operator_process(f"--namespace={stage.namespace}")
    stage.until(lambda: stage.status().get("candidate"))

    stage.cluster.stop_apiserver()
    stage.publish("1.0.1")
    time.sleep(3)
    assert operator.probe("/healthz") == 200
    stage.cluster.start_apiserver()

    stage.until_revision("1.0.1", timeout_s=60)
    stage.create_application("second", "1.0.0")
    stage.create_watch("second")
    stage.until_revision("1.0.1", "second", timeout_s=60)


def test_objects_deleted_while_the_watch_was_broken_are_forgotten(
    stage: Scene, operator_process: StartOperator
) -> None:
    """The younger watch takes over although the deletion of the older one was never told."""
    stage.publish("1.0.1")
    stage.publish("2.0.0")
    stage.create_application(revision="1.0.0")
    stage.create_watch("older", applications=[{"name": "shop"}], tags={"range": "~1"})
    time.sleep(1.1)
    stage.create_watch("younger", applications=[{"name": "shop"}])
    operator = operator_process(f"--namespace={stage.namespace}")
    stage.until_revision("1.0.1")
    stage.until_ready("False", reason="Conflict", name="younger")

    operator.pause()  # what happens now is in no watch: the history is compacted before it looks again
    stage.delete_watch("older")
    stage.cluster.compact()
    stage.cluster.restart_apiserver()
    operator.resume()

    stage.until_revision("2.0.0", timeout_s=60)


def test_deleted_objects_disturb_nobody(stage: Scene, operator_process: StartOperator) -> None:
    stage.publish("1.0.0")
    stage.create_application(revision="1.0.0")
    stage.create_application("other", "1.0.0")
    stage.create_watch()
    stage.create_watch("other")
    operator = operator_process(f"--namespace={stage.namespace}")
    stage.until(lambda: stage.status("other").get("candidate"))

    stage.delete_watch("other")
    stage.delete_application("shop")
    stage.until_ready("False", reason="ApplicationNotFound")
    stage.publish("1.0.1")
    stage.create_application(revision="1.0.0")

    stage.until_revision("1.0.1")
    never(lambda: stage.revision("other") != "1.0.0", for_s=1)
    assert not [entry for entry in operator.log if entry.get("level") == "error"]


def test_a_missing_secret_is_named_and_used_within_seconds_of_its_coming(
    stage: Scene, operator_process: StartOperator
) -> None:
    stage.publish("1.0.1")
    stage.create_application(revision="1.0.0")
    stage.create_watch(access={"secretRef": {"name": "regcred"}}, interval="10s")
    operator_process(f"--namespace={stage.namespace}")
    condition = stage.until_ready("False", reason="SecretNotFound")
    assert f"{stage.namespace}/regcred" in condition["message"]

    stage.cluster.kubectl(
        "create", "secret", "generic", "regcred", "--type=kubernetes.io/basic-auth",
        "--from-literal=username=ci", "--from-literal=password=planted-secret", "-n", stage.namespace,
    )  # fmt: skip

    stage.until_revision("1.0.1", timeout_s=20)


def test_one_repository_is_listed_once_an_interval_however_many_watch_it(
    stage: Scene, operator_process: StartOperator
) -> None:
    stage.publish("1.0.1")
    for number in range(50):
        stage.create_application(f"shop-{number}", "1.0.0")
        stage.cluster.api.post(
            WATCHES.format(namespace=stage.namespace),
            bundle_watch(stage.namespace, f"shop-{number}", stage.repository, interval="10s"),
        )
    operator_process(f"--namespace={stage.namespace}")
    stage.until(lambda: {stage.revision(f"shop-{number}") for number in range(50)} == {"1.0.1"}, timeout_s=40)
    time.sleep(2)

    with stage.registry.recording() as asked:
        time.sleep(30)

    listings = [request for request in asked.requests if request.path.endswith(f"{stage.path}/tags/list")]
    assert 2 <= len(listings) <= 4


def test_connections_to_the_api_server_that_break_or_freeze_are_made_anew(
    stage: Scene, operator_process: StartOperator
) -> None:
    stage.publish("1.0.0")
    stage.create_application(revision="1.0.0")
    stage.create_watch(interval="10s")
    with TcpProxy.start(stage.cluster.port) as cable:
        kubeconfig = stage.cluster.kubeconfig_through(cable.port)
        operator_process(f"--namespace={stage.namespace}", "--kubernetes-timeout=2", kubeconfig=kubeconfig)
        stage.until(lambda: stage.status().get("candidate"))

        cable.cut()
        stage.publish("1.0.1")
        stage.annotate(reconcile="after the cut")
        stage.until_revision("1.0.1")

        cable.freeze()
        stage.publish("1.0.2")
        never(lambda: stage.revision() != "1.0.1", for_s=12)  # longer than the interval: it tries, in vain
        cable.thaw()
        stage.until_revision("1.0.2", timeout_s=40)
