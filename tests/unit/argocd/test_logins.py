"""Which of Argo CD's Secrets opens a repository; each row says what Argo CD 3.5 does, or why we do less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.argocd.logins import Candidate, find
from bundlewatch.errors import InvalidSecret

REPOSITORY = "registry.example.com/shop/bundle"


def candidate(name: str, kind: str, url: str, **data: str) -> Candidate:
    content = {"url": url, "username": name, "password": "made-up", **data}
    return Candidate(name=name, kind=kind, data={key: value.encode() for key, value in content.items()})


def repository(url: str, name: str = "repository", **data: str) -> Candidate:
    return candidate(name, "repository", url, **data)


def template(url: str, name: str = "repo-creds", **data: str) -> Candidate:
    return candidate(name, "repo-creds", url, **data)


def found(*candidates: Candidate, path: str = REPOSITORY, insecure: bool = False) -> str | None:
    best = find(candidates, repository=path, insecure=insecure)
    return best.name if best is not None else None


@pytest.mark.parametrize(
    ("one", "path"),
    [
        pytest.param(repository("registry.example.com/shop"), REPOSITORY, id="Helm: the charts stand below"),
        pytest.param(repository("registry.example.com"), REPOSITORY, id="Helm: a chart may have several parts"),
        pytest.param(repository("registry.example.com/shop/"), REPOSITORY, id="a slash at the end"),
        pytest.param(repository(" Registry.example.com/Shop"), REPOSITORY, id="capitals and blanks, as Argo CD has it"),
        pytest.param(repository("oci://registry.example.com/shop/bundle"), REPOSITORY, id="native: the whole"),
        pytest.param(repository("OCI://registry.example.com/shop/bundle"), REPOSITORY, id="the scheme in capitals"),
        pytest.param(repository("registry.example.com:443/shop"), REPOSITORY, id="the default port"),
        pytest.param(
            repository("registry.example.com:5000/shop"), "registry.example.com:5000/shop/bundle", id="a port"
        ),
        pytest.param(repository("registry-1.docker.io/shop"), "docker.io/shop/bundle", id="a name of Docker Hub"),
        pytest.param(template("registry.example.com"), REPOSITORY, id="template: the host"),
        pytest.param(template("oci://registry.example.com/shop"), REPOSITORY, id="template: native, above"),
        pytest.param(template("registry.example.com/shop/bundle"), REPOSITORY, id="template: the whole"),
    ],
)
def test_a_secret_opens_what_its_address_is_for(one: Candidate, path: str) -> None:
    assert found(one, path=path) == one.name


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(repository("registry.example.com/other"), id="another path"),
        pytest.param(repository("registry.example.com/sho"), id="a part of a part: Argo CD would send it"),
        pytest.param(template("registry.example.com/shop/bun"), id="template: a part of a part"),
        pytest.param(template("registry.example.co"), id="a part of the host"),
        pytest.param(repository("registry.example.com.evil.example/shop"), id="a longer host"),
        pytest.param(repository("registry.example.com:5000/shop"), id="another port"),
        pytest.param(repository("oci://registry.example.com/shop"), id="native: a repository above"),
        pytest.param(repository("registry.example.com/shop/bundle"), id="Helm: no chart is left"),
        pytest.param(repository("https://registry.example.com/shop"), id="a classic Helm repository"),
        pytest.param(template("https://registry.example.com"), id="a template for Git"),
        pytest.param(template("git@registry.example.com:shop"), id="Git by SSH"),
        pytest.param(template("user@registry.example.com/shop"), id="a user name in the address"),
        pytest.param(template(""), id="no address at all"),
        pytest.param(template("/"), id="no host"),
    ],
)
def test_a_secret_opens_nothing_else(one: Candidate) -> None:
    assert found(one) is None


@pytest.mark.parametrize(
    ("first", "other"),
    [
        pytest.param(
            repository("registry.example.com", "exact"),
            template("oci://registry.example.com/shop/bundle"),
            id="a repository before a template, however long",
        ),
        pytest.param(
            template("registry.example.com/shop", "longer"), template("registry.example.com"), id="the longer template"
        ),
        pytest.param(
            repository("oci://registry.example.com/shop/bundle", "native"),
            repository("registry.example.com/shop"),
            id="the repository itself before the one above",
        ),
        pytest.param(
            repository("registry.example.com/shop", "z-unscoped"),
            repository("registry.example.com/shop", "a-of-a-project", project="web"),
            id="of no project before one of a project",
        ),
        pytest.param(
            repository("registry.example.com/shop", "a", project="web"),
            repository("registry.example.com/shop", "b", project="db"),
            id="in order of name",
        ),
        pytest.param(
            template("registry.example.com", "with a login"),
            repository("registry.example.com/shop", username="", password=""),
            id="a repository without a login inherits a template's",
        ),
    ],
)
def test_of_several_one_is_taken_in_whatever_order_they_come(first: Candidate, other: Candidate) -> None:
    assert found(first, other) == found(other, first) == first.name


def test_by_plain_http_port_80_is_the_default_one() -> None:
    assert found(repository("registry.example.com:80/shop"), insecure=True) == "repository"
    assert found(repository("registry.example.com:80/shop")) is None


def test_a_secret_without_a_login_is_found_too_where_none_has_one() -> None:
    assert found(repository("registry.example.com/shop", username="", password="")) == "repository"


@pytest.mark.parametrize("key", ["url", "project", "useAzureWorkloadIdentity", "insecureOCIForceHttp"])
@pytest.mark.parametrize("kind", ["repository", "repo-creds"])
def test_what_is_no_text_in_somebody_elses_secret_disturbs_nobody(kind: str, key: str) -> None:
    one = repository("registry.example.com/shop", "z")
    broken = {"url": b"registry.example.com/shop", key: b"\xff"}

    assert found(Candidate(name="a", kind=kind, data=broken), one) == "z"


@given(st.lists(st.dictionaries(st.sampled_from(["url", "project", "username", "password"]), st.binary()), max_size=4))
def test_whatever_others_write_into_their_secrets_ours_is_found(contents: list[dict[str, bytes]]) -> None:
    others = [Candidate(name=f"a{number}", kind="repository", data=data) for number, data in enumerate(contents)]

    assert found(*others, repository("registry.example.com/shop", "ours")) == "ours"


def test_a_key_that_is_needed_and_is_no_text_is_said_with_the_secrets_name() -> None:
    broken = Candidate(name="argocd/shop", kind="repository", data={"password": b"\xff"})

    with pytest.raises(InvalidSecret, match="Secret argocd/shop: its key password is not UTF-8"):
        broken.text("password")
