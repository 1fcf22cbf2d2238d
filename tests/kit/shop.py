"""A BundleWatch whose status the test writes, in the place of its operator, and commands run on it as a user would."""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundlewatch.api.status import ApplicationStatus, Bundle, Condition, Status
from kit import bed
from kit.cluster import Cluster
from kit.objects import WATCHES, Json, bundle_watch
from kit.waiting import eventually

PROGRAMS = Path(sys.executable).parent
DIGEST = "sha256:" + "1" * 64
THEN, LATER = "2026-11-24T04:26:50Z", "2066-11-24T04:26:50Z"


def app(phase: str = "Healthy", target: str = "1.0.4", name: str = "shop", **more: Any) -> ApplicationStatus:
    return ApplicationStatus(name=name, source=0, phase=phase, target=target, current=target, **more)


@dataclass(slots=True)
class Job:
    """One run of a command."""

    process: "subprocess.Popen[str]"

    def end(self, *, timeout_s: float = 30) -> tuple[int, list[str], str]:
        """Exit code, the lines on standard output that were not read yet, and standard error."""
        out, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, out.splitlines(), err

    def lines(self, count: int) -> list[str]:
        """The next lines on standard output, once they are there."""
        assert self.process.stdout is not None
        return [self.process.stdout.readline().rstrip() for _ in range(count)]


@dataclass(slots=True)
class Shop:
    """The BundleWatch `shop` of a namespace, and the test in the place of its operator."""

    cluster: Cluster
    namespace: str
    jobs: ExitStack = field(default_factory=ExitStack)

    @property
    def path(self) -> str:
        return f"{WATCHES.format(namespace=self.namespace)}/shop"

    def create(self, **spec: Any) -> None:
        body = bundle_watch(self.namespace, "shop", "registry.example.com/shop", interval="1h", **spec)
        self.cluster.api.post(WATCHES.format(namespace=self.namespace), body)

    def live(self) -> Json:
        return self.cluster.api.get(self.path)

    def says(self, *applications: ApplicationStatus, chosen: str | None = "1.0.4", **more: Any) -> None:
        """Writes a status that answers the request of now, unless `last_handled_reconcile_at` is given."""
        live = self.live()
        asked = self.annotation("reconcile")
        ready = Condition(type="Ready", status="True", reason="UpToDate", message="well", last_transition_time=THEN)
        said: dict[str, Any] = {
            "observed_generation": live["metadata"]["generation"],
            "conditions": (ready,),
            "candidate": Bundle(tag=chosen, digest=DIGEST) if chosen is not None else None,
            "applications": applications,
            "last_handled_reconcile_at": asked,
            **more,
        }
        old = dict.fromkeys(live.get("status", {}))
        status = {**old, **Status(**said).to_dict()}
        self.cluster.api.patch(f"{self.path}/status", {"status": status}, fieldManager="bundlewatch")

    def start(self, command: str, *arguments: str, kubeconfig: Path | None = None, kubectl: bool = False) -> Job:
        """`bundlewatch COMMAND shop …`, or the same as a plugin of kubectl; killed when the test ends."""
        program = [str(bed.find().kubectl), "bundlewatch"] if kubectl else [str(PROGRAMS / "bundlewatch")]
        process = subprocess.Popen(
            [*program, command, "shop", "-n", self.namespace, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "KUBECONFIG": str(kubeconfig or self.cluster.kubeconfig),
                "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            },
        )
        self.jobs.enter_context(process)
        self.jobs.callback(process.kill)
        return Job(process)

    def annotation(self, name: str) -> str | None:
        """`reconcile` is bundlewatch.dev/reconcile."""
        found = self.live()["metadata"].get("annotations", {}).get(f"bundlewatch.dev/{name}")
        return None if found is None else str(found)

    def asked(self) -> str:
        """With which value somebody has asked for a look at the registry, once they have."""
        return eventually(lambda: self.annotation("reconcile")) or ""
