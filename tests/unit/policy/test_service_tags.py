"""What werf and cosign keep in a repository is known by its form; nothing that could be a bundle is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.policy.service_tags import service_tag
from bundlewatch.policy.version import from_tag, parse_loose

HEX_56 = "ab12cd34" * 7
HEX_64 = "0123456789abcdef" * 4
COMMIT = "1b28a9c4" * 5
MILLISECONDS = "1700000000000"


@pytest.mark.parametrize(
    ("tag", "what"),
    [
        pytest.param(f"{HEX_56}-{MILLISECONDS}", "a stage or image of werf", id="stage"),
        pytest.param(HEX_56, "a stage or image of werf", id="multi-platform image"),
        pytest.param(f"{HEX_56}-{MILLISECONDS}-rejected", "werf's mark of a rejected stage", id="rejected stage"),
        pytest.param(f"{HEX_56}-1-rejected", "werf's mark of a rejected stage", id="rejected stage, short time"),
        pytest.param(
            f"meta-1a2b3c4d_{COMMIT}_{HEX_56}-{MILLISECONDS}",
            "werf's record of an image and a commit",
            id="image by commit",
        ),
        pytest.param(f"meta-f_{COMMIT}_{HEX_56}", "werf's record of an image and a commit", id="short hash, no time"),
        pytest.param(
            f"meta-1a2b3c4d_{HEX_64}_{HEX_56}", "werf's record of an image and a commit", id="commit of SHA-256"
        ),
        pytest.param("managed-image-backend", "werf's record of a managed image", id="managed image"),
        pytest.param("managed-image-__nameless__", "werf's record of a managed image", id="nameless managed image"),
        pytest.param("custom-tag-meta-v1-2-3-0a1b2c3d", "werf's record of a custom tag", id="custom tag"),
        pytest.param(f"import-metadata-{HEX_64}", "werf's record of an import", id="import"),
        pytest.param(
            f"client-id-9c1e5f2a-7a3b-4a52-8a57-1c0f3d5e7b9a-{MILLISECONDS}", "werf's record of a client", id="client"
        ),
        pytest.param("sync-server", "werf's record of its synchronization server", id="synchronization server"),
        pytest.param("cleanup", "werf's record of its last cleanup", id="last cleanup"),
        pytest.param("werf-meta-repo-marker-shop", "werf's mark of a repository", id="mark of a repository"),
        pytest.param(
            "image-metadata-by-commit-backend_1b28", "werf 1.1's record of an image and a commit", id="werf 1.1"
        ),
        pytest.param(f"sha256-{HEX_64}", "a signature or attestation", id="referrers fallback"),
        pytest.param(f"sha256-{HEX_64}.sig", "a signature or attestation", id="signature"),
        pytest.param(f"sha256-{HEX_64}.att", "a signature or attestation", id="attestation"),
        pytest.param(f"sha256-{HEX_64}.sbom", "a signature or attestation", id="bill of materials"),
        pytest.param(f"sha512-{HEX_64}", "a signature or attestation", id="truncated SHA-512"),
        pytest.param(f"sha512-{HEX_64}{HEX_64}.sig", "a signature or attestation", id="SHA-512"),
    ],
)
def test_a_service_tag_is_known_for_what_it_is(tag: str, what: str) -> None:
    assert service_tag(tag) == what


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param("1.2.3", id="a version"),
        pytest.param("v1.2.3-rc.1_b5", id="a version with everything"),
        pytest.param("20240105", id="a date"),
        pytest.param("2024.01.05", id="a date with dots"),
        pytest.param("latest", id="latest"),
        pytest.param("main", id="a branch"),
        pytest.param(COMMIT, id="a commit"),
        pytest.param(COMMIT[:7], id="a short commit"),
        pytest.param(HEX_64, id="64 hexadecimal digits"),
        pytest.param(HEX_56[:-1], id="55 hexadecimal digits"),
        pytest.param(HEX_56 + "a", id="57 hexadecimal digits"),
        pytest.param(HEX_56.upper(), id="capital hexadecimal digits"),
        pytest.param("g" + HEX_56[1:], id="a letter that is no hexadecimal digit"),
        pytest.param(f"{HEX_56}-170000000000", id="a stage with 12 digits of time"),
        pytest.param(f"{HEX_56}-17000000000000", id="a stage with 14 digits of time"),
        pytest.param(f"{HEX_56}-rejected", id="a rejected stage without time"),
        pytest.param(f"v{HEX_56}", id="a stage behind a v"),
        pytest.param("sha256-0123abcd", id="a short digest"),
        pytest.param(f"sha256-{HEX_64[:-1]}", id="a digest short of one digit"),
        pytest.param(f"sha256-{HEX_64}0", id="a digest with one digit more"),
        pytest.param(f"sha256-{HEX_64}.", id="a digest and a dot"),
        pytest.param(f"sha1-{COMMIT}", id="another hash"),
        pytest.param("meta-release", id="meta as a word"),
        pytest.param(f"meta-1a2b3c4d5_{COMMIT}_{HEX_56}", id="meta with nine digits"),
        pytest.param("managed-image-", id="a managed image of no name"),
        pytest.param("managed-image", id="managed image as words"),
        pytest.param("import-metadata-x", id="an import that is no digest"),
        pytest.param("client-id-shop", id="a client without time"),
        pytest.param("cleanup-1", id="cleanup and more"),
        pytest.param("precleanup", id="more and cleanup"),
        pytest.param("Cleanup", id="cleanup with a capital"),
        pytest.param("sync-server-2", id="synchronization server and more"),
        pytest.param("werf-meta-repo-marker", id="a mark without a project"),
        pytest.param("custom-tag", id="custom tag as words"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_only_looks_like_one_may_be_a_bundle(tag: str) -> None:
    assert service_tag(tag) is None


@given(st.from_regex(r"v?[0-9]{1,6}(\.[0-9]{1,6}){0,2}([-_][0-9a-z.-]{1,60})?", fullmatch=True))
def test_no_version_of_ordinary_numbers_is_taken_for_one(tag: str) -> None:
    assert parse_loose(from_tag(tag)) is None or service_tag(tag) is None
