"""Named corpora -> data directories and test pairs: read, checked, divided."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.abs_corpus import AbsCorpus, hold_out_missing
from espnet2_valle.corpus.long_recordings import AbsLongRecordings
from espnet2_valle.corpus.prepare import write_splits
from espnet2_valle.corpus.spool import Spool
from espnet2_valle.data.pairs import PairMaker
from espnet2_valle.data.setaside import set_aside
from espnet2_valle.data.tables import sorted_rows
from espnet2_valle.data.utterances import Utterance

Sets = Mapping[str, Collection[Utterance]]
SET_ASIDE = "set_aside"  # file in the output folder: each entry that could not be used, and why


def prepare_corpus(
    corpus: AbsCorpus,
    db: Path,
    parts: Sequence[str],
    output_dir: Path,
    make: PairMaker,
    reader: "Reader",
    tester: tuple[AbsCorpus, Path] | None = None,
    nj: int = 1,
) -> None:
    """Write data directories and lists of pairs of a corpus.

    Args:
        corpus: what is prepared.
        db: its folder.
        parts: of the corpus.
        output_dir: data/NAME.
        make: draws pairs where the corpus has no list of its own.
        reader: reads the corpora.
        tester: the corpus whose test set is taken in place of the corpus' own, and its folder.
        nj: processes.

    Raises:
        InputError: a corpus is not there or too bad, a set is empty, or no pair can be made.
    """
    splits = dict(reader.read(corpus, db, parts))
    of_pairs = corpus
    if tester:
        of_pairs, folder = tester
        test_parts = [part for part in of_pairs.default_parts if part.startswith("test")]
        splits["test"] = reader.read(of_pairs, folder, test_parts or of_pairs.default_parts)["test"]
    check_splits(splits, corpus)
    write_splits(splits, output_dir, partial(of_pairs.pairs, make=make), nj)
    with atomic_open(output_dir / SET_ASIDE) as stream:
        stream.writelines(f"{name} {error}\n" for name, error in sorted(reader.bad.items()))


class Reader:
    """Reader of corpora that remembers what was bad in them.

    Args:
        max_bad: share of the entries of a part that may be bad.
        seed: of what is held out where the corpus does not say it.
    """

    def __init__(self, max_bad: float, seed: int) -> None:
        self.max_bad = max_bad
        self.seed = seed
        self.bad: dict[str, InputError] = {}

    def read(self, corpus: AbsCorpus, db: Path, parts: Sequence[str]) -> Sets:
        """Read and divide a corpus.

        Raises:
            InputError: it is not there, too much of it is bad, or ids are there twice.
        """
        root = corpus.root(db)
        if isinstance(corpus, AbsLongRecordings):
            count, splits = self._divide(corpus, root, parts)
        else:
            found: dict[str, list[Utterance]] = {}
            for part in dict.fromkeys(parts):
                read = corpus.read(root, part)
                self._check(corpus, root, part, len(read.recordings), read.bad)
                found[part] = read.recordings
            count = _check_ids(root, found.values())
            splits = corpus.split(found, self.seed)
        logging.info("%s: %d utterances in %s", corpus.title, count, ", ".join(parts))
        return splits

    def _divide(self, corpus: AbsLongRecordings, root: Path, parts: Sequence[str]) -> tuple[int, Sets]:
        """Read and divide a corpus of any size, one utterance after the other; return their number too."""
        sets = {name: Spool() for name in corpus.sets}
        for part in dict.fromkeys(parts):
            bad: dict[str, InputError] = {}
            read = 0
            for recording in corpus.recordings(root, part, bad):
                name = corpus.set_of(recording, part)
                if name not in sets:
                    sets[name] = Spool()
                sets[name].append(recording)
                read += 1
            self._check(corpus, root, part, read, bad)
        count = _check_ids(root, sets.values())
        if "train" in sets and "valid" not in sets:  # texts are held out, and all are looked at for that
            lists = {name: list(recordings) for name, recordings in sets.items()}
            return count, hold_out_missing(lists, self.seed)
        return count, sets

    def _check(
        self, corpus: AbsCorpus, root: Path, part: str, count: int, bad: Mapping[str, InputError]
    ) -> None:
        """Look at what was read of a part: not too much is bad, something is there, and all of it."""
        set_aside(bad, len(bad) + count, self.max_bad, f"{root} ({part})")
        if not count:
            raise InputError(root, f"the part '{part}' has no recording", "Unpack it again")
        whole = corpus.sizes.get(part, 0)
        if count + len(bad) < whole:
            logging.warning(
                "%s: %d utterances of the %d of %s: this copy is not whole", *(root, count, whole, part)
            )
        self.bad |= bad


def _check_ids(root: Path, groups: Iterable[Iterable[Utterance]]) -> int:
    """Return the number of recordings; raise InputError if an id is there twice."""
    total = 0
    ids = sorted_rows(((recording.utterance,) for group in groups for recording in group), 1)
    for (utterance,), alike in groupby(ids):
        count = sum(1 for _ in alike)
        if count > 1:
            raise InputError(root, f"'{utterance}' is there {count} times", "Keep one copy of each file")
        total += count
    return total


def check_splits(splits: Sets, corpus: AbsCorpus) -> None:
    """Raise InputError for an empty set; a corpus without any training part has a test set only."""
    for name in ("train", "valid", "test") if "train" in splits else ("test",):
        if not splits.get(name):
            raise InputError(
                corpus.title,
                f"no utterance is left for the {name} set",
                "Give more of the corpus, choose more --parts, or take another's test set with --test_corpus "
                "(both in run.sh's --local_data_opts)",
            )
