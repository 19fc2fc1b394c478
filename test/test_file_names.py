"""Names of test files: pytest cannot collect two of one name in folders that are no packages."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent


def test_no_two_test_files_have_one_name():
    names = Counter(
        path.name for path in ROOT.rglob("test_*.py") if not (path.parent / "__init__.py").exists()
    )
    assert [name for name, times in names.items() if times > 1] == []
