"""What the figures were taken on, and who used its cores meanwhile. Reads `/proc`; Linux only, as the kit is."""

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from kit import bed

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)  # of the numbers of /proc/stat: idle, and idle with a disk to wait for
_GUESTS = 8  # the numbers from here on are counted in the ones before, too


def description() -> dict[str, str]:
    """Name and value, to be printed above the figures."""
    parts = bed.find()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": f"{_cores()} of {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": f"{platform.python_version()}, {_event_loop()}",
        "bundlewatch": ", ".join(
            [importlib.metadata.version("bundlewatch"), *_libraries("kopf", "aiohttp", "pydantic")]
        ),
        "kube-apiserver": _version(parts.kube_apiserver),
        "etcd": _version(parts.etcd),
        "registry": _version(parts.registry),
    }


class Cores:
    """The CPU time that processes used since `Cores` was made, by name, and what everybody else used."""

    def __init__(self, processes: Mapping[str, tuple[int, ...]]) -> None:
        self._processes = processes
        self._before = self._now()
        self._began = time.monotonic()

    def used_s(self) -> dict[str, float]:
        """The last one is "everybody else on the machine"."""
        after = self._now()
        return {name: after[name] - before for name, before in self._before.items()}

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def _now(self) -> dict[str, float]:
        used = {name: sum(map(cpu_s, pids)) for name, pids in self._processes.items()}
        return {**used, "everybody else on the machine": _busy_s() - sum(used.values())}


def cpu_s(pid: int) -> float:
    """CPU time of a process since its start, in user and in kernel mode."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / _TICKS_PER_S


def _busy_s() -> float:
    """CPU time of the whole machine since it was started."""
    numbers = [int(number) for number in Path("/proc/stat").read_text().splitlines()[0].split()[1:_GUESTS]]
    return (sum(numbers) - sum(numbers[index] for index in _IDLE)) / _TICKS_PER_S


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _event_loop() -> str:
    return (_libraries("uvloop") or ["asyncio's own loop"])[0]


def _libraries(*names: str) -> list[str]:
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _version(binary: Path) -> str:
    """The first line of what it says of itself, without its path."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0].removeprefix(str(binary)).strip()
