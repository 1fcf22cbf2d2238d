"""Everybody watches the same repository: is it asked once, or once for each?

How: all BundleWatches name one repository and have the same access to it. The operator is started, the last
Application is waited for as in the benchmark of the first start, then the listings that arrive at the registry are
timed over several intervals. The operator spreads intervals by 5 %, so an interval has exactly one listing when the
next one comes 0.9 to 1.1 intervals after it.

What it does not say: how BundleWatches with different credentials fare; they never share a listing, by intent.
"""

import itertools
import time
from collections.abc import Iterator

from figures import Figure, Goal, Result, mebibytes, seconds
from kit import access_log
from shops import NEW, OLD, Place, Revisions, names, place

QUICK, FULL = 50, 1000
QUICK_INTERVALS, FULL_INTERVALS = 3, 10
INTERVAL_S = 10

_LOOK_EVERY_S = 0.1
_SPREAD = 0.1


def measure(*, quick: bool) -> Result:
    count = QUICK if quick else FULL
    intervals = QUICK_INTERVALS if quick else FULL_INTERVALS
    shops = names(count)
    with place() as here:
        for version in (OLD, NEW):
            here.publish("everybody", version)
        here.open(shops, interval=f"{INTERVAL_S}s", repository="everybody")
        with Revisions(here) as revisions, here.operator() as operator:
            began = time.monotonic()
            with here.registry.recording() as pulled:
                operator.start(wait=False)
                moments = revisions.wait(shops, NEW)
            here.until_told(shops)
            rss_bytes, peak_bytes = operator.rss_bytes(), operator.peak_rss_bytes()
            listings = _listings(here)
            times, cpu_before_s = [next(listings)], operator.cpu_s()
            while len(times) <= intervals:
                times.append(next(listings))
            cpu_s = operator.cpu_s() - cpu_before_s
        gaps = [(after - before) / INTERVAL_S for before, after in itertools.pairwise(times)]
        others = len(pulled.requests) - len(pulled.listings)
        return Result(
            f"One repository: {count} BundleWatches on it, every {INTERVAL_S} s",
            (
                seconds("start to last Application patched", max(moments) - began),
                Figure("listings until then", len(pulled.listings)),
                Figure("other requests to the registry until then", others),
                mebibytes("operator, memory afterwards", rss_bytes),
                mebibytes("operator, memory at its highest", peak_bytes),
                Figure(f"listings per interval, mean of {len(gaps)}", len(gaps) / sum(gaps)),
                Figure(
                    f"intervals without exactly one listing, of {len(gaps)}",
                    sum(abs(gap - 1) > _SPREAD for gap in gaps),
                    goal=Goal(0, exact=True),
                ),
                Figure("operator, CPU per BundleWatch and interval", cpu_s / count / sum(gaps) * 1000, "ms", digits=3),
            ),
        )


def _listings(here: Place) -> Iterator[float]:
    """When each listing from now on arrives, as the registry's own log shows it."""
    log = here.registry.directory / "registry.log"
    offset, seen = log.stat().st_size, 0
    while True:
        time.sleep(_LOOK_EVERY_S)
        arrived = sum(request.lists_tags for request in access_log.read(log, offset=offset))
        yield from [time.monotonic()] * (arrived - seen)
        seen = arrived
