"""The real parts tests run against: kube-apiserver, etcd, kubectl, the distribution registry, helm; and two programs of
ours around Go libraries that Helm has: an oracle, which says what a version or a range means to the one
(`tests/bed/oracle/`), and oras, which asks a registry by the other (`tests/bed/oras/`).

Looked for in this order: `KUBEBUILDER_ASSETS` (etcd, kube-apiserver and, where it is there, kubectl, as
`setup-envtest use -p path` prints it); the cache `$XDG_CACHE_HOME/bundlewatch/bed/<hash>` (default
`~/.cache`); else they are built from source into that cache, once for each content of the Go module
`tests/bed/` that pins them. `python -m kit.bed` does so and prints the cache's directory. A program of ours
that was changed is built again, under a name of its own beside the servers, and they stay.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.room import ProcessError, Room

MODULE = Path(__file__).parents[1] / "bed"
PROGRAMS = {name: MODULE / name for name in ("oracle", "oras")}  # of ours, with their sources
PROGRESS_EVERY_S = 15.0
BUILD_TIMEOUT_S = 2 * 3600.0
USUAL_PLACE_OF_GO = "/usr/local/go/bin"  # where its own installer puts it, on nobody's PATH in a CI shell
VERSION_VARIABLES = "k8s.io/component-base/version"

# Name of the binary as `go build` calls it (etcd's main package is called `server`) → its package.
PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "server": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "registry": "github.com/distribution/distribution/v3/cmd/registry",
    "helm": "helm.sh/helm/v4/cmd/helm",
    **{name: f"./{name}" for name in PROGRAMS},
}
ASSETS = {"kube-apiserver": "kube-apiserver", "server": "etcd", "kubectl": "kubectl"}

Say = Callable[[str], None]


class BedError(RuntimeError):
    """The parts cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Bed:
    """Paths of executables."""

    kube_apiserver: Path
    etcd: Path
    kubectl: Path
    registry: Path
    helm: Path
    oracle: Path
    oras: Path


def find(*, say: Say | None = None) -> Bed:
    """The parts, built if need be; `say` gets progress lines (default: standard error)."""
    assets = _assets(os.environ)
    binaries = assets | _built([name for name in PACKAGES if name not in assets], say=say)
    return Bed(
        kube_apiserver=binaries["kube-apiserver"],
        etcd=binaries["server"],
        kubectl=binaries["kubectl"],
        registry=binaries["registry"],
        helm=binaries["helm"],
        oracle=binaries["oracle"],
        oras=binaries["oras"],
    )


def find_oracle(*, say: Say | None = None) -> Path:
    """The oracle alone, built if need be: in seconds, where the servers take minutes."""
    return _built(["oracle"], say=say)["oracle"]


def find_oras(*, say: Say | None = None) -> Path:
    """The client of registries alone, likewise."""
    return _built(["oras"], say=say)["oras"]


