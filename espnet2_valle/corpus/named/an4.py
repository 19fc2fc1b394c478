"""CMU AN4: 84 people spell names and say numbers, dates and commands, about a hundred words in all."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.corpus.abs_corpus import AbsCorpus, split_by_speaker
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.letters import as_letters
from espnet2_valle.corpus.recording import Found, join
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.utterances import Utterance

SOUNDS = {"train": "an4_clstk", "test": "an4test_clstk"}  # folder of a part's sound files
LINE = re.compile(r"(?:<s>)?(?P<text>[^<>()]*)(?:</s>)?\s*\((?P<name>[^-()\s]+-(?P<speaker>[^-()\s]+)-\S+)\)")


class Corpus(AbsCorpus):
    """etc/an4_PART.transcription and wav/{an4,an4test}_clstk/SPEAKER/NAME.sph, at 16 kHz; its own test set.

    Every lone letter in it is spelled aloud. Some speakers of the training part, whole, are the validation.
    """

    title = "CMU AN4"
    home = (
        "https://huggingface.co/datasets/espnet/an4"  # a copy of http://www.speech.cs.cmu.edu/databases/an4
    )
    folder = "an4"
    parts = default_parts = ("train", "test")
    sizes = {"train": 948, "test": 130}

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive(f"{self.home}/resolve/main/an4_sphere.tar.gz")]

    def is_root(self, path: Path) -> bool:
        return any(_transcription(path, part).is_file() for part in self.parts)

    def read(self, root: Path, part: str) -> Found:
        folder, transcription = root / "wav" / SOUNDS[part], _transcription(root, part)
        self.check_part(folder, part)
        if not transcription.is_file():
            raise InputError(transcription, "no such file", "Unpack the corpus again")
        texts, speakers = {}, {}
        for number, line in enumerate(read_text(transcription).splitlines(), 1):
            if not line.strip():
                continue
            found = LINE.fullmatch(line.strip())
            if not found:
                raise InputError(
                    f"{transcription}:{number}", f"'{line}' is not `TEXT (NAME)`", "Unpack the corpus again"
                )
            texts[found["name"]] = as_letters(found["text"].lower())
            speakers[found["name"]] = found["speaker"]
        return join(texts, self.sounds(folder, ".sph"), speakers, self.language, transcription)

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        return split_by_speaker(found)


def _transcription(root: Path, part: str) -> Path:
    return root / "etc" / f"an4_{part}.transcription"
