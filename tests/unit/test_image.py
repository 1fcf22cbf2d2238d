"""The image, as far as it can be had without a container engine.

What the Dockerfile promises is read from it, and its own pip commands are run here on what .dockerignore lets
through. What an engine adds to that, the base image and the layers, is not looked at.
"""

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from bundlewatch import __version__
from bundlewatch.settings import Settings

ROOT = Path(__file__).parents[2]
INSTALLED = "/opt/bundlewatch"  # where the Dockerfile has it


@dataclass(frozen=True, slots=True)
class Step:
    stage: int  # 0 for what stands before the first FROM
    word: str  # FROM, RUN, …
    rest: str


def _steps() -> tuple[Step, ...]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    stage, steps = 0, []
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        stage += word == "FROM"
        steps += [Step(stage, word, rest.strip())] if word else []
    return tuple(steps)


STEPS = _steps()
LAST_STAGE = STEPS[-1].stage


def _last(word: str) -> str:
    """What holds in the finished image."""
    return [step.rest for step in STEPS if step.word == word and step.stage == LAST_STAGE][-1]


def _commands() -> list[list[str]]:
    return [shlex.split(step.rest, comments=True) for step in STEPS if step.word == "RUN"]


def test_every_stage_stands_on_one_base_with_a_tag_that_a_digest_can_replace() -> None:
    bases = {step.rest.split()[0] for step in STEPS if step.word == "FROM"}
    defaults = [step.rest for step in STEPS if step.word == "ARG" and step.stage == 0]

    assert bases == {"${PYTHON_IMAGE}"}
    assert [re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim-\w+", default) is not None for default in defaults] == [True]


def test_the_image_runs_as_the_numeric_user_the_deployment_names() -> None:
    user, group = map(int, _last("USER").split(":"))
    pod = _deployment()["spec"]["template"]["spec"]

    assert user > 0
    assert (user, group) == (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"])


def test_no_shell_is_needed_to_make_the_last_stage_or_to_run_it() -> None:
    assert not [step for step in STEPS if step.word in {"RUN", "SHELL"} and step.stage == LAST_STAGE]
    assert json.loads(_last("ENTRYPOINT")) == ["python", "-m", "bundlewatch"]
    assert json.loads(_last("CMD")) == ["run"]


def test_nothing_is_installed_that_is_not_known_by_its_hash_or_made_from_the_source() -> None:
    installs = [command for command in _commands() if command[0] == "pip" and "install" in command]

    assert installs
    for command in installs:
        assert "--require-hashes" in command or {"--no-deps", "--no-index"} <= set(command), command


@pytest.mark.parametrize("forbidden", ["://", "curl", "wget", "apt-get", ":latest", "ADD ", "--index-url", "|"])
def test_nothing_else_is_fetched(forbidden: str) -> None:
    fetching = [step.rest for step in STEPS if forbidden in f"{step.word} {step.rest}"]

    assert not [rest for rest in fetching if not rest.startswith("awk ")]  # the | of its expression


def test_the_port_is_the_one_that_is_served_and_probed() -> None:
    container = _deployment()["spec"]["template"]["spec"]["containers"][0]

    assert int(_last("EXPOSE")) == Settings().probe_port == container["ports"][0]["containerPort"]


def test_the_build_backend_is_taken_from_the_lock_with_everything_it_needs(tmp_path: Path) -> None:
    command = next(step.rest for step in STEPS if step.word == "RUN" and step.rest.startswith("awk "))
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")

    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)

    locked = re.findall(r"(?m)^([a-z0-9-]+)==\S+ \\$", (tmp_path / "requirements/build.txt").read_text())
    assert set(locked) == _needed("hatchling")


def test_the_wheel_made_as_in_the_dockerfile_runs_without_the_source(tmp_path: Path) -> None:
    context, environment = tmp_path / "source", tmp_path / "bundlewatch"
    _copy_context(context)
    venv.create(environment, symlinks=True)

    for command in _commands():
        if command[:2] == ["pip", "wheel"] or "--no-index" in command:
            here = [argument.replace(INSTALLED, str(environment)) for argument in command[1:]]
            _run(sys.executable, "-m", "pip", *here, cwd=context)
    shutil.rmtree(context)
    python = environment / "bin" / "python"
    _borrow_dependencies(python)

    assert _run(python, "-m", "bundlewatch", "--version").split() == ["bundlewatch,", "version", __version__]
    assert "--probe-address" in _run(python, "-m", "bundlewatch", "run", "--help")
    where = _run(python, "-c", "import bundlewatch; print(bundlewatch.__file__)")
    assert Path(where.strip()).is_relative_to(environment)


def _deployment() -> dict[str, Any]:
    deployment = yaml.safe_load((ROOT / "deploy/base/deployment.yaml").read_text())
    assert isinstance(deployment, dict)
    return deployment


def _needed(package: str) -> set[str]:
    """A distribution and all that it imports on this platform, by name."""
    requirements = (Requirement(text) for text in importlib.metadata.requires(package) or ())
    direct = [one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
    return {package}.union(*(_needed(name.lower()) for name in direct))


def _copy_context(target: Path) -> None:
    """What COPY takes from the checkout, as far as .dockerignore sends it along."""
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for step in STEPS:
        if step.word != "COPY" or step.rest.startswith("--from="):
            continue
        for source in step.rest.split()[:-1]:
            assert any(fnmatch(source, pattern) for pattern in sent), f".dockerignore keeps back {source}"
            (target / source).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target / source, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, target / source)


def _borrow_dependencies(python: Path) -> None:
    """Let another environment find what is installed in this one.

    Our own source tree is not found that way: a .pth file in a directory named by a .pth file is not read.
    """
    packages = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    ours = dict.fromkeys(sysconfig.get_path(which) for which in ("purelib", "platlib"))
    (Path(packages) / "dependencies.pth").write_text("".join(f"{path}\n" for path in ours))


def _run(*argv: str | Path, cwd: Path | None = None) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BUNDLEWATCH"))}
    done = subprocess.run(argv, cwd=cwd or "/", capture_output=True, text=True, check=False, env=clean)
    assert done.returncode == 0, f"{shlex.join(map(str, argv))}: {done.stdout}{done.stderr}"
    return done.stdout