def cache_directory() -> Path:
    """Where the binaries of the present module and recipe are, or will be."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    recipe = " ".join(_build_flags()) + platform.machine()
    content = (MODULE / "go.mod").read_bytes() + (MODULE / "go.sum").read_bytes() + recipe.encode()
    return root / "bundlewatch" / "bed" / hashlib.sha256(content).hexdigest()[:16]


def _place(name: str) -> Path:
    if name not in PROGRAMS:
        return cache_directory() / name
    source = b"".join(path.read_bytes() for path in sorted(PROGRAMS[name].glob("*.go")))
    return cache_directory() / f"{name}-{hashlib.sha256(source).hexdigest()[:16]}"


def _assets(environment: Mapping[str, str]) -> dict[str, Path]:
    assets = environment.get("KUBEBUILDER_ASSETS")
    if not assets:
        return {}
    found = {name: Path(assets) / file for name, file in ASSETS.items() if (Path(assets) / file).exists()}
    if not {"kube-apiserver", "server"} <= found.keys():
        raise BedError(
            f"KUBEBUILDER_ASSETS={assets}: kube-apiserver or etcd is not there. Set it to what "
            "`setup-envtest use -p path` prints, or unset it and they are built from source."
        )
    return found


def _build_flags() -> list[str]:
    version = _pinned(r"k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)")
    major, minor, _ = version.groups()
    # Without these the API server calls itself v0.0.0-master, which some clients refuse.
    variables = {
        "gitVersion": version.group().split()[1],
        "gitMajor": major,
        "gitMinor": minor,
    }
    settings = " ".join(f"-X {VERSION_VARIABLES}.{name}={value}" for name, value in variables.items())
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", f"-s -w {settings}"]


def _built(names: list[str], *, say: Say | None) -> dict[str, Path]:
    say = say or _say_on_standard_error
    places = {name: _place(name) for name in names}
    if not all(place.exists() for place in places.values()):
        with _locked(cache_directory().parent, say=say):
            lacking = {name: place for name, place in places.items() if not place.exists()}
            if lacking:
                _build(lacking, say=say)
    return places


def _build(places: Mapping[str, Path], *, say: Say) -> None:
    go = _go()
    directory = cache_directory()
    packages = [PACKAGES[name] for name in places]
    listed = ", ".join(ASSETS.get(name, name) for name in places)
    duration = "a few seconds" if places.keys() <= PROGRAMS.keys() else "about 10 minutes on 2 cores"
    say(f"building {listed} from source with {go}: once, {duration}, kept in {directory}")
    environment = {"CGO_ENABLED": "0", "GOWORK": "off", "GOOS": "", "GOARCH": ""}
    started = time.monotonic()
    next_line_s = PROGRESS_EVERY_S
    with Room(prefix=".building-", parent=directory.parent) as room:

        def run(step: str, argv: list[str], progress: Callable[[str], str]) -> str:
            nonlocal next_line_s
            process = room.start(step, argv, environment=environment, cwd=MODULE)
            while (status := process.poll()) is None:
                time.sleep(0.1)
                if (elapsed_s := time.monotonic() - started) >= next_line_s:
                    next_line_s = elapsed_s + PROGRESS_EVERY_S
                    say(f"{_clock(elapsed_s)}  {progress(process.output.read_text())}")
                if elapsed_s > BUILD_TIMEOUT_S:
                    raise BedError(f"the build was not over after {_clock(elapsed_s)}{process.tail()}")
            if status != 0:
                raise BedError(f"`{' '.join(argv[:2])}` in {MODULE} failed{process.tail()}")
            return process.output.read_text()

        output = run("fetch", [go, "list", "-deps", *packages], lambda _: "fetching their sources")
        known = frozenset(output.split())

        def compiled(output: str) -> str:
            count = len(known.intersection(output.split("\n")))
            return f"compiled {count} of at most {len(known)} packages"

        target = room.directory / "bin"
        target.mkdir()
        run("build", [go, "build", "-v", *_build_flags(), "-o", f"{target}/", *packages], compiled)
        directory.mkdir(exist_ok=True)
        for name, place in places.items():
            (target / name).rename(place)
    say(f"{_clock(time.monotonic() - started)}  built")


def _go() -> str:
    wanted = _pinned(r"(?m)^go (\d+)\.(\d+)")
    cure = f"Install Go {wanted[1]}.{wanted[2]} or newer (https://go.dev/doc/install) and put it on PATH."
    go = shutil.which("go") or shutil.which("go", path=USUAL_PLACE_OF_GO)
    if go is None:
        raise BedError(f"Go is needed once, to build the servers the tests run against. {cure}")
    version = subprocess.run([go, "env", "GOVERSION"], cwd=MODULE, capture_output=True, text=True, check=False)
    found = re.match(r"go(\d+)\.(\d+)", version.stdout)
    if found is None or version.returncode != 0:
        raise BedError(f"{go} does not work here: {version.stderr.strip() or version.stdout.strip()}. {cure}")
    if (int(found[1]), int(found[2])) < (int(wanted[1]), int(wanted[2])):
        raise BedError(f"{go} is {version.stdout.strip()}, too old. {cure}")
    return go


def _pinned(pattern: str) -> re.Match[str]:
    found = re.search(pattern, (MODULE / "go.mod").read_text())
    assert found is not None, f"{MODULE}/go.mod has no {pattern}"
    return found


@contextmanager
def _locked(directory: Path, *, say: Say) -> Iterator[None]:
    """One build at a time on this machine; the kernel lets go of the lock with the process."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that builds into {directory}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _say_on_standard_error(line: str) -> None:
    sys.stderr.write(f"test bed: {line}\n")
    sys.stderr.flush()


def main() -> int:
    try:
        find()
    except (BedError, ProcessError) as error:
        _say_on_standard_error(str(error))
        return 1
    print(cache_directory())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
