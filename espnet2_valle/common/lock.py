"""Folders that one process works in at a time."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from espnet2_valle.common.errors import InputError

LOCK = ".lock"
WORK = ".work.lock"  # of a command that goes on in its output folder where it was
PATIENCE = 3.0  # seconds that what was killed may take to end
PAUSE = 0.05
_held: list[int] = []  # descriptors of the locks of this process


def held_locks() -> tuple[int, ...]:
    """Descriptors of the locks that are held, for `pass_fds` of a process that works in the folders too.

    It keeps them when this process is killed and it is not.
    """
    return tuple(_held)


@contextmanager
def only_one(folder: str | Path, name: str = LOCK) -> Iterator[None]:
    """Hold a folder, which is made if need be, for the time of the block.

    The lock is a file in the folder that tells who holds it. It goes with the block; what a kill leaves of it
    is no hindrance. Where a file system knows no locks, none is held.

    Args:
        folder: that is written.
        name: of the lock.

    Raises:
        InputError: another process holds it.
    """
    path = Path(folder, name)
    made = [one for one in (path.parent, *path.parent.parents) if not one.exists()]
    descriptor = _take(path)
    _held.append(descriptor)
    try:
        yield
    finally:
        _held.remove(descriptor)
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # of those that the block left empty
            for one in made:
                one.rmdir()


def _take(path: Path) -> int:
    """Open and lock a file; one that its former holder has just removed does not count."""
    begun = time.monotonic()
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 1000).decode("utf-8", "replace").strip() or "another process"
            os.close(descriptor)
            if time.monotonic() - begun < PATIENCE:
                time.sleep(PAUSE)
                continue
            raise InputError(
                path.parent,
                f"{holder} is at work there",
                "Wait for its end, or choose another folder or --tag",
            ) from error
        except OSError:  # a file system without locks
            pass
        if _is_at(path, descriptor):
            since = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
            os.ftruncate(descriptor, 0)
            os.write(
                descriptor, f"process {os.getpid()} of {socket.gethostname()} (since {since})\n".encode()
            )
            return descriptor
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether an open file is the one that lies at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
