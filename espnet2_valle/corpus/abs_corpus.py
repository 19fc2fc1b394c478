"""The interface of a named corpus: its source and layout, what is held out, its defaults in the recipe."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from zlib import crc32

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys
from espnet2_valle.common.sound_files import SoundFolder
from espnet2_valle.common.sound_formats import PREFERRED
from espnet2_valle.common.walk import nfc, walk
from espnet2_valle.corpus.cutting import DEFAULT_LIMITS, Limits
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found
from espnet2_valle.corpus.split import Splits, hold_out_texts
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import PAIRS, Pair, PairMaker
from espnet2_valle.data.utterances import Utterance

VALID_SHARE = 0.01  # of the training texts, where a corpus has no validation set of its own
VALID_SPEAKERS = 0.05  # of the training speakers, where validation is to have voices of its own
WHOLE = ("all",)  # the one part of a corpus without parts


class AbsCorpus(ABC):
    """One public corpus.

    Attributes:
        title: its name and version.
        home: page that describes it, with its licence.
        license: of the recordings; empty where it has none of the usual ones.
        language: ISO 639-1 code.
        folder: what its archives unpack to.
        parts: what it consists of, by the names of its own release.
        default_parts: those that are prepared unless others are asked for.
        sizes: part -> utterances of the release, where that is known.
        recipe_defaults: options of valle.sh that differ for it, as a user in egs2/valle would write them.
        options: numbers that say what is taken of it, and their defaults.

    Args:
        limits: how long recordings are cut, in a corpus of such.
        conf: values for some of its `options`.

    Raises:
        InputError: it has no such option.
    """

    title: str
    home: str
    license: str = ""
    language: str = "en"
    folder: str
    parts: Sequence[str] = WHOLE
    default_parts: Sequence[str] = WHOLE
    sizes: Mapping[str, int] = {}
    recipe_defaults: Mapping[str, str] = {}
    options: Mapping[str, float] = {}

    def __init__(self, limits: Limits = DEFAULT_LIMITS, conf: Mapping[str, float] | None = None) -> None:
        check_keys(f"--corpus_conf of {self.title}", conf or {}, self.options, "option")
        self.limits = limits
        self.conf = {**self.options, **(conf or {})}

    @abstractmethod
    def archives(self, parts: Sequence[str]) -> list[Archive]:
        """The files that hold these parts."""

    @abstractmethod
    def is_root(self, path: Path) -> bool:
        """Tell whether `path` is the folder that the archives unpack to, with at least one part in it."""

    @abstractmethod
    def read(self, root: Path, part: str) -> Found:
        """Read one part.

        Raises:
            InputError: a file of the corpus that is needed and not there.
        """

    @abstractmethod
    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        """Divide the recordings of the parts into train, valid and test."""

    def pairs(
        self, test: DataDir, durations: Mapping[str, float], train: DataDir | None, make: PairMaker
    ) -> dict[str, list[Pair]]:
        """Lists of (prompt, text) pairs of the test set: file name -> pairs.

        Args:
            test: the test set.
            durations: seconds of each of its utterances.
            train: the training set, if there is one.
            make: draws a list, as the user's options say; a corpus with lists of its own does not call it.
        """
        return {PAIRS: make(test, durations, train)}

    def root(self, db: Path) -> Path:
        """Find the corpus in what the user calls its folder: that itself, or what lies in it.

        Raises:
            InputError: it is not there.
        """
        if not db.is_dir():
            raise InputError(db, "no such folder", "Correct --db, or leave it out to download the corpus")
        for path in (db, db / self.folder, *sorted(path for path in db.iterdir() if path.is_dir())):
            if self.is_root(path):
                return path
        raise InputError(
            db,
            f"does not hold {self.title}, neither itself nor in {self.folder}/",
            f"Give --db the folder as it is unpacked ({self.home}), or leave --db out to download it",
        )

    def sounds(self, folder: Path, suffix: str) -> dict[str, Path]:
        """Find the sound files below a folder: file name without suffix -> path.

        Args:
            folder: links in it are followed; what is left out of it is told.
            suffix: of the corpus' own files; where one has been converted, the other is taken.
        """
        found = SoundFolder(folder, (suffix, *PREFERRED))
        found.warn()
        return found.by_stem()

    def texts(self, folder: Path, suffix: str) -> dict[str, Path]:
        """Find the transcripts below a folder: file name without `suffix` -> path."""
        files = (file for file in walk(folder).files if file.name.lower().endswith(suffix))
        return {nfc(file.name[: -len(suffix)]): file for file in files}

    def check_part(self, path: Path, part: str) -> None:
        """Raise InputError unless the folder of a part is there."""
        if not path.is_dir():
            raise InputError(
                path,
                f"the part '{part}' is not there",
                "Unpack it there too, or choose others with --parts (in run.sh's --local_data_opts)",
            )


def split_by_name(found: Mapping[str, list[Utterance]], seed: int) -> Splits:
    """Parts are the sets that their names begin with; without dev..., training texts are held out."""
    splits: Splits = {}
    for name, prefix in (("train", "train"), ("valid", "dev"), ("test", "test")):
        chosen = [r for part, recordings in found.items() if part.startswith(prefix) for r in recordings]
        if chosen:
            splits[name] = chosen
    return hold_out_missing(splits, seed)


def hold_out_missing(splits: Splits, seed: int) -> Splits:
    """The sets, with training texts held out for validation where there is training and no validation."""
    if "train" in splits and "valid" not in splits:
        train, valid = hold_out_texts(splits["train"], VALID_SHARE, random.Random(seed))
        return {**splits, "train": train, "valid": valid}
    return splits


def split_by_speaker(found: Mapping[str, list[Utterance]]) -> Splits:
    """The parts `train` and `test` as they are, but for whole speakers of `train` who are the validation."""
    splits = {name: list(found[name]) for name in ("train", "test") if name in found}
    if "train" in splits:
        speakers = sorted({r.speaker for r in splits["train"]}, key=lambda name: (crc32(name.encode()), name))
        held_out = set(speakers[: max(1, round(VALID_SPEAKERS * len(speakers)))])
        splits["valid"] = [r for r in splits["train"] if r.speaker in held_out]
        splits["train"] = [r for r in splits["train"] if r.speaker not in held_out]
    return splits


def in_share(name: str, first: float, last: float) -> bool:
    """Tell whether `name` falls between two shares (0 to 1) of all names: the same ones on every machine."""
    return first <= crc32(name.encode()) / 2**32 < last
