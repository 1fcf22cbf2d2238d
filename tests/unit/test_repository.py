"""What must be true of the repository itself."""

import operator
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_our_source_root_never_shadows_the_standard_librarys_operator_module() -> None:
    assert Path(operator.__file__).name == "operator.py"
    assert not (ROOT / "operator/__init__.py").exists()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_a_hash_for_everything_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    pinned = re.findall(r"(?m)^[A-Za-z0-9._-]+==\S+", text)

    assert len(pinned) > 20
    assert len(re.findall(r"(?m)^[A-Za-z0-9._-]+(?!==)[<>~!]", text)) == 0
    assert "://" not in text
    assert not re.search(r"(?m)^-", text)
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
