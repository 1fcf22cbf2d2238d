"""A BundleWatch moves the sources that it means, that deploy from its repository, and that nobody older owns."""

from collections.abc import Sequence
from typing import Any

import pytest

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application, parse
from bundlewatch.rollout.targets import Target, Unmet, find_targets

REPOSITORY = "registry.example.com/shop/bundle"
HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": ".", "targetRevision": "1.0.0"}
OTHER = {"repoURL": "registry.example.com/shop", "chart": "other", "targetRevision": "1.0.0"}
GIT = {"repoURL": "https://git.example.com/shop.git", "path": "deploy", "targetRevision": "main"}

EARLIER, LATER = "2026-11-24T00:00:00Z", "2026-11-24T00:00:01Z"


def watch(
    *applications: dict[str, Any],
    name: str = "shop-watch",
    uid: str = "m",
    created: str = EARLIER,
    repository: str = REPOSITORY,
    insecure: bool = False,
) -> BundleWatch:
    return BundleWatch.parse(
        {
            "metadata": {"namespace": "argocd", "name": name, "uid": uid, "creationTimestamp": created},
            "spec": {
                "repository": repository,
                "access": {"insecure": insecure},
                "applications": list(applications) or [{"name": "shop"}],
            },
        }
    )


def application(*sources: dict[str, str], name: str = "shop", team: str | None = None, **metadata: Any) -> Application:
    labels = {} if team is None else {"team": team}
    spec = {"sources": list(sources)} if len(sources) > 1 else {"source": (sources or (HELM,))[0]}
    return parse({"metadata": {"namespace": "argocd", "name": name, "labels": labels, **metadata}, "spec": spec})


def aim(
    wanted: BundleWatch, *applications: Application, rivals: Sequence[BundleWatch] = ()
) -> tuple[tuple[Target, ...], tuple[Unmet, ...]]:
    return find_targets(wanted, applications={found.name: found for found in applications}, rivals=lambda _: rivals)


def team(name: str) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"team": name}}}


def moved(wanted: BundleWatch, *applications: Application, rivals: Sequence[BundleWatch] = ()) -> list[tuple[str, int]]:
    """The keys of the targets, of a BundleWatch all of whose wishes can be met."""
    targets, unmet = aim(wanted, *applications, rivals=rivals)
    assert not unmet
    return [target.key for target in targets]


def missed(wanted: BundleWatch, *applications: Application, rivals: Sequence[BundleWatch] = ()) -> Unmet:
    """The one wish that cannot be met, of a BundleWatch that moves nothing."""
    targets, (unmet,) = aim(wanted, *applications, rivals=rivals)
    assert not targets
    return unmet


@pytest.mark.parametrize(
    ("source", "kind"),
    [pytest.param(HELM, "Helm-OCI", id="Helm-OCI"), pytest.param(NATIVE, "native OCI", id="native OCI")],
)
def test_an_application_is_found_by_name_and_its_source_by_repository(source: dict[str, str], kind: str) -> None:
    found = application(GIT, source)

    (target,), unmet = aim(watch({"name": "shop"}), found, application(name="other"))

    assert (target.application, target.source, str(target.kind)) == (found, found.sources[1], kind)
    assert unmet == ()


def test_an_application_that_is_not_there_is_waited_for() -> None:
    unmet = missed(watch({"name": "shop"}), application(name="ship"))

    assert (unmet.key, unmet.reason, unmet.waits) == (("shop", None), "ApplicationNotFound", True)
    assert unmet.message == ("there is no Application argocd/shop; create it, or correct the name in spec.applications")


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param({"matchLabels": {"team": "web"}}, ["alike", "shop"], id="by labels"),
        pytest.param({}, ["alike", "foreign", "plain", "shop"], id="all of the namespace"),
        pytest.param({"matchLabels": {"team": "none"}}, [], id="labels that none carries"),
    ],
)
def test_a_selector_finds_all_that_carry_its_labels_and_deploy_from_the_repository(
    selector: dict[str, Any], names: list[str]
) -> None:
    targets = moved(
        watch({"selector": selector}),
        application(team="web"),
        application(GIT, NATIVE, name="alike", team="web"),
        application(OTHER, name="elsewhere", team="web"),
        application(name="foreign", team="data"),
        application(name="plain"),
    )

    assert [name for name, _ in targets] == names


def test_an_application_meant_by_name_and_by_label_is_one_target() -> None:
    assert moved(watch({"name": "shop"}, team("web")), application(team="web")) == [("shop", 0)]


