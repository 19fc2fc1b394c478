"""The user's folder of things that can be made or fetched again, whether or not the home takes files."""

import getpass
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from espnet2_valle.common.errors import InputError

NAME = "espnet2_valle"
CACHES = "XDG_CACHE_HOME"


def user_cache() -> Path:
    """The folder, which need not exist: below XDG_CACHE_HOME, else ~/.cache, else the temporary directory.

    Raises:
        InputError: none of them can be used.
    """
    above = [Path(os.environ.get(CACHES, ""))] if os.path.isabs(os.environ.get(CACHES, "")) else []
    with suppress(RuntimeError):
        above.append(Path.home() / ".cache")
    for folder in above:
        if _is_writable(folder / NAME) and _is_own(folder / NAME):
            return folder / NAME
    return _temporary_folder() / NAME


def use_writable_caches() -> None:
    """Tell libraries by the environment where to keep files, if the user's home takes none or there is none.

    Without it numba, NLTK and torch's compiler end with an error when they are imported, and matplotlib
    complains; so this comes before them.
    """
    try:
        caches = user_cache().parent
    except InputError:
        return  # whoever needs the folder raises it again
    try:
        home_serves = _is_writable(Path.home() / ".cache" / NAME)
    except RuntimeError:
        home_serves = False
        os.environ["HOME"] = str(caches)
    if not home_serves:
        os.environ[CACHES] = str(caches)
        os.environ.setdefault("MPLCONFIGDIR", str(caches / "matplotlib"))
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a container's user who is but a number; OSError from Python 3.13 on
        os.environ["USER"] = str(os.getuid())


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in `folder`, which is made itself, for the user alone, if need be."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _is_own(folder: Path) -> bool:
    """Return whether nobody but this user may write into it: code is loaded from there."""
    found = folder.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & others


def _temporary_folder() -> Path:
    """A folder in the temporary directory that is this user's alone.

    Raises:
        InputError: it is somebody else's, or cannot be made.
    """
    remedy = f"Set {CACHES} to a folder of yours that can be written into"
    try:
        folder = Path(tempfile.gettempdir(), f"{NAME}-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        own = _is_own(folder)
    except OSError as error:
        raise InputError(
            "~/.cache", f"takes no files, nor does the temporary directory ({error})", remedy
        ) from error
    if not own:
        raise InputError(
            folder, "is needed, since ~/.cache takes no files, but others may write into it", remedy
        )
    return folder
