"""A cluster full of work that nobody did yet: one repository for each BundleWatch, a release waiting in every one.

How: every Application runs 1.0.0, Synced and Healthy, and its repository holds 1.0.0 and 1.0.1. Then the operator
is started for the first time. The clock runs from its `exec` to the moment at which somebody who watches the
Applications has seen the last one at 1.0.1. Requests are counted at the API server and at the registry until every
BundleWatch says that its Application is Healthy and nothing more was written for a while; memory is read then. The
interval is so long that nobody is polled twice: the counts are those of one look and one release.

What it does not say: how long it takes elsewhere. Operator, API server, etcd, registry and the stand-in for Argo CD
share the same few cores, and the registry answers at once; a registry that needs 100 ms is waited for, eight
requests at a time. Real Argo CD takes seconds or minutes for a release; this stand-in takes none.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable

from figures import Figure, Goal, Result, mebibytes, seconds
from kit.access_log import Request
from machine import Cores
from shops import NEW, OLD, Revisions, kinds, names, place

QUICK, FULL = 50, 1000

_QUIET_S = 15.0  # a release is over when it was healthy for ten seconds, which is written too


def measure(*, quick: bool) -> Result:
    count = QUICK if quick else FULL
    shops = names(count)
    with place() as here:
        here.publish_everywhere(shops, OLD, NEW)
        here.open(shops, interval="10m")
        with (
            Revisions(here) as revisions,
            here.registry.recording() as pulled,
            here.cluster.recording() as asked,
            here.operator() as operator,
        ):
            began = time.monotonic()
            operator.start(wait=False)
            cores = Cores(here.processes(operator))
            operator.wait_ready(timeout_s=120)
            ready_s = time.monotonic() - began
            moments = revisions.wait(shops, NEW)
            used_s, elapsed_s = cores.used_s(), cores.elapsed_s()
            here.until_told(shops)
            told_s = time.monotonic() - began
            time.sleep(_QUIET_S)
            rss_bytes, peak_bytes = operator.rss_bytes(), operator.peak_rss_bytes()
        writes = kinds(entry for entry in here.by_operator(asked.entries) if entry.writes)
        return Result(
            f"First start: {count} BundleWatches on {count} repositories of one registry",
            (
                seconds("start to ready", ready_s),
                seconds("start to first Application patched", min(moments) - began),
                seconds("start to last Application patched", max(moments) - began, goal=Goal(60)),
                seconds("start to last BundleWatch Ready again", told_s),
                mebibytes("operator, memory afterwards", rss_bytes, goal=Goal(150)),
                mebibytes("operator, memory at its highest", peak_bytes, goal=Goal(150)),
                *(
                    Figure(f"cores used until the last was patched: {name}", used / elapsed_s)
                    for name, used in used_s.items()
                ),
                Figure("operator, CPU per BundleWatch until then", used_s["operator"] / count * 1000, "ms"),
                *_per_watch("API write per BundleWatch", writes, count=count),
                *_per_watch("registry request per BundleWatch", _kinds(pulled.requests), count=count),
            ),
        )


def _per_watch(name: str, counts: Counter[str], *, count: int) -> list[Figure]:
    return [Figure(f"{name}: {kind}", number / count) for kind, number in sorted(counts.items())]


def _kinds(requests: Iterable[Request]) -> Counter[str]:
    """Such as `GET tags/list`; answers that are no success are kinds of their own."""
    found: Counter[str] = Counter()
    for request in requests:
        parts = re.search(r"/(tags/list|manifests|blobs)", request.path)
        what = parts[1] if parts else request.path
        found[f"{request.method} {what}" + ("" if request.status < 300 else f" ({request.status})")] += 1
    return found
