"""Whether a maker leaves alone what we write: by its own rules, as people write them, and never by a guess."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.argocd.application import Application, parse
from bundlewatch.argocd.ignore_rules import keeps_annotations, leaves_alone
from bundlewatch.argocd.ownership import Maker, MakerKind, ignore_rule

HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
GIT = {"repoURL": "https://git.example.com/values.git", "targetRevision": "main", "ref": "values"}
SET = Maker(kind=MakerKind.APPLICATION_SET, namespace="argocd", name="shops", certain=True)
PARENT = Maker(kind=MakerKind.PARENT_APPLICATION, namespace="argocd", name="apps", certain=True)
RESPECTED = {"automated": {"selfHeal": True}, "syncOptions": ["CreateNamespace=true", "RespectIgnoreDifferences=true"]}


def application(*sources: dict[str, str]) -> Application:
    spec = {"sources": list(sources)} if sources else {"source": HELM}
    return parse({"metadata": {"namespace": "argocd", "name": "shop", "uid": "u-1"}, "spec": spec})


SINGLE = application()
SEVERAL = application(GIT, HELM)


def application_set(*rules: object, **spec: object) -> dict[str, Any]:
    """As the API server gives one."""
    template = {
        "metadata": {"name": "{{.name}}", "annotations": {"bundlewatch.dev/allow": "web/shop"}},
        "spec": {"project": "default", "source": HELM, "destination": {"name": "{{.cluster}}"}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"namespace": "argocd", "name": "shops", "uid": "s-1", "resourceVersion": "8"},
        "spec": {
            "goTemplate": True,
            "generators": [{"list": {"elements": [{"name": "shop", "cluster": "prod"}]}}],
            "template": template,
            **({"ignoreApplicationDifferences": list(rules)} if rules else {}),
            **spec,
        },
        "status": {"resourcesCount": 1},
    }


def parent(*rules: object, policy: object = RESPECTED) -> dict[str, Any]:
    source = {"repoURL": "https://git.example.com/apps.git", "path": "apps", "targetRevision": "main"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"namespace": "argocd", "name": "apps", "uid": "p-1"},
        "spec": {"project": "default", "source": source, "ignoreDifferences": list(rules), "syncPolicy": policy},
        "status": {"sync": {"status": "Synced"}},
    }


def of_applications(**rule: object) -> dict[str, object]:
    return {"group": "argoproj.io", "kind": "Application", **rule}


POINTER = {"jsonPointers": ["/spec/source/targetRevision"]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(application_set(), False, id="no rule at all"),
        pytest.param(application_set(POINTER), True, id="the field, of all Applications"),
        pytest.param(application_set({"name": "shop", **POINTER}), True, id="the field, of this one"),
        pytest.param(application_set({"name": "", **POINTER}), True, id="the field, of an empty name"),
        pytest.param(application_set({"name": "other", **POINTER}), False, id="of another Application"),
        pytest.param(application_set({"name": "sho", **POINTER}), False, id="of one whose name begins alike"),
        pytest.param(application_set({"jsonPointers": ["/spec/source"]}), True, id="the whole source"),
        pytest.param(application_set({"jsonPointers": ["/spec"]}), True, id="the whole spec"),
        pytest.param(application_set({"jsonPointers": ["/spec/source/target"]}), False, id="a part of the name"),
        pytest.param(application_set({"jsonPointers": ["spec/source"]}), False, id="no pointer"),
        pytest.param(application_set({"jsonPointers": [""]}), False, id="an empty pointer"),
        pytest.param(application_set({"jsonPointers": ["/spec/syncPolicy"]}), False, id="another field"),
        pytest.param(application_set({"jsonPointers": ["/spec/sources/0/targetRevision"]}), False, id="of a list"),
        pytest.param(application_set({"jqPathExpressions": [".spec.source.targetRevision"]}), True, id="by jq"),
        pytest.param(application_set({"jqPathExpressions": [".spec.source"]}), True, id="the whole source by jq"),
        pytest.param(application_set({"jqPathExpressions": [".spec.source.helm"]}), False, id="something else by jq"),
        pytest.param(
            application_set({"jqPathExpressions": [".spec.sources[] | .targetRevision"]}), False, id="of a list by jq"
        ),
        pytest.param(
            application_set({"name": "other", **POINTER}, {"jqPathExpressions": [".. | .targetRevision?"]}),
            True,
            id="the second rule does",
        ),
        pytest.param(application_set(syncPolicy={"applicationsSync": "create-only"}), True, id="create-only"),
        pytest.param(application_set(syncPolicy={"applicationsSync": "create-delete"}), True, id="create-delete"),
        pytest.param(application_set(syncPolicy={"applicationsSync": "create-update"}), False, id="create-update"),
        pytest.param(application_set(syncPolicy={"applicationsSync": "sync"}), False, id="sync"),
        pytest.param(application_set("no rule", 7, None, {"jsonPointers": "/spec"}), False, id="rules of wrong shape"),
        pytest.param(application_set(ignoreApplicationDifferences={"a": 1}), False, id="no list of rules"),
        pytest.param(
            application_set({"name": ["shop"], "jsonPointers": [None, 7, {}], "jqPathExpressions": [{}]}),
            False,
            id="texts of wrong shape",
        ),
    ],
)
def test_an_application_set(body: dict[str, Any], *, expected: bool) -> None:
    assert leaves_alone(body, SINGLE, SINGLE.sources[0], maker=SET) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(parent(of_applications(**POINTER)), True, id="the field, of all Applications"),
        pytest.param(parent(of_applications(name="shop", namespace="argocd", **POINTER)), True, id="of this one"),
        pytest.param(parent(of_applications(managedFieldsManagers=["bundlewatch"])), True, id="what we own"),
        pytest.param(parent(of_applications(managedFieldsManagers=["kubectl"])), False, id="what another owns"),
        pytest.param(parent({"group": "*", "kind": "*", **POINTER}), True, id="of everything"),
        pytest.param(parent(of_applications(jqPathExpressions=[".spec.source.targetRevision"])), True, id="by jq"),
        pytest.param(parent(of_applications(name="other", **POINTER)), False, id="of another Application"),
        pytest.param(parent(of_applications(namespace="other", **POINTER)), False, id="of another namespace"),
        pytest.param(parent({"kind": "Application", **POINTER}), False, id="without the group"),
        pytest.param(
            parent({"group": "argoproj.io/v1alpha1", "kind": "Application", **POINTER}), False, id="group and version"
        ),
        pytest.param(parent({"group": "apps", "kind": "Deployment", **POINTER}), False, id="of another kind"),
        pytest.param(parent(), False, id="no rule"),
        pytest.param(parent(of_applications(**POINTER), policy=None), False, id="hidden only, and overwritten"),
        pytest.param(
            parent(of_applications(**POINTER), policy={"syncOptions": ["RespectIgnoreDifferences=false"]}),
            False,
            id="hidden only, on purpose",
        ),
        pytest.param(
            parent({"group": ["argoproj.io"], "kind": {}, "managedFieldsManagers": "bundlewatch"}, "x", None),
            False,
            id="rules of wrong shape",
        ),
    ],
)
def test_a_parent(body: dict[str, Any], *, expected: bool) -> None:
    assert leaves_alone(body, SINGLE, SINGLE.sources[0], maker=PARENT) is expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param({"jsonPointers": ["/spec/sources/1/targetRevision"]}, True, id="the field"),
        pytest.param({"jsonPointers": ["/spec/sources/1"]}, True, id="the source"),
        pytest.param({"jsonPointers": ["/spec/sources"]}, True, id="all sources"),
        pytest.param({"jsonPointers": ["/spec/sources/0/targetRevision"]}, False, id="another source"),
        pytest.param({"jsonPointers": ["/spec/sources/10"]}, False, id="a source with a longer number"),
        pytest.param({"jsonPointers": ["/spec/source/targetRevision"]}, False, id="the one that does not count"),
        pytest.param({"jqPathExpressions": [".spec.sources"]}, True, id="all sources by jq"),
        pytest.param({"jqPathExpressions": [".spec.sources[]"]}, True, id="each source by jq"),
        pytest.param(
            {"jqPathExpressions": ['.spec.sources[] | select(.chart == "bundle")']}, True, id="picked sources by jq"
        ),
        pytest.param({"jqPathExpressions": [".spec.sources[] | .helm.values"]}, False, id="something else by jq"),
        pytest.param({"jqPathExpressions": [".spec.source.targetRevision"]}, False, id="by jq, but of the one"),
    ],
)
def test_one_of_several_sources(rule: dict[str, Any], *, expected: bool) -> None:
    for body, maker in ((application_set(rule), SET), (parent(of_applications(**rule)), PARENT)):
        assert leaves_alone(body, SEVERAL, SEVERAL.sources[1], maker=maker) is expected


@pytest.mark.parametrize("maker", [SET, PARENT], ids=["ApplicationSet", "parent"])
@pytest.mark.parametrize(("chosen", "index"), [(SINGLE, 0), (SEVERAL, 1)], ids=["one source", "one of several"])
def test_the_rule_that_we_spell_out_is_recognised(chosen: Application, index: int, maker: Maker) -> None:
    source = chosen.sources[index]

    assert leaves_alone(ignore_rule(chosen, source, maker=maker), chosen, source, maker=maker) is True


@pytest.mark.parametrize("body", [None, {}, [], "x", {"spec": None}, {"spec": []}])
def test_nothing_is_claimed_of_a_maker_that_could_not_be_read(body: object) -> None:
    assert leaves_alone(body, SINGLE, SINGLE.sources[0], maker=SET) is None
    assert leaves_alone(body, SINGLE, SINGLE.sources[0], maker=PARENT) is None
    assert keeps_annotations(body, SINGLE, ["bundlewatch.dev/version"], maker=SET) is None


FIELDS = """
    spec ignoreDifferences ignoreApplicationDifferences syncPolicy syncOptions applicationsSync preservedFields
    annotations name namespace group kind jsonPointers jqPathExpressions managedFieldsManagers
