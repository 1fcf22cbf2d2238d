"""A tag is written as its kind of source wants it, and what Argo CD cannot deploy is said before it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.argocd.application import Source
from bundlewatch.argocd.matching import SourceKind
from bundlewatch.argocd.spelling import Problem, chart_fits, preflight, tag_of, target_revision


def source(repo_url: str, chart: str | None) -> Source:
    return Source(index=0, name=None, repo_url=repo_url, chart=chart, path=None, ref=None, target_revision=None)


HELM = source("registry.example.com/shop", "bundle")
NATIVE = source("oci://registry.example.com/shop/bundle/", None)


@pytest.mark.parametrize(
    ("tag", "helm", "native"),
    [
        ("1.2.3", "1.2.3", "1.2.3"),
        ("1.2.3_b1", "1.2.3+b1", "1.2.3_b1"),
        ("v1.2.3-rc.1_b1", "v1.2.3-rc.1+b1", "v1.2.3-rc.1_b1"),
        ("latest", "latest", "latest"),
    ],
)
def test_a_tag_is_spelled_as_its_source_wants_it(tag: str, helm: str, native: str) -> None:
    assert target_revision(tag, SourceKind.HELM_OCI) == helm
    assert target_revision(tag, SourceKind.NATIVE_OCI) == native


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("1.2.3+b1", "1.2.3_b1"),
        ("1.2.3_b1", "1.2.3_b1"),
        ("1.2.3@sha256:" + "0" * 64, "1.2.3"),
        ("~1.0", "~1.0"),
        ("sha256:" + "0" * 64, "sha256:" + "0" * 64),
    ],
)
def test_the_tag_is_read_back(text: str, tag: str) -> None:
    assert tag_of(text) == tag


@given(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True), st.sampled_from(SourceKind))
def test_every_tag_survives_the_way_there_and_back(tag: str, kind: SourceKind) -> None:
    assert tag_of(target_revision(tag, kind)) == tag


def checked(
    where: Source, *, tag: str = "1.0.0", is_version: bool = True, chart_name: str = "bundle", legacy: bool = False
) -> Problem | None:
    return preflight(where, tag=tag, is_version=is_version, chart_name=chart_name, legacy_layer=legacy)


@pytest.mark.parametrize("legacy", [False, True], ids=["pushed by helm", "published by werf"])
def test_a_chart_named_like_its_repository_deploys_through_helm(legacy: bool) -> None:  # noqa: FBT001 - of the table
    assert checked(HELM, legacy=legacy) is None
    assert chart_fits("bundle", source("registry.example.com", "shop/bundle/")) is None


def test_a_native_source_takes_any_tag_and_any_name() -> None:
    assert checked(NATIVE, tag="latest", is_version=False, chart_name="whatever") is None


def test_another_chart_name_names_the_flag_that_cures_it() -> None:
    problem = checked(HELM, chart_name="shop")

    assert problem is not None
    assert problem.reason == "ChartNameMismatch"
    assert problem.message == (
        "the chart is named 'shop', but its repository ends in 'bundle', and Argo CD looks for a directory of "
        "that name in the archive: publish with `werf bundle publish --helm-compatible-chart`, or set "
        "`name: bundle` in Chart.yaml"
    )


def test_a_tag_that_is_no_version_cannot_pass_through_helm() -> None:
    problem = checked(HELM, tag="latest", is_version=False)

    assert problem is not None
    assert problem.reason == "NotDeployable"
    assert "tag 'latest' is no version" in problem.message
    assert "`werf bundle publish --tag 1.2.3`" in problem.message


def test_a_werf_layer_behind_a_native_source_spells_out_the_source_that_works() -> None:
    problem = checked(NATIVE, legacy=True)

    assert problem is not None
    assert problem.reason == "NotDeployable"
    assert "application/tar+gzip" in problem.message
    assert "`repoURL: registry.example.com/shop` (without oci://) and `chart: bundle`" in problem.message
    assert "--helm-compatible-chart" in problem.message


def test_names_out_of_a_registry_reach_a_message_short_and_printable() -> None:
    problem = checked(HELM, chart_name="evil\x1b[31m\n" + "x" * 5000)

    assert problem is not None
    assert problem.message.isprintable()
    assert len(problem.message) < 500
