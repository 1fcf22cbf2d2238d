"""Status can always be written, and always be read again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.api.status import (
    ApplicationStatus,
    Approved,
    Bundle,
    Condition,
    FirstSeen,
    HistoryEntry,
    Quarantined,
    Status,
    Verdict,
    in_short,
)

NOW = "2026-11-24T04:26:50Z"

FULL = Status(
    observed_generation=3,
    conditions=(
        Condition(
            type="Ready",
            status="True",
            reason="UpToDate",
            message="shop runs 1.0.3",
            last_transition_time=NOW,
            observed_generation=3,
        ),
    ),
    summary="shop runs 1.0.3, the newest that ~1.0 allows",
    target="shop",
    current=Bundle(tag="1.0.3", digest="sha256:4d5b", version="1.0.3", chart="shop"),
    candidate=Bundle(tag="1.0.4"),
    applications=(
        ApplicationStatus(
            name="shop",
            source=0,
            current="1.0.3",
            previous="1.0.2",
            target="1.0.3",
            phase="Healthy",
            since=NOW,
            deadline=NOW,
            last_healthy="1.0.2",
            fallback="1.0.2",
            reverts=(NOW,),
            message="all is well",
        ),
    ),
    verdicts=(Verdict(tag="1.0.3", version="1.0.3", reason="Current", message="it runs"),),
    history=(
        HistoryEntry(
            tag="1.0.3",
            digest="sha256:4d5b",
            version="1.0.3",
            time=NOW,
            healthy_since=NOW,
            healthy_until=NOW,
            message="moved shop",
        ),
    ),
    quarantine=(
        Quarantined(tag="1.0.1", digest="sha256:5a11", reason="Degraded", message="shop is Degraded", since=NOW),
    ),
    first_seen=(FirstSeen(digest="sha256:4d5b", tag="1.0.3", time=NOW),),
    approved=(Approved(tag="1.0.3", digest="sha256:4d5b"),),
    next_transition=NOW,
    last_handled_reconcile_at="now",
    last_handled_resume_at="then",
    last_handled_retry_at="1.0.1 again",
)


def test_what_was_written_is_read_again() -> None:
    assert Status.parse(FULL.to_dict()) == FULL


def test_it_is_written_in_the_spelling_of_kubernetes() -> None:
    written: Any = FULL.to_dict()

    assert written["observedGeneration"] == 3
    assert written["conditions"][0]["lastTransitionTime"] == NOW
    assert written["applications"][0]["source"] == 0
    assert written["lastHandledReconcileAt"] == "now"


def test_what_is_absent_or_empty_is_not_written() -> None:
    assert Status().to_dict() == {}
    assert Status(current=Bundle(tag="1.0.3")).to_dict() == {"current": {"tag": "1.0.3"}}


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(None, id="nothing"),
        pytest.param("text", id="text"),
        pytest.param({"conditions": "all well"}, id="text-for-a-list"),
        pytest.param({"conditions": [{"type": "Ready"}]}, id="half-a-condition"),
        pytest.param({"current": {"tag": None}}, id="null-for-a-tag"),
        pytest.param({"observedGeneration": -1}, id="negative-generation"),
        pytest.param({"applications": [{"name": "shop", "since": "yesterday"}]}, id="a-time-in-words"),
    ],
)
def test_a_status_full_of_nonsense_is_a_lost_one(lost: object) -> None:
    assert Status.parse(lost) == Status()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FULL.to_dict(), "tag", "name", "type"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_nothing_in_a_status_can_stop_the_reader(body: object) -> None:
    read = Status.parse(body)

    assert Status.parse(read.to_dict()) == read


def test_a_text_too_long_or_wild_is_cut_and_cleaned_and_never_refused() -> None:
    status = Status(
        summary="s" * 5000,
        verdicts=(Verdict(tag="t" * 500, reason="NotAChart", message="layer\n\x00 of type " + "x" * 2000),),
    )

    assert status.summary is not None
    assert len(status.summary) == 1024
    assert len(status.verdicts[0].tag) == 128
    assert status.verdicts[0].message is not None
    assert status.verdicts[0].message.startswith("layer   of type xxx")
    assert len(status.verdicts[0].message) == 1024


def test_lists_end_at_their_bound() -> None:
    status = Status(
        applications=tuple(ApplicationStatus(name=f"shop-{number}") for number in range(600)),
        verdicts=tuple(Verdict(tag=f"1.0.{number}", reason="Superseded") for number in range(20)),
        history=tuple(HistoryEntry(tag=f"1.0.{number}") for number in range(20)),
        quarantine=tuple(Quarantined(tag=f"1.0.{number}", reason="Degraded") for number in range(120)),
        first_seen=tuple(FirstSeen(digest=f"sha256:{number}", tag="1", time=NOW) for number in range(70)),
        approved=tuple(Approved(tag=f"1.0.{number}", digest="sha256:4d5b") for number in range(20)),
    )

    assert (len(status.applications), len(status.verdicts), len(status.history)) == (500, 10, 10)
    assert (len(status.quarantine), len(status.first_seen), len(status.approved)) == (100, 64, 10)
    assert status.history[0].tag == status.quarantine[0].tag == status.approved[0].tag == "1.0.0"


def test_the_largest_status_fits_into_an_object() -> None:
    text, tag, digest = "ж" * 5000, "t" * 128, "sha512:" + "d" * 128
    status = Status(
        applications=tuple(
            ApplicationStatus(
                name=f"{number:0253}",
                uid="64fa4331-f0b8-4116-8ee3-2cab0e38f5ba",
                source=0,
                current=text,  # whatever a person has written there
                previous=text,
                target=tag,  # and what may be one of ours
                last_healthy=tag,
                fallback=tag,
                phase="ApplicationNotFound",
                since=NOW,
                deadline=NOW,
                reverts=(NOW,) * 3,
                message="x" * 300,
            )
            for number in range(500)
        ),
        verdicts=tuple(Verdict(tag=text, version=text, reason=text, message=text) for _ in range(10)),
        history=tuple(HistoryEntry(tag=text, digest=text, version=text, message=text) for _ in range(10)),
        quarantine=tuple(
            Quarantined(tag=tag, digest=digest, reason="SyncFailed", message="x" * 1024, since=NOW) for _ in range(100)
        ),
        first_seen=tuple(FirstSeen(digest=digest, tag=tag, time=NOW) for _ in range(64)),
        approved=tuple(Approved(tag=tag, digest=digest) for _ in range(10)),
    )

    # etcd takes requests of 1.5 MiB by default
    assert len(str(status.to_dict()).encode()) < 1.5 * 1024 * 1024


@pytest.mark.parametrize(
    ("names", "text"),
    [([], None), (["shop"], "shop"), (["shop", "b"], "shop (+1)"), (["shop", "b", "c"], "shop (+2)")],
)
def test_applications_in_short(names: list[str], text: str | None) -> None:
    assert in_short(names) == text
