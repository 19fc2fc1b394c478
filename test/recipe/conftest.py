"""The recipe needs what run.sh would install."""

import shutil
from importlib.util import find_spec

import pytest

NEEDED = ("espnet2", "espeakng_loader", "phonemizer", "resemblyzer", "speechmos", "pocketsphinx", "jiwer")


def pytest_collection_modifyitems(items):
    """Skip with a reason where a package is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing or shutil.which("bash") is None:
        reason = f"the recipe needs {', '.join(missing) or 'bash'}"
        for item in items:
            if "recipe" in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))
