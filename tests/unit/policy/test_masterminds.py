"""Versions and ranges mean here what they mean to Helm: a table of its library's own answers."""

import json
from pathlib import Path

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.version import parse_loose

TABLE = json.loads(Path(__file__).with_name("masterminds.json").read_text())

Answer = tuple[bool, bool, bool]
"""Whether the range is one, and whether it admits the version: by Helm's rule, and by precedence alone."""


def answer(version: str, text: str) -> Answer:
    try:
        limits = Range.parse(text)
    except InvalidRange as error:
        # Nothing satisfies it: valid to the library, a mistake to us.
        return "can never match" in str(error), False, False
    read = parse_loose(version)
    assert read is not None
    return True, limits.admits(read, prereleases=False), limits.admits(read, prereleases=True)


def test_the_table_is_of_the_pinned_library() -> None:
    assert TABLE["origin"] == "answers of github.com/Masterminds/semver/v3 v3.5.0"
    assert len(TABLE["versions"]) > 300
    assert len(TABLE["ranges"]) > 2000


def test_a_text_is_the_version_that_it_is_to_helm() -> None:
    ours = [[text, str(version) if (version := parse_loose(text)) else None] for text, _ in TABLE["versions"]]
    assert [row for row in zip(ours, TABLE["versions"], strict=True) if row[0] != row[1]] == []


def test_a_range_admits_what_it_admits_to_helm() -> None:
    ours = [[version, text, *answer(version, text)] for version, text, *_ in TABLE["ranges"]]
    assert [row for row in zip(ours, TABLE["ranges"], strict=True) if row[0] != row[1]] == []
