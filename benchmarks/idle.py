"""Nothing happens: nothing is published, and everything is deployed and healthy. What does watching cost?

How: the operator first runs with nothing to watch, for what it costs by itself. Then come BundleWatches, each on a
repository of its own, with a release that is waited for. Over the next ten intervals its writes are counted at the
API server, its listings at the registry, and its CPU time is read from the kernel. Meanwhile Argo CD does to every
Application what it does when idle, and more often than by default: it writes `reconciledAt` every 50 s.

What it does not say: what a poll costs against a far registry with TLS and thousands of tags: these are local, plain
and have two.
"""

import time
from collections.abc import Callable

from figures import Figure, Goal, Result, mebibytes
from kit.operator import OperatorProcess
from shops import NEW, OLD, Revisions, names, place

QUICK, FULL = 20, 200
QUICK_INTERVALS, FULL_INTERVALS = 2, 10
INTERVAL_S = 10

_RESYNC_S = 50
_CALM_S = 2 * INTERVAL_S
_ALONE_S = 20


def measure(*, quick: bool) -> Result:
    count = QUICK if quick else FULL
    intervals = QUICK_INTERVALS if quick else FULL_INTERVALS
    shops = names(count)
    with place(resync_s=_RESYNC_S) as here, here.operator() as operator:
        operator.start()
        alone_s = _cpu_s(operator, lambda: time.sleep(_ALONE_S)) / _ALONE_S
        alone_bytes = operator.rss_bytes()
        here.publish_everywhere(shops, OLD, NEW)
        with Revisions(here) as revisions:
            here.open(shops, interval=f"{INTERVAL_S}s")
            revisions.wait(shops, NEW)
        here.until_told(shops)
        time.sleep(_CALM_S)
        with here.registry.recording() as pulled, here.cluster.recording() as asked:
            idle_s = _cpu_s(operator, lambda: time.sleep(intervals * INTERVAL_S)) / (intervals * INTERVAL_S)
        rss_bytes = operator.rss_bytes()
        mine = here.by_operator(asked.entries)
        writes = sum(entry.writes for entry in mine)
        return Result(
            f"Idle: {count} BundleWatches on {count} repositories, every {INTERVAL_S} s, for {intervals} intervals",
            (
                Figure("API writes", writes, goal=Goal(0, exact=True)),
                Figure("API reads, renewed watches among them", len(mine) - writes),
                Figure("Argo CD's writes meanwhile", sum(entry.writes for entry in asked.entries) - writes),
                Figure("listings per BundleWatch and interval", len(pulled.listings) / count / intervals),
                Figure("registry requests per BundleWatch and interval", len(pulled.requests) / count / intervals),
                Figure(
                    "operator, CPU per BundleWatch and interval",
                    (idle_s - alone_s) * INTERVAL_S / count * 1000,
                    "ms",
                    digits=3,
                ),
                Figure("operator, share of a core", idle_s * 100, "%"),
                Figure("operator, share of a core with nothing to watch", alone_s * 100, "%"),
                mebibytes("operator, memory", rss_bytes),
                mebibytes("operator, memory with nothing to watch", alone_bytes),
            ),
        )


def _cpu_s(operator: OperatorProcess, during: Callable[[], None]) -> float:
    before_s = operator.cpu_s()
    during()
    return operator.cpu_s() - before_s
