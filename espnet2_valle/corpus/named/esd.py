"""ESD: ten speakers of English and ten of Mandarin say 350 sentences each in five emotions."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.common.sound_files import SoundFolder
from espnet2_valle.corpus.abs_corpus import AbsCorpus
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found, make_recording
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.utterances import Utterance

EMOTIONS = {
    "neutral": "neutral",
    "angry": "angry",
    "happy": "happy",
    "sad": "sad",
    "surprise": "surprised",
}
MANDARIN = 10  # speakers up to this number speak it, the others English
SPEAKER = re.compile(r"\d{4}")
SENTENCES = 350  # of each emotion, by the number in a file's name: the same for all of a language
VALID, TEST = 20, 30  # the first of them, and those behind: its own evaluation and test sets


class Corpus(AbsCorpus):
    """SPEAKER/SPEAKER.txt (`name text emotion`, by tabs), SPEAKER/EMOTION/[evaluation|test|train/]NAME.wav.

    Sentences are held out, whoever says them, as its own sets do.
    """

    title = "ESD"
    home = "https://hltsingapore.github.io/ESD/"
    license = "for research"
    folder = "Emotion Speech Dataset"
    parts = ("en", "zh")
    default_parts = ("en",)

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        raise InputError(
            self.home,
            "ESD is handed out there by hand, for research",
            "Unpack it, and give its folder as --db",
        )

    def is_root(self, path: Path) -> bool:
        return path.is_dir() and any(_texts(folder) is not None for folder in _speakers(path))

    def read(self, root: Path, part: str) -> Found:
        found = Found()
        folders = [one for one in _speakers(root) if (int(one.name) <= MANDARIN) == (part == "zh")]
        if not folders:
            self.check_part(root / ("0001" if part == "zh" else "0011"), part)
        for folder in folders:
            listed = _texts(folder)
            if listed is None:
                found.bad[folder.name] = InputError(folder, f"has no {folder.name}.txt", "Unpack it again")
                continue
            texts = _read_texts(listed)
            sounds = SoundFolder(folder)
            sounds.warn()
            for path in sounds.files:
                name, emotion = path.stem, _emotion(path.relative_to(folder))
                if name not in texts or not emotion:
                    lacks = "has no transcript" if emotion else "lies in no folder of an emotion"
                    found.bad[name] = InputError(path, lacks, "Unpack the corpus again")
                    continue
                found.recordings.append(make_recording(name, folder.name, texts[name], path, part, emotion))
        return found

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        splits: Splits = {"train": [], "valid": [], "test": []}
        for recording in sum(found.values(), []):
            number = (int(recording.utterance.rsplit("_", 1)[1]) - 1) % SENTENCES
            name = "valid" if number < VALID else "test" if number < VALID + TEST else "train"
            splits[name].append(recording)
        return splits


def _speakers(root: Path) -> list[Path]:
    """The folders of speakers, in order."""
    return sorted(path for path in root.iterdir() if path.is_dir() and SPEAKER.fullmatch(path.name))


def _texts(folder: Path) -> Path | None:
    """The transcripts of a speaker, if they are there."""
    path = folder / f"{folder.name}.txt"
    return path if path.is_file() else None


def _read_texts(path: Path) -> dict[str, str]:
    """File name -> sentence; some lists have spaces in the place of tabs, and the emotion as last word."""
    texts = {}
    for line in read_text(path).splitlines():
        name, _, rest = line.strip().partition("\t") if "\t" in line else line.strip().partition(" ")
        sentence = rest.rpartition("\t" if "\t" in rest else " ")[0].strip()
        if re.fullmatch(r"\d{4}_\d{6}", name) and sentence:
            texts[name] = sentence
    if not texts:
        raise InputError(path, "has no line like `0011_000001<TAB>sentence<TAB>Neutral`", "Unpack it again")
    return texts


def _emotion(path: Path) -> str:
    """The emotion that a folder names."""
    return next((EMOTIONS[part.lower()] for part in path.parts[:-1] if part.lower() in EMOTIONS), "")
