"""Events: told once, in words the API server takes."""

from bundlewatch.cluster.events import Notice, Subject, body

SHOP = Subject("bundlewatch.dev/v1alpha1", "BundleWatch", "argocd", "shop", "uid-1")


def notice(message: str = "moved Application shop to 1.0.1", began: str = "2026-01-01T00:00:00Z") -> Notice:
    return Notice(SHOP, "Normal", "Moved", message, began)


def name(of: Notice) -> str:
    written = body(of, now="2026-01-02T00:00:00Z", instance="pod-1")
    return str(written["metadata"]["name"])


def test_a_notice_that_is_posted_twice_has_the_same_name_so_that_it_is_shown_once() -> None:
    assert name(notice()) == name(notice())


def test_what_is_told_for_another_time_or_in_other_words_has_another_name() -> None:
    assert name(notice()) != name(notice(began="2026-01-01T00:00:01Z"))
    assert name(notice()) != name(notice(message="moved Application shop to 1.0.2"))


def test_a_message_is_cut_to_what_the_api_server_takes_without_splitting_a_character() -> None:
    written = body(notice(message="é" * 2000), now="2026-01-02T00:00:00Z", instance="pod-1")

    assert len(written["message"].encode()) <= 1024
    assert set(written["message"]) == {"é"}
