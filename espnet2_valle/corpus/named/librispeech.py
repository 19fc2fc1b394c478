"""LibriSpeech: 960 hours of audiobooks, with the lists of pairs of test-clean that the field scores on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.libri import OPENSLR, AbsLibri, librispeech_pairs
from espnet2_valle.corpus.recording import Found, join
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair, PairMaker


class Corpus(AbsLibri):
    """PART/SPEAKER/CHAPTER/NAME.flac with one SPEAKER-CHAPTER.trans.txt a chapter, at 16 kHz."""

    title = "LibriSpeech"
    home = "https://www.openslr.org/12"
    license = "CC BY 4.0"
    folder = "LibriSpeech"
    sizes = {
        "train-clean-100": 28539,
        "train-clean-360": 104014,
        "train-other-500": 148688,
        "dev-clean": 2703,
        "dev-other": 2864,
        "test-clean": 2620,
        "test-other": 2939,
    }
    checksums: Mapping[str, str] = {
        "dev-clean": "sha256:76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
        "dev-other": "sha256:12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
        "test-clean": "sha256:39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
        "test-other": "sha256:d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
        "train-clean-100": "sha256:d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
        "train-clean-360": "sha256:146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
        "train-other-500": "sha256:ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
    }

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive(f"{OPENSLR}/12/{part}.tar.gz", self.checksums[part]) for part in parts]

    def read(self, root: Path, part: str) -> Found:
        folder = root / part
        self.check_part(folder, part)
        sounds = self.sounds(folder, ".flac")
        texts = {}
        for file in self.texts(folder, ".trans.txt").values():
            for line in file.read_text(encoding="utf-8").splitlines():
                name, _, text = line.partition(" ")
                texts[name] = text.lower()  # it is all capitals, which espeak-ng would spell at times
        return join(texts, sounds, {name: name.split("-")[0] for name in sounds}, self.language, folder)

    def pairs(
        self, test: DataDir, durations: Mapping[str, float], train: DataDir | None, make: PairMaker
    ) -> dict[str, list[Pair]]:
        """The field's own lists, in place of drawn ones."""
        return librispeech_pairs(test, durations)
