"""C++ that comes with the package as source: compiled for this very machine when it is first needed.

What was compiled is kept in the user's cache, under a name made of all that it depends on, so that a shared
home serves machines of several kinds. Any number of processes may compile at once.
"""

import ctypes
import hashlib
import logging
import platform
import subprocess
from contextlib import suppress
from pathlib import Path

from threadpoolctl import threadpool_info

from espnet2_valle.common.cache import user_cache
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.machine import compiler
from espnet2_valle.common.resume import digest

FLAGS = (
    "-O3",
    "-std=c++17",
    "-shared",
    "-fPIC",
    "-fopenmp",
    "-ffp-contract=fast",
    "-ffinite-math-only",  # the two let compilers find the largest number of many side by side
    "-fno-signed-zeros",
    "-Wl,--as-needed",
)
LONGEST_SECONDS = 300
DIGEST_BYTES = hashlib.sha256().digest_size


class CompileError(Exception):
    """A library that cannot be had; the message says why."""


def load_library(folder: Path, machine: str = "native") -> ctypes.CDLL:
    """Compile the folder's .cpp files with its headers, unless that has been done, and load the library.

    Args:
        folder: with the sources.
        machine: what to compile for, as the compiler's `-march` names it; by default this very machine.

    Raises:
        CompileError: no compiler, one that fails, or a cache that cannot be written.
    """
    sources = sorted(path for path in folder.iterdir() if path.suffix in (".cpp", ".h"))
    command = [*compiler(), f"-march={machine}", *FLAGS]
    command += [str(path) for path in sources if path.suffix == ".cpp"] + _openmp()
    try:
        library = user_cache() / "compiled" / f"{folder.name}-{_key(command, sources)}.so"
    except InputError as error:
        raise CompileError(str(error)) from error
    try:
        if _is_whole(library):
            with suppress(OSError):  # made in another container, say, with other system libraries
                return ctypes.CDLL(str(library))
        with atomic_path(library) as temporary:
            _run([*command, "-o", str(temporary)])
            content = temporary.read_bytes()
            temporary.write_bytes(content + hashlib.sha256(content).digest())  # loaders ignore what is behind
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise CompileError(f"{library}: {error}") from error


def load_or_warn(folder: Path, otherwise: str) -> tuple[ctypes.CDLL | None, str]:
    """`load_library`, or None and the reason, which is logged with what is done `otherwise`."""
    try:
        return load_library(folder), ""
    except CompileError as error:
        logging.warning(f"{otherwise}: {error}")
        return None, str(error)


def _openmp() -> list[str]:
    """The OpenMP runtime that is loaded already, torch's if it has its own: a second one would bring threads
    of its own, and the two would wait for work on the same cores."""
    loaded = [info["filepath"] for info in threadpool_info() if info["user_api"] == "openmp"]
    return sorted(loaded, key=lambda path: "torch" not in Path(path).parts)[:1]


def _key(command: list[str], sources: list[Path]) -> str:
    """Everything that the library depends on, as a short name."""
    about = "\n".join([*command, platform.machine(), _processor()])
    contents = [path.name.encode() + path.read_bytes() for path in sources]
    return digest([about, *contents], separator="\0", digits=16)


def _processor() -> str:
    """Instructions of the processor, which tell those with different ones apart."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _is_whole(library: Path) -> bool:
    """Return whether this is what once was written; loading a damaged library may end the process."""
    if not library.is_file():
        return False
    content = library.read_bytes()
    return hashlib.sha256(content[:-DIGEST_BYTES]).digest() == content[-DIGEST_BYTES:]


def _run(command: list[str]) -> None:
    """Raise CompileError unless the command succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise CompileError(f"{command[0]} failed with {done.returncode}: {said}")
