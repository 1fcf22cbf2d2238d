"""Sync windows hold and let through what Argo CD's own rules hold and let through, at the same moments."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundlewatch.argocd.application import Application, parse
from bundlewatch.argocd.projects import SyncWindows

MINUTE = timedelta(minutes=1)
ON, OFF = "0 8 * * *", "0 20 * * *"  # with two hours, at 09:00
NINE = datetime(2026, 11, 27, 9, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def window(kind: str, schedule: str, duration: str = "2h", **more: object) -> dict[str, object]:
    return {"kind": kind, "schedule": schedule, "duration": duration, "applications": ["*"], **more}


def project(*windows: Mapping[str, object]) -> SyncWindows:
    return SyncWindows.parse({"metadata": {"name": "web"}, "spec": {"syncWindows": [*windows]}})


def application(name: str = "shop", **destination: str) -> Application:
    spec = {"project": "web", "destination": destination or {"server": "https://a.example.com", "namespace": "shop"}}
    return parse({"metadata": {"name": name, "namespace": "argocd"}, "spec": spec})


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+00:00")


@pytest.mark.parametrize(
    ("windows", "auto", "manual"),
    [
        pytest.param([], True, True, id="no window"),
        pytest.param([window("deny", ON)], False, False, id="a deny is on"),
        pytest.param([window("deny", OFF)], True, True, id="a deny is off"),
        pytest.param([window("allow", ON)], True, True, id="an allow is on"),
        pytest.param([window("allow", OFF)], False, False, id="no allow is on"),
        pytest.param([window("allow", OFF), window("allow", ON)], True, True, id="one of two allows is on"),
        pytest.param([window("allow", ON), window("deny", ON)], False, False, id="the deny wins"),
        pytest.param([window("deny", ON, manualSync=True)], False, True, id="a deny for automatic syncs"),
        pytest.param(
            [window("deny", ON, manualSync=True), window("deny", ON)], False, False, id="manual past all denies or none"
        ),
        pytest.param(
            [window("deny", ON, manualSync=True), window("deny", OFF)], False, True, id="only denies that are on count"
        ),
        pytest.param([window("allow", OFF, manualSync=True)], False, True, id="an allow for automatic syncs"),
        pytest.param(
            [window("allow", OFF, manualSync=True), window("allow", OFF)], False, False, id="all allows that are off"
        ),
        pytest.param(
            [window("allow", OFF, manualSync=True), window("deny", ON)],
            False,
            False,
            id="an allow is no way past a deny",
        ),
        pytest.param([window("Deny", ON)], True, True, id="kinds are lower case"),
        pytest.param([window("deny", "0 0 30 2 *")], False, False, id="what never comes is always on"),
        pytest.param([window("deny", "a word")], False, False, id="what cannot be read lets nothing through"),
        pytest.param([window("allow", ON, "two hours")], False, False, id="nor does a duration"),
        pytest.param([window("deny", "0 8 * * 7")], False, False, id="robfig's Sunday is 0, not 7"),
        pytest.param([window("deny", "0 8 * * L")], False, False, id="nor has it L"),
        pytest.param([window("deny", "0 8 ? * FRI")], False, False, id="a question mark is a star"),
        pytest.param([window("deny", "0 8 1-31/2 * 1")], False, False, id="an odd day, or a Monday"),
        pytest.param([window("deny", "0 8 */2 * 1")], False, False, id="the same, written with a star"),
        pytest.param([window("deny", "0 8 */1 * 1")], True, True, id="steps of one are a star: Mondays"),
    ],
)
def test_what_may_be_synced(
    windows: list[dict[str, object]],
    auto: bool,  # noqa: FBT001 - of the table
    manual: bool,  # noqa: FBT001
) -> None:
    sync = project(*windows).look(application(), NINE)

    assert (sync.may_auto, sync.may_manual) == (auto, manual)


@pytest.mark.parametrize(
    ("selection", "held"),
    [
        pytest.param({"applications": ["shop"]}, True, id="by name"),
        pytest.param({"applications": ["sh*"]}, True, id="by a glob"),
        pytest.param({"applications": ["argocd/shop"]}, False, id="the name has no namespace"),
        pytest.param({"applications": ["s[a-i]op", "x"]}, True, id="by a set"),
        pytest.param({"applications": ["s[!a-i]op"]}, False, id="by what it is not"),
        pytest.param({"applications": ["{cart,shop}"]}, True, id="by alternatives"),
        pytest.param({"applications": ["s?op"]}, True, id="by a character"),
        pytest.param({"applications": ["s.op"]}, False, id="a dot is a dot"),
        pytest.param({"applications": ["{shop"]}, False, id="no glob at all"),
        pytest.param({"namespaces": ["shop-*"]}, True, id="by namespace"),
        pytest.param({"clusters": ["https://*"]}, True, id="by the cluster's address, slashes and all"),
        pytest.param({"clusters": ["prod"]}, False, id="by another name of a cluster"),
        pytest.param({"applications": ["cart"], "namespaces": ["shop-*"]}, True, id="one of the lists is enough"),
        pytest.param(
            {"applications": ["cart"], "namespaces": ["shop-*"], "andOperator": True}, False, id="unless all must"
        ),
        pytest.param({"applications": ["shop"], "namespaces": ["shop-*"], "andOperator": True}, True, id="and all do"),
        pytest.param({}, False, id="nothing is named"),
        pytest.param({"andOperator": True}, False, id="nothing is named, of which all must"),
    ],
)
def test_which_applications_a_window_is_for(
    selection: dict[str, object],
    held: bool,  # noqa: FBT001 - of the table
) -> None:
    windows = project({"kind": "deny", "schedule": ON, "duration": "2h", **selection})
    shop = application("shop", server="https://a.example.com", namespace="shop-eu")

    assert windows.look(shop, NINE).may_auto is not held


def test_a_cluster_is_known_by_its_name_too() -> None:
    windows = project({"kind": "deny", "schedule": ON, "duration": "2h", "clusters": ["prod-*"]})
    spec = {"destination": {"name": "prod-1", "namespace": "shop"}}

    assert not windows.look(parse({"metadata": {"name": "shop"}, "spec": spec}), NINE).may_auto


@pytest.mark.parametrize(
    ("windows", "now", "auto", "until"),
    [
        pytest.param([window("deny", "0 22 * * *")], "11-27 09:00", True, "11-27 22:00", id="it begins"),
        pytest.param([window("deny", "0 8 * * *")], "11-27 09:00", False, "11-27 10:00", id="it ends"),
        pytest.param([window("deny", "0 8 * * *", timeZone=BERLIN)], "11-27 08:00", False, "11-27 09:00", id="zone"),
        pytest.param(
            [window("deny", "0 8 * * *", timeZone="Europe/Berln")], "11-27 09:00", False, "11-27 10:00", id="or UTC"
        ),
        pytest.param(
            [window("deny", "0 22 * * *", "8h", timeZone=BERLIN)],
            "03-28 22:00",
            False,
            "03-29 04:00",
            id="a short night ends at 6 by the clock",
        ),
        pytest.param(
            [window("deny", "0 22 * * *", "8h", timeZone=BERLIN)],
            "10-24 22:00",
            False,
            "10-25 05:00",
            id="so does a long one",
        ),
        pytest.param(
            [window("deny", "30 0 * * *", "1h30m", timeZone=BERLIN)],
            "03-29 00:30",
            False,
            "03-29 01:00",
            id="the clocks change and it is over",
        ),
        pytest.param(
            [window("deny", "30 2 * * *", "30m", timeZone=BERLIN)],
            "10-25 00:45",
            False,
            "10-25 01:00",
            id="the clocks change to before it: once more",
        ),
        pytest.param([window("deny", "* * * * *", "1h")], "11-27 09:00", False, None, id="for ever"),
        pytest.param([window("deny", "0 0 30 2 *")], "11-27 09:00", False, None, id="for ever, by never coming"),
    ],
)
def test_until_when(windows: list[dict[str, object]], now: str, auto: bool, until: str | None) -> None:  # noqa: FBT001 - of the table
    sync = project(*windows).look(application(), at(now))

    assert (sync.may_auto, sync.until) == (auto, at(until) if until else None)


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(
            lambda kind, minute, hour, lasts, zone: window(kind, f"{minute} {hour} * * *", lasts, timeZone=zone),
            st.sampled_from(["allow", "deny"]),
            st.sampled_from(["0", "30", "*/20"]),
            st.sampled_from(["0", "1", "2", "3", "*"]),
            st.sampled_from(["10m", "1h", "8h"]),
            st.sampled_from(["UTC", BERLIN, "America/New_York"]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["03-28 20:00", "10-24 20:00", "03-08 04:00", "11-01 04:00"]),
)
def test_until_is_the_first_minute_with_another_answer(windows: list[dict[str, object]], start: str) -> None:
    known, shop, now = project(*windows), application(), at(start)
    sync = known.look(shop, now)
    minutes = min(timedelta(hours=8), (sync.until or at("12-31 00:00")) - now) // MINUTE

    for number in range(0, minutes, 61):
        assert known.look(shop, now + MINUTE * number).may_auto is sync.may_auto
    if sync.until is not None:
        assert known.look(shop, sync.until - MINUTE / 60).may_auto is sync.may_auto
        assert known.look(shop, sync.until).may_auto is not sync.may_auto


def test_the_window_that_decides_is_told_in_words() -> None:
    sync = project(
        window("allow", "0 20 * * *", manualSync=True), window("deny", "0 9 * * *", "8h", timeZone=BERLIN)
    ).look(application(), NINE)

    assert sync.message == (
        "sync window deny '0 9 * * *' for 8h (Europe/Berlin) of AppProject web holds every sync back "
        "until 2026-11-27 20:00 UTC"
    )


def test_a_window_that_lets_a_person_through_says_so() -> None:
    sync = project(window("deny", "0 8 * * *", manualSync=True)).look(application(), NINE)

    assert sync.message.endswith("holds automatic syncs back until 2026-11-27 10:00 UTC")


def test_windows_are_equal_when_they_say_the_same() -> None:
    assert project(window("deny", ON)) == project(window("deny", ON))
    assert project(window("deny", ON)) != project(window("deny", OFF))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*window("deny", ON), "clusters", "timeZone"]), JSON)
def test_garbage_anywhere_never_stops_the_reading_nor_the_judging(field: str, garbage: Any) -> None:
    project({**window("deny", ON), field: garbage}).look(application(), NINE)
    SyncWindows.parse({"spec": {"syncWindows": garbage}}).look(application(), NINE)


@given(st.text(alphabet="ab*?[]{},!-\\^.é", max_size=12))
def test_any_text_is_a_glob_or_matches_nothing(glob: str) -> None:
    project({**window("deny", ON), "applications": [glob]}).look(application("ab"), NINE)
