"""Files that are either whole or absent, and texts of the user's."""

import glob
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from espnet2_valle.common.errors import InputError

UNFINISHED = ".unfinished."  # how names of files begin that are still being written

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

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            path, f"is not UTF-8 text ({error})", "Convert it, for example with iconv"
        ) from error
