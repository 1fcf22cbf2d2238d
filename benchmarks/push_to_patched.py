"""A bundle is pushed: how long until the Application is set to it?

How: the clock starts when the registry has answered the push and stops when somebody who watches the Applications
sees the new target revision. First by the interval alone: one push to each of many repositories, at moments that are
spread over two intervals, so that they fall anywhere between two polls. Then with the annotation that asks for a look
at once: one shop, release after release, each begun when the one before is told as done; its interval is so long that
no poll can come first.

What it does not say: how long Argo CD takes from there to running Pods, which is most of the time a user waits. The
wait for a poll is half an interval in the mean and one interval at most, whatever the operator does.
"""

import random
import time

from figures import Goal, Result, median_and_p90, seconds
from shops import NEW, OLD, Place, Revisions, names, place

QUICK, FULL = 5, 30
INTERVAL_S = 10

_ASKING = "asking"


def measure(*, quick: bool) -> Result:
    rounds = QUICK if quick else FULL
    with place() as here, Revisions(here) as revisions, here.operator() as operator:
        operator.start()
        polled_s = _by_interval(here, revisions, rounds)
        asked_s = _by_annotation(here, revisions, rounds)
    return Result(
        f"Push to patched, {rounds} rounds each",
        (
            *median_and_p90(f"with interval {INTERVAL_S} s", polled_s),
            seconds(f"with interval {INTERVAL_S} s, longest", max(polled_s)),
            *median_and_p90("with the reconcile annotation", asked_s, goal=Goal(2)),
            seconds("with the reconcile annotation, longest", max(asked_s)),
        ),
    )


def _by_interval(here: Place, revisions: Revisions, rounds: int) -> list[float]:
    shops = names(rounds)
    here.publish_everywhere(shops, OLD)
    here.open(shops, interval=f"{INTERVAL_S}s")
    here.until_told(shops, version=OLD)
    chance = random.Random(0)  # the same moments in every run
    begin = time.monotonic()
    pushed = []
    for shop, delay_s in zip(shops, sorted(chance.uniform(0, 2 * INTERVAL_S) for _ in shops), strict=True):
        time.sleep(max(0.0, begin + delay_s - time.monotonic()))
        here.publish(shop, NEW)
        pushed.append(time.monotonic())
    moments = revisions.wait(shops, NEW)
    return [moment - push for moment, push in zip(moments, pushed, strict=True)]


def _by_annotation(here: Place, revisions: Revisions, rounds: int) -> list[float]:
    here.publish(_ASKING, OLD)
    here.open([_ASKING], interval="1h")
    here.until_tells(_ASKING, OLD)
    taken = []
    for number in range(1, rounds + 1):
        version = f"1.0.{number}"
        here.publish(_ASKING, version)
        pushed = time.monotonic()
        here.reconcile_now(_ASKING, request=version)
        (moment,) = revisions.wait([_ASKING], version)
        taken.append(moment - pushed)
        here.until_tells(_ASKING, version)
    return taken
