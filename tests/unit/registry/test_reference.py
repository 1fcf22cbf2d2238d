"""References: what people write, and what it stands for or why it is refused."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.errors import InvalidReference
from bundlewatch.registry.reference import (
    Repository,
    is_digest,
    is_tag,
    parse_host,
    parse_reference,
    parse_repository,
    tags_among,
)
from unit.registry.hard_cases import rows

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize("case", rows("references", identify="text"))
def test_a_repository_is_read_or_refused_with_what_is_wrong(case: dict[str, str]) -> None:
    if "error" in case:
        with pytest.raises(InvalidReference, match=re.escape(case["error"])) as refused:
            parse_repository(case["text"])
        assert "\n" not in str(refused.value)
        assert "\x1b" not in str(refused.value)
        assert len(str(refused.value)) < 400
    else:
        repository = parse_repository(case["text"])
        assert str(repository) == case["repository"]
        assert repository.api_host == case["api_host"]


@pytest.mark.parametrize("parse", [parse_repository, parse_reference, parse_host])
@pytest.mark.parametrize(
    "text",
    [
        "robot:hunter2@registry.example.com/shop",
        "https://robot:hunter2@registry.example.com/shop:1.0.0",
        "docker://robot:hunter2@registry.example.com/shop",
        "oci://https://robot:hunter2@registry.example.com/shop",
        "oci://robot:hunter2@registry.example.com/shop",
        "robot:hunter2@registry.example.com",
        "robot:hunter2@registry.example.com:5000",
        "robot:hunter2@registry",
        "robot:hunter2 @registry.example.com/shop",
        "robot:hunter2ä@registry.example.com/shop",
        "robot:hunter2/x@registry.example.com/shop",
        "robot:x@hunter2@registry.example.com/shop",
        f"robot:hunter2@registry.example.com/shop@{DIGEST}",
        f"robot:hunter2@registry.example.com/Shop:1@{DIGEST}",
        f"https://robot:hunter2@registry.example.com/shop@{DIGEST}",
        "robot:hunter2@",
    ],
)
def test_a_password_before_an_at_sign_is_not_repeated(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        parse(text)
    assert "hunter2" not in str(refused.value)
    assert "robot" not in str(refused.value)


def test_what_stands_before_a_digest_is_repeated() -> None:
    with pytest.raises(InvalidReference, match=r"^'r\.io/a@sha256:0+' is no repository: it names a digest"):
        parse_repository(f"r.io/a@{DIGEST}")


component = st.from_regex(r"[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)
host = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,8}){1,2}(:[1-9][0-9]{0,3})?", fullmatch=True)
repositories = st.builds(
    lambda name, path: f"{name}/{'/'.join(path)}", host, st.lists(component, min_size=2, max_size=4)
)


@given(repositories.filter(lambda text: len(text) <= 255))
def test_a_canonical_name_reads_back_as_itself(text: str) -> None:
    repository = parse_repository(text)
    assert parse_repository(str(repository)) == repository
    assert parse_repository(f"oci://{text}") == repository


@given(st.text(max_size=300))
def test_any_text_is_a_repository_or_an_invalid_reference(text: str) -> None:
    try:
        repository = parse_repository(text)
    except InvalidReference:
        return
    assert str(repository).isascii()
    assert parse_repository(str(repository)) == repository


def test_long_names_are_refused_in_no_time() -> None:
    started = time.process_time()
    for text in ("r.io/" + "a" * 100_000 + "!", "r.io/" + "a-" * 50_000, "a" * 100_000 + ":" * 1000, "[" * 100_000):
        with pytest.raises(InvalidReference):
            parse_repository(text)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "tag", "digest"),
    [
        ("r.io/a", None, None),
        ("r.io:5000/a", None, None),
        ("r.io/a:1.0", "1.0", None),
        ("r.io:5000/a:1.0", "1.0", None),
        (f"r.io/a@{DIGEST}", None, DIGEST),
        (f"oci://r.io/a:1.0@{DIGEST}", "1.0", DIGEST),
        (f"[::1]:5000/a:v1@{DIGEST}", "v1", DIGEST),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_reference_has_a_tag_a_digest_both_or_neither(text: str, tag: str | None, digest: str | None) -> None:
    reference = parse_reference(text)
    assert (reference.tag, reference.digest) == (tag, digest)
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "r.io/a:",
        "r.io/a:.x",
        "r.io/a:" + "x" * 129,
        "r.io/a@",
        "r.io/a@sha256:00",
        "r.io/a@md5:" + "0" * 32,
        "r.io/a:x:y",
    ],
)
def test_a_bad_tag_or_digest_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse_reference(text)


@pytest.mark.parametrize("tag", ["1.0.0", "_", "a" * 128, "1.0.0_build.5", "v1-rc.1", "sha256-" + "0" * 64 + ".sig"])
def test_what_a_tag_can_be(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize("text", ["", ".a", "-a", "a" * 129, "a+b", "a/b", "a\n", "ä", "\uff11", "a b", "a\x00"])
def test_what_a_tag_cannot_be(text: str) -> None:
    assert not is_tag(text)


@pytest.mark.parametrize(
    "text", ["sha256:" + "A" * 64, "sha256:" + "0" * 63, DIGEST + "\n", "sha1:" + "0" * 40, "0" * 64]
)
def test_what_no_digest_is(text: str) -> None:
    assert not is_digest(text)


def test_docker_hub_has_one_name() -> None:
    names = ["nginx", "docker.io/nginx", "library/nginx", "docker.io:443/library/nginx", "oci://index.docker.io/nginx"]
    assert {parse_repository(name) for name in names} == {Repository("docker.io", "library/nginx")}


@given(
    st.lists(
        st.sampled_from(["1.0.0", "latest", "a" * 128, "a" * 129, "", "-x", "a\nb", "a\n", "\n", "v1+b"])
        | st.text(max_size=4)
    )
)
def test_of_many_the_tags_are_those_that_are_tags_one_by_one(names: list[str]) -> None:
    assert tags_among(names) == [name for name in names if is_tag(name)]
