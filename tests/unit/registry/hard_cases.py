"""Reads the tables of hard cases; each row is one past bug of some client, with its origin."""

from pathlib import Path
from typing import Any

import pytest
import yaml


def rows(table: str, *, identify: str) -> list[Any]:
    """One parameter per row; the test's id is the row's number, the column `identify` and the origin."""
    cases = yaml.safe_load((Path(__file__).with_name("tables") / f"{table}.yaml").read_text())
    return [
        pytest.param(case, id=f"{number}-{str(case[identify])[:60]!a}-{case.get('origin', '')}".replace("\\", "/"))
        for number, case in enumerate(cases, 1)
    ]
