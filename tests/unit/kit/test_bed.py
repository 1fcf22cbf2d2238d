"""The parts are found, or built once, or it is said what to do."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit import bed

TESTS = Path(__file__).parents[2]

# Answers as Go does, takes a moment to "build", and keeps a list of what it was asked.
GO = """\
#!/bin/sh
echo "$1" >> "{calls}"
case "$1" in
env) echo {version} ;;
list) shift 2; printf '%s\\n' "$@" ;;
build)
    sleep 0.3
    while [ $# -gt 0 ]; do
        case "$1" in -o) target="$2" ;; esac
        last="$1"
        shift
        case "$target" in "") continue ;; esac
        case "$1" in */etcd/server/v3) touch "$target/server" ;; ?*) touch "$target/${{1##*/}}" ;; esac
    done
    {ending}
    ;;
esac
"""


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no Go but the one a test puts there; the file tells what that one was asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(bed, "USUAL_PLACE_OF_GO", str(tmp_path))
    return tmp_path / "calls"


def put_go(calls: Path, *, version: str = "go1.99.0", ending: str = "exit 0") -> None:
    go = calls.with_name("bin") / "go"
    go.parent.mkdir()
    go.write_text(GO.format(calls=calls, version=version, ending=ending))
    go.chmod(0o755)


def builds(calls: Path) -> int:
    return calls.read_text().split().count("build")


def test_missing_servers_are_built_and_announced(calls: Path) -> None:
    put_go(calls)
    said: list[str] = []

    found = bed.find(say=said.append)

    assert all(getattr(found, part.name).is_file() for part in dataclasses.fields(found))
    assert said[0].startswith("building kube-apiserver, etcd, kubectl, registry, helm, oracle, oras from source")
    assert "once, about 10 minutes" in said[0]


def test_they_are_built_once_also_by_two_runs_at_a_time(calls: Path) -> None:
    put_go(calls)
    run = [sys.executable, "-m", "kit.bed"]

    runs = [subprocess.Popen(run, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    outputs = {process.communicate(timeout=60)[0].decode().strip() for process in runs}

    assert outputs == {str(bed.cache_directory())}
    assert builds(calls) == 1


def test_a_failed_build_says_why_and_leaves_nothing_half_done(calls: Path) -> None:
    put_go(calls, ending="echo disk is full >&2; exit 1")

    with pytest.raises(bed.BedError, match="disk is full"):
        bed.find(say=lambda _: None)

    assert [path.name for path in bed.cache_directory().parent.iterdir()] == ["lock"]


def test_the_assets_of_envtest_are_taken_and_only_the_rest_is_built(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(calls)
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver"):
        (assets / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))

    found = bed.find(say=lambda _: None)

    assert (found.etcd, found.kube_apiserver) == (assets / "etcd", assets / "kube-apiserver")
    built = {path.name for path in bed.cache_directory().iterdir()}
    assert built == {"kubectl", "registry", "helm", found.oracle.name, found.oras.name}


@pytest.mark.parametrize("program", ["oracle", "oras"])
def test_a_changed_program_is_built_again_and_nothing_else_is(
    program: str, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(calls)
    before = bed.find(say=lambda _: None)
    changed = tmp_path / program
    shutil.copytree(bed.PROGRAMS[program], changed)
    with (changed / "main.go").open("a") as source:
        source.write("// changed\n")
    monkeypatch.setitem(bed.PROGRAMS, program, changed)
    said: list[str] = []

    after = bed.find(say=said.append)

    old, new = getattr(before, program), getattr(after, program)
    assert after == dataclasses.replace(before, **{program: new})
    assert new != old
    assert [path.is_file() for path in (old, new)] == [True, True]
    assert said[0].startswith(f"building {program} from source")
    assert "once, a few seconds" in said[0]


@pytest.mark.parametrize("find", [bed.find_oracle, bed.find_oras])
def test_a_program_alone_needs_no_servers(find: Callable[..., Path], calls: Path) -> None:
    put_go(calls)

    program = find(say=lambda _: None)

    assert list(bed.cache_directory().iterdir()) == [program]


def test_assets_without_an_api_server_are_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(bed.BedError, match=r"KUBEBUILDER_ASSETS=.*setup-envtest use -p path"):
        bed.find()


def test_without_go_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(bed.BedError, match=r"Install Go \d+\.\d+ or newer"):
        bed.find()


def test_too_old_a_go_is_named_with_the_cure(calls: Path) -> None:
    put_go(calls, version="go1.21.3")

    with pytest.raises(bed.BedError, match=r"go1\.21\.3, too old\. Install Go \d+\.\d+ or newer"):
        bed.find()
