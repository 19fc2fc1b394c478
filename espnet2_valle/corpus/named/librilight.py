"""Libri-Light: audiobook chapters without text, cut by the word times of a recogniser."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.abs_corpus import in_share
from espnet2_valle.corpus.cutting import Unit
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.long_recordings import LIBRILIGHT, SUBSETS, AbsLongRecordings, Aligned
from espnet2_valle.data.utterances import Utterance

HELD_OUT = 0.01  # of the speakers, for validation and as many for the test


class Corpus(AbsLongRecordings):
    """Libri-Light with word times in alignments/SUBSET.ctm (or .ctm.gz), which it does not come with.

    A line is NIST's `recording channel start duration word [confidence]`, recordings being called
    SUBSET/SPEAKER/BOOK/CHAPTER. Kaldi's recognisers write it; VALL-E was trained on such output. One in a
    hundred speakers is the test and one validation, by a hash of their names: who is held out stays so when
    more subsets are added.
    """

    title = "Libri-Light"
    home = "https://github.com/facebookresearch/libri-light"
    folder = "librilight"
    parts = SUBSETS
    default_parts = ("small",)
    sets = ("train", "valid", "test")

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive(f"{LIBRILIGHT}/{part}.tar") for part in parts]

    def is_root(self, path: Path) -> bool:
        return any((path / part).is_dir() for part in SUBSETS)

    def recordings(self, root: Path, part: str, bad: dict[str, InputError]) -> Iterator[Utterance]:
        self.check_part(root / part, part)
        names = [root / "alignments" / f"{part}.ctm{suffix}" for suffix in ("", ".gz")]
        file = next((name for name in names if name.is_file()), None)
        if file is None:
            raise InputError(
                names[0],
                "is not there: Libri-Light has no transcripts",
                "Align it with a recogniser and write the words' times there, or take --corpus libriheavy",
            )
        return self.cut_recordings(_read_ctm(file), root, bad, self.limits)

    def set_of(self, recording: Utterance, part: str) -> str:
        if in_share(recording.speaker, 0, HELD_OUT):
            return "test"
        return "valid" if in_share(recording.speaker, HELD_OUT, 2 * HELD_OUT) else "train"


def _read_ctm(file: Path) -> Iterator[Aligned]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(tqdm(stream, desc=f"read {file.name}", unit=" words"), 1):
            if line.startswith(";;") or not line.strip():
                continue
            try:
                recording, _, start, duration, word = line.split()[:5]
                yield Aligned(recording, Unit(float(start), float(start) + float(duration), word))
            except ValueError as error:
                raise InputError(
                    f"{file}:{number}",
                    f"'{line.strip()}' is not a word's time",
                    "Write `recording channel start duration word`",
                ) from error
