"""Files of `key value` lines of any length: read line by line in order of their keys, in little memory."""

import sqlite3
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from espnet2_valle.common.errors import InputError

Row = tuple[Any, ...]  # its first column is the key
SORTER_MEMORY = 64 << 20  # bytes, beyond which SQLite sorts in temporary files


def read_entries(
    path: str | Path, bad: dict[str, InputError] | None = None
) -> Iterator[tuple[int, str, str]]:
    """Yield line number, key and value of each line of a file of two columns.

    Args:
        path: the file.
        bad: gets the errors of keys without value, in place of a raise.

    Raises:
        InputError: no such file, not UTF-8, or a key without value.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", "Run the stage that writes it first, or correct the path")
    with open(path, encoding="utf-8-sig") as stream:
        try:
            for number, line in enumerate(stream, 1):
                key, *rest = line.split(maxsplit=1) or ("",)
                if not key:
                    continue
                if not rest:
                    error = InputError(
                        f"{path}:{number}", f"'{key}' has no value", "Give it one or remove the line"
                    )
                    if bad is None:
                        raise error
                    bad[key] = error
                    continue
                yield number, key, rest[0].rstrip()
        except UnicodeDecodeError as error:
            raise InputError(
                path, f"is not UTF-8 text ({error})", "Convert it, for example with iconv"
            ) from error


def twice(path: str | Path, number: int, key: str) -> InputError:
    """The error of a key that line `number` gives again."""
    return InputError(f"{path}:{number}", f"'{key}' is there twice", "Remove or rename one of the two")


class Table:
    """A file of `key value with spaces` lines, iterated in order of keys.

    It is read through at once, so that whatever is wrong with it is told before any work. A file in another
    order is sorted into a temporary one.

    Args:
        path: the file.

    Attributes:
        source: the file that is read, in order of keys.

    Raises:
        InputError: see `read_entries`; or a key given twice.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._count = 0
        former, in_order = "", True
        for number, key, _ in read_entries(self.path):
            if key == former:
                raise twice(self.path, number, key)
            in_order = in_order and former < key
            former = key
            self._count += 1
        self.source = self.path
        if not in_order:
            self._sort()

    def _sort(self) -> None:
        self._temporary = tempfile.NamedTemporaryFile("w", encoding="utf-8")  # noqa: SIM115 -- as long as this
        rows = ((key, number, value) for number, key, value in read_entries(self.path))
        former = ""
        for key, number, value in sorted_rows(rows, 3):
            if key == former:
                raise twice(self.path, number, key)
            self._temporary.write(f"{key} {value}\n")
            former = key
        self._temporary.flush()
        self.source = Path(self._temporary.name)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((key, value) for _, key, value in read_entries(self.source))

    def names(self) -> Iterator[str]:
        """The keys, in order."""
        return (key for key, _ in self)

    def values(self) -> Iterator[str]:
        """The values, in order of their keys."""
        return (value for _, value in self)


class Values(Sequence[str]):
    """The values of a table by their places, each read when it is asked for.

    Args:
        table: of which eight bytes a line are kept in memory.
    """

    def __init__(self, table: Table):
        self._table = table
        self._starts = array("q")  # of lines, in bytes

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        with open(self._table.source, "rb") as stream:
            stream.seek(self._lines()[place])
            return stream.readline().decode("utf-8-sig").split(maxsplit=1)[1].rstrip()

    def _lines(self) -> "array[int]":
        if not self._starts:
            start = 0
            with open(self._table.source, "rb") as stream:
                for line in stream:
                    if line.strip():
                        self._starts.append(start)
                    start += len(line)
        return self._starts

    def __iter__(self) -> Iterator[str]:
        return self._table.values()


class Subset:
    """The entries of a table whose keys another one has, in order.

    Args:
        table: of the entries.
        chosen: of the keys.
    """

    def __init__(self, table: Table, chosen: Table):
        self.table = table
        self.chosen = chosen
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for entry, found in matched(self.table, self.chosen):
            if found:
                yield entry


class RowStore:
    """Rows of texts and numbers in a temporary file, as many as there is room for on the disk (TMPDIR).

    Args:
        width: columns of each.
    """

    def __init__(self, width: int):
        self._database = sqlite3.connect("")  # a temporary file of its own
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(f"PRAGMA cache_size = {-SORTER_MEMORY // 1024}")
        self._names = ", ".join(f"c{number}" for number in range(width))
        self._database.execute(f"CREATE TABLE rows ({self._names})")
        self._insertion = f"INSERT INTO rows VALUES ({', '.join('?' * width)})"

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows."""
        self._database.executemany(self._insertion, rows)

    def __iter__(self) -> Iterator[Row]:
        """The rows in the order in which they were added."""
        return iter(self._database.execute(f"SELECT {self._names} FROM rows ORDER BY rowid"))

    def in_order(self) -> Iterator[Row]:
        """The rows by their first column, those alike in the order in which they were added."""
        return iter(self._database.execute(f"SELECT {self._names} FROM rows ORDER BY c0, rowid"))

    def close(self) -> None:
        """Remove the file."""
        self._database.close()


def sorted_rows(rows: Iterable[Row], width: int) -> Iterator[Row]:
    """Sort rows by their first column, those alike in the order they come, on the disk.

    Args:
        rows: of texts and numbers.
        width: columns of each.
    """
    store = RowStore(width)
    try:
        store.extend(rows)
        yield from store.in_order()
    finally:
        store.close()


def in_order(read: Callable[[], Iterable[Row]], width: int) -> Iterator[Row]:
    """Rows by their first column; sorted only where they do not come so.

    Args:
        read: begins to read them, each time.
        width: columns of each.
    """
    former = None
    for key, *_ in read():
        if former is not None and key < former:
            return sorted_rows(read(), width)
        former = key
    return iter(read())


def matched(wanted: Iterable[Row], others: Iterable[Row]) -> Iterator[tuple[Any, list[Row]]]:
    """Yield each wanted row with the other rows of its key; both are in order of keys."""
    rest = iter(others)
    row = next(rest, None)
    for one in wanted:
        found = []
        while row is not None and row[0] <= one[0]:
            if row[0] == one[0]:
                found.append(row)
            row = next(rest, None)
        yield one, found


def unmatched(first: Iterable[str], second: Iterable[str]) -> Iterator[str]:
    """Keys that only one of the two has, both of which are in order."""
    ones, others = iter(first), iter(second)
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        if one == other:
            one, other = next(ones, None), next(others, None)
        elif other is None or (one is not None and one < other):
            assert one is not None
            yield one
            one = next(ones, None)
        else:
            yield other
            other = next(others, None)
