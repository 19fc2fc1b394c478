"""Named corpora -> data directories and test pairs: read, checked, divided."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.abs_corpus import AbsCorpus
from espnet2_valle.corpus.prepare import write_splits
from espnet2_valle.corpus.recording import Recording
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.pairs import PairMaker
from espnet2_valle.data.setaside import set_aside

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
    splits = reader.read(corpus, db, parts)
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

    def read(self, corpus: AbsCorpus, db: Path, parts: Sequence[str]) -> Splits:
        """Read and divide a corpus.

        Raises:
            InputError: it is not there, too much of it is bad, or ids are there twice.
        """
        root = corpus.root(db)
        found: dict[str, list[Recording]] = {}
        for part in parts:
            read = corpus.read(root, part)
            set_aside(read.bad, len(read.bad) + len(read.recordings), self.max_bad, f"{root} ({part})")
            if not read.recordings:
                raise InputError(root, f"the part '{part}' has no recording", "Unpack it again")
            whole = corpus.sizes.get(part, 0)
            if len(read.recordings) + len(read.bad) < whole:
                logging.warning(
                    "%s: %d utterances of the %d of %s: this copy is not whole",
                    *(root, len(read.recordings), whole, part),
                )
            self.bad |= read.bad
            found[part] = read.recordings
        counts = Counter(recording.utterance for recordings in found.values() for recording in recordings)
        repeated = [utterance for utterance, count in counts.items() if count > 1]
        if repeated:
            raise InputError(
                root, f"'{repeated[0]}' is there {counts[repeated[0]]} times", "Keep one copy of each file"
            )
        logging.info("%s: %d utterances in %s", corpus.title, len(counts), ", ".join(found))
        return corpus.split(found, self.seed)


def check_splits(splits: Splits, corpus: AbsCorpus) -> None:
    """Raise InputError for an empty set; a corpus without any training part has a test set only."""
    for name in ("train", "valid", "test") if "train" in splits else ("test",):
        if not splits.get(name):
            raise InputError(
                corpus.title,
                f"no utterance is left for the {name} set",
                "Give more of the corpus, choose more --parts, or take another's test set with --test_corpus "
                "(both in run.sh's --local_data_opts)",
            )
