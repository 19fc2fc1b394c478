"""Kaldi data directories: wav.scp, text, utt2spk and spk2utt, checked and sorted by key."""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from espnet2_valle.common.audio import Span
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, read_text

TO_THE_END = -1  # the end of a segment that lasts as long as its recording

Value = TypeVar("Value")


def read_scp(path: str | Path) -> dict[str, str]:
    """Read a file of two columns, `key value with spaces`, one entry a line.

    Raises:
        InputError: no such file, not UTF-8, a key without value, or a key given twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", "Run the stage that writes it first, or correct the path")
    entries: dict[str, str] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        key, *rest = line.split(maxsplit=1)
        value = rest[0].strip() if rest else ""
        if not value:
            raise InputError(f"{path}:{number}", f"'{key}' has no value", "Give it one or remove the line")
        if key in entries:
            raise InputError(f"{path}:{number}", f"'{key}' is there twice", "Remove or rename one of the two")
        entries[key] = value
    return entries


def write_scp(path: str | Path, entries: Mapping[str, object]) -> None:
    """Write `key value` lines sorted by key in C order, as Kaldi's tools want them."""
    with atomic_open(path) as stream:
        for key in sorted(entries):
            stream.write(f"{key} {entries[key]}\n")


@dataclass(frozen=True)
class DataDir:
    """A set of utterances.

    Attributes:
        path: the directory.
        wavs: utterance -> sound file, which several utterances may share where they have spans.
        texts: utterance -> transcript.
        speakers: utterance -> speaker.
        languages: utterance -> language, for all of them or for none.
        emotions: utterance -> emotion, for all of them or for none.
        spans: utterance -> part of its sound file, for all of them or for none.
    """

    path: Path
    wavs: dict[str, str]
    texts: dict[str, str]
    speakers: dict[str, str]
    languages: dict[str, str] = field(default_factory=dict)
    emotions: dict[str, str] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> "DataDir":
        """Read and check a directory.

        Raises:
            InputError: a missing file, no utterance, or utterances that one file has and another lacks.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(path, "no such data directory", "Run the stage that prepares it first")
        wavs, texts, speakers = (read_scp(path / name) for name in ("wav.scp", "text", "utt2spk"))
        spans: dict[str, Span] = {}
        if (path / "segments").is_file():
            wavs, spans = _read_segments(path / "segments", wavs)
        languages, emotions = (
            read_scp(path / name) if (path / name).is_file() else {} for name in ("utt2lang", "utt2emo")
        )
        loaded = cls(path, wavs, texts, speakers, languages, emotions, spans)
        loaded.check()
        return loaded

    def check(self) -> None:
        """Raise InputError unless the files speak of the same utterances, at least one."""
        if not self.wavs:
            raise InputError(self.path / "wav.scp", "has no utterance", "Give the set at least one")
        needed: dict[str, Mapping[str, object]] = {"text": self.texts, "utt2spk": self.speakers}
        optional: dict[str, Mapping[str, object]] = {
            "utt2lang": self.languages,
            "utt2emo": self.emotions,
            "segments": self.spans,
        }
        for name, entries in [*needed.items(), *((n, table) for n, table in optional.items() if table)]:
            odd = sorted(self.wavs.keys() ^ entries.keys())
            if odd:
                raise InputError(
                    self.path / name,
                    f"does not match wav.scp: {len(odd)} utterances are in one only, the first '{odd[0]}'",
                    "Give every utterance a sound file, a transcript and a speaker",
                )
        for utterance in self.wavs:
            if "/" in utterance or utterance.startswith("."):
                raise InputError(
                    self.path / "wav.scp",
                    f"'{utterance}' cannot name a file",
                    "Rename it without '/' or leading dot",
                )

    def write(self, path: str | Path | None = None) -> None:
        """Write the directory's files (spk2utt too) to `path`, or where the set was loaded from.

        With spans, wav.scp lists recordings and `segments` their utterances, as Kaldi has it.
        """
        self.check()
        path = Path(path or self.path)
        tables: dict[str, Mapping[str, object]] = {
            "wav.scp": self.wavs,
            "text": self.texts,
            "utt2spk": self.speakers,
            "spk2utt": {spk: " ".join(utts) for spk, utts in self.by_speaker().items()},
            "utt2lang": self.languages,
            "utt2emo": self.emotions,
            "segments": {},
        }
        if self.spans:
            names = _recording_names(set(self.wavs.values()))
            tables["wav.scp"] = {name: wav for wav, name in names.items()}
            tables["segments"] = {
                utt: f"{names[self.wavs[utt]]} {start:.3f} {-1 if math.isinf(end) else end:.3f}"
                for utt, (start, end) in self.spans.items()
            }
        for name, table in tables.items():
            if table:
                write_scp(path / name, table)
            else:
                (path / name).unlink(missing_ok=True)  # of an earlier run

    def by_speaker(self) -> dict[str, list[str]]:
        """Speaker -> sorted utterances, speakers sorted too."""
        groups: dict[str, list[str]] = {speaker: [] for speaker in sorted(set(self.speakers.values()))}
        for utterance in sorted(self.speakers):
            groups[self.speakers[utterance]].append(utterance)
        return groups

    def subset(self, utterances: Iterable[str], path: str | Path | None = None) -> "DataDir":
        """The same set with only these utterances, to be written to `path`."""
        kept = sorted(utterances)

        def of(table: dict[str, Value]) -> dict[str, Value]:
            return {u: table[u] for u in kept} if table else {}

        return DataDir(
            Path(path or self.path),
            of(self.wavs),
            of(self.texts),
            of(self.speakers),
            of(self.languages),
            of(self.emotions),
            of(self.spans),
        )


def _read_segments(path: Path, recordings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Span]]:
    """Sound file and span of each utterance of a `segments` file (`utterance recording start end`).

    An end of -1 is that of the recording, as in Kaldi; the span then ends at infinity.

    Raises:
        InputError: a line of another form, or of a recording that wav.scp lacks.
    """
    wavs: dict[str, str] = {}
    spans: dict[str, Span] = {}
    for utterance, value in read_scp(path).items():
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
        wavs[utterance], spans[utterance] = recordings[recording], span
    return wavs, spans


def _recording_names(paths: Collection[str]) -> dict[str, str]:
    """Sound file -> a name of its own for wav.scp, numbered since files of several folders share names."""
    names = {}
    for number, path in enumerate(sorted(paths), 1):
        stem = re.sub(r"[^\w.-]+", "-", Path(path).stem)
        names[path] = f"{number:0{len(str(len(paths)))}d}-{stem}"
    return names
