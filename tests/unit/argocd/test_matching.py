"""A source is the watched repository, or it is not: exact in host and path, whatever way it is spelled."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.argocd.application import Application, Source, parse
from bundlewatch.argocd.matching import (
    NoMatchingSource,
    SeveralMatchingSources,
    SourceKind,
    UnsupportedApplication,
    canonical_repository,
    choose_source,
    kind_of,
    repository_of,
)
from bundlewatch.errors import InvalidReference, InvalidSpec

WANTED = "registry.example.com/shop/bundle"
HELM = {"repoURL": "registry.example.com/shop", "chart": "bundle", "targetRevision": "1.0.0"}
NATIVE = {"repoURL": "oci://registry.example.com/shop/bundle", "path": ".", "targetRevision": "1.0.0"}
GIT = {"repoURL": "https://git.example.com/shop.git", "path": "deploy", "targetRevision": "main"}


def source(repo_url: str, chart: str | None = None, *, ref: str | None = None) -> Source:
    return Source(index=0, name=None, repo_url=repo_url, chart=chart, path=None, ref=ref, target_revision="1.0.0")


def application(*sources: dict[str, Any], **spec: object) -> Application:
    return parse({"metadata": {"namespace": "argocd", "name": "shop"}, "spec": {"sources": [*sources], **spec}})


@pytest.mark.parametrize(
    ("repo_url", "chart", "kind", "repository"),
    [
        pytest.param("ghcr.io/org/charts", "app", SourceKind.HELM_OCI, "ghcr.io/org/charts/app", id="helm"),
        pytest.param("ghcr.io", "app", SourceKind.HELM_OCI, "ghcr.io/app", id="helm without a parent path"),
        pytest.param("ghcr.io/org", "team/app", SourceKind.HELM_OCI, "ghcr.io/org/team/app", id="nested chart"),
        pytest.param("ghcr.io/org/", "/app/", SourceKind.HELM_OCI, "ghcr.io/org/app", id="slashes around"),
        pytest.param("oci://ghcr.io/org/app", None, SourceKind.NATIVE_OCI, "ghcr.io/org/app", id="native"),
        pytest.param("OCI://ghcr.io/org/app", None, SourceKind.NATIVE_OCI, "ghcr.io/org/app", id="scheme in caps"),
        pytest.param("oci://ghcr.io/org/app", "app", SourceKind.NATIVE_OCI, "ghcr.io/org/app", id="chart ignored"),
        pytest.param(" oci://ghcr.io/a/b// ", None, SourceKind.NATIVE_OCI, "ghcr.io/a/b", id="spaces and slashes"),
        pytest.param("GHCR.io/Org", "App", SourceKind.HELM_OCI, "ghcr.io/org/app", id="capitals"),
        pytest.param("ghcr.io:443/org", "app", SourceKind.HELM_OCI, "ghcr.io/org/app", id="https port"),
        pytest.param("ghcr.io:80/org", "app", SourceKind.HELM_OCI, "ghcr.io:80/org/app", id="http port by https"),
        pytest.param("localhost:5000/org", "app", SourceKind.HELM_OCI, "localhost:5000/org/app", id="other port"),
        pytest.param("oci://[::1]:5000/a", None, SourceKind.NATIVE_OCI, "[::1]:5000/a", id="an IPv6 address"),
        pytest.param("docker.io", "nginx", SourceKind.HELM_OCI, "docker.io/library/nginx", id="hub, one component"),
        pytest.param("registry-1.docker.io/o", "a", SourceKind.HELM_OCI, "docker.io/o/a", id="hub by registry-1"),
        pytest.param("index.docker.io/o", "a", SourceKind.HELM_OCI, "docker.io/o/a", id="hub by index"),
        pytest.param(
            "oci://registry.hub.docker.com/o/a", None, SourceKind.NATIVE_OCI, "docker.io/o/a", id="hub by registry.hub"
        ),
        pytest.param("oci://ghcr.io/a//b", None, SourceKind.NATIVE_OCI, "ghcr.io/a//b", id="nothing is collapsed"),
        pytest.param("https://charts.example.com", "app", None, None, id="a classic Helm repository"),
        pytest.param("https://git.example.com/x.git", None, None, None, id="Git by https"),
        pytest.param("git@github.com:org/x.git", None, None, None, id="Git by ssh"),
        pytest.param("ssh://git@github.com/org/x", None, None, None, id="Git by an ssh address"),
        pytest.param("ghcr.io/org/app", None, None, None, id="neither scheme nor chart"),
        pytest.param("", "app", SourceKind.HELM_OCI, None, id="no address"),
        pytest.param("ghcr.io/org", "/", SourceKind.HELM_OCI, None, id="a chart of nothing"),
        pytest.param("oci://ghcr.io", None, SourceKind.NATIVE_OCI, None, id="no path"),
        pytest.param("oci://user:secret@ghcr.io/a", None, SourceKind.NATIVE_OCI, None, id="credentials"),
        pytest.param("oci://ghcr.io/a?x=1", None, SourceKind.NATIVE_OCI, None, id="a query"),
        pytest.param("oci://ghcr.io/a#x", None, SourceKind.NATIVE_OCI, None, id="a fragment"),
        pytest.param("oci://ghcr.io/a:1.0", None, SourceKind.NATIVE_OCI, None, id="a tag"),
        pytest.param("oci://ghcr.io/a@sha256:00", None, SourceKind.NATIVE_OCI, None, id="a digest"),
        pytest.param("ghcr.io/org", "app:1.0", SourceKind.HELM_OCI, None, id="a tag within the chart"),
        pytest.param("oci://ghcr.io:http/a", None, SourceKind.NATIVE_OCI, None, id="no port"),
    ],
)
def test_what_a_source_deploys_from(
    repo_url: str, chart: str | None, kind: SourceKind | None, repository: str | None
) -> None:
    found = source(repo_url, chart)

    assert (kind_of(found), repository_of(found)) == (kind, repository)


def test_a_source_that_only_lends_its_files_is_no_source_to_move() -> None:
    assert repository_of(source("oci://ghcr.io/a/b", ref="values")) is None


def test_the_port_of_plain_http_goes_only_where_plain_http_is_asked_for() -> None:
    found = source("ghcr.io:80/org", "app")

    assert repository_of(found, insecure=True) == canonical_repository("ghcr.io/org/app", insecure=True)
    assert repository_of(found) != canonical_repository("ghcr.io/org/app")


@pytest.mark.parametrize(
    "text", ["registry.example.com/shop/bundle", "oci://registry.example.com:443/Shop/bundle/", WANTED.upper()]
)
def test_both_sides_take_the_same_form(text: str) -> None:
    assert canonical_repository(text) == WANTED


@pytest.mark.parametrize(
    "text", ["", "shop", "https://r.example.com/a", "r.example.com/a:1", "u:p@r.example.com/a", "r.example.com/a b"]
)
def test_what_can_be_no_repository_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidReference, match=r"without tag and digest, as in registry\.example\.com/shop/bundle"):
        canonical_repository(text)


@given(st.text(alphabet="abAB./:-_@?# 0123456789", max_size=40))
def test_the_canonical_form_of_a_canonical_form_is_itself(text: str) -> None:
    try:
        once = canonical_repository(text)
    except InvalidReference:
        return
    assert canonical_repository(once) == once


@pytest.mark.parametrize(
    "other",
    [
        {**HELM, "repoURL": "registry.example.com/shop/bundle"},
        {**HELM, "repoURL": "registry.example.com"},
        {**HELM, "chart": "bundle-2"},
        {**NATIVE, "repoURL": "oci://registry.example.com/shop"},
        {**NATIVE, "repoURL": "oci://registry.example.com.evil.test/shop/bundle"},
        {**NATIVE, "repoURL": "oci://registry.example.com:8443/shop/bundle"},
    ],
    ids=lambda other: other["repoURL"] + ("+" + other["chart"] if "chart" in other else ""),
)
def test_a_neighbour_is_never_taken_for_the_repository(other: dict[str, Any]) -> None:
    with pytest.raises(NoMatchingSource):
        choose_source(application(other), repository=WANTED, source=None)


def test_the_only_matching_source_is_chosen_without_a_word() -> None:
    assert choose_source(application(GIT, HELM), repository=WANTED, source=None).index == 1


@pytest.mark.parametrize(
    ("asked", "index"),
    [("web", 1), ("api", 2), (1, 1), (2, 2), ("2", 2)],
    ids=["by name", "by another name", "by index", "by another index", "by index as text"],
)
def test_of_several_matching_sources_the_named_one_is_chosen(asked: int | str, index: int) -> None:
    several = application(GIT, {**HELM, "name": "web"}, {**NATIVE, "name": "api"})

    assert choose_source(several, repository=WANTED, source=asked).index == index


def test_a_name_that_reads_like_an_index_is_a_name() -> None:
    several = application({**HELM, "name": "1"}, {**NATIVE, "name": "0"})

    assert choose_source(several, repository=WANTED, source="0").index == 1
    assert choose_source(several, repository=WANTED, source=0).index == 0


def refused(chosen: Application, asked: int | str | None, error: type[InvalidSpec]) -> str:
    with pytest.raises(error) as caught:
        choose_source(chosen, repository=WANTED, source=asked)
    assert not caught.value.retry
    return str(caught.value)


def test_several_matches_ask_for_one_of_their_names_or_indexes() -> None:
    several = application({**HELM, "name": "web"}, {**NATIVE, "name": "api"}, HELM)

    assert refused(several, None, SeveralMatchingSources) == (
        "3 sources of Application argocd/shop deploy from registry.example.com/shop/bundle: "
        "set applications[].source to one of 'web', 'api', 2"
    )


def test_sources_that_share_a_name_are_offered_by_index() -> None:
    twins = application({**HELM, "name": "web"}, {**NATIVE, "name": "web"})

    assert refused(twins, "web", SeveralMatchingSources).endswith("to one of 0, 1")


def test_no_match_lists_what_every_source_is() -> None:
    others = application(
        {**NATIVE, "repoURL": "oci://registry.example.com/other", "name": "web"},
        GIT,
        {"repoURL": "https://charts.example.com", "chart": "redis", "targetRevision": "1"},
        {"repoURL": "https://git.example.com/v.git", "ref": "values", "targetRevision": "main"},
        {**NATIVE, "repoURL": "oci://registry.example.com/other:1.0"},
    )

    assert refused(others, None, NoMatchingSource) == (
        "no source of Application argocd/shop deploys from registry.example.com/shop/bundle: "
        "source 0 (web) is native OCI oci://registry.example.com/other (repository registry.example.com/other), "
        "source 1 is a Git source (https://git.example.com/shop.git), "
        "source 2 is a classic Helm repository (https://charts.example.com), "
        "source 3 only lends files to others (ref: values), "
        "source 4 is native OCI oci://registry.example.com/other:1.0, which is no repository; "
        "correct spec.repository of the BundleWatch, or the source of the Application"
    )


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ("git", "has another repository"),
        (0, "has another repository"),
        ("web", "does not exist"),
        (7, "does not exist"),
    ],
)
def test_a_wrong_choice_says_what_would_be_right(asked: int | str, what: str) -> None:
    message = refused(application({**GIT, "name": "git"}, HELM), asked, NoMatchingSource)

    assert f"that source of Application argocd/shop {what}" in message
    assert message.endswith("what deploys from registry.example.com/shop/bundle there is 1; set it to that")


def test_a_hydrated_application_is_unsupported_and_says_what_is() -> None:
    hydrated = application(HELM, sourceHydrator={"drySource": {}})

    message = refused(hydrated, None, UnsupportedApplication)

    assert "spec.sourceHydrator" in message
    assert "deploy the chart by spec.source or spec.sources" in message


def test_an_application_without_any_source_says_so() -> None:
    assert "it has no source at all" in refused(application(), None, NoMatchingSource)


@pytest.mark.parametrize(
    "repo_url",
    [
        "https://bot:s3cr3t@git.example.com/shop.git",
        "oci://bot:s3cr3t@registry.example.com/shop",
        "bot:s3cr3t@git.example.com:shop.git",
        "https://git.example.com/shop.git?token=s3cr3t",
        "https://git.example.com/shop.git?a=b@c&token=s3cr3t",
    ],
)
def test_credentials_in_an_address_are_never_repeated(repo_url: str) -> None:
    message = refused(application({**GIT, "repoURL": repo_url}), None, NoMatchingSource)

    assert "s3cr3t" not in message
    assert "example.com" in message


def test_an_endless_list_of_sources_is_cut() -> None:
    message = refused(
        application(*[{**GIT, "repoURL": f"https://{'x' * 5000}/{n}"} for n in range(50)]), None, NoMatchingSource
    )

    assert "and 42 more" in message
    assert len(message) < 2000
