"""What every test may ask for: the real cluster, the real registry, the real operator, the library's own answers.

A test that asks for none of them runs without any. Where the parts are missing they are built before the
first test, outside any test's timeout.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # unit tests alone need not pay for these imports
    from kit.cluster import Cluster
    from kit.masterminds import Masterminds
    from kit.operator import OperatorProcess
    from kit.registry import Registry

ROOT = Path(__file__).parents[1]
DEFINITIONS = (*sorted((ROOT / "crds").glob("*.yaml")), ROOT / "tests/kit/argocd_crds.yaml")

# A commit that has passed passes again, on a slow machine too. New cases are looked for with
# --hypothesis-profile=search.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Tests' files go with the run; left to itself pytest keeps those of the last three in /tmp."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = tempfile.mkdtemp(prefix="bundlewatch-pytest-")
        config.add_cleanup(partial(shutil.rmtree, config.option.basetemp, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The fixtures a test uses are its markers."""
    for item in items:
        for part in {"cluster", "registry", "oracle"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(part)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    marked = {marker.name for item in session.items for marker in item.iter_markers()}
    servers = not marked.isdisjoint({"cluster", "registry"})
    if not servers and "oracle" not in marked:
        return
    from kit import bed  # noqa: PLC0415 - only where it is needed

    capture = session.config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():  # the progress of a build is for now, not for a report
        try:
            if servers:
                bed.find()
            else:
                bed.find_oracle()
        except bed.BedError as error:
            pytest.exit(f"the test bed: {error}", returncode=1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """An API server that knows BundleWatches, Applications, AppProjects and ApplicationSets."""
    from kit.cluster import Cluster  # noqa: PLC0415 - only where it is needed

    with Cluster.start() as started:
        started.apply_definitions(*DEFINITIONS)
        yield started


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A fresh one."""
    return cluster.namespace()


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """Open to everybody, over plain HTTP; use a repository of your own."""
    from kit.registry import Registry  # noqa: PLC0415 - only where it is needed

    with Registry.start() as started:
        yield started


@pytest.fixture(scope="session")
def oracle() -> Iterator[Masterminds]:
    """The Go library with which Helm reads versions and ranges."""
    from kit.masterminds import Masterminds  # noqa: PLC0415 - only where it is needed

    with Masterminds() as started:
        yield started


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A path in the registry that no other test uses, such as `test-a-tag-moves-9c4e/shop`."""
    test = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{test[:80]}-{secrets.token_hex(2)}/shop"


@pytest.fixture
def operator_process(cluster: Cluster) -> Iterator[Callable[..., OperatorProcess]]:
    """Starts operators (arguments as of `OperatorProcess`; `wait=False`: not waiting until it is ready)."""
    from kit.operator import OperatorProcess  # noqa: PLC0415 - only where it is needed

    with ExitStack() as running:

        def start(*arguments: str, kubeconfig: Path | None = None, wait: bool = True) -> OperatorProcess:
            process = OperatorProcess(kubeconfig=kubeconfig or cluster.kubeconfig, arguments=arguments)
            running.enter_context(process)
            running.callback(lambda: print(process.output))  # pytest shows it where the test failed
            return process.start(wait=wait)

        yield start
