"""The pages for people are true: their examples are objects, their links lead somewhere, their words exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.policy.selection import Policy
from bundlewatch.policy.verdict import Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def examples() -> Iterator[Any]:
    """Every BundleWatch in a YAML block of a page, or in a file that people copy."""
    for page in PAGES:
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)):
            for found in yaml.safe_load_all(block):
                if isinstance(found, dict) and found.get("kind") == "BundleWatch":
                    yield pytest.param(found, id=f"{page.name}-{number}")
    for file in sorted((ROOT / "deploy").rglob("*.yaml")):
        for found in yaml.safe_load_all(file.read_text()):
            if isinstance(found, dict) and found.get("kind") == "BundleWatch":
                yield pytest.param(found, id=file.name)


def links() -> Iterator[Any]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if "://" not in target:
                yield pytest.param(page, target, id=f"{page.name} to {target}")


@pytest.mark.parametrize("body", list(examples()))
def test_every_example_is_an_object_whose_rules_compile(body: dict[str, Any]) -> None:
    spec = BundleWatch.parse(body).spec

    Policy.compile(
        pattern=spec.tags.pattern,
        exclude=spec.tags.exclude,
        range=spec.tags.range,
        prereleases=spec.tags.prereleases,
        pin=spec.pin,
    )


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_every_link_within_the_repository_leads_somewhere(page: Path, target: str) -> None:
    path, _, fragment = target.partition("#")
    found = page if not path else page.parent / path

    assert found.exists()
    if fragment:
        headings = re.findall(r"(?m)^#+ (.+)$", found.read_text())
        assert fragment in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_verdict_that_is_explained_exists() -> None:
    table = (ROOT / "docs/reasons.md").read_text().partition("## Verdicts on tags")[2].partition("\n## ")[0]

    explained = set(re.findall(r"(?m)^\| `(\w+)`", table))

    assert explained
    assert explained <= {reason.value for reason in Reason}
