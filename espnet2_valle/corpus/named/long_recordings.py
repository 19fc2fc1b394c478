"""Libriheavy and Libri-Light: audiobook chapters, cut into utterances where an alignment allows."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.cutting import DEFAULT_LIMITS, Limits, Unit, cut
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.named.abs_corpus import AbsCorpus, in_share, split_by_name
from espnet2_valle.corpus.recording import Found, Recording, make_recording
from espnet2_valle.corpus.split import Splits

LIBRILIGHT = "https://dl.fbaipublicfiles.com/librilight/data"
SUBSETS = ("small", "medium", "large")  # of Libri-Light, which do not overlap
HELD_OUT = 0.01  # of Libri-Light's speakers, for validation and as many for the test
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

    Args:
        limits: how training utterances are cut.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits

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
            path = sounds / f"{name}.flac"
            folders = PurePosixPath(name).parts
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


class Libriheavy(AbsLongRecordings):
    """libriheavy_cuts_PART.jsonl.gz beside the folders of Libri-Light, or with them in download/librilight/.

    Neighbouring sentences of the training parts are joined; those of dev and test stay as they are.
    """

    title = "Libriheavy"
    home = "https://github.com/k2-fsa/libriheavy"
    folder = "libriheavy"
    parts = (*SUBSETS, "dev", "test_clean", "test_other")
    default_parts = ("small", "dev", "test_clean")

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        base = "https://huggingface.co/datasets/pkufool/libriheavy/resolve/main"
        manifests = [Archive(f"{base}/{_manifest(part)}") for part in parts]
        return manifests + [
            Archive(f"{LIBRILIGHT}/{part}.tar", into=_SOUNDS) for part in parts if part in SUBSETS
        ]

    def is_root(self, path: Path) -> bool:
        return any((path / _manifest(part)).is_file() for part in self.parts)

    def read(self, root: Path, part: str) -> Found:
        manifest = root / _manifest(part)
        if not manifest.is_file():
            raise InputError(manifest, f"the part '{part}' is not there", "Fetch it, or change --parts")
        sounds = root / _SOUNDS if (root / _SOUNDS).is_dir() else root
        found = Found()
        limits = self.limits if part in SUBSETS else None
        self.cut_recordings(_read_cuts(manifest), sounds, found, limits)
        return found

    def split(self, found: Mapping[str, list[Recording]], seed: int) -> Splits:
        return split_by_name({f"train-{p}" if p in SUBSETS else p: r for p, r in found.items()}, seed)


_SOUNDS = "download/librilight"  # which the manifests name too


def _manifest(part: str) -> str:
    return f"libriheavy_cuts_{part}.jsonl.gz"


def _read_cuts(manifest: Path) -> Iterator[Aligned]:
    """Units of a manifest of lhotse cuts, with the text of the book (the second one is a recogniser's)."""
    with gzip.open(manifest, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(tqdm(stream, desc=f"read {manifest.name}", unit=" cuts"), 1):
            try:
                entry = json.loads(line)
                text = entry["supervisions"][0]["custom"]["texts"][0]
                source = PurePosixPath(entry["recording"]["sources"][0]["source"]).with_suffix("")
                unit = Unit(entry["start"], entry["start"] + entry["duration"], " ".join(text.split()))
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise InputError(
                    f"{manifest}:{number}",
                    f"is not a cut of Libriheavy ({error!r})",
                    "Fetch the full manifest, not one extracted for ASR",
                ) from error
            yield Aligned("/".join(source.parts[-DEPTH:]), unit)


class LibriLight(AbsLongRecordings):
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

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive(f"{LIBRILIGHT}/{part}.tar") for part in parts]

    def is_root(self, path: Path) -> bool:
        return any((path / part).is_dir() for part in SUBSETS)

    def read(self, root: Path, part: str) -> Found:
        self.check_part(root / part, part)
        names = [root / "alignments" / f"{part}.ctm{suffix}" for suffix in ("", ".gz")]
        file = next((name for name in names if name.is_file()), None)
        if file is None:
            raise InputError(
                names[0],
                "is not there: Libri-Light has no transcripts",
                "Align it with a recogniser and write the words' times there, or take --corpus libriheavy",
            )
        found = Found()
        self.cut_recordings(_read_ctm(file), root, found, self.limits)
        return found

    def split(self, found: Mapping[str, list[Recording]], seed: int) -> Splits:
        recordings = sum(found.values(), [])
        return {
            "train": [r for r in recordings if not in_share(r.speaker, 0, 2 * HELD_OUT)],
            "valid": [r for r in recordings if in_share(r.speaker, HELD_OUT, 2 * HELD_OUT)],
            "test": [r for r in recordings if in_share(r.speaker, 0, HELD_OUT)],
        }


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
