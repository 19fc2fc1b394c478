"""Audiobook chapters that are cut into utterances where an alignment allows: Libriheavy and Libri-Light."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.sound_files import with_any_suffix
from espnet2_valle.corpus.abs_corpus import AbsCorpus, hold_out_missing
from espnet2_valle.corpus.cutting import Limits, Unit, cut
from espnet2_valle.corpus.recording import Found, make_recording
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.utterances import Utterance

LIBRILIGHT = "https://dl.fbaipublicfiles.com/librilight/data"
SUBSETS = ("small", "medium", "large")  # of Libri-Light, which do not overlap
DEPTH = 4  # of a recording's name: SUBSET/SPEAKER/BOOK/CHAPTER


@dataclass(frozen=True, slots=True)
class Aligned:
    """A unit of a recording.

    Attributes:
        recording: SUBSET/SPEAKER/BOOK/CHAPTER, without suffix.
        unit: when what is said.
    """

    recording: str
    unit: Unit


class AbsLongRecordings(AbsCorpus):
    """SUBSET/SPEAKER/BOOK/CHAPTER.flac at 16 kHz.

    There may be millions of utterances, so that they are read and divided one by one.

    Attributes:
        sets: of the corpus, whatever its parts.
    """

    sets: Sequence[str] = ()

    @abstractmethod
    def recordings(self, root: Path, part: str, bad: dict[str, InputError]) -> Iterator[Utterance]:
        """Yield the utterances of one part.

        Args:
            root: of the corpus.
            part: one of its parts.
            bad: gets what cannot be used.

        Raises:
            InputError: a file of the corpus that is needed and not there.
        """

    @abstractmethod
    def set_of(self, recording: Utterance, part: str) -> str:
        """The set, train, valid or test, that an utterance of a part belongs to."""

    def read(self, root: Path, part: str) -> Found:
        found = Found()
        found.recordings.extend(self.recordings(root, part, found.bad))
        return found

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        splits: Splits = {name: [] for name in self.sets}
        for part, recordings in found.items():
            for recording in recordings:
                splits.setdefault(self.set_of(recording, part), []).append(recording)
        return hold_out_missing(splits, seed)

    def cut_recordings(
        self, aligned: Iterable[Aligned], sounds: Path, bad: dict[str, InputError], limits: Limits | None
    ) -> Iterator[Utterance]:
        """Yield the utterances of all recordings.

        Args:
            aligned: units, those of a recording behind one another.
            sounds: folder of the subsets.
            bad: gets what cannot be used.
            limits: None takes each unit as an utterance.
        """
        for name, group in groupby(aligned, lambda each: each.recording):
            folders = PurePosixPath(name).parts
            path = with_any_suffix(sounds / f"{name}.flac")
            if len(folders) != DEPTH or not path.is_file():
                bad[name] = InputError(path, "is aligned and not there", "Unpack its subset")
                continue
            units = sorted((each.unit for each in group), key=lambda unit: unit.start)
            speaker, stem = folders[1], "-".join(folders[1:])
            for unit in cut(units, limits) if limits else units:
                # Times are part of the name: utterances that are cut otherwise are others.
                utterance = f"{stem}-{unit.start * 1000:08.0f}-{unit.end * 1000:08.0f}"
                span = (unit.start, unit.end)
                yield make_recording(utterance, speaker, unit.text, path, self.language, span=span)
