"""Files that are either whole or absent, and texts of the user's."""

import codecs
import glob
import hashlib
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from espnet2_valle.common.errors import InputError

UNFINISHED = ".unfinished."  # how names of files begin that are still being written

# Of encodings that are not UTF-8; the longer ones first, since they begin with a shorter one.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NUL, NUL_SHARE = "\0", 4  # UTF-16 without a mark has one in every second place

LONGEST_STEM = 200  # bytes, to which a temporary name adds some


@contextmanager
def atomic_path(path: str | Path, alone: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder, renamed to `path` on success.

    On any exception the temporary file is removed and `path` keeps its former content; what a kill leaves
    behind, `remove_unfinished` removes. The suffix is kept, since writers look at it.

    Args:
        path: the file.
        alone: no other process is writing this file, so that what killed ones left of it is removed here.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if alone:
        _remove(path.parent, f"{glob.escape(_unfinished(path))}*{glob.escape(path.suffix)}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_unfinished(path), suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_open(path: str | Path, alone: bool = False) -> Iterator[IO[str]]:
    """Open `path` for text writing; it appears only when the block ends without error. See `atomic_path`."""
    with atomic_path(path, alone) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        yield stream


def _unfinished(path: Path) -> str:
    """The beginning of names of temporary files of `path`: short enough for a name, and of it alone."""
    stem = os.fsencode(path.stem)
    if len(stem) <= LONGEST_STEM:
        return f"{UNFINISHED}{path.stem}."
    return f"{UNFINISHED}{hashlib.sha256(stem).hexdigest()}."


def remove_unfinished(*folders: str | Path) -> None:
    """Remove what writers that were killed left in `folders`, when no other writer is at work there."""
    for folder in folders:
        _remove(Path(folder), f"{UNFINISHED}*")


def _remove(folder: Path, pattern: str) -> None:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:  # one by one: there may be millions
        names = [entry.name for entry in entries if fnmatchcase(entry.name, pattern)]
    for name in names:
        (folder / name).unlink(missing_ok=True)


def read_text(path: str | Path) -> str:
    """Text of a file of the user's, without the mark (BOM) that some editors put first.

    UTF-16 and UTF-32, as spreadsheets write them, are known by that mark.

    Raises:
        InputError: it is neither these nor UTF-8.
    """
    with open(path, "rb") as file:
        start = file.read(4)
    encoding = next((name for mark, name in MARKS if start.startswith(mark)), "utf-8-sig")
    try:
        text = Path(path).read_text(encoding=encoding)
    except UnicodeError as error:
        raise _other_encoding(path, f"is not UTF-8 text ({error})", "WINDOWS-1252") from error
    if text.count(NUL) > len(text) // NUL_SHARE:
        raise _other_encoding(path, "is not UTF-8 text but looks like UTF-16", "UTF-16LE")
    return text


def _other_encoding(path: str | Path, problem: str, encoding: str) -> InputError:
    command = f"iconv -f {encoding} -t UTF-8 {shlex.quote(str(path))} > NEW_FILE"
    return InputError(path, problem, f"Convert it, for example: {command}")
