"""Kaldi data directories: wav.scp, text, utt2spk and spk2utt, checked and sorted by key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open


def read_scp(path: str | Path) -> dict[str, str]:
    """Read a file of two columns, `key value with spaces`, one entry a line.

    Raises:
        InputError: no such file, not UTF-8, a key without value, or a key given twice.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file", "Run the stage that writes it first, or correct the path")
    entries: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(
            path, f"is not UTF-8 text ({error})", "Convert it, for example with iconv"
        ) from error
    for number, line in enumerate(lines, 1):
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
        wavs: utterance -> sound file.
        texts: utterance -> transcript.
        speakers: utterance -> speaker.
    """

    path: Path
    wavs: dict[str, str]
    texts: dict[str, str]
    speakers: dict[str, str]

    @classmethod
    def load(cls, path: str | Path) -> "DataDir":
        """Read and check a directory.

        Raises:
            InputError: a missing file, no utterance, or utterances that one file has and another lacks.
        """
        path = Path(path)
        if not path.is_dir():
            raise InputError(path, "no such data directory", "Run the stage that prepares it first")
        loaded = cls(path, *(read_scp(path / name) for name in ("wav.scp", "text", "utt2spk")))
        loaded.check()
        return loaded

    def check(self) -> None:
        """Raise InputError unless the three files speak of the same utterances, at least one."""
        if not self.wavs:
            raise InputError(self.path / "wav.scp", "has no utterance", "Give the set at least one")
        for name, entries in (("text", self.texts), ("utt2spk", self.speakers)):
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
        """Write the four files (spk2utt too) to `path`, or where the set was loaded from."""
        self.check()
        path = Path(path or self.path)
        write_scp(path / "wav.scp", self.wavs)
        write_scp(path / "text", self.texts)
        write_scp(path / "utt2spk", self.speakers)
        write_scp(path / "spk2utt", {spk: " ".join(utts) for spk, utts in self.by_speaker().items()})

    def by_speaker(self) -> dict[str, list[str]]:
        """Speaker -> sorted utterances, speakers sorted too."""
        groups: dict[str, list[str]] = {speaker: [] for speaker in sorted(set(self.speakers.values()))}
        for utterance in sorted(self.speakers):
            groups[self.speakers[utterance]].append(utterance)
        return groups

    def subset(self, utterances: Iterable[str], path: str | Path | None = None) -> "DataDir":
        """The same set with only these utterances, to be written to `path`."""
        kept = sorted(utterances)
        tables = ({u: table[u] for u in kept} for table in (self.wavs, self.texts, self.speakers))
        return DataDir(Path(path or self.path), *tables)
