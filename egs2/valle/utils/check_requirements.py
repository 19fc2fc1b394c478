#!/usr/bin/env python3
"""Check that the running Python has what espnet2_valle needs: check_requirements.py ROOT EXTRA,EXTRA..."""

import ast
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement


def main() -> None:
    """Print the environment; exit with a message if packages are missing or of a wrong version."""
    core, extras = read_tables(Path(sys.argv[1], "setup.py"))
    wanted = core + [text for extra in sys.argv[2].split(",") for text in extras[extra]]
    missing = [text for text in wanted if not is_there(Requirement(text))]
    if missing:
        sys.exit(
            f"error: the active ESPnet environment ({sys.executable}) lacks packages or has other versions. "
            f"Run: {sys.executable} -m pip install {' '.join(map(repr, missing))}"
        )
    print(f"environment: {sys.executable}, active (espnet {version('espnet')}, torch {version('torch')})")


def read_tables(setup: Path) -> tuple[list[str], dict[str, list[str]]]:
    """CORE and EXTRAS of a setup.py, which is not run."""
    tables = {}
    for node in ast.parse(setup.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            tables[node.targets[0].id] = node.value
    return ast.literal_eval(tables["CORE"]), ast.literal_eval(tables["EXTRAS"])


def is_there(requirement: Requirement) -> bool:
    """A lab's own ESPnet counts, whatever its version."""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return False
    return requirement.name == "espnet" or requirement.specifier.contains(found, prereleases=True)


if __name__ == "__main__":
    main()
