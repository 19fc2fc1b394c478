"""VCTK 0.92 (or 0.80): 44 hours of 110 speakers of English."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.corpus.abs_corpus import VALID_SHARE, AbsCorpus
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found, join
from espnet2_valle.corpus.split import Splits, hold_out_texts
from espnet2_valle.data.utterances import Utterance

# The speakers that YourTTS (arXiv 2112.02418) and many after it never train on.
TEST_SPEAKERS = ("p225", "p234", "p238", "p245", "p248", "p261", "p294", "p302", "p326", "p335", "p347")
MICROPHONE = "_mic2"  # of the two, the one that ESPnet's recipe takes
INCOMPLETE = ("p280", "p315")  # as released: no second microphone, no transcripts


class Corpus(AbsCorpus):
    """txt/ and wav48_silence_trimmed/ (0.92) or wav48/ (0.80). Eleven whole speakers are the test."""

    title = "VCTK"
    home = "https://datashare.ed.ac.uk/handle/10283/3443"
    license = "CC BY 4.0"
    folder = "VCTK-Corpus-0.92"

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [
            Archive(
                "https://datashare.is.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip",
                "sha256:f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c",
                self.folder,
            )
        ]

    def is_root(self, path: Path) -> bool:
        return (path / "txt").is_dir() and any(sounds.is_dir() for sounds in _sound_folders(path))

    def read(self, root: Path, part: str) -> Found:
        trimmed, untrimmed = _sound_folders(root)
        if trimmed.is_dir():
            sounds = {
                name.removesuffix(MICROPHONE): path
                for name, path in self.sounds(trimmed, ".flac").items()
                if name.endswith(MICROPHONE)
            }
        else:
            sounds = self.sounds(untrimmed, ".wav")
        files = self.texts(root / "txt", ".txt")
        texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
        sounds, texts = _without_incomplete(sounds), _without_incomplete(texts)
        speakers = {name: path.parent.name for name, path in sounds.items()}
        return join(texts, sounds, speakers, self.language, root / "txt")

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        recordings = sum(found.values(), [])
        rest = [r for r in recordings if r.speaker not in TEST_SPEAKERS]
        train, valid = hold_out_texts(rest, VALID_SHARE, random.Random(seed))
        return {
            "train": train,
            "valid": valid,
            "test": [r for r in recordings if r.speaker in TEST_SPEAKERS],
        }


def _sound_folders(root: Path) -> tuple[Path, Path]:
    return root / "wav48_silence_trimmed", root / "wav48"


def _without_incomplete(entries: dict) -> dict:
    return {name: value for name, value in entries.items() if name.split("_")[0] not in INCOMPLETE}
