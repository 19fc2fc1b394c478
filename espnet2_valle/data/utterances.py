"""Data directories of any size: read and written utterance by utterance, in order of their ids."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import repeat, zip_longest
from pathlib import Path
from typing import IO, NamedTuple

from espnet2_valle.common.audio import Span
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.tables import Row, Table, sorted_rows, unmatched

TO_THE_END = -1  # the end of a segment that lasts as long as its recording
NEEDED = ("wav.scp", "text", "utt2spk")
OPTIONAL = ("utt2lang", "utt2emo", "segments")  # of all utterances or of none


class Utterance(NamedTuple):
    """An utterance of a data directory.

    Attributes:
        utterance: its id.
        speaker: who says it.
        text: what is said.
        wav: the sound file.
        language: ISO 639-1 code, "" where it is not known.
        emotion: how it is said, "" where it is not known.
        span: the part of the sound file, None for all of it.
    """

    utterance: str
    speaker: str
    text: str
    wav: str
    language: str = ""
    emotion: str = ""
    span: Span | None = None


ROW_WIDTH = len(Utterance._fields) + 1  # columns: a span takes two


def to_row(one: Utterance) -> Row:
    """An utterance as a row of texts and numbers, for `tables.RowStore`."""
    return (*one[:-1], *(one.span or (None, None)))


def from_row(row: Row) -> Utterance:
    """The inverse of `to_row`."""
    *texts, start, end = row
    return Utterance._make([*texts, None if start is None else (start, end)])


class DataReader:
    """Reader of a data directory; what it keeps in memory is small but for the recordings of `segments`.

    The files are read through and checked at once, before any work. Each iteration reads them again.

    Args:
        path: the directory.

    Raises:
        InputError: a missing file, no utterance, or utterances that one file has and another lacks.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(path, "no such data directory", "Run the stage that prepares it first")
        self.tables = {name: Table(self.path / name) for name in NEEDED}
        self._recordings: dict[str, str] = {}
        if (self.path / "segments").is_file():
            self._recordings = dict(self.tables["wav.scp"])
            self.tables["wav.scp"] = Table(self.path / "segments")
            for key, value in self.tables["wav.scp"]:
                read_segment(self.path / "segments", key, value, self._recordings)
        for name in ("utt2lang", "utt2emo"):
            if (self.path / name).is_file():
                self.tables[name] = Table(self.path / name)
        self._check()

    def _check(self) -> None:
        if not len(self):
            raise no_utterance(self.path)
        for keys in zip_longest(*(table.names() for table in self.tables.values())):
            if keys.count(keys[0]) < len(keys):
                raise self._mismatch()
            check_name(keys[0], self.path)

    def _mismatch(self) -> InputError:
        """The error of the first file that has other utterances than wav.scp."""
        for name, table in self.tables.items():
            odd = list(unmatched(self.tables["wav.scp"].names(), table.names()))
            if odd:
                return does_not_match(self.path / name, len(odd), odd[0])
        raise AssertionError("all files have the same utterances")

    @property
    def has_segments(self) -> bool:
        """True if utterances are parts of recordings."""
        return bool(self._recordings)

    def __len__(self) -> int:
        return len(self.tables["wav.scp"])

    def __iter__(self) -> Iterator[Utterance]:
        wavs, texts, speakers = (self.tables[name] for name in NEEDED)
        languages, emotions = (
            self.tables[name].values() if name in self.tables else repeat("")
            for name in ("utt2lang", "utt2emo")
        )
        for (key, wav), text, speaker, language, emotion in zip(
            wavs, texts.values(), speakers.values(), languages, emotions
        ):
            span = None
            if self._recordings:
                wav, span = read_segment(self.path / "segments", key, wav, self._recordings)
            yield Utterance(key, speaker, text, wav, language, emotion, span)


def no_utterance(path: Path) -> InputError:
    """The error of an empty data directory."""
    return InputError(path / "wav.scp", "has no utterance", "Give the set at least one")


def does_not_match(path: Path, count: int, first: str = "") -> InputError:
    """The error of a file of a data directory that has other utterances than wav.scp."""
    named = f", the first '{first}'" if first else ""
    return InputError(
        path,
        f"does not match wav.scp: {count} utterances are in one only{named}",
        "Give every utterance a sound file, a transcript and a speaker",
    )


def check_name(utterance: str, path: Path) -> None:
    """Raise InputError at an id that cannot name a file; `path` is of its data directory."""
    if "/" in utterance or utterance.startswith("."):
        raise InputError(
            path / "wav.scp", f"'{utterance}' cannot name a file", "Rename it without '/' or leading dot"
        )


