"""A bundle waits for what it has to wait for, in order, and the message tells a tired person what to do."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api import gates as api
from bundlewatch.api.status import APPROVED_MAX, FIRST_SEEN_MAX, Approved, FirstSeen
from bundlewatch.policy.gates import (
    Approval,
    Candidate,
    Gates,
    Soak,
    Waiting,
    approve,
    first_seen_of,
    note_first_seen,
)
from bundlewatch.policy.verdict import Reason

NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)
BUNDLE = Candidate(tag="1.0.4", digest="sha256:bbbb", version="1.0.4")
GRANTED = Approval(granted=True, recorded=())
REFUSED = Approval(granted=False, recorded=())
COMMAND = "kubectl annotate bundlewatch shop -n argocd --overwrite bundlewatch.dev/approve=1.0.4"
STAGING, CANARY = api.Upstream(name="shop-staging", soak="2h"), api.Upstream(name="shop-canary")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def compiled(gates: api.Gates) -> Gates:
    return Gates.compile(gates, name="shop", namespace="argocd")


def why_not(gates: api.Gates, **known: Any) -> Waiting | None:
    asked = {"approval": REFUSED, "first_seen": NOW, "upstreams": {}, "now": NOW, **known}
    return compiled(gates).why_not(BUNDLE, **asked)


def test_without_gates_everything_goes() -> None:
    assert why_not(api.Gates()) is None
    assert compiled(api.Gates()).closed(NOW) is None


def test_the_gates_are_asked_in_order() -> None:
    all_of_them = api.Gates(approval="Manual", min_age="1h", after=(STAGING,))

    reasons = [
        waiting and waiting.reason
        for waiting in (
            why_not(all_of_them),
            why_not(all_of_them, approval=GRANTED),
            why_not(all_of_them, approval=GRANTED, first_seen=NOW - hours(1)),
            why_not(
                all_of_them,
                approval=GRANTED,
                first_seen=NOW - hours(1),
                upstreams={"shop-staging": Soak(met=True, message="has")},
            ),
        )
    ]

    assert reasons == [Reason.AWAITING_APPROVAL, Reason.TOO_YOUNG, Reason.AWAITING_UPSTREAM, None]


def test_a_bundle_that_nobody_has_approved_asks_for_it_with_the_whole_command() -> None:
    waiting = why_not(api.Gates(approval="Manual"))

    assert waiting == Waiting(
        reason=Reason.AWAITING_APPROVAL, message=f"1.0.4 waits for a person's approval: {COMMAND}", until=None
    )


def test_a_tag_that_was_pushed_anew_after_its_approval_asks_for_what_it_is_now() -> None:
    approval = approve([Approved(tag="1.0.4", digest="sha256:aaaa")], "1.0.4", tag="1.0.4", digest="sha256:bbbb")

    waiting = why_not(api.Gates(approval="Manual"), approval=approval)

    assert waiting is not None
    assert waiting.message == (
        "1.0.4 was approved as sha256:aaaa, but is sha256:bbbb now: it was pushed anew. "
        f"To approve what it is now: {COMMAND}@sha256:bbbb"
    )


def test_a_digest_that_was_asked_for_and_never_seen_may_be_mistyped() -> None:
    approval = approve([], "1.0.4@sha256:aaaa", tag="1.0.4", digest="sha256:bbbb")

    waiting = why_not(api.Gates(approval="Manual"), approval=approval)

    assert waiting is not None
    assert waiting.message == (
        "1.0.4 was approved as sha256:aaaa, but is sha256:bbbb now: it was pushed anew since, or the digest was "
        f"mistyped. To approve what it is now: {COMMAND}@sha256:bbbb"
    )


@pytest.mark.parametrize(
    ("age", "until"),
    [
        pytest.param(hours(0), NOW + hours(1), id="just seen"),
        pytest.param(hours(0.5), NOW + hours(0.5), id="half of it"),
        pytest.param(hours(1), None, id="to the second"),
        pytest.param(hours(2), None, id="long ago"),
    ],
)
def test_a_bundle_must_be_as_old_as_is_asked(age: timedelta, until: datetime | None) -> None:
    waiting = why_not(api.Gates(min_age="1h"), first_seen=NOW - age)

    assert (waiting and waiting.until) == until


def test_a_bundle_that_is_too_young_says_from_when_and_until_when() -> None:
    waiting = why_not(api.Gates(min_age="1h"), first_seen=NOW)

    assert waiting is not None
    assert waiting.message == (
        "1.0.4 must be 1h old: it was first seen 2026-11-27 03:00 UTC and may go 2026-11-27 04:00 UTC"
    )


def test_a_bundle_whose_first_time_is_not_known_counts_from_now() -> None:
    waiting = why_not(api.Gates(min_age="1h"), first_seen=None)

    assert waiting is not None
    assert waiting.until == NOW + hours(1)


@pytest.mark.parametrize(
    "known",
    [{"first_seen": NOW - hours(0.1)}, {"first_seen": None}, {"first_seen": NOW}],
    ids=["seen", "not seen", "just seen"],
)
def test_no_message_ticks(known: dict[str, Any]) -> None:
    gates = api.Gates(min_age="1h")
    now, later = (why_not(gates, **known, now=moment) for moment in (NOW, NOW + hours(0.25)))

    assert now is not None
    assert later is not None
    assert now.message == later.message


@pytest.mark.parametrize(
    ("staging", "canary", "until"),
    [
        pytest.param(Soak(met=True, message=""), Soak(met=True, message=""), "met", id="both have"),
        pytest.param(
            Soak(met=False, message="a", until=NOW + hours(1)),
            Soak(met=True, message=""),
            NOW + hours(1),
            id="one lacks",
        ),
        pytest.param(
            Soak(met=False, message="a", until=NOW + hours(1)),
            Soak(met=False, message="b", until=NOW + hours(3)),
            NOW + hours(3),
            id="the later one counts",
        ),
        pytest.param(
            Soak(met=False, message="a", until=NOW + hours(1)),
            Soak(met=False, message="b"),
            None,
            id="one will not by itself",
        ),
    ],
)
def test_every_upstream_has_to_have_had_it(staging: Soak, canary: Soak, until: object) -> None:
    waiting = why_not(api.Gates(after=(STAGING, CANARY)), upstreams={"shop-staging": staging, "shop-canary": canary})

    assert (waiting.until if waiting else "met") == until


def test_every_upstream_that_lacks_it_is_named() -> None:
    waiting = why_not(
        api.Gates(after=(STAGING, CANARY)), upstreams={"shop-staging": Soak(met=False, message="has it in quarantine")}
    )

    assert waiting is not None
    assert waiting.message == (
        "1.0.4 must be healthy elsewhere first: BundleWatch shop-staging has it in quarantine; "
        "BundleWatch shop-canary has not been looked at yet"
    )


OFFICE = api.Window(name="office hours", kind="Allow", schedule="0 9 * * 1-5", duration="8h", time_zone="Europe/Berlin")
FREEZE = api.Window(name="freeze", kind="Deny", schedule="0 0 20 11 *", duration="240h")


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        pytest.param(
            (OFFICE,),
            "Applications are not moved outside of window office hours, "
            "until 2026-11-27 08:00 UTC (09:00 Europe/Berlin)",
            id="an allow",
        ),
        pytest.param(
            (OFFICE, FREEZE), "Applications are not moved within window freeze, until 2026-11-30 08:00 UTC", id="a deny"
        ),
        pytest.param(
            (api.Window(kind="Deny", schedule="* * * * *", duration="1m"),),
            "Applications are not moved within window '* * * * *', until after 2 years or for ever: "
            "change spec.gates.windows, or set spec.pin",
            id="for ever",
        ),
    ],
)
def test_a_closed_window_says_until_when_in_both_clocks(windows: tuple[api.Window, ...], message: str) -> None:
    waiting = compiled(api.Gates(windows=windows)).closed(NOW)

    assert waiting is not None
    assert (waiting.reason, waiting.message) == (Reason.OUTSIDE_WINDOW, message)


OLD = Approved(tag="1.0.3", digest="sha256:aaaa")
NEW = Approved(tag="1.0.4", digest="sha256:bbbb")
ANOTHER = Approved(tag="1.0.4", digest="sha256:cccc")


@pytest.mark.parametrize(
    ("recorded", "annotation", "expected"),
    [  # of 1.0.4, which is sha256:bbbb
        pytest.param([], None, Approval(granted=False, recorded=()), id="nobody has"),
        pytest.param([], "1.0.4", Approval(granted=True, recorded=(NEW,)), id="by tag, and what it is is remembered"),
        pytest.param([], "1.0.3", Approval(granted=False, recorded=()), id="another tag"),
        pytest.param([OLD], None, Approval(granted=False, recorded=(OLD,)), id="another tag was"),
        pytest.param(
            [Approved(tag="stable", digest="sha256:bbbb")],
            None,
            Approval(granted=False, recorded=(Approved(tag="stable", digest="sha256:bbbb"),)),
            id="the same bundle under another tag",
        ),
        pytest.param([NEW], None, Approval(granted=True, recorded=(NEW,)), id="the annotation is gone"),
        pytest.param([NEW], "1.0.5", Approval(granted=True, recorded=(NEW,)), id="the next one is approved as well"),
        pytest.param([OLD], "1.0.4", Approval(granted=True, recorded=(NEW, OLD)), id="the newest comes first"),
        pytest.param(
            [ANOTHER],
            "1.0.4",
            Approval(granted=False, recorded=(ANOTHER,), approved_digest="sha256:cccc"),
            id="pushed anew",
        ),
        pytest.param(
            [ANOTHER],
            "1.0.4@sha256:bbbb",
            Approval(granted=True, recorded=(NEW, ANOTHER)),
            id="pushed anew and approved anew",
        ),
        pytest.param(
            [NEW, ANOTHER], "1.0.4", Approval(granted=True, recorded=(NEW, ANOTHER)), id="both were approved in turn"
        ),
        pytest.param([], "1.0.4@sha256:bbbb", Approval(granted=True, recorded=(NEW,)), id="by tag and digest"),
        pytest.param(
            [],
            "1.0.4@sha256:cccc",
            Approval(granted=False, recorded=(), approved_digest="sha256:cccc"),
            id="another digest is meant",
        ),
        pytest.param([], "1.0.4@", Approval(granted=False, recorded=()), id="half a digest"),
        pytest.param([], "1.0.3@sha256:bbbb", Approval(granted=False, recorded=()), id="the digest by another tag"),
    ],
)
def test_what_is_approved(recorded: Sequence[Approved], annotation: str | None, expected: Approval) -> None:
    assert approve(recorded, annotation, tag="1.0.4", digest="sha256:bbbb") == expected


def test_the_newest_approvals_are_kept() -> None:
    recorded = [Approved(tag=f"0.{number}.0", digest="sha256:aaaa") for number in range(APPROVED_MAX)]

    kept = approve(recorded, "1.0.4", tag="1.0.4", digest="sha256:bbbb").recorded

    assert [each.tag for each in kept] == ["1.0.4", *(each.tag for each in recorded[:-1])]


def seen_at(number: int, hour: int, tag: str = "") -> FirstSeen:
    return FirstSeen(digest=f"sha256:{number}", tag=tag or f"1.0.{number}", time=f"2026-11-26T{hour:02}:00:00Z")


def test_what_is_new_counts_from_now_and_what_is_known_keeps_its_time() -> None:
    noted = note_first_seen([seen_at(1, 8)], [("1.0.2", "sha256:2"), ("1.0.1", "sha256:1")], NOW)

    assert noted == (FirstSeen(digest="sha256:2", tag="1.0.2", time="2026-11-27T03:00:00Z"), seen_at(1, 8))


def test_a_bundle_keeps_the_oldest_of_its_times_under_whatever_tag() -> None:
    noted = note_first_seen([seen_at(1, 9, "rc"), seen_at(1, 8, "beta")], [("1.0.1", "sha256:1")], NOW)

    assert first_seen_of(noted, "sha256:1") == datetime(2026, 11, 26, 8, tzinfo=UTC)
    assert len(noted) == 1


def test_what_is_seen_no_more_is_kept_while_there_is_room_and_goes_first() -> None:
    gone, seen = seen_at(999, 1), [(f"1.0.{number}", f"sha256:{number}") for number in range(FIRST_SEEN_MAX)]

    assert gone in note_first_seen([gone], seen[:-1], NOW)
    assert gone not in note_first_seen([gone], seen, NOW)


def test_a_time_that_cannot_be_read_counts_from_now() -> None:
    broken = FirstSeen(digest="sha256:1", tag="1.0.1", time="2026-13-45T00:00:00Z")

    assert first_seen_of([broken], "sha256:1") is None
    assert first_seen_of(note_first_seen([broken], [("1.0.1", "sha256:1")], NOW), "sha256:1") == NOW


@given(st.lists(st.integers(0, 80), max_size=80), st.lists(st.integers(0, 80), max_size=80))
def test_noting_the_same_again_changes_nothing(before: list[int], seen: list[int]) -> None:
    pairs = [(f"1.0.{number}", f"sha256:{number}") for number in seen]
    once = note_first_seen([seen_at(number, number % 24) for number in before], pairs, NOW)

    assert note_first_seen(once, pairs, NOW + hours(1)) == once
    assert len(once) <= FIRST_SEEN_MAX
    assert {digest for _, digest in pairs[:10]} <= {entry.digest for entry in once}
