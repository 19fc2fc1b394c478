"""Stage 1 for any folder of recordings: data directories, test pairs and a closed task's vocabulary."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.folder import LAYOUTS
from espnet2_valle.corpus.prepare import write_splits
from espnet2_valle.corpus.split import Splits, closed_vocabulary, read_splits
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import PAIRS, Pair, PairMaker, make_pairs
from espnet2_valle.data.setaside import MAX_BAD


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--db", required=True, help=f"folder with {LAYOUTS}; may hold train/, valid/ and test/"
    )
    parser.add_argument("--output_dir", required=True, help="data/NAME")
    parser.add_argument(
        "--num_test_speakers", type=int, help="whole speakers held out of one set; 0 splits by text"
    )
    parser.add_argument("--test_share", type=float, default=0.1, help="of one set split by text")
    parser.add_argument(
        "--valid_share", type=float, default=0.05, help="of the training set, if there is no valid/"
    )
    parser.add_argument("--vocabulary", default="auto", help="auto, none, or a file with one word a line")
    parser.add_argument(
        "--max_vocabulary", type=int, default=100, help="words that auto still takes as closed"
    )
    add_common_arguments(parser)
    return parser


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that the preparation of every corpus has; `pair_maker` reads those of the pairs."""
    parser.add_argument("--num_pairs", type=int, default=216, help="test pairs")
    parser.add_argument("--min_prompt", type=float, default=1.0, help="shortest prompt, seconds")
    parser.add_argument("--max_prompt", type=float, default=10.0, help="longest prompt, seconds")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad entries left out with a warning"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--nj", type=int, default=1, help="processes")


def pair_maker(args: argparse.Namespace) -> PairMaker:
    """What draws a list of pairs as the options say."""

    def make(test: DataDir, durations: Mapping[str, float], train: DataDir | None) -> list[Pair]:
        pairs = make_pairs(
            test, durations, train, args.num_pairs, args.seed, args.min_prompt, args.max_prompt
        )
        if len(pairs) < args.num_pairs:
            logging.warning("the test set gives %d pairs, not %d", len(pairs), args.num_pairs)
        return pairs

    return make


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    splits = read_splits(
        args.db, args.num_test_speakers, args.test_share, args.valid_share, args.max_bad, args.seed
    )
    output_dir = Path(args.output_dir)
    make = pair_maker(args)
    write_splits(splits, output_dir, lambda *given: {PAIRS: make(*given)}, args.nj)
    write_vocabulary(args.vocabulary, args.max_vocabulary, splits, output_dir / "vocabulary")


def write_vocabulary(choice: str, max_words: int, splits: Splits, path: Path) -> None:
    """Write the closed vocabulary, or remove one of an earlier run, as --vocabulary says."""
    if choice not in ("auto", "none") and not Path(choice).is_file():
        raise InputError("--vocabulary", f"no such file '{choice}'", "Give auto, none or a file of words")
    if choice == "auto":
        words = closed_vocabulary(splits, max_words)
    else:
        words = None if choice == "none" else Path(choice).read_text(encoding="utf-8").split()
    if words is None:
        path.unlink(missing_ok=True)
        return
    with atomic_open(path) as stream:
        stream.writelines(f"{word}\n" for word in words)
    logging.info("closed vocabulary of %d words: %s", len(words), path)


if __name__ == "__main__":
    run_command(main)
