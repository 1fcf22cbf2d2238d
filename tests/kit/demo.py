"""`make demo`: BundleWatch doing its job on real parts, told step by step; nothing is left when it ends.

Real are the registry, etcd, the Kubernetes API server, kubectl and the operator; Argo CD's part is played from
recordings (`kit.argocd`), twice as fast as it was. What is printed is what the commands print.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from kit import bed
from kit.argocd import DEFINITIONS, Standin
from kit.cluster import Cluster
from kit.objects import application, bundle_watch, helm_source
from kit.operator import OperatorProcess
from kit.registry import Registry
from kit.waiting import eventually

ROOT = Path(__file__).parents[2]
NAMESPACE = "argocd"
PATH = "shop/bundle"
COLUMNS = (
    "custom-columns=NAME:.metadata.name,TARGET-REVISION:.spec.source.targetRevision,"
    "SYNC:.status.sync.status,HEALTH:.status.health.status"
)

_BOLD, _PLAIN = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")


def main() -> None:
    """Play the demo; a step that does not come true within its time ends it with an error."""
    bed.find()
    started = time.monotonic()
    with ExitStack() as stack:
        say("Starting a registry, etcd and a Kubernetes API server (real ones, on loopback)")
        registry = stack.enter_context(Registry.start())
        cluster = stack.enter_context(Cluster.start())
        cluster.apply_definitions(ROOT / "crds/bundlewatch.dev_bundlewatches.yaml", DEFINITIONS)
        cluster.kubectl("create", "namespace", NAMESPACE)
        argocd = stack.enter_context(Standin(cluster, speed=0.5))
        Story(cluster, registry, argocd, stack).play()
        say(f"That was all, in {time.monotonic() - started:.0f} s; everything is stopped and removed")


class Story:
    """The steps, in order."""

    def __init__(self, cluster: Cluster, registry: Registry, argocd: Standin, stack: ExitStack) -> None:
        self.cluster = cluster
        self.registry = registry
        self.argocd = argocd
        self.stack = stack
        self.repository = f"{registry.host}/{PATH}"

    def play(self) -> None:
        say("CI publishes the application as one OCI artifact, bundle 1.0.0; Argo CD deploys it")
        self.registry.push_chart(PATH, "bundle", "1.0.0")
        self.apply(application(NAMESPACE, "shop", helm_source(self.repository, "1.0.0")))
        self.until("the Application to be Healthy", lambda: self.health() == "Healthy")
        self.kubectl("get", "applications", "shop", "--output", COLUMNS)

        say("BundleWatch is told which repository to watch, and for which Application")
        self.apply(
            bundle_watch(NAMESPACE, "shop", self.repository, tags={"range": "~1.0"}, rollout={"degradedFor": "5s"}),
            show=True,
        )
        operator = self.stack.enter_context(
            OperatorProcess(kubeconfig=self.cluster.kubeconfig, log_format="console").start()
        )
        self.kubectl("wait", "--for=condition=Ready", "bundlewatch/shop", "--timeout=30s")
        self.kubectl("get", "bw")

        say("CI publishes 1.0.1; somebody also pushes an image as 1.0.9, and 2.0.0 is not for this environment")
        self.registry.push_chart(PATH, "bundle", "1.0.1")
        self.registry.push_image(PATH, "1.0.9")
        self.registry.push_chart(PATH, "bundle", "2.0.0")
        say("Within the interval of 10 s BundleWatch notices; nobody types anything")
        self.until("targetRevision to move", lambda: self.revision() == "1.0.1")
        self.kubectl("get", "bw")
        say("A release is over when it was healthy for 10 s: that of a moment may be the last of the old one")
        self.until("1.0.1 to be healthy for a while", lambda: self.entry().get("lastHealthy") == "1.0.1")
        self.kubectl("get", "bw")
        self.kubectl("get", "applications", "shop", "--output", COLUMNS)

        say("CI publishes 1.0.2, in which a mistake is: its Pods do not become ready")
        self.argocd.script(NAMESPACE, "shop", "03-upgrade-degraded-then-rolled-back", version="1.0.2")
        self.registry.push_chart(PATH, "bundle", "1.0.2")
        self.until("it to be Degraded", lambda: self.entry().get("phase") == "Degraded")
        self.kubectl("get", "bw")
        say("Degraded for 5 s without a break is a failure here: 1.0.2 is quarantined, and taken back")
        self.until("it to be taken back", lambda: self.revision() == "1.0.1")
        self.until("1.0.1 to be healthy again", lambda: self.entry().get("phase") == "Healthy")
        self.kubectl("get", "bw")
        self.kubectl("get", "applications", "shop", "--output", COLUMNS)
        self.kubectl("get", "bw", "shop", "--output", "jsonpath-as-json={.status.quarantine}")

        say("CI publishes 1.0.3, with the mistake mended; it goes out without anybody's help")
        self.registry.push_chart(PATH, "bundle", "1.0.3")
        self.until("1.0.3 to be healthy for a while", lambda: self.entry().get("lastHealthy") == "1.0.3")
        self.kubectl("get", "bw")
        self.kubectl("get", "applications", "shop", "--output", COLUMNS)

        say("What runs, why, why nothing else does, and how it came about")
        self.kubectl("describe", "bw", "shop")

        say("What the operator logged")
        print(operator.output.rstrip())

    def apply(self, body: dict[str, object], *, show: bool = False) -> None:
        text = yaml.safe_dump(body, sort_keys=False)
        if show:
            print(_indented(text))
        self.cluster.apply(text)

    def kubectl(self, *arguments: str) -> None:
        print(f"{_BOLD}$ kubectl {' '.join(arguments)}{_PLAIN}", flush=True)
        print(self.cluster.kubectl(*arguments, "--namespace", NAMESPACE).stdout.rstrip(), flush=True)
        print()

    def until(self, what: str, predicate: Callable[[], object]) -> None:
        eventually(predicate, timeout_s=60, message=what)

    def health(self) -> str:
        status = self._get("applications", "argoproj.io/v1alpha1").get("status") or {}
        return str((status.get("health") or {}).get("status", ""))

    def revision(self) -> str:
        return str(self._get("applications", "argoproj.io/v1alpha1")["spec"]["source"]["targetRevision"])

    def entry(self) -> dict[str, Any]:
        """What the BundleWatch says of the Application."""
        status = self._get("bundlewatches", "bundlewatch.dev/v1alpha1").get("status") or {}
        return next(iter(status.get("applications", ())), {})

    def _get(self, plural: str, version: str) -> dict[str, Any]:
        return self.cluster.api.get(f"/apis/{version}/namespaces/{NAMESPACE}/{plural}/shop")


def say(line: str) -> None:
    print(f"\n{_BOLD}==> {line}{_PLAIN}", flush=True)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines()) + "\n"


if __name__ == "__main__":
    main()
