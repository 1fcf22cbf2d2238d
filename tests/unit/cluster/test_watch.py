"""How long the watch waits before it asks again."""

import itertools

from bundlewatch.cluster.watch import Backoffs


def test_an_api_server_that_is_away_for_a_day_is_still_asked_twice_a_minute() -> None:
    pauses_s = list(itertools.islice(Backoffs(), 3000))

    assert sum(pauses_s) > 24 * 3600 * 0.9
    assert max(pauses_s) <= 36
    assert pauses_s[0] < 1.5
