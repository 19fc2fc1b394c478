"""The training index: where each utterance's codes and token ids lie, how long they are, and who speaks.

One folder for a set of utterances. Each column is a .npy file that is mapped into memory, not read: the
pages are shared by all processes of a machine, and millions of utterances open as fast as ten.

    frames, tokens      length of the codes and of the text
    ark, offset         codes: number of the archive (arks.txt), and the byte in it as in codes.scp
    token_start         text: token_ids[token_start : token_start + tokens]
    speaker, language   numbers of lines in speakers.txt and languages.txt
    id_start            name: ids[id_start : next id_start], UTF-8
    emotion             where it is told: number of a line in emotions.txt
    speaking_rate, ...  where they are measured: number of the bin of each of `styles.ATTRIBUTES`, from 1; 0:
                        not known
    by_speaker          all utterances sorted by speaker and, within one, by frames
    speaker_frames      the same order's (speaker << 32) + frames, to search in

index.json is written last and holds what the others must be: without it, or with a file of another size,
the folder is not an index.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import allow_open_files
from espnet2_valle.valle.styles import ATTRIBUTES, EMOTION

MAGIC = "espnet2_valle training index"
VERSION = 1
HEAD = "index.json"
COLUMNS: dict[str, np.dtype] = {
    "frames": np.dtype(np.int32),
    "tokens": np.dtype(np.int32),
    "ark": np.dtype(np.int32),
    "offset": np.dtype(np.int64),
    "token_start": np.dtype(np.int64),
    "speaker": np.dtype(np.int32),
    "language": np.dtype(np.int32),
    "id_start": np.dtype(np.int64),  # one more than there are utterances
}
TOLD: dict[str, np.dtype] = {EMOTION: np.dtype(np.int32)}  # columns that an index may have
TOLD |= dict.fromkeys(ATTRIBUTES, np.dtype(np.int8))
POOLS: dict[str, np.dtype] = {"token_ids": np.dtype(np.int32), "ids": np.dtype(np.uint8)}
ORDERS: dict[str, np.dtype] = {"by_speaker": np.dtype(np.int32), "speaker_frames": np.dtype(np.int64)}
TABLES = ("arks", "speakers", "languages")
EMOTIONS = "emotions"  # table of those that have the column
SPEAKER_SHIFT = 32  # bits for the frames in `speaker_frames`

KALDIIO_MARK = b"NPY"  # then a byte that counts the bytes of the following length, and numpy's own format
NUMPY_MARK = b"\x93NUMPY\x01\x00"  # then two bytes of header length
HEADER_ROOM = 256  # bytes; more than both take for a matrix
REMEDY = "Build it again (stage 4)"


class TrainingIndex:
    """An opened index.

    Args:
        directory: as written by `index_writer.IndexWriter`.

    Attributes:
        most_open: archives that are kept open; 0 until the first is asked for: as many as the system allows.

    Raises:
        InputError: not an index, one of another version, or one with a missing or broken file.
    """

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)
        head = read_head(self.directory)
        self.num_codebooks: int = head["num_codebooks"]
        self.columns = {name: self._map(name, head) for name in head["files"]}
        self.frames, self.tokens = self.columns["frames"], self.columns["tokens"]
        self.arks, self.speakers, self.languages = (
            (self.directory / f"{name}.txt").read_text(encoding="utf-8").splitlines() for name in TABLES
        )
        self.emotions: list[str] = []
        if EMOTION in self.columns:
            self.emotions = (self.directory / f"{EMOTIONS}.txt").read_text(encoding="utf-8").splitlines()
        self._descriptors: dict[int, int] = {}  # of open archives, the one used last at the end
        self.most_open = 0

    def _map(self, name: str, head: Mapping[str, Any]) -> np.ndarray:
        path = self.directory / f"{name}.npy"
        size = path.stat().st_size if path.is_file() else None
        if size != head["files"][name]:
            raise InputError(path, f"has {size} bytes, and index.json says {head['files'][name]}", REMEDY)
        column = np.load(path, mmap_mode="r").view(np.ndarray)  # numpy.memmap itself is slow to index
        if column.dtype != (COLUMNS | TOLD | POOLS | ORDERS)[name] or column.ndim != 1:
            raise InputError(path, f"is {column.dtype} of {column.ndim} dimensions", REMEDY)
        return column

    def __reduce__(self) -> tuple[type, tuple[Path]]:  # a worker process maps the files itself
        return (TrainingIndex, (self.directory,))

    def __del__(self) -> None:
        for descriptor in getattr(self, "_descriptors", {}).values():
            os.close(descriptor)

    def __len__(self) -> int:
        return len(self.frames)

    def utterance(self, number: int) -> str:
        """Name of utterance `number`, counted from 0."""
        start, end = self.columns["id_start"][number : number + 2]
        return self.columns["ids"][start:end].tobytes().decode("utf-8")

    def speaker(self, number: int) -> str:
        """Return the speaker of utterance `number`."""
        return self.speakers[self.columns["speaker"][number]]

    def text(self, number: int) -> np.ndarray:
        """Token ids of utterance `number`, (S,) int64."""
        start = int(self.columns["token_start"][number])
        return self.columns["token_ids"][start : start + int(self.tokens[number])].astype(np.int64)

    def codes(self, number: int) -> np.ndarray:
        """Codes of utterance `number`, (T, Q) int16.

        Raises:
            InputError: the archive is not there, or has something else at that place.
        """
        frames = int(self.frames[number])
        size = frames * self.num_codebooks * 2
        ark = int(self.columns["ark"][number])
        raw = os.pread(self._open(ark), HEADER_ROOM + size, int(self.columns["offset"][number]))
        start = _data_start(raw)
        shape = f"'<i2', 'fortran_order': False, 'shape': ({frames}, {self.num_codebooks})".encode()
        if shape not in raw[:start] or len(raw) < start + size:
            raise InputError(
                self._path(ark),
                f"the codes of {self.utterance(number)} are not where the index says",
                "The archives were written again after the index: build it again (stage 4)",
            )
        return np.frombuffer(raw, np.int16, frames * self.num_codebooks, start).reshape(frames, -1).copy()

    def _path(self, ark: int) -> Path:
        return self.directory / self.arks[ark]

    def _open(self, ark: int) -> int:
        """A file descriptor of an archive; where there may be no more, that used longest ago is closed."""
        descriptor = self._descriptors.pop(ark, None)
        if descriptor is None:
            self.most_open = self.most_open or allow_open_files(len(self.arks))
            if len(self._descriptors) >= self.most_open:
                os.close(self._descriptors.pop(next(iter(self._descriptors))))
            try:
                descriptor = os.open(self._path(ark), os.O_RDONLY)
            except OSError as error:
                raise InputError(
                    self._path(ark), f"cannot be opened ({error.strerror})", "Run stage 4 again"
                ) from error
        self._descriptors[ark] = descriptor
        return descriptor


def _data_start(raw: bytes) -> int:
    """Offset of the numbers of a matrix, as kaldiio writes it in numpy format; 0 if it is none."""
    mark = raw.find(NUMPY_MARK, 0, HEADER_ROOM)
    if not raw.startswith(KALDIIO_MARK) or mark != len(KALDIIO_MARK) + 1 + raw[len(KALDIIO_MARK)]:
        return 0
    length_at = mark + len(NUMPY_MARK)
    return length_at + 2 + int.from_bytes(raw[length_at : length_at + 2], "little")


def read_head(directory: Path) -> dict[str, Any]:
    """Read and check index.json.

    Raises:
        InputError: missing, not JSON, or of another kind or version.
    """
    path = directory / HEAD
    if not path.is_file():
        raise InputError(directory, "is not a training index: it has no index.json", REMEDY)
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(path, f"is not JSON ({error})", REMEDY) from error
    if not isinstance(head, dict) or (head.get("magic"), head.get("version")) != (MAGIC, VERSION):
        raise InputError(path, f"is not version {VERSION} of a training index", REMEDY)
    return head
