"""Going on where an earlier run was: digests of inputs, markers and journals of outputs.

A marker says that an output is whole, and from what it was made. A journal says so of each of many outputs,
as they come. Both are written so that a kill at any moment leaves what was done before it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open

BLOCK = 1 << 16  # bytes read at once from the end of a file


def digest(
    parts: Iterable[str | bytes], algorithm: str = "sha256", separator: str = "\n", digits: int = 32
) -> str:
    """Hexadecimal digest of all that an output depends on: texts, options, contents and states of files.

    What was made before is known by it, so a digest once chosen for an output stays as it is.

    Args:
        parts: taken one behind the other; use `file_state` for files that are large.
        algorithm: a name that hashlib knows.
        separator: between the parts.
        digits: at most so many, from the first.
    """
    found = hashlib.new(algorithm, usedforsecurity=False)
    for number, part in enumerate(parts):
        if number:
            found.update(separator.encode())
        found.update(part.encode() if isinstance(part, str) else part)
    return found.hexdigest()[:digits]


def file_state(path: str | Path) -> str:
    """Path, size and time of writing of a file, which change when it does."""
    path = Path(path)
    if not path.is_file():
        return f"{path} absent"
    state = path.stat()
    return f"{path} {state.st_size} {state.st_mtime_ns}"


def is_done(marker: str | Path, state: Any = "") -> bool:
    """Tell whether `mark_done` wrote this state: then what the marker stands for need not be made again."""
    marker = Path(marker)
    if not marker.is_file():
        return False
    text = marker.read_text(encoding="utf-8")
    if isinstance(state, str):
        return text == state
    try:
        return bool(json.loads(text) == state)
    except ValueError:
        return False


def mark_done(marker: str | Path, state: Any = "") -> None:
    """Say that an output is whole and was made from `state`: a text, or another value that JSON can hold."""
    with atomic_open(marker) as stream:
        stream.write(state if isinstance(state, str) else json.dumps(state))


class Journal:
    """A file of JSON lines that grows while work is done, by one process at a time.

    Appended rows are with the system when `append` returns, whatever becomes of the process. A last line that
    a kill cut off does not count, and the next row does not run into it.

    Args:
        path: of the file; one that is not there has no rows.
        ensure_ascii: of `json.dumps`.
    """

    def __init__(self, path: str | Path, ensure_ascii: bool = True):
        self.path = Path(path)
        self._ensure_ascii = ensure_ascii
        self._stream: IO[str] | None = None

    def lines(self) -> Iterator[bytes]:
        """The lines that are whole, as they are in the file."""
        if not self.path.is_file():
            return
        with open(self.path, "rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    yield line[:-1]

    def rows(self) -> list[Any]:
        """The values of the lines that are whole; see `read`."""
        return list(self.read())

    def read(self) -> Iterator[Any]:
        """The values of the lines that are whole, one by one.

        Raises:
            InputError: one of them is not JSON.
        """
        for number, line in enumerate(self.lines(), 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(
                    f"{self.path}:{number}",
                    f"is damaged ({error})",
                    "Remove the file and run again: what it lists is made anew",
                ) from error

    def begins_with(self, row: Any) -> bool:
        """Tell whether the first row is this one; no other is read."""
        if not self.path.is_file():
            return False
        with open(self.path, encoding="utf-8", errors="replace") as stream:
            return stream.readline() == self._line(row)

    def rewrite(self, rows: Iterable[Any]) -> None:
        """Put these rows in place of all that are there, or, if that is broken off, of none."""
        self.close()
        with atomic_open(self.path) as stream:
            stream.writelines(map(self._line, rows))

    def append(self, *rows: Any) -> None:
        """Add rows at the end."""
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 -- `close` does
            os.truncate(self.path, self._whole())
        self._stream.writelines(map(self._line, rows))
        self._stream.flush()

    def close(self) -> None:
        """Close the file, if rows were appended."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _line(self, row: Any) -> str:
        return json.dumps(row, ensure_ascii=self._ensure_ascii) + "\n"

    def _whole(self) -> int:
        """Bytes up to the end of the last line that is whole."""
        with open(self.path, "rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - BLOCK)
                stream.seek(start)
                found = stream.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0
