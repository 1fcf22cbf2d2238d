"""Which of very many tags is taken: how long does it take, how does it grow, and what does one more tag cost?

How: a repository as CI leaves it, made up by rule: releases, prereleases, builds, branches, werf's stages. A process
of its own, that has nothing else to do, ranks all tags by a pattern, globs and a range, takes the best one and counts
every verdict; the least of five rounds counts, of processor time. Then one tag is published, and the same is asked
again. Beside it, the Go library of Helm (github.com/Masterminds/semver) reads the same versions, checks the same
range and takes the highest. It has no pattern, no globs and no verdicts to give, so that ours is also measured
without them: what is compared is what both do.

What it does not say: how long the registry takes to list so many.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from figures import Figure, Goal, Result, mebibytes, seconds
from kit import masterminds

QUICK, FULL = (1_000, 10_000), (1_000, 10_000, 100_000, 1_000_000)
MEASURED = 100_000
RANGE = ">=0.1 <90, !=2.3.x"
ROUNDS = 5

T = TypeVar("T")


def measure(*, quick: bool) -> Result:
    sizes = QUICK if quick else FULL
    main = max(size for size in sizes if size <= MEASURED)
    figures: list[Figure] = []
    for size in sizes:
        found = _alone(size)
        goal = Goal(1) if size == MEASURED else None
        figures.append(seconds(f"{size:,} tags, all verdicts counted", found["select_s"], goal=goal))
        figures.append(Figure(f"{size:,} tags, per tag", found["select_s"] / size * 1e6, "µs"))
        if size == main:
            figures += [
                mebibytes(f"{size:,} tags, memory of the process", int(found["bytes"]), goal=Goal(200)),
                Figure(
                    f"{size:,} tags, one more: share of the first time", found["again_s"] / found["select_s"] * 100, "%"
                ),
                *_beside_go(size, found["bare_s"]),
            ]
    return Result(f"Selection: pattern, globs and a range over {main:,} tags", tuple(figures))


def _beside_go(size: int, bare_s: float) -> tuple[Figure, ...]:
    versions = [tag.removeprefix("v").replace("_", "+") for tag in tags(size)]
    go_s = min(masterminds.select(RANGE, versions).seconds for _ in range(ROUNDS))
    return (
        seconds(f"{size:,} tags, versions and a range alone", bare_s),
        seconds(f"{size:,} tags, the same in Go by Helm's library", go_s),
        Figure("ours to Go's", bare_s / go_s, digits=1),
    )


def tags(count: int) -> Iterator[str]:
    """Of ten, five are releases and one each a prerelease, a build, a branch, a debug build and a stage of werf."""
    for number in range(count):
        version = f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
        match number % 10:
            case 5:
                yield f"v{version}-rc.{number % 7}"
            case 6:
                yield f"v{version}_build.{number}"
            case 7:
                yield f"main-{number}"
            case 8:
                yield f"v{version}-debug"
            case 9:
                yield f"{number:056x}"
            case _:
                yield f"v{version}"


def _alone(size: int) -> dict[str, float]:
    argv = [sys.executable, __file__, str(size)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)})
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _child(size: int) -> None:
    from bundlewatch.policy.policy import Policy  # noqa: PLC0415 - only in the process that is measured
    from bundlewatch.policy.ranking import Ranking  # noqa: PLC0415
    from bundlewatch.policy.selection import Running, Selection  # noqa: PLC0415

    def select(ranking: Ranking) -> str:
        found = Selection(ranking, Running())
        chosen = next(found.ranked)
        assert sum(found.counts(chosen=chosen, rejected={}).values()) == ranking.total
        return chosen.tag

    listed = tuple(sorted(tags(size)))
    policy = Policy.compile(pattern="^v(?P<version>.+)$", exclude=["*-debug"], range=RANGE)
    bare = Policy.compile(range=RANGE)
    published = (*listed, "v89.99.99")

    def again() -> str:
        gone, new = set(listed).difference(published), set(published).difference(listed)
        return select(before.after(gone=gone, new=new))

    select_s = _least(lambda: select(Ranking(policy, listed)))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    before = Ranking(policy, listed)
    assert again() == "v89.99.99"
    versions = [tag.removeprefix("v") for tag in listed]
    print(
        json.dumps(
            {
                "select_s": select_s,
                "bytes": peak_bytes,
                "again_s": _least(again),
                "bare_s": _least(lambda: select(Ranking(bare, versions))),
            }
        )
    )


def _least(work: Callable[[], T]) -> float:
    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(ROUNDS))


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    _child(int(sys.argv[1]))