def test_an_application_that_deploys_from_elsewhere_is_no_target() -> None:
    unmet = missed(watch({"name": "shop"}), application(OTHER))

    assert (unmet.key, unmet.reason, unmet.waits) == (("shop", None), "NoMatchingSource", False)
    assert unmet.message == (
        f"no source of Application argocd/shop deploys from {REPOSITORY}: source 0 is Helm-OCI "
        "registry.example.com/shop (repository registry.example.com/shop/other); correct spec.repository of the "
        "BundleWatch, or the source of the Application"
    )


def test_an_application_whose_version_stands_in_git_is_no_target() -> None:
    hydrated = parse(
        {"metadata": {"namespace": "argocd", "name": "shop"}, "spec": {"source": HELM, "sourceHydrator": {}}}
    )

    unmet = missed(watch({"name": "shop"}), hydrated)

    assert (unmet.key, unmet.reason, unmet.waits) == (("shop", None), "UnsupportedApplication", False)
    assert "deploy the chart by spec.source or spec.sources instead" in unmet.message


def test_an_application_that_is_being_deleted_is_left_alone() -> None:
    unmet = missed(watch({"name": "shop"}), application(deletionTimestamp="2026-11-24T00:00:00Z"))

    assert (unmet.key, unmet.reason, unmet.waits) == (("shop", 0), "ApplicationDeleting", True)
    assert unmet.message == "Application shop is being deleted"


WEB, API = HELM | {"name": "web"}, HELM | {"name": "api"}


@pytest.mark.parametrize(
    ("source", "index"),
    [
        pytest.param("web", 1, id="by name"),
        pytest.param(2, 2, id="by index"),
        pytest.param("2", 2, id="by index written as text"),
    ],
)
def test_of_several_matching_sources_the_one_that_was_asked_for_is_moved(source: int | str, index: int) -> None:
    assert moved(watch({"name": "shop", "source": source}), application(GIT, WEB, API)) == [("shop", index)]


def test_more_applications_than_status_has_room_for_are_left_alone_and_counted() -> None:
    shops = [application(name=f"shop-{number:03}") for number in range(503)]

    targets, (unmet,) = aim(watch({"selector": {}}), *shops)

    assert [target.application.name for target in targets] == [f"shop-{number:03}" for number in range(500)]
    assert (unmet.reason, unmet.waits) == ("TooManyApplications", False)
    assert unmet.message.startswith("503 Applications are meant and one BundleWatch follows 500: from shop-500 on")


def test_what_is_named_and_selected_too_is_meant_as_it_is_named() -> None:
    both = watch({"name": "shop", "source": "web"}, {"selector": {}})

    assert moved(both, application(GIT, WEB, API)) == [("shop", 1)]


@pytest.mark.parametrize(
    ("wish", "reason", "cure"),
    [
        pytest.param({}, "SeveralMatchingSources", "set applications[].source to one of 'web', 'api'", id="none asked"),
        pytest.param({"source": "wob"}, "NoMatchingSource", "there is 'web', 'api'; set it to that", id="not there"),
        pytest.param({"source": 0}, "NoMatchingSource", "has another repository", id="from elsewhere"),
    ],
)
@pytest.mark.parametrize("meant", [{"name": "shop"}, {"selector": {}}], ids=["by name", "by selector"])
def test_where_several_sources_match_and_none_of_them_is_meant_the_choice_is_given(
    meant: dict[str, Any], wish: dict[str, Any], reason: str, cure: str
) -> None:
    unmet = missed(watch(meant | wish), application(GIT, WEB, API))

    assert (unmet.key, unmet.reason, unmet.waits) == (("shop", None), reason, False)
    assert cure in unmet.message


@pytest.mark.parametrize(
    ("ours", "theirs", "owned"),
    [
        pytest.param({"created": EARLIER}, {"created": LATER}, True, id="we are older"),
        pytest.param({"created": LATER}, {"created": EARLIER}, False, id="they are older"),
        pytest.param({"created": LATER, "uid": "a"}, {"created": EARLIER, "uid": "b"}, False, id="age before uid"),
        pytest.param({"uid": "a"}, {"uid": "b"}, True, id="as old, and our uid is lower"),
        pytest.param({"uid": "b"}, {"uid": "a"}, False, id="as old, and theirs is lower"),
    ],
)
def test_of_two_who_want_one_source_the_older_owns_it(
    ours: dict[str, Any], theirs: dict[str, Any], *, owned: bool
) -> None:
    one, two = watch(**ours), watch(name="other", **{"uid": "z", **theirs})

    assert [
        bool(targets) for targets, _ in (aim(one, application(), rivals=[two]), aim(two, application(), rivals=[one]))
    ] == [
        owned,
        not owned,
    ]


