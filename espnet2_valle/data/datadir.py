"""Kaldi data directories: wav.scp, text, utt2spk and spk2utt, checked and sorted by key."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from espnet2_valle.common.audio import Span
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.tables import read_entries, twice
from espnet2_valle.data.utterances import (
    Utterance,
    check_name,
    does_not_match,
    no_utterance,
    read_segment,
    recording_names,
    write_utterances,
)

Value = TypeVar("Value")


def read_scp(path: str | Path, bad: dict[str, InputError] | None = None) -> dict[str, str]:
    """Read a file of two columns, `key value with spaces`, one entry a line.

    Args:
        path: the file.
        bad: gets the errors of keys without value, in place of a raise.

    Raises:
        InputError: no such file, not UTF-8, a key without value, or a key given twice.
    """
    entries: dict[str, str] = {}
    for number, key, value in read_entries(path, bad):
        if key in entries:
            raise twice(path, number, key)
        entries[key] = value
    return entries


def read_if_there(path: str | Path, bad: dict[str, InputError] | None = None) -> dict[str, str]:
    """Entries of a file that may be missing, see `read_scp`; none where it is."""
    return read_scp(path, bad) if Path(path).is_file() else {}


def write_scp(path: str | Path, entries: Mapping[str, object]) -> None:
    """Write `key value` lines sorted by key in C order, as Kaldi's tools want them."""
    with atomic_open(path) as stream:
        for key in sorted(entries):
            stream.write(f"{key} {entries[key]}\n")


@dataclass(frozen=True)
class DataDir:
    """A set of utterances in memory; `utterances.DataReader` reads those of any size.

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
    def load(cls, path: str | Path, bad: dict[str, InputError] | None = None) -> "DataDir":
        """Read and check a directory.

        Args:
            path: the directory.
            bad: gets the errors of utterances that one file has and another lacks, in place of a raise; they
                are left out.

        Raises:
            InputError: a missing file, no utterance, or utterances that one file has and another lacks.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(path, "no such data directory", "Run the stage that prepares it first")
        wavs, texts, speakers = (read_scp(path / name, bad) for name in ("wav.scp", "text", "utt2spk"))
        spans: dict[str, Span] = {}
        if (path / "segments").is_file():
            recordings, wavs = wavs, {}
            for utterance, value in read_scp(path / "segments").items():
                wavs[utterance], spans[utterance] = read_segment(
                    path / "segments", utterance, value, recordings
                )
        languages, emotions = (read_if_there(path / name, bad) for name in ("utt2lang", "utt2emo"))
        loaded = cls(path, wavs, texts, speakers, languages, emotions, spans)
        if bad is not None:
            loaded = loaded._without_gaps(bad)
        loaded.check()
        return loaded

    def _tables(self) -> dict[str, Mapping[str, object]]:
        """File -> what it says of each utterance; files that may be missing only where they are there."""
        needed: dict[str, Mapping[str, object]] = {"text": self.texts, "utt2spk": self.speakers}
        optional: dict[str, Mapping[str, object]] = {
            "utt2lang": self.languages,
            "utt2emo": self.emotions,
            "segments": self.spans,
        }
        return needed | {name: table for name, table in optional.items() if table}

    def _without_gaps(self, bad: dict[str, InputError]) -> "DataDir":
        """The utterances that all files have; the others go to `bad`."""
        whole = self.wavs.keys() - bad.keys()
        for name, entries in self._tables().items():
            for utterance in sorted(self.wavs.keys() ^ entries.keys()):
                where, other = ("wav.scp", name) if utterance in entries else (name, "wav.scp")
                bad.setdefault(
                    utterance,
                    InputError(
                        self.path / where,
                        f"lacks '{utterance}', which {other} has",
                        "Add it, or remove it there",
                    ),
                )
            whole &= entries.keys()
        return self.subset(whole, self.path)

    def check(self) -> None:
        """Raise InputError unless the files speak of the same utterances, at least one."""
        if not self.wavs:
            raise no_utterance(self.path)
        for name, entries in self._tables().items():
            odd = sorted(self.wavs.keys() ^ entries.keys())
            if odd:
                raise does_not_match(self.path / name, len(odd), odd[0])
        for utterance in self.wavs:
            check_name(utterance, self.path)

    def write(self, path: str | Path | None = None) -> None:
        """Write the directory's files (spk2utt too) to `path`, or where the set was loaded from.

        With spans, wav.scp lists recordings and `segments` their utterances, as Kaldi has it.
        """
        self.check()
        names = recording_names(set(self.wavs.values())) if self.spans else None
        write_utterances(path or self.path, self, names)

    def __iter__(self) -> Iterator[Utterance]:
        """Utterances in order of their ids."""
        for key in sorted(self.wavs):
            yield Utterance(
                key,
                self.speakers[key],
                self.texts[key],
                self.wavs[key],
                self.languages.get(key, ""),
                self.emotions.get(key, ""),
                self.spans.get(key),
            )

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
