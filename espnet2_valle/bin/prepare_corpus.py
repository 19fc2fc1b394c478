"""Stage 1 for the named corpora: download (or use --db), check, divide, choose test pairs."""

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.bin.prepare_folder import add_common_arguments, pair_maker
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.cutting import Limits
from espnet2_valle.corpus.download import fetch
from espnet2_valle.corpus.named.abs_corpus import AbsCorpus
from espnet2_valle.corpus.named.registry import CORPORA, choose_parts, make_corpus
from espnet2_valle.corpus.prepare import write_splits
from espnet2_valle.corpus.recording import Recording
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.setaside import set_aside

SET_ASIDE = "set_aside"  # file in the output folder: each entry that could not be used, and why
DOWNLOAD = ("false", "true", "only")


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    limits = Limits()
    parser.add_argument("--corpus", required=True, choices=list(CORPORA))
    parser.add_argument("--db", required=True, help="its folder, or where it is downloaded to")
    parser.add_argument("--output_dir", help="data/NAME")
    parser.add_argument("--parts", help="of the corpus, with commas between; default: the corpus' own choice")
    parser.add_argument("--download", choices=DOWNLOAD, default="false", help="only: and do nothing else")
    parser.add_argument("--mirror", default="", help="URL of a folder that has the archives")
    parser.add_argument("--test_corpus", choices=list(CORPORA), help="take the test set of this one")
    parser.add_argument("--test_db", help="folder of the test corpus")
    parser.add_argument(
        "--min_cut", type=float, default=limits.shortest, help="long recordings: shortest utterance, seconds"
    )
    parser.add_argument(
        "--max_cut", type=float, default=limits.longest, help="long recordings: longest utterance, seconds"
    )
    parser.add_argument(
        "--max_pause", type=float, default=limits.pause, help="long recordings: longest pause in one, seconds"
    )
    add_common_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    if not 0 < args.min_cut < args.max_cut:
        raise InputError(
            "--min_cut", f"{args.min_cut:g} and --max_cut {args.max_cut:g}", "Give the lesser first"
        )
    corpus = make_corpus(args.corpus, Limits(args.min_cut, args.max_cut, args.max_pause))
    parts = choose_parts(corpus, args.parts)
    if args.download != "false":
        fetch(corpus.archives(parts), args.db, args.mirror)
    if args.download == "only":
        return
    if args.output_dir is None:
        raise InputError("--output_dir", "is not given", "Name the data directory, such as data/NAME")
    reader = Reader(args.max_bad, args.seed)
    splits, tester = reader.read(corpus, Path(args.db), parts), corpus
    if args.test_corpus:
        if args.test_db is None:
            raise InputError("--test_db", "is not given", "Name the folder of --test_corpus")
        tester = make_corpus(args.test_corpus)
        test_parts = [part for part in tester.default_parts if part.startswith("test")]
        splits["test"] = reader.read(tester, Path(args.test_db), test_parts or tester.default_parts)["test"]
    check_splits(splits, corpus)
    output_dir = Path(args.output_dir)
    write_splits(splits, output_dir, partial(tester.pairs, make=pair_maker(args)), args.nj)
    with atomic_open(output_dir / SET_ASIDE) as stream:
        stream.writelines(f"{name} {error}\n" for name, error in sorted(reader.bad.items()))


class Reader:
    """Reads corpora and remembers what was bad in them.

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
                "Give more of the corpus, choose more --parts, or take another's test set with --test_corpus",
            )


if __name__ == "__main__":
    run_command(main)
