"""What bundle.sh gathers is all that check.sh needs beside what images for machine learning have."""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Of the images that README.md speaks of, with what these packages need themselves.
IMAGES = """torch torchaudio numpy scipy numba llvmlite scikit-learn joblib threadpoolctl h5py sentencepiece
    regex pytest iniconfig pluggy pygments pyyaml tqdm packaging typing-extensions sympy mpmath networkx
    jinja2 markupsafe filelock fsspec setuptools requests urllib3 certifi idna charset-normalizer psutil"""
IMPORTS = """
import importlib, sys
from importlib.metadata import packages_distributions

allowed = set(sys.argv[1].split())
owners = packages_distributions()

class Absent:
    def find_spec(self, name, path=None, target=None):
        held = {owner.lower().replace("_", "-").replace(".", "-") for owner in owners.get(name, ())}
        if held and not held & allowed:
            raise ModuleNotFoundError(f"{name} is not in the bundle", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[2].split():
    importlib.import_module(name)
"""
OURS = "espnet2-valle"


def bundled():
    """Packages of bundle.sh, pyworld included, which it builds."""
    text = (HERE / "bundle.sh").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:binary|source)=\(([^)]*)\)", text, re.MULTILINE)
    assert len(lists) == 2
    return {name.replace(".", "-") for part in lists for name in part.split()} | {"pyworld"}


def test_nothing_else_is_imported():
    check = (HERE / "check.sh").read_text(encoding="utf-8")
    benches = set(re.findall(r'^\s*bench \d+ "?[\w${}]+"? (\w+) ', check, re.MULTILINE))
    assert benches == {"train", "decode", "streaming"}
    modules = ["espnet2_valle.bin.benchmark", *(f"espnet2_valle.bench.{name}" for name in sorted(benches))]
    modules += [path.stem for path in sorted(HERE.glob("test_gpu_*.py"))]
    allowed = bundled() | set(IMAGES.split()) | {OURS}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, " ".join(allowed), " ".join(modules)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "shared"), *sys.path]),
        },
    )
    assert done.returncode == 0, done.stderr
