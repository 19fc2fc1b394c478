"""Writing a training index (`train/index.py` says what is in it)."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.codes import INDEX, SHAPES
from espnet2_valle.data.combine import UNKNOWN_LANGUAGE
from espnet2_valle.train.index import (
    COLUMNS,
    EMOTIONS,
    HEAD,
    MAGIC,
    ORDERS,
    POOLS,
    SPEAKER_SHIFT,
    TABLES,
    TOLD,
    VERSION,
)
from espnet2_valle.valle.styles import ATTRIBUTES, EMOTION

REMEDY = "Run stages 2 to 4 again"
BUFFERED = 1 << 16  # numbers of a column kept in memory before they are written
STYLE = "style"


class IndexWriter:
    """Writer of an index, utterance by utterance; what it keeps in memory is small.

    Example:
        with IndexWriter(directory, num_codebooks=8) as writer:
            writer.add("utt1", "speaker", token_ids, "codes.1.ark", 15, frames=157)

    Args:
        directory: gets the files; index.json only when the block ends well.
        num_codebooks: Q of the codes.
        told: conditions of style that utterances have, of `styles.CONDITIONS`.
    """

    def __init__(self, directory: str | Path, num_codebooks: int, told: Sequence[str] = ()):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / HEAD).unlink(missing_ok=True)
        self.num_codebooks = num_codebooks
        self.files = {
            name: _GrowingColumn(self.directory / f"{name}.npy", dtype)
            for name, dtype in (COLUMNS | {name: TOLD[name] for name in told} | POOLS).items()
        }
        self.told = told
        self.tables: dict[str, dict[str, int]] = {name: {} for name in (*TABLES, EMOTIONS)}
        self.files["id_start"].extend([0])
        self._relative = lru_cache(maxsize=1)(lambda ark: os.path.relpath(ark, self.directory))

    def __enter__(self) -> "IndexWriter":
        return self

    def add(
        self,
        utterance: str,
        speaker: str,
        token_ids: Sequence[int],
        ark: str | Path,
        offset: int,
        frames: int,
        language: str = UNKNOWN_LANGUAGE,
        emotion: str = "",
        attributes: Sequence[int] = (),
    ) -> None:
        """Add an utterance.

        Args:
            utterance, speaker, token_ids, frames: of it.
            ark, offset: as in codes.scp.
            language: by ISO 639.
            emotion: its label, if the index is told them.
            attributes: bins of `styles.ATTRIBUTES`, if it is told those.
        """
        values = {
            "frames": frames,
            "tokens": len(token_ids),
            "ark": self._number("arks", self._relative(str(ark))),
            "offset": offset,
            "token_start": self.files["token_ids"].length,
            "speaker": self._number("speakers", speaker),
            "language": self._number("languages", language),
        }
        if EMOTION in self.told:
            values[EMOTION] = self._number(EMOTIONS, emotion)
        values |= zip(ATTRIBUTES, attributes)
        self.files["token_ids"].extend(token_ids)
        self.files["ids"].extend(utterance.encode("utf-8"))
        for name, value in {**values, "id_start": self.files["ids"].length}.items():
            self.files[name].extend([value])

    def _number(self, table: str, name: str) -> int:
        return self.tables[table].setdefault(name, len(self.tables[table]))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        for file in self.files.values():
            file.close()
        if kind is None:
            finish_index(self.directory, self.tables, self.num_codebooks, self.told)


def finish_index(
    directory: Path,
    tables: Mapping[str, Sequence[str] | dict],
    num_codebooks: int,
    told: Sequence[str] = (),
) -> None:
    """Write what follows from the columns: the orders, the tables, and index.json, which makes it an index.

    Args:
        directory: holds every column and pool as .npy.
        tables: the lines of arks.txt, speakers.txt and languages.txt.
        num_codebooks: Q of the codes.
        told: see `IndexWriter`; of emotions there is a table, too.
    """
    speaker = np.load(directory / "speaker.npy", mmap_mode="r")
    frames = np.load(directory / "frames.npy", mmap_mode="r")
    keys = (speaker.astype(np.int64) << SPEAKER_SHIFT) + frames
    order = np.argsort(keys, kind="stable")
    np.save(directory / "by_speaker.npy", order.astype(ORDERS["by_speaker"]))
    np.save(directory / "speaker_frames.npy", keys[order])
    for name in (*TABLES, *([EMOTIONS] if EMOTION in told else [])):
        with atomic_open(directory / f"{name}.txt") as stream:
            stream.writelines(f"{line}\n" for line in tables[name])
    files = {name: (directory / f"{name}.npy").stat().st_size for name in (*COLUMNS, *told, *POOLS, *ORDERS)}
    head = {
        "magic": MAGIC,
        "version": VERSION,
        "num_utterances": len(frames),
        "num_codebooks": num_codebooks,
        "files": files,
    }
    with atomic_open(directory / HEAD) as stream:
        stream.write(json.dumps(head, indent=1) + "\n")


def build_index(
    codes_dir: str | Path,
    token_int: str | Path,
    utt2spk: str | Path,
    output_dir: str | Path,
    utt2lang: str | Path | None = None,
    share: float = 1.0,
    only: str | Path | None = None,
    utt2emo: str | Path | None = None,
    utt2style: str | Path | None = None,
) -> int:
    """Write the index of a set of utterances, reading its files side by side, line by line.

    Args:
        codes_dir: codes.scp and codes_shape; their utterances are those of the index.
        token_int, utt2spk, utt2lang: the same and possibly more utterances.
        output_dir: gets the index.
        share: of the utterances that are taken; a smaller share is part of a larger one.
        only: file of two columns; utterances that are not in it are left out.
        utt2emo: their emotions; utt2style: bins of `styles.ATTRIBUTES`, as `data.styles` writes them.

    Returns:
        the number of utterances.

    Raises:
        InputError: a missing file, an unsorted one, a line at fault, or an utterance that one lacks.
    """
    codes_dir = Path(codes_dir)
    companions = [codes_dir / SHAPES, Path(token_int), Path(utt2spk)]
    optional = {"language": utt2lang, EMOTION: utt2emo, STYLE: utt2style}
    given = {name: Path(path) for name, path in optional.items() if path}
    companions += given.values()
    told = [*([EMOTION] if utt2emo else []), *(ATTRIBUTES if utt2style else [])]
    count = 0
    with ExitStack() as stack:
        writer: IndexWriter | None = None
        rows = [_Companion(path) for path in companions]
        chosen = _Chosen(only)
        for utterance, place in _sorted_lines(codes_dir / INDEX):
            if not _is_drawn(utterance, share) or not chosen.has(utterance):
                continue
            ark, _, offset = place.rpartition(":")
            shape, text, speaker, *more = (row.value(utterance) for row in rows)
            known = dict(zip(given, more))
            try:
                frames, num_codebooks = (int(size) for size in shape.split(","))
                token_ids = [int(token) for token in text.split()]
                if writer is None:
                    writer = stack.enter_context(IndexWriter(output_dir, num_codebooks, told))
                if num_codebooks != writer.num_codebooks or not token_ids or frames < 1:
                    raise ValueError(f"shape {shape}, {len(token_ids)} tokens")
                bins = [int(number) for number in known.pop(STYLE, "").split()]
                if utt2style and len(bins) != len(ATTRIBUTES):
                    raise ValueError(f"{len(bins)} numbers in {utt2style}")
                writer.add(utterance, speaker, token_ids, ark, int(offset), frames, **known, attributes=bins)
            except ValueError as error:
                raise InputError(codes_dir, f"'{utterance}': {error}", REMEDY) from error
            count += 1
        if writer is None:
            raise InputError(
                codes_dir / INDEX, "has no utterance", "Run stage 4 again, or take a larger share"
            )
    return count


def _is_drawn(utterance: str, share: float) -> bool:
    """Return whether an utterance is in a share of all. Its name alone decides: shares lie in one another."""
    digest = hashlib.sha1(utterance.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


class _Companion:
    """A file of `utterance value` lines that is read in step with another one."""

    def __init__(self, path: Path):
        self.path = path
        self.lines = _sorted_lines(path)
        self.key, self.line = "", ""

    def value(self, utterance: str) -> str:
        while self.key < utterance:
            try:
                self.key, self.line = next(self.lines)
            except StopIteration:
                break
        if self.key != utterance:
            raise InputError(self.path, f"'{utterance}' of codes.scp is not in it (or not in order)", REMEDY)
        return self.line


class _Chosen:
    """The keys of a file that is read in step with another one; without a file all keys."""

    def __init__(self, path: str | Path | None):
        self.lines = iter(()) if path is None else _sorted_lines(Path(path))
        self.all = path is None
        self.key = ""

    def has(self, utterance: str) -> bool:
        while not self.all and self.key < utterance:
            self.key = next(self.lines, (utterance + "\0", ""))[0]
        return self.all or self.key == utterance


def _sorted_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Key and value of each line.

    Raises:
        InputError: no such file, a line without value, or a key that does not come behind the former.
    """
    if not path.is_file():
        raise InputError(path, "no such file", "Run the stage that writes it first")
    former = ""
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            key, _, value = line.strip().partition(" ")
            if not value or key <= former:
                raise InputError(
                    f"{path}:{number}", f"'{key}' has no value or is not in order", "Sort it (LC_ALL=C)"
                )
            yield key, value
            former = key


class _GrowingColumn:
    """A one-dimensional .npy file whose length is known only when it is closed."""

    def __init__(self, path: Path, dtype: np.dtype):
        self.stream = open(path, "wb")  # noqa: SIM115 -- closed by `close`
        self.dtype = dtype
        self.length = 0
        self.buffer: list[int] = []
        self._write_header()

    def _write_header(self) -> None:
        """Numpy leaves room in the header for a length of any number of digits."""
        head = {"descr": npy.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.length,)}
        npy.write_array_header_1_0(self.stream, head)

    def extend(self, values: Sequence[int]) -> None:
        self.buffer.extend(values)
        self.length += len(values)
        if len(self.buffer) >= BUFFERED:
            self._flush()

    def _flush(self) -> None:
        self.stream.write(np.array(self.buffer, self.dtype).tobytes())
        self.buffer.clear()

    def close(self) -> None:
        self._flush()
        self.stream.seek(0)
        self._write_header()
        self.stream.close()
