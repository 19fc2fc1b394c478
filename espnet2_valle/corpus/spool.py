"""Recordings on the disk, for corpora of millions of utterances."""

from collections.abc import Collection, Iterator
from itertools import chain

from espnet2_valle.corpus.recording import Recording
from espnet2_valle.data.tables import Row, RowStore

BUFFERED = 1000  # recordings in memory before they are written
WIDTH = 8  # columns of a row


class Spool(Collection[Recording]):
    """A growing collection of recordings, in a temporary file (TMPDIR)."""

    def __init__(self) -> None:
        self._rows = RowStore(WIDTH)
        self._new: list[Recording] = []
        self._written = 0

    def append(self, recording: Recording) -> None:
        """Add one behind the others."""
        self._new.append(recording)
        if len(self._new) == BUFFERED:
            self._write()

    def _write(self) -> None:
        self._rows.extend(map(_row, self._new))
        self._written += len(self._new)
        self._new = []

    def __len__(self) -> int:
        return self._written + len(self._new)

    def __iter__(self) -> Iterator[Recording]:
        return chain(map(_recording, self._rows), self._new)

    def __contains__(self, recording: object) -> bool:
        return any(recording == one for one in self)

    def in_order(self) -> Iterator[Recording]:
        """All of them by their ids."""
        self._write()
        return map(_recording, self._rows.in_order())


def _row(recording: Recording) -> Row:
    start, end = recording.span or (None, None)
    return (
        recording.utterance,
        recording.speaker,
        recording.text,
        recording.wav,
        recording.language,
        recording.emotion,
        start,
        end,
    )


def _recording(row: Row) -> Recording:
    utterance, speaker, text, wav, language, emotion, start, end = row
    span = None if start is None else (start, end)
    return Recording(utterance, speaker, text, wav, language, emotion, span)