"""
WORDS = ["", "shop", "argoproj.io", "Application", "/spec", ".spec", "RespectIgnoreDifferences=true"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=5),
    max_leaves=12,
)


@given(ANYTHING)
def test_no_body_makes_it_fail(body: object) -> None:
    for maker in (SET, PARENT):
        for spec in (body, {"spec": body}):
            assert leaves_alone(spec, SEVERAL, SEVERAL.sources[1], maker=maker) in {True, False, None}
            assert keeps_annotations(spec, SINGLE, ["bundlewatch.dev/version"], maker=maker) in {True, False, None}


KEYS = ["bundlewatch.dev/version", "bundlewatch.dev/watch"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(application_set(), False, id="removes what is foreign"),
        pytest.param(application_set(preservedFields={"annotations": [*KEYS, "x"]}), True, id="told to preserve them"),
        pytest.param(application_set(preservedFields={"annotations": KEYS[:1]}), False, id="told of one of two"),
        pytest.param(application_set(preservedFields={"labels": KEYS}), False, id="told of labels"),
        pytest.param(application_set(preservedFields={"annotations": "bundlewatch.dev/"}), False, id="wrong shape"),
        pytest.param(
            application_set({"jsonPointers": [f"/metadata/annotations/{key.replace('/', '~1')}" for key in KEYS]}),
            True,
            id="by pointers",
        ),
        pytest.param(application_set({"jsonPointers": ["/metadata/annotations"]}), True, id="all annotations"),
        pytest.param(application_set({"jqPathExpressions": [".metadata.annotations"]}), True, id="all by jq"),
        pytest.param(application_set(syncPolicy={"applicationsSync": "create-only"}), True, id="create-only"),
    ],
)
def test_whether_a_set_keeps_our_annotations(body: dict[str, Any], *, expected: bool) -> None:
    assert keeps_annotations(body, SINGLE, KEYS, maker=SET) is expected


def test_a_parent_keeps_annotations_it_did_not_set() -> None:
    assert keeps_annotations(parent(), SINGLE, KEYS, maker=PARENT) is True