def test_who_comes_later_is_told_who_owns_it_and_what_to_change() -> None:
    older = [watch(name="old", uid="o", created=EARLIER), watch(name="older", uid="p", created="2020-01-01T00:00:00Z")]

    unmet = missed(watch(created=LATER), application(), rivals=older)

    assert (unmet.key, unmet.reason, unmet.waits) == (("shop", 0), "Conflict", False)
    assert unmet.message == (
        "Application shop is already moved by BundleWatch older, which is older; "
        "take it out of spec.applications of one of the two"
    )


@pytest.mark.parametrize(
    ("rival", "conflict"),
    [
        pytest.param({"applications": [{"name": "shop", "source": "web"}]}, True, id="the same source"),
        pytest.param({"applications": [team("web") | {"source": 1}]}, True, id="the same source by label and index"),
        pytest.param({"applications": [{"name": "shop", "source": "api"}]}, False, id="another source of it"),
        pytest.param({"applications": [{"name": "shop"}]}, False, id="nobody knows which source"),
        pytest.param({"applications": [team("data") | {"source": "web"}]}, False, id="other labels"),
        pytest.param({"applications": [{"name": "ship", "source": "web"}]}, False, id="another Application"),
        pytest.param(
            {"applications": [{"name": "shop"}], "repository": "registry.example.com/shop/other"},
            False,
            id="another repository",
        ),
        pytest.param(
            {"applications": [{"name": "ship"}, {"name": "shop", "source": "web"}]}, True, id="by its second wish"
        ),
    ],
)
def test_only_who_wants_the_very_same_source_is_a_rival(rival: dict[str, Any], *, conflict: bool) -> None:
    others = {key: value for key, value in rival.items() if key != "applications"}
    older = watch(*rival["applications"], name="older", uid="o", **others)

    targets, unmet = aim(
        watch({"name": "shop", "source": "web"}, created=LATER),
        application(OTHER, WEB, API, team="web"),
        rivals=[older],
    )

    assert (not targets, [miss.reason for miss in unmet]) == (conflict, ["Conflict"] if conflict else [])


@pytest.mark.parametrize(
    ("repository", "source"),
    [
        pytest.param("docker.io/acme/shop", {"repoURL": "registry-1.docker.io/acme", "chart": "shop"}, id="registry-1"),
        pytest.param("index.docker.io/acme/shop", {"repoURL": "docker.io/acme", "chart": "shop"}, id="index"),
        pytest.param(
            "oci://registry-1.docker.io/acme/shop", {"repoURL": "oci://docker.io/acme/shop", "path": "."}, id="native"
        ),
        pytest.param("docker.io/shop", {"repoURL": "docker.io/library", "chart": "shop"}, id="library left out"),
    ],
)
def test_the_names_of_docker_hub_are_one(repository: str, source: dict[str, str]) -> None:
    found = application(source)

    assert moved(watch({"name": "shop"}, repository=repository), found) == [("shop", 0)]
    assert moved(watch({"selector": {}}, repository=repository), found) == [("shop", 0)]


def test_two_spellings_of_docker_hub_still_are_rivals() -> None:
    found = application({"repoURL": "registry-1.docker.io/acme", "chart": "shop"})
    older = watch(name="older", uid="o", repository="index.docker.io/acme/shop")

    assert missed(watch(created=LATER, repository="docker.io/acme/shop"), found, rivals=[older]).reason == "Conflict"


@pytest.mark.parametrize(
    ("insecure", "found"), [pytest.param(True, [("shop", 0)], id="plain HTTP"), pytest.param(False, [], id="HTTPS")]
)
def test_port_80_goes_without_saying_by_plain_http_alone(found: list[tuple[str, int]], *, insecure: bool) -> None:
    wanted = watch({"selector": {}}, repository="registry.example.com:80/shop/bundle", insecure=insecure)

    assert moved(wanted, application()) == found


def test_targets_and_what_is_missing_come_in_order_of_name() -> None:
    wanted = watch(
        {"name": "zoo"},
        {"name": "shop", "source": "api"},
        team("web") | {"source": "web"},
        {"name": "missing"},
        {"name": "elsewhere"},
        {"name": "absent"},
        {"name": "leaving", "source": "api"},
    )

    targets, unmet = aim(
        wanted,
        application(name="zoo"),
        application(WEB, API, team="web"),
        application(WEB, GIT, name="art", team="web"),
        application(GIT, name="elsewhere"),
        application(WEB, GIT, name="leaving", team="web", deletionTimestamp=LATER),
    )

    assert [target.key for target in targets] == [("art", 0), ("shop", 0), ("shop", 1), ("zoo", 0)]
    assert [miss.key for miss in unmet] == [
        ("absent", None),
        ("elsewhere", None),
        ("leaving", None),
        ("leaving", 0),
        ("missing", None),
    ]
