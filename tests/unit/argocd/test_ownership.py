"""One BundleWatch per source, and a maker that would put the version back is known before the first write."""

import itertools
from typing import Any

import pytest
import yaml

from bundlewatch.argocd.application import Application, parse
from bundlewatch.argocd.ownership import (
    Claim,
    Maker,
    MakerKind,
    ignore_rule,
    maker_of,
    warning,
    winner,
)

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
SET = {"ownerReferences": [{"kind": "ApplicationSet", "name": "shops", "controller": True}]}


def application(*sources: dict[str, str], **metadata: Any) -> Application:
    spec = {"sources": list(sources)} if sources else {"source": HELM}
    return parse({"metadata": {"namespace": "argocd", "name": "shop", **metadata}, "spec": spec})


def tracked(tracking_id: str) -> dict[str, Any]:
    return {"annotations": {"argocd.argoproj.io/tracking-id": tracking_id}}


def claim(name: str, created: str, uid: str) -> Claim:
    return Claim(namespace="argocd", name=name, uid=uid, creation_timestamp=created)


def test_the_oldest_wins_then_the_uid_and_never_the_order_of_asking() -> None:
    claims = [
        claim("younger", "2026-11-24T00:00:01Z", "a"),
        claim("oldest", "2026-11-23T23:59:59Z", "c"),
        claim("as-old", "2026-11-23T23:59:59Z", "d"),
        claim("not-stored-yet", "", "0"),
    ]

    assert {winner(order).name for order in itertools.permutations(claims)} == {"oldest"}


@pytest.mark.parametrize(
    ("metadata", "maker"),
    [
        pytest.param(SET, ("ApplicationSet", "argocd", "shops", True), id="ApplicationSet"),
        pytest.param(
            {"ownerReferences": [{"kind": "ApplicationSet", "name": "shops"}]}, None, id="it refers, and rules not"
        ),
        pytest.param(
            tracked("apps:argoproj.io/Application:argocd/shop"),
            ("Application", "argocd", "apps", True),
            id="parent by annotation",
        ),
        pytest.param(
            tracked("team_apps:argoproj.io/Application:argocd/shop"),
            ("Application", "team", "apps", True),
            id="parent in another namespace",
        ),
        pytest.param(tracked("apps:argoproj.io/Application:argocd/other"), None, id="annotation copied along"),
        pytest.param(tracked("apps:apps/Deployment:x/shop"), None, id="tracked as something else"),
        pytest.param(
            {"labels": {"app.kubernetes.io/instance": "apps"}},
            ("Application", "argocd", "apps", False),
            id="perhaps a parent by label",
        ),
        pytest.param({"labels": {"app.kubernetes.io/instance": "shop"}}, None, id="labelled with its own name"),
        pytest.param({}, None, id="nobody"),
    ],
)
def test_who_made_an_application(metadata: dict[str, Any], maker: tuple[str, str, str, bool] | None) -> None:
    found = maker_of(application(**metadata))

    assert (found and (str(found.kind), found.namespace, found.name, found.certain)) == maker


def test_a_parent_lives_where_argo_cd_does() -> None:
    body = {
        "metadata": {"namespace": "team", "name": "shop", **tracked("apps:argoproj.io/Application:team/shop")},
        "status": {"controllerNamespace": "argocd"},
    }

    found = maker_of(parse(body))

    assert found is not None
    assert (found.namespace, found.name) == ("argocd", "apps")


def rule(chosen: Application, *, index: int = 0, kind: MakerKind = MakerKind.APPLICATION_SET) -> dict[str, Any]:
    maker = Maker(kind=kind, namespace="argocd", name="maker", certain=True)
    return dict(ignore_rule(chosen, chosen.sources[index], maker=maker))


def test_the_rule_for_an_application_set() -> None:
    assert rule(application()) == {
        "spec": {
            "ignoreApplicationDifferences": [{"name": "shop", "jsonPointers": ["/spec/source/targetRevision"]}],
        }
    }


def test_the_rule_for_a_parent_holds_in_its_syncs_too() -> None:
    ignored = {
        "group": "argoproj.io",
        "kind": "Application",
        "name": "shop",
        "namespace": "argocd",
        "jsonPointers": ["/spec/source/targetRevision"],
    }
    assert rule(application(), kind=MakerKind.PARENT_APPLICATION) == {
        "spec": {"ignoreDifferences": [ignored], "syncPolicy": {"syncOptions": ["RespectIgnoreDifferences=true"]}}
    }


def test_the_rule_for_one_of_several_sources_picks_it_by_what_it_is() -> None:
    several = application(HELM, {"repoURL": 'oci://r/"x"', "path": ".", "name": "web"})

    by_chart, by_name = (rule(several, index=index) for index in (0, 1))

    assert by_chart["spec"]["ignoreApplicationDifferences"][0]["jqPathExpressions"] == [
        '.spec.sources[] | select(.repoURL == "registry.example.com/shop" and .chart == "bundle") | .targetRevision'
    ]
    assert by_name["spec"]["ignoreApplicationDifferences"][0]["jqPathExpressions"] == [
        '.spec.sources[] | select(.repoURL == "oci://r/\\"x\\"" and .name == "web") | .targetRevision'
    ]


@pytest.mark.parametrize(
    ("metadata", "start"),
    [
        (SET, "ApplicationSet argocd/shops owns Application argocd/shop and puts its targetRevision back; add to that"),
        (
            tracked("apps:argoproj.io/Application:argocd/shop"),
            "Application argocd/apps owns Application argocd/shop and puts its targetRevision back; add to that",
        ),
        ({"labels": {"app.kubernetes.io/instance": "apps"}}, "if Argo CD tracks by label, Application argocd/apps"),
    ],
)
def test_the_warning_is_one_line_that_ends_in_the_rule_to_paste(metadata: dict[str, Any], start: str) -> None:
    chosen = application(**metadata)
    maker = maker_of(chosen)
    assert maker is not None

    text = warning(chosen, chosen.sources[0], maker=maker)

    assert text.startswith(start)
    assert text.isprintable()
    pasted = text.partition(f"add to that {maker.kind}: ")[2]
    assert yaml.safe_load(pasted) == ignore_rule(chosen, chosen.sources[0], maker=maker)
