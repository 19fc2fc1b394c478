"""Audiobook chapters that are cut into utterances where an alignment allows: Libriheavy and Libri-Light."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.sound_files import with_any_suffix
from espnet2_valle.corpus.abs_corpus import AbsCorpus
from espnet2_valle.corpus.cutting import Limits, Unit, cut
from espnet2_valle.corpus.recording import Found, make_recording

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
    """SUBSET/SPEAKER/BOOK/CHAPTER.flac at 16 kHz."""

    def cut_recordings(
        self, aligned: Iterable[Aligned], sounds: Path, found: Found, limits: Limits | None
    ) -> None:
        """Add the utterances of all recordings to `found`.

        Args:
            aligned: units, those of a recording behind one another.
            sounds: folder of the subsets.
            found: gets recordings and what is bad.
            limits: None takes each unit as an utterance.
        """
        for name, group in groupby(aligned, lambda each: each.recording):
            folders = PurePosixPath(name).parts
            path = with_any_suffix(sounds / f"{name}.flac")
            if len(folders) != DEPTH or not path.is_file():
                found.bad[name] = InputError(path, "is aligned and not there", "Unpack its subset")
                continue
            units = sorted((each.unit for each in group), key=lambda unit: unit.start)
            speaker, stem = folders[1], "-".join(folders[1:])
            for unit in cut(units, limits) if limits else units:
                # Times are part of the name: utterances that are cut otherwise are others.
                utterance = f"{stem}-{unit.start * 1000:08.0f}-{unit.end * 1000:08.0f}"
                span = (unit.start, unit.end)
                found.recordings.append(
                    make_recording(utterance, speaker, unit.text, path, self.language, span=span)
                )
