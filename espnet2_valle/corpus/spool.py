"""Recordings on the disk, for corpora of millions of utterances."""

from collections.abc import Collection, Iterator
from itertools import chain

from espnet2_valle.data.tables import RowStore
from espnet2_valle.data.utterances import ROW_WIDTH, Utterance, from_row, to_row

BUFFERED = 1000  # recordings in memory before they are written


class Spool(Collection[Utterance]):
    """A growing collection of recordings, in a temporary file (TMPDIR)."""

    def __init__(self) -> None:
        self._rows = RowStore(ROW_WIDTH)
        self._new: list[Utterance] = []
        self._written = 0

    def append(self, recording: Utterance) -> None:
        """Add one behind the others."""
        self._new.append(recording)
        if len(self._new) == BUFFERED:
            self._write()

    def _write(self) -> None:
        self._rows.extend(map(to_row, self._new))
        self._written += len(self._new)
        self._new = []

    def __len__(self) -> int:
        return self._written + len(self._new)

    def __iter__(self) -> Iterator[Utterance]:
        return chain(map(from_row, self._rows), self._new)

    def __contains__(self, recording: object) -> bool:
        return any(recording == one for one in self)

    def in_order(self) -> Iterator[Utterance]:
        """All of them by their ids."""
        self._write()
        return map(from_row, self._rows.in_order())
