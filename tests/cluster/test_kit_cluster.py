"""What other tests rely on: requests are counted at the API server, and a killed run leaves nothing behind."""

import http.client
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from kit.api import Api, ApiError
from kit.cluster import Cluster
from kit.tcp_proxy import TcpProxy
from kit.waiting import eventually

TESTS = Path(__file__).parents[1]

KILLED_RUN = """
import json, os, signal
from kit.cluster import Cluster
from kit.registry import Registry

cluster, registry = Cluster.start(), Registry.start()
directories = [str(cluster.directory), str(registry.directory)]
print(json.dumps({"pids": [*cluster.pids, registry.pid], "directories": directories}), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_no_server_and_no_file() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_RUN], cwd=TESTS, capture_output=True, text=True, check=False)

    left = json.loads(done.stdout)
    assert len(left["pids"]) == 3
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in left["pids"]))
    eventually(lambda: not any(Path(directory).exists() for directory in left["directories"]))


def test_each_request_is_counted_once(cluster: Cluster, namespace: str) -> None:
    somebody = Api(server=cluster.server, ca=cluster.ca, token=cluster.token, user_agent="somebody/1.0")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    somebody.post(path, {"metadata": {"name": "before"}})

    with cluster.recording() as recording:
        somebody.post(path, {"metadata": {"name": "shop"}})
        somebody.patch(f"{path}/shop", {"data": {"colour": "red"}})
        somebody.get(f"{path}/shop")
        list(somebody.watch(path, timeout_s=1))
        cluster.api.delete(f"{path}/shop")
    somebody.post(path, {"metadata": {"name": "after"}})
    somebody.close()

    seen = [(entry.verb, entry.name, entry.code) for entry in recording.of(agent="somebody")]
    assert seen == [("create", "shop", 201), ("patch", "shop", 200), ("get", "shop", 200), ("watch", "", 200)]
    assert [entry.verb for entry in recording.writes(namespace=namespace)] == ["create", "patch", "delete"]
    assert [entry.verb for entry in recording.writes(not_agent="somebody")] == ["delete"]


def test_a_service_account_may_do_what_it_was_given(cluster: Cluster, namespace: str) -> None:
    cluster.api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "reader"}})
    kubeconfig = cluster.kubeconfig_for("reader", namespace)
    refused = cluster.kubectl("get", "configmaps", kubeconfig=kubeconfig, check=False)
    assert f'"system:serviceaccount:{namespace}:reader" cannot list resource "configmaps"' in refused.stderr

    cluster.kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps", "-n", namespace)
    account = f"--serviceaccount={namespace}:reader"
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", account, "-n", namespace)

    eventually(lambda: cluster.kubectl("get", "configmaps", kubeconfig=kubeconfig, check=False).returncode == 0)


def test_a_restarted_server_has_the_same_data_and_no_history() -> None:
    with Cluster.start() as cluster:
        namespace = cluster.namespace()
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        cluster.api.post(path, {"metadata": {"name": "shop"}})
        before = cluster.api.get(path)["metadata"]["resourceVersion"]
        for number in range(3):
            cluster.api.patch(f"{path}/shop", {"data": {"number": str(number)}})

        cluster.compact()
        cluster.restart_apiserver()

        assert cluster.api.get(f"{path}/shop")["data"] == {"number": "2"}
        events = list(cluster.api.watch(path, timeout_s=1, resourceVersion=before))
        assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


def test_a_cable_between_a_client_and_the_server_can_be_cut(cluster: Cluster) -> None:
    with TcpProxy.start(cluster.port) as cable:
        kubeconfig = cluster.kubeconfig_through(cable.port)
        client = Api(server=f"https://127.0.0.1:{cable.port}", ca=cluster.ca, token=cluster.token)
        watch = client.watch("/api/v1/namespaces", timeout_s=20)
        next(watch)

        cable.cut()

        started = time.monotonic()
        with suppress(OSError, http.client.HTTPException):  # or quietly, where it was between two events
            list(watch)
        assert time.monotonic() - started < 5
        assert cluster.kubectl("get", "namespaces", kubeconfig=kubeconfig).returncode == 0
        cable.refuse()
        with pytest.raises(ConnectionRefusedError):
            client.get("/api/v1/namespaces")
        client.close()


def test_a_refusal_is_the_servers_own_word(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match='namespaces "nowhere" not found') as raised:
        cluster.api.post("/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "shop"}})

    assert (raised.value.code, raised.value.reason) == (404, "NotFound")