def read_segment(path: Path, utterance: str, value: str, recordings: Mapping[str, str]) -> tuple[str, Span]:
    """Sound file and span of a line of a `segments` file (`utterance recording start end`).

    An end of -1 is that of the recording, as in Kaldi; the span then ends at infinity.

    Args:
        path: the file.
        utterance, value: of its line.
        recordings: sound files by recording.

    Raises:
        InputError: a line of another form, or of a recording that wav.scp lacks.
    """
    try:
        recording, start, end = value.split()
        span = (float(start), math.inf if float(end) == TO_THE_END else float(end))
    except ValueError as error:
        raise InputError(
            path, f"'{utterance} {value}' is not a segment", "Write `utterance recording start end`"
        ) from error
    if recording not in recordings:
        raise InputError(
            path, f"'{utterance}' is of '{recording}', which wav.scp lacks", "Add it or remove the line"
        )
    if not 0 <= span[0] < span[1]:
        raise InputError(path, f"'{utterance}' lasts from {start} to {end} s", "Correct the line")
    return recordings[recording], span


def recording_names(paths: Collection[str]) -> dict[str, str]:
    """Sound file -> a name of its own for wav.scp, numbered since files of several folders share names."""
    names = {}
    for number, path in enumerate(sorted(paths), 1):
        stem = re.sub(r"[^\w.-]+", "-", Path(path).stem)
        names[path] = f"{number:0{len(str(len(paths)))}d}-{stem}"
    return names


def sorted_utterances(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Utterances in order of their ids, sorted on the disk (TMPDIR)."""
    return map(from_row, sorted_rows(map(to_row, utterances), ROW_WIDTH))


def write_utterances(
    path: str | Path, utterances: Iterable[Utterance], recordings: Mapping[str, str] | None = None
) -> int:
    """Write the files of a data directory (spk2utt too), all of them or, at an error, none.

    Args:
        path: the directory.
        utterances: in order of their ids; taken one by one.
        recordings: names of the sound files of which utterances are parts, see `recording_names`: wav.scp
            then lists these and `segments` the utterances, as Kaldi has it.

    Returns:
        the number of speakers.

    Raises:
        InputError: no utterance, an id that cannot name a file, or a language, emotion or part of some only.
        ValueError: they are not in order.
    """
    path = Path(path)
    total = 0
    with ExitStack() as stack:
        # Closed from the last to the first: when wav.scp is there, the others are.
        files = {name: stack.enter_context(atomic_open(path / name)) for name in (*NEEDED, "spk2utt")}
        counts: Counter[str] = Counter()

        def spoken() -> Iterator[tuple[str, str]]:
            nonlocal total
            former = ""
            for one in utterances:
                if one.utterance <= former:
                    raise ValueError(f"'{one.utterance}' comes behind '{former}'")
                former = one.utterance
                check_name(former, path)
                for name, value in _optional_values(one, recordings):
                    if name not in files:
                        files[name] = stack.enter_context(atomic_open(path / name))
                    files[name].write(f"{one.utterance} {value}\n")
                    counts[name] += 1
                if one.span is None:
                    files["wav.scp"].write(f"{one.utterance} {one.wav}\n")
                files["text"].write(f"{one.utterance} {one.text}\n")
                files["utt2spk"].write(f"{one.utterance} {one.speaker}\n")
                total += 1
                yield one.speaker, one.utterance

        speakers = _write_groups(files["spk2utt"], sorted_rows(spoken(), 2))
        if not total:
            raise no_utterance(path)
        for name, count in counts.items():
            if count < total:
                raise does_not_match(path / name, total - count)
        for name, wav in sorted((name, wav) for wav, name in (recordings or {}).items()):
            files["wav.scp"].write(f"{name} {wav}\n")
    for name in OPTIONAL:
        if name not in counts:
            (path / name).unlink(missing_ok=True)  # of an earlier run
    return speakers


def _optional_values(one: Utterance, recordings: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    """Name of each optional file that has an utterance, and the value in it."""
    if one.language:
        yield "utt2lang", one.language
    if one.emotion:
        yield "utt2emo", one.emotion
    if one.span is not None:
        assert recordings is not None
        start, end = one.span
        yield "segments", f"{recordings[one.wav]} {start:.3f} {-1 if math.isinf(end) else end:.3f}"


def _write_groups(stream: IO[str], rows: Iterable[tuple[str, str]]) -> int:
    """Write `speaker utterance utterance ...` lines of sorted rows; return the number of speakers."""
    former, count = "", 0
    for speaker, utterance in rows:
        if speaker != former:
            stream.write(f"\n{speaker}" if count else speaker)
            former = speaker
            count += 1
        stream.write(f" {utterance}")
    stream.write("\n")
    return count
