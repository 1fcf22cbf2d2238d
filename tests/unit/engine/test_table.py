"""What is known of the cluster: never older than it was, and who concerns whom."""

import pytest

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import parse
from bundlewatch.engine.table import Table, Unreadable
from bundlewatch.errors import InvalidSpec
from unit.engine.world import application, application_body, watch, watch_body

NAME = ("argocd", "shop")


def version(number: str, **metadata: object) -> dict[str, object]:
    return {"resourceVersion": number, **metadata}


@pytest.mark.parametrize(
    ("known", "next_one", "taken"),
    [
        pytest.param("9", "10", True, id="newer, as a number"),
        pytest.param("10", "9", False, id="older, as a number"),
        pytest.param("10", "10", True, id="the same again"),
        pytest.param("abc", "abd", True, id="no numbers: nobody can tell"),
    ],
)
def test_an_older_version_never_replaces_a_newer_one(
    known: str,
    next_one: str,
    taken: bool,  # noqa: FBT001
) -> None:
    table = Table()
    table.put_watch(watch(metadata=version(known)))
    table.put_application(application(metadata=version(known)))

    newer = application(metadata=version(next_one))
    assert table.put_watch(watch(metadata=version(next_one))) is taken
    assert (table.put_application(newer) is newer) is not taken

    assert table.watches[NAME].resource_version == (next_one if taken else known)
    assert table.applications[NAME].resource_version == (next_one if taken else known)


def test_putting_an_application_gives_the_one_before() -> None:
    table, first, second = Table(), application(metadata=version("1")), application(metadata=version("2"))

    assert table.put_application(first) is None
    assert table.put_application(second) is first


def test_a_successor_of_the_same_name_replaces_its_predecessor() -> None:
    table = Table()
    table.put_watch(watch(metadata=version("10")))
    table.put_application(application(metadata=version("10")))

    assert table.put_watch(watch(metadata=version("11", uid="uid-of-the-successor")))
    table.put_application(application(metadata=version("11", uid="uid-of-the-successor")))

    assert table.uids() == {"uid-of-the-successor"}


def test_what_is_told_late_of_a_predecessor_does_not_erase_its_successor() -> None:
    table = Table()
    table.put_watch(watch(metadata=version("13", uid="uid-of-the-successor")))
    table.put_application(application(metadata=version("13", uid="uid-of-the-successor")))

    late = application(metadata=version("11"))
    assert not table.put_watch(watch(metadata=version("11")))
    assert table.put_application(late) is late
    assert not table.drop_watch(NAME, uid="uid-of-shop")
    assert not table.drop_application(NAME, uid="uid-of-application-shop")

    assert table.uids() == {"uid-of-the-successor"}


def test_the_end_of_a_predecessor_does_not_remove_its_successor() -> None:
    table = Table()
    table.put_watch(watch(metadata={"uid": "uid-of-the-successor"}))
    table.put_application(application(metadata={"uid": "uid-of-the-successor"}))

    assert not table.drop_watch(NAME, uid="uid-of-shop")
    assert not table.drop_application(NAME, uid="uid-of-application-shop")

    assert table.uids() == {"uid-of-the-successor"}


def test_what_was_dropped_concerns_nobody_any_more() -> None:
    table, found = Table(), application()
    table.put_watch(watch())
    table.put_application(found)

    assert table.drop_watch(NAME, uid="uid-of-shop")
    assert table.drop_application(NAME, uid="uid-of-application-shop")

    assert list(table.concerned(found)) == []
    assert table.named("argocd") == {}
    assert table.uids() == frozenset()


BY_LABEL = [{"selector": {"matchLabels": {"team": "web"}}}]
LABELLED = {"labels": {"team": "web"}}


@pytest.mark.parametrize(
    ("about", "meant"),
    [
        pytest.param(watch(), ["shop"], id="by name"),
        pytest.param(watch(applications=BY_LABEL), ["front", "shop"], id="by label"),
        pytest.param(watch(applications=[{"selector": {}}]), ["back", "front", "shop"], id="everybody"),
        pytest.param(watch(applications=[{"name": "shop"}, *BY_LABEL]), ["front", "shop"], id="both ways, each once"),
        pytest.param(watch(applications=[{"name": "nobody"}]), [], id="nobody"),
        pytest.param(watch(metadata={"namespace": "elsewhere"}), [], id="never in another namespace"),
    ],
)
def test_who_is_meant_and_who_is_concerned_are_the_same_relation(about: BundleWatch, meant: list[str]) -> None:
    table = Table()
    table.put_watch(about)
    for name, labels in (("shop", LABELLED), ("front", LABELLED), ("back", {})):
        table.put_application(application(name, metadata=labels))

    assert sorted(found.name for found in table.meant_by(about)) == meant
    concerned = [name for (_, name), found in table.applications.items() for _ in table.concerned(found)]
    assert sorted(concerned) == meant


def test_a_changed_spec_changes_whom_it_concerns() -> None:
    table = Table()
    table.put_watch(watch(metadata=version("1"), applications=[{"name": "shop"}]))
    table.put_watch(watch(metadata=version("2"), applications=BY_LABEL))

    assert list(table.concerned(application("shop"))) == []
    assert [found.name for found in table.concerned(application("front", metadata=LABELLED))] == ["shop"]


def test_a_watch_that_cannot_be_read_is_known_but_means_nobody() -> None:
    table = Table()
    table.put_watch(watch(metadata=version("1")))
    body = watch_body(metadata=version("2"))
    unreadable = Unreadable.of_body(body, error=InvalidSpec("spec.interval must be a duration"))
    table.put_application(parse(application_body()))

    assert table.put_watch(unreadable)

    assert table.uids() == {"uid-of-shop", "uid-of-application-shop"}
    assert table.meant_by(unreadable) == []
    assert list(table.concerned(application())) == []
