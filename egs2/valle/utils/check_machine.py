#!/usr/bin/env python3
"""Check that espnet2_valle can be installed with the running Python: check_machine.py ROOT."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Measured on Linux, where PyTorch brings CUDA: 6.1 GB of packages, and 3.3 GB of archives until they are
# unpacked, which pip also keeps in its cache. Elsewhere it brings none.
DISK_GB, CACHE_GB = (10, 3) if sys.platform == "linux" else (4, 1)
SKIP = "SKIP_MACHINE_CHECK"  # in the environment: who knows better goes on
# What comes to Linux as source in C or C++.
COMPILED = ["pyworld", "webrtcvad"]
CMAKE_BUILT = "sentencepiece==0.2.0"  # which espnet asks for; there are wheels up to Python 3.12
COMPILERS = {
    "C": ("CC", "cc", "test.c", "#include <stdio.h>\nint main(void) { return 0; }\n"),
    "C++": ("CXX", "c++", "test.cpp", "#include <vector>\nint main() { return 0; }\n"),
}
COMPILER_SECONDS = 60
PIP_SECONDS = 60


def main() -> None:
    """Exit with a message that names everything that is missing, if anything is."""
    if os.environ.get(SKIP):
        return
    missing = [*lacks_venv(), *lacks_disk(Path(sys.argv[1]))]
    compiling = [*lacks_compilers(), *lacks_headers()]
    if compiling and not pip_has_wheels(COMPILED):
        missing += compiling
    if sys.version_info >= (3, 13) and not shutil.which("cmake") and not pip_has_wheels([CMAKE_BUILT]):
        missing.append("cmake, for this version of Python: install it (Debian, Ubuntu: apt install cmake)")
    if missing:
        sys.exit(
            "error: this machine lacks what the installation needs:\n"
            + "".join(f"- {line}\n" for line in missing)
            + "Then call this again; or activate an environment that has ESPnet, and nothing is installed. "
            + f"{SKIP}=1 in the environment goes on without it"
        )


def lacks_venv() -> Iterator[str]:
    """Debian has parts of Python's library in a package of its own."""
    if not (find_spec("venv") and find_spec("ensurepip")):
        yield f"the venv module of {sys.executable}: install it (Debian, Ubuntu: apt install python3-venv)"


def lacks_disk(root: Path) -> Iterator[str]:
    """The checkout takes environment, data and results."""
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        yield f"a checkout that takes files ({root}: {error.strerror}): change that, or clone elsewhere"
        return
    needed = DISK_GB + CACHE_GB * home_is_on_disk_of(root)
    free = shutil.disk_usage(root).free / 1e9
    if free < needed:
        yield f"{needed} GB of disk ({root}: {free:.1f} GB are free): free some, or clone to another disk"


def home_is_on_disk_of(root: Path) -> bool:
    """Tell whether pip's cache takes room there too."""
    try:
        return Path.home().stat().st_dev == root.stat().st_dev
    except (OSError, RuntimeError):  # no home, no cache
        return False


def lacks_compilers() -> Iterator[str]:
    """Try the compilers that pip's builds will call, each on a file of two lines."""
    for language, (variable, usual, name, source) in COMPILERS.items():
        command = os.environ.get(variable) or sysconfig.get_config_var(variable) or usual
        try:
            problem = compile_problem(shlex.split(command), name, source)
        except (ValueError, OSError) as error:  # quotes that do not close; a temporary directory that is full
            problem = str(error)
        if problem:
            yield (
                f"a {language} compiler that works ({variable} is '{command}': {problem}): "
                f"install one (Debian, Ubuntu: apt install g++), or name yours in {variable}"
            )


def compile_problem(command: list[str], name: str, source: str) -> str:
    """Return the reason why `command` makes no program of `source`; empty if it does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_text(source, encoding="utf-8")
        try:
            done = subprocess.run(
                [*command, name, "-o", "test"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=COMPILER_SECONDS,
                check=False,
            )
        except OSError as error:
            return error.strerror or str(error)
        except subprocess.TimeoutExpired:
            return f"it did not end within {COMPILER_SECONDS} s"
        if done.returncode == 0 and Path(folder, "test").is_file():
            return ""
        said = done.stderr.strip().splitlines()
        return said[0] if said else f"it ended with {done.returncode} and made no program"


def lacks_headers() -> Iterator[str]:
    """Look for the headers that C extensions include."""
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        version = ".".join(platform.python_version_tuple()[:2])
        yield f"Python's headers ({header}): install them (Debian, Ubuntu: apt install python{version}-dev)"


def pip_has_wheels(packages: list[str]) -> bool:
    """Tell whether pip gets compiled what PyPI has as source alone: elsewhere, or from a lab's own index."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--retries", "0", "--timeout", "5", *packages]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=PIP_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


if __name__ == "__main__":
    main()
