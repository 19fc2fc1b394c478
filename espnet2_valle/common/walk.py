"""The files below a folder, as people have them: links are followed, and what is left out is counted."""

import logging
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from espnet2_valle.common.errors import InputError

HIDDEN = "hidden files or folders, whose names begin with a dot, as those of macOS's ._x do"
DANGLING = "links to what is not there"
LISTED = "links to folders that are listed already"
FORBIDDEN = "folders that may not be read"
UNWRITABLE = "files or folders with names that are not UTF-8 text of one line (rename them)"
ALWAYS_TOLD = (DANGLING, LISTED, FORBIDDEN)


@dataclass
class Walk:
    """The files below a folder.

    Attributes:
        folder: where it begins.
        files: sorted.
        left_out: reason -> what was left out for it.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    def leave_out(self, reason: str, path: Path) -> None:
        """Count a file or folder that is not listed."""
        self.left_out.setdefault(reason, []).append(path)

    def warn(self, concerns: Callable[[Path], bool]) -> None:
        """Tell what was left out, with counts.

        Args:
            concerns: of the files, which to tell of; folders and links to nothing are told of anyway.
        """
        for reason, paths in self.left_out.items():
            told = sorted(p for p in paths if concerns(p) or p.is_dir() or reason in ALWAYS_TOLD)
            if told:
                logging.warning(
                    "%s: left out %d %s; the first: %s", self.folder, len(told), reason, show(told[0])
                )


def walk(folder: str | Path) -> Walk:
    """List the files below a folder.

    Links to files and folders are followed. A folder is listed once: a link to one that is there without it,
    such as the folder that holds the link, is left out.

    Raises:
        InputError: the folder's own path cannot be written to a list.
    """
    found = Walk(Path(folder))
    if not is_writable_name(str(found.folder.absolute())):
        raise InputError(show(found.folder.absolute()), "is not UTF-8 text of one line", "Rename the folder")
    seen: set[tuple[int, int]] = set()
    links = [found.folder]
    while links:
        later: list[Path] = []
        for link in links:
            pending = [link]
            while pending:
                here = pending.pop()
                try:
                    state = os.stat(here)
                    if (state.st_dev, state.st_ino) in seen:
                        found.leave_out(LISTED, here)
                        continue
                    seen.add((state.st_dev, state.st_ino))
                    entries = list(os.scandir(here))
                except OSError:
                    found.leave_out(FORBIDDEN, here)
                    continue
                for entry in entries:
                    _sort_in(found, Path(here, entry.name), entry, pending, later)
        links = sorted(later)  # behind all that is there without a link
    found.files.sort()
    return found


def _sort_in(
    found: Walk, path: Path, entry: os.DirEntry[str], folders: list[Path], links: list[Path]
) -> None:
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
    except OSError:  # a link to itself, or into a folder that may not be read
        is_folder = is_file = False
    if entry.name.startswith("."):
        found.leave_out(HIDDEN, path)
    elif not is_writable_name(entry.name):
        found.leave_out(UNWRITABLE, path)
    elif is_folder:
        (links if entry.is_symlink() else folders).append(path)
    elif is_file:
        found.files.append(path)
    elif entry.is_symlink():
        found.leave_out(DANGLING, path)


def is_writable_name(name: str) -> bool:
    """Tell whether a name can stand in a line of a UTF-8 list."""
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, which Python keeps as surrogates
        return False
    return not any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name)


def show(path: str | Path) -> str:
    """A path as it can be printed, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def existing(path: str | Path) -> Path:
    """The file that is meant by a path: itself, or that of the same name in another form.

    File systems and lists differ in Unicode form (macOS writes letters and accents apart), in the case of
    suffixes and, on Windows, in the separator.

    Returns:
        a path that exists, or the given one if there is none.
    """
    path = Path(path)
    if os.path.exists(path):
        return path
    for given in (path, Path(str(path).replace("\\", "/"))):
        here = Path(given.anchor)
        for part in given.parts[1:] if given.anchor else given.parts:
            here = _called(here, part)
        if os.path.exists(here):
            return here
    return path


def _called(folder: Path, name: str) -> Path:
    """The entry of a folder with a name, or the path to none."""
    path = folder / name
    if os.path.exists(path):
        return path
    try:
        entries = _entries(str(folder), os.stat(folder).st_mtime_ns)
    except OSError:
        return path
    return folder / entries.get(_same_suffix(name), name)


@lru_cache(maxsize=32)
def _entries(folder: str, changed: int) -> dict[str, str]:
    """Entries of a folder by their names in one form; read again when the folder has changed."""
    return {_same_suffix(entry): entry for entry in sorted(os.listdir(folder), reverse=True)}


def _same_suffix(name: str) -> str:
    """A name in one Unicode form, with its suffix in lower case."""
    name = nfc(name)
    suffix = Path(name).suffix
    return name.removesuffix(suffix) + suffix.lower()


def nfc(name: str) -> str:
    """A name in Unicode's composed form (NFC)."""
    return unicodedata.normalize("NFC", name)
