"""LibriTTS, LibriTTS-R and LibriSpeech: audiobooks, in PART/SPEAKER/CHAPTER/."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.named.abs_corpus import AbsCorpus, split_by_name
from espnet2_valle.corpus.recording import Found, Recording, join
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import CONTINUATION_PAIRS, NO_OTHER, PAIRS, Pair, PairMaker

SHORTEST, LONGEST = 4.0, 10.0  # seconds


def librispeech_pairs(test: DataDir, durations: Mapping[str, float]) -> dict[str, list[Pair]]:
    """Both lists of a test set.

    Args:
        test: the test set.
        durations: seconds of each of its utterances.

    Returns:
        file name -> pairs, each named by its target. The other voice of a speaker's i-th utterance is the
        i-th of the next speaker, counted round.

    Raises:
        InputError: no speaker has two utterances of 4 to 10 s.
    """
    groups = [
        [u for u in group if SHORTEST <= durations[u] <= LONGEST] for group in test.by_speaker().values()
    ]
    groups = [group for group in groups if group]
    cross, continuation = [], []
    for number, group in enumerate(groups):
        others = groups[(number + 1) % len(groups)] if len(groups) > 1 else [NO_OTHER]
        for place, target in enumerate(group):
            other = others[place % len(others)]
            continuation.append(Pair(target, target, target, other))
            if len(group) > 1:
                cross.append(Pair(target, group[place - 1], target, other))
    if not cross:
        raise InputError(
            test.path,
            f"no speaker has two utterances of {SHORTEST:g} to {LONGEST:g} s",
            "Give the whole of the test set",
        )
    return {PAIRS: cross, CONTINUATION_PAIRS: continuation}


OPENSLR = "https://www.openslr.org/resources"
TRAIN = ("train-clean-100", "train-clean-360", "train-other-500")
PARTS = (*TRAIN, "dev-clean", "dev-other", "test-clean", "test-other")


class AbsLibri(AbsCorpus):
    """What the three share."""

    parts = PARTS
    default_parts: Sequence[str] = (*TRAIN, "dev-clean", "test-clean")

    def is_root(self, path: Path) -> bool:
        return any((path / part).is_dir() for part in PARTS)

    def split(self, found: Mapping[str, list[Recording]], seed: int) -> Splits:
        return split_by_name(found, seed)


class LibriTTS(AbsLibri):
    """PART/SPEAKER/CHAPTER/NAME.wav with NAME.normalized.txt beside it, at 24 kHz."""

    title = "LibriTTS"
    home = "https://www.openslr.org/60"
    folder = "LibriTTS"
    sizes: Mapping[str, int] = {
        "train-clean-100": 33236,
        "train-clean-360": 116500,
        "train-other-500": 205044,
        "dev-clean": 5736,
        "dev-other": 4613,
        "test-clean": 4837,
        "test-other": 5120,
    }
    checksums: Mapping[str, str] = {
        "dev-clean": "sha256:da0864e1bd26debed35da8a869dd5c04dfc27682921936de7cff9c8a254dbe1a",
        "dev-other": "sha256:d413eda26f3a152ac7c9cf3658ef85504dfb1b625296e5fa83727f5186cca79c",
        "test-clean": "sha256:234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5",
        "test-other": "sha256:33a5342094f3bba7ccc2e0500b9e72d558f72eb99328ac8debe1d9080402f10d",
        "train-clean-100": "sha256:c5608bf1ef74bb621935382b8399c5cdd51cd3ee47cec51f00f885a64c6c7f6b",
        "train-clean-360": "sha256:ce7cff44dcac46009d18379f37ef36551123a1dc4e5c8e4eb73ae57260de4886",
        "train-other-500": "sha256:e35f7e34deeb2e2bdfe4403d88c8fdd5fbf64865cae41f027a185a6965f0a5df",
    }

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive(f"{OPENSLR}/60/{part}.tar.gz", self.checksums[part]) for part in parts]

    def read(self, root: Path, part: str) -> Found:
        folder = root / part
        self.check_part(folder, part)
        sounds = {path.stem: path for path in folder.glob("*/*/*.wav")}
        files = tqdm(sorted(folder.glob("*/*/*.normalized.txt")), desc=f"read {part}")
        texts = {
            path.name.removesuffix(".normalized.txt"): path.read_text(encoding="utf-8") for path in files
        }
        return join(texts, sounds, {name: name.split("_")[0] for name in sounds}, self.language, folder)


class LibriTTSR(LibriTTS):
    """LibriTTS after speech restoration, in the same layout."""

    title = "LibriTTS-R"
    home = "https://www.openslr.org/141"
    folder = "LibriTTS_R"
    sizes: Mapping[str, int] = {}  # some utterances could not be restored
    checksums = {
        "dev-clean": "md5:2c1f5312914890634cc2d15783032ff3",
        "dev-other": "md5:62d3a80ad8a282b6f31b3904f0507e4f",
        "test-clean": "md5:4d373d453eb96c0691e598061bbafab7",
        "test-other": "md5:dbc0959d8bdb6d52200595cabc9995ae",
        "train-clean-100": "md5:6df668d8f5f33e70876bfa33862ad02b",
        "train-clean-360": "md5:382eb3e64394b3da6a559f864339b22c",
        "train-other-500": "md5:a37a8e9f4fe79d20601639bf23d1add8",
    }

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        names = {part: part.replace("-", "_") for part in parts}
        return [Archive(f"{OPENSLR}/141/{names[part]}.tar.gz", self.checksums[part]) for part in parts]


class LibriSpeech(AbsLibri):
    """PART/SPEAKER/CHAPTER/NAME.flac with one SPEAKER-CHAPTER.trans.txt a chapter, at 16 kHz."""

    title = "LibriSpeech"
    home = "https://www.openslr.org/12"
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
        sounds = {path.stem: path for path in folder.glob("*/*/*.flac")}
        texts = {}
        for file in sorted(folder.glob("*/*/*.trans.txt")):
            for line in file.read_text(encoding="utf-8").splitlines():
                name, _, text = line.partition(" ")
                texts[name] = text.lower()  # it is all capitals, which espeak-ng would spell at times
        return join(texts, sounds, {name: name.split("-")[0] for name in sounds}, self.language, folder)

    def pairs(
        self, test: DataDir, durations: Mapping[str, float], train: DataDir | None, make: PairMaker
    ) -> dict[str, list[Pair]]:
        """The field's own lists, in place of drawn ones."""
        return librispeech_pairs(test, durations)


class LibriSpeechTest(LibriSpeech):
    """test-clean alone, to score models that were trained on something else."""

    title = "LibriSpeech test-clean"
    default_parts = ("test-clean",)
