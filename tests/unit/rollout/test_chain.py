"""An upstream's word counts once it has had the same bundle healthy for long enough, and it says what is missing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api.gates import Upstream
from bundlewatch.api.status import HistoryEntry
from bundlewatch.api.v1alpha1 import BundleWatch, Identity
from bundlewatch.policy.gates import Candidate, Soak
from bundlewatch.rollout.chain import cycle, health_of_release, soak_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BUNDLE = Candidate(tag="1.0.4", digest="sha256:bbbb", version="1.0.4")
REPOSITORY = "registry.example.com/shop/bundle"
TWO_HOURS = Upstream(name="shop-staging", soak="2h")
AT_ALL = Upstream(name="shop-staging")


def watch(name: str = "shop-staging", *, after: tuple[str, ...] = (), **fields: Any) -> BundleWatch:
    spec = {
        "repository": fields.get("repository", REPOSITORY),
        "applications": [{"name": name}],
        "suspend": fields.get("suspend", False),
        "gates": {"after": [{"name": each} for each in after]},
    }
    status = {key: fields[key] for key in ("history", "quarantine", "summary", "conditions") if key in fields}
    metadata = {"name": name, "namespace": "argocd", "deletionTimestamp": fields.get("deleted")}
    return BundleWatch.parse({"metadata": metadata, "spec": spec, "status": status})


SHOP = watch("shop", after=("shop-staging",))


def ran(since: int | None = None, until: int | None = None, **more: object) -> dict[str, object]:
    """A move to 1.0.4 at 8, healthy since and until an hour of today."""
    times = {"healthySince": since, "healthyUntil": until}
    entry = {"tag": "1.0.4", "digest": "sha256:bbbb", "version": "1.0.4", "time": "2026-11-27T08:00:00Z"}
    written = {key: f"2026-11-27T{hour:02}:00:00Z" for key, hour in times.items() if hour is not None}
    return {**entry, **written, **more}


def at(hour: int) -> datetime:
    return NOW.replace(hour=hour)


NEXT = ran(tag="1.0.5", digest="sha256:cccc", version="1.0.5", time="2026-11-27T09:30:00Z")


@pytest.mark.parametrize(
    ("history", "after", "met", "until"),
    [
        pytest.param([ran(since=9)], TWO_HOURS, True, None, id="for three hours"),
        pytest.param([ran(since=10)], TWO_HOURS, True, None, id="for two, to the second"),
        pytest.param([ran(since=11)], TWO_HOURS, False, at(13), id="for one"),
        pytest.param([ran(since=12)], AT_ALL, True, None, id="healthy at all"),
        pytest.param([ran()], AT_ALL, False, None, id="not healthy yet"),
        pytest.param([], AT_ALL, False, None, id="never moved to"),
        pytest.param([ran(since=8, until=10)], TWO_HOURS, True, None, id="it was for two hours, and is over"),
        pytest.param([ran(since=8, until=9)], TWO_HOURS, False, None, id="it was, but not long enough"),
        pytest.param([ran(since=8, until=8)], AT_ALL, True, None, id="it was for a moment"),
        pytest.param([NEXT, ran(since=8)], TWO_HOURS, False, None, id="the next move ended it, unwritten"),
        pytest.param([NEXT, ran(since=7)], TWO_HOURS, True, None, id="the next move ended it, in time"),
        pytest.param([ran(since=11), ran(since=6, until=9)], TWO_HOURS, True, None, id="it had it before, long enough"),
        pytest.param([ran(since=11), ran(since=8, until=9)], TWO_HOURS, False, at(13), id="spans are not added up"),
        pytest.param([ran(since=6, digest="sha256:cccc")], TWO_HOURS, False, None, id="another digest by that tag"),
        pytest.param([ran(since=6, tag="stable")], TWO_HOURS, True, None, id="another tag of that digest"),
        pytest.param([ran(since=6, digest=None)], TWO_HOURS, False, None, id="nobody knows its digest"),
    ],
)
def test_whether_it_has_had_the_bundle_for_long_enough(
    history: list[dict[str, object]],
    after: Upstream,
    met: bool,  # noqa: FBT001 - of the table
    until: datetime | None,
) -> None:
    said = soak_of(after, watch(history=history), watch=SHOP, bundle=BUNDLE, now=NOW)

    assert (said.met, said.until) == (met, until)


@pytest.mark.parametrize(
    ("repository", "entry", "met"),
    [
        pytest.param("oci://registry.example.com:443/shop/bundle", {"version": "9"}, True, id="the same, else spelled"),
        pytest.param("staging.example.com/shop", {"digest": "sha256:eeee"}, True, id="another one: by version"),
        pytest.param("staging.example.com/shop", {"version": "9"}, False, id="another one: another version"),
        pytest.param("staging.example.com/shop", {"version": None}, False, id="another one: no version"),
    ],
)
def test_in_another_repository_the_version_counts(
    repository: str,
    entry: dict[str, object],
    met: bool,  # noqa: FBT001 - of the table
) -> None:
    upstream = watch(repository=repository, history=[ran(since=6, **entry)])

    assert soak_of(TWO_HOURS, upstream, watch=SHOP, bundle=BUNDLE, now=NOW).met is met


@pytest.mark.parametrize(
    ("upstream", "message"),
    [
        pytest.param(
            None, "does not exist in namespace argocd: create it, or correct spec.gates.after", id="it is not there"
        ),
        pytest.param(
            watch(deleted="2026-11-27T11:00:00Z", history=[ran(since=6)]),
            "does not exist in namespace argocd: create it, or correct spec.gates.after",
            id="it is going",
        ),
        pytest.param(
            Identity.of({"metadata": {"name": "shop-staging"}, "status": {"summary": "spec.tags.range is no range"}}),
            'has a mistake in its spec, and is not followed; it says: "spec.tags.range is no range"',
            id="its spec cannot be read",
        ),
        pytest.param(
            watch(summary="shop-staging is Degraded\nwith 1.0.4"),
            'has not had it healthy yet; it says: "shop-staging is Degraded with 1.0.4"',
            id="what it says",
        ),
        pytest.param(
            watch(
                conditions=[
                    {
                        "type": "Ready",
                        "status": "False",
                        "reason": "AccessDenied",
                        "message": "no access",
                        "lastTransitionTime": "2026-11-27T00:00:00Z",
                    },
                    {
                        "type": "Stalled",
                        "status": "True",
                        "reason": "AccessDenied",
                        "message": "no access",
                        "lastTransitionTime": "2026-11-27T00:00:00Z",
                    },
                ]
            ),
            'has not had it healthy yet; it is stalled (AccessDenied) and says: "no access"',
            id="or its condition",
        ),
        pytest.param(watch(), "has not had it healthy yet", id="it says nothing"),
        pytest.param(
            watch(history=[ran(since=11)]),
            "has had it healthy since 2026-11-27 11:00 UTC, and 2h are over 2026-11-27 13:00 UTC",
            id="on the way",
        ),
        pytest.param(
            watch(history=[ran(since=8, until=9)]),
            "had it healthy from 2026-11-27 08:00 UTC until 2026-11-27 09:00 UTC only, and not for 2h",
            id="interrupted",
        ),
        pytest.param(
            watch(
                history=[ran(since=6, until=9)],
                quarantine=[{"tag": "x", "digest": "sha256:bbbb", "reason": "Degraded"}],
            ),
            "has it in quarantine",
            id="it failed there, later",
        ),
        pytest.param(
            watch(history=[ran(since=6)], suspend=True),
            "had it healthy from 2026-11-27 06:00 UTC on, but is suspended, so nobody knows whether it still is: "
            "set its spec.suspend to false",
            id="nobody looks",
        ),
    ],
)
def test_what_is_missing_is_said(upstream: BundleWatch | None, message: str) -> None:
    assert soak_of(TWO_HOURS, upstream, watch=SHOP, bundle=BUNDLE, now=NOW) == Soak(
        met=False, message=message, until=at(13) if "are over" in message else None
    )


def test_a_quarantine_of_another_bundle_does_not_matter() -> None:
    upstream = watch(
        history=[ran(since=6)], quarantine=[{"tag": "1.0.4", "digest": "sha256:0000", "reason": "Degraded"}]
    )

    assert soak_of(TWO_HOURS, upstream, watch=SHOP, bundle=BUNDLE, now=NOW).met


def test_a_quarantine_in_another_repository_counts_by_what_was_moved_there() -> None:
    upstream = watch(
        repository="staging.example.com/shop",
        history=[ran(since=6, digest="sha256:eeee")],
        quarantine=[{"tag": "1.0.4", "digest": "sha256:eeee", "reason": "Degraded"}],
    )

    assert not soak_of(TWO_HOURS, upstream, watch=SHOP, bundle=BUNDLE, now=NOW).met


@pytest.mark.parametrize(
    ("after", "found"),
    [
        pytest.param({"a": ()}, None, id="no upstream"),
        pytest.param({"a": ("b",), "b": ("c",), "c": ()}, None, id="a chain"),
        pytest.param({"a": ("b",)}, None, id="an upstream that is not there"),
        pytest.param({"a": ("a",)}, ("a", "a"), id="itself"),
        pytest.param({"a": ("b",), "b": ("a",)}, ("a", "b", "a"), id="each other"),
        pytest.param({"a": ("b", "c"), "b": ("c",), "c": ("d",), "d": ("a",)}, ("a", "c", "d", "a"), id="the shortest"),
        pytest.param({"a": ("b",), "b": ("c",), "c": ("b",)}, None, id="a cycle of others"),
        pytest.param({"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}, None, id="a diamond"),
    ],
)
def test_who_waits_for_itself(after: dict[str, tuple[str, ...]], found: tuple[str, ...] | None) -> None:
    by_name = {name: watch(name, after=upstreams) for name, upstreams in after.items()}

    assert cycle(by_name["a"], by_name) == found


ENTRY = HistoryEntry(tag="1.0.4")
TEN, ELEVEN = "2026-11-27T10:00:00Z", "2026-11-27T11:00:00Z"


@pytest.mark.parametrize(
    ("since", "until", "healthy", "expected"),
    [
        pytest.param(None, None, False, (None, None), id="not yet"),
        pytest.param(None, None, True, ("2026-11-27T12:00:00Z", None), id="now"),
        pytest.param(TEN, None, True, (TEN, None), id="still"),
        pytest.param(TEN, None, False, (TEN, "2026-11-27T12:00:00Z"), id="no more"),
        pytest.param(TEN, ELEVEN, False, (TEN, ELEVEN), id="not again"),
        pytest.param(TEN, ELEVEN, True, ("2026-11-27T12:00:00Z", None), id="again: a new span"),
    ],
)
def test_health_is_kept_at_its_transitions(
    since: str | None,
    until: str | None,
    healthy: bool,  # noqa: FBT001 - of the table
    expected: tuple[str | None, str | None],
) -> None:
    entry = HistoryEntry(tag="1.0.4", healthy_since=since, healthy_until=until)

    kept = health_of_release(entry, all_healthy=healthy, now=NOW)

    assert (kept.healthy_since, kept.healthy_until) == expected


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_an_idle_upstream_writes_nothing(seen: list[bool]) -> None:
    entry = ENTRY
    for minute, healthy in enumerate(seen):
        entry = health_of_release(entry, all_healthy=healthy, now=NOW + timedelta(minutes=minute))

    assert health_of_release(entry, all_healthy=seen[-1], now=NOW + timedelta(days=1)) is entry
