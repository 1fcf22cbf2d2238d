"""The real Helm, for what a chart's author does with it: package, log in, push, pull, render.

It writes only below the directory it is given, not into the person's own Helm settings.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit import bed, bundles
from kit.registry import Registry
from kit.room import inherited_environment


class Helm:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._binary = bed.find().helm

    def run(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess.run
        """What it printed; raises AssertionError with what it said where it failed."""
        environment = inherited_environment() | {
            "HOME": str(self._directory),
            "HELM_CACHE_HOME": str(self._directory / "cache"),
            "HELM_CONFIG_HOME": str(self._directory / "config"),
            "HELM_DATA_HOME": str(self._directory / "data"),
        }
        done = subprocess.run(
            [self._binary, *arguments],
            input=input or "",
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=self._directory,
        )
        assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def package(self, name: str, version: str, *, values: Mapping[str, Any] | None = None) -> Path:
        """The archive of a chart made for it."""
        chart = {"apiVersion": "v2", "name": name, "version": version}
        source = self._directory / f"source-{name}-{version}"
        for path, text in bundles.chart_files(chart, values=values).items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_text(text)
        self.run("package", str(source), "--destination", str(self._directory))
        return self._directory / f"{name}-{version}.tgz"

    def login(self, registry: Registry) -> None:
        self.run(
            *("registry", "login", registry.host, "--username", registry.username, "--password-stdin"),
            *_connection(registry),
            input=registry.password,
        )

    def push(self, archive: Path, registry: Registry, namespace: str) -> None:
        """To `<host>/<namespace>/<chart>`, under the chart's version."""
        self.run("push", str(archive), f"oci://{registry.host}/{namespace}", *_connection(registry))

    def template(self, registry: Registry, repository: str, version: str) -> str:
        """The manifests that a bundle in the registry renders to."""
        target = f"oci://{registry.host}/{repository}"
        return self.run("template", "release", target, "--version", version, *_connection(registry))


def _connection(registry: Registry) -> tuple[str, ...]:
    return ("--ca-file", str(registry.ca_file)) if registry.ca_file else ("--plain-http",)
