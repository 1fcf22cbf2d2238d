"""What failed goes nowhere: by tag and digest, until one of the two is another, or a person says so."""

from bundlewatch.api.status import QUARANTINE_MAX
from bundlewatch.api.v1alpha1 import Quarantined
from bundlewatch.rollout.quarantine import Quarantine, of_marker

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def entry(tag: str = "1.0.1", digest: str | None = A, **different: str) -> Quarantined:
    return Quarantined(tag=tag, digest=digest, reason="Degraded", **different)


def test_the_bundle_is_kept_from_going_under_any_tag() -> None:
    kept = Quarantine((entry(),))

    assert kept.entry(tag="1.0.1", digest=A) == entry()
    assert kept.entry(tag="latest", digest=A) == entry()
    assert kept.entry(tag="1.0.2", digest=B) is None


def test_another_digest_under_the_tag_is_another_bundle() -> None:
    kept = Quarantine((entry(),))

    assert kept.entry(tag="1.0.1", digest=B) is None
    assert kept.seen(tag="1.0.1", digest=B) == Quarantine()
    assert kept.seen(tag="1.0.1", digest=A) == kept
    assert kept.seen(tag="1.0.2", digest=B) == kept


def test_without_a_digest_the_tag_is_kept_from_going() -> None:
    kept = Quarantine((entry(digest=None),))

    assert kept.entry(tag="1.0.1", digest=B) is not None
    assert kept.seen(tag="1.0.1", digest=B) == kept


def test_a_person_lifts_all_of_a_tag_and_nothing_else() -> None:
    kept = Quarantine((entry(), entry(digest=B), entry("1.0.2", B)))

    assert kept.retried("1.0.1") == Quarantine((entry("1.0.2", B),))


def test_what_is_entered_twice_stays_as_it_was_first() -> None:
    kept = Quarantine((entry(message="first"),))

    assert kept.add(entry(message="second")) == kept


def test_the_newest_are_kept() -> None:
    kept = Quarantine()
    for number in range(QUARANTINE_MAX + 5):
        kept = kept.add(entry(f"1.0.{number}", None))

    assert len(kept.entries) == QUARANTINE_MAX
    assert kept.entries[0].tag == f"1.0.{QUARANTINE_MAX + 4}"


def test_a_marker_tells_whoever_remembers_nothing() -> None:
    found = of_marker(f"1.0.1@{A}", application="shop", now="2026-11-24T12:00:00Z")

    assert found is not None
    assert (found.tag, found.digest, found.reason) == ("1.0.1", A, "TakenBack")
    assert of_marker("1.0.1@", application="shop", now="2026-11-24T12:00:00Z") == Quarantined(
        tag="1.0.1", reason="TakenBack", message=found.message, since="2026-11-24T12:00:00Z"
    )
    assert of_marker("", application="shop", now="") is None
