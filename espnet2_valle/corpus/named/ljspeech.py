"""LJSpeech 1.1: 24 hours of one woman."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.abs_corpus import AbsCorpus
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found, join
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.utterances import Utterance

SPEAKER = "LJ"
HELD_OUT = 250  # utterances for validation, and as many for the test: ESPnet's recipe
LARGEST_SHARE = 0.1  # of a part of the corpus, that is held out for either
COLUMNS = 3  # id|text|text with numbers and abbreviations spelled out


class Corpus(AbsCorpus):
    """metadata.csv and wavs/. The last 250 ids are the test, the 250 before them validation."""

    title = "LJSpeech 1.1"
    home = "https://keithito.com/LJ-Speech-Dataset"
    license = "public domain"
    folder = "LJSpeech-1.1"
    sizes = {"all": 13100}

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [
            Archive(
                "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
                "sha256:be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
            )
        ]

    def is_root(self, path: Path) -> bool:
        return (path / "metadata.csv").is_file() and (path / "wavs").is_dir()

    def read(self, root: Path, part: str) -> Found:
        metadata = root / "metadata.csv"
        texts = {}
        for number, line in enumerate(metadata.read_text(encoding="utf-8").splitlines(), 1):
            columns = line.split("|")
            if len(columns) != COLUMNS:
                raise InputError(
                    f"{metadata}:{number}", f"has {len(columns)} columns, not {COLUMNS}", "Unpack it again"
                )
            texts[columns[0]] = columns[2]
        sounds = self.sounds(root / "wavs", ".wav")
        return join(texts, sounds, dict.fromkeys(texts, SPEAKER), self.language, metadata)

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        recordings = sorted(sum(found.values(), []), key=lambda r: r.utterance)
        count = min(HELD_OUT, max(1, round(LARGEST_SHARE * len(recordings))))
        return {
            "train": recordings[: -2 * count],
            "valid": recordings[-2 * count : -count],
            "test": recordings[-count:],
        }
