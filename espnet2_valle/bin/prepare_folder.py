"""Stage 1 for any folder of recordings: data directories, test pairs and a closed task's vocabulary."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.folder import LAYOUTS
from espnet2_valle.corpus.letters import as_letters
from espnet2_valle.corpus.prepare import add_preparation_arguments
from espnet2_valle.corpus.prepare_folder import is_prompt, prepare_folder
from espnet2_valle.corpus.split import read_splits
from espnet2_valle.data.combine import UNKNOWN_LANGUAGE
from espnet2_valle.data.pairs import PairChoice

UNTOLD = ("", UNKNOWN_LANGUAGE)


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--db", required=True, help=f"folder with {LAYOUTS}; may hold train/, valid/ and test/"
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="data/NAME")
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
    parser.add_argument(
        "--spelled_letters",
        choices=("true", "false"),
        default="false",
        help="a lone `a` is the letter, as all lone letters are, and not the article",
    )
    parser.add_argument(
        "--lang", default="", help="language of all that the list does not tell it of, such as en (utt2lang)"
    )
    add_preparation_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    if args.lang and len(args.lang.split()) != 1:
        raise InputError("--lang", f"'{args.lang}' is no language", "Give its code, such as en")
    splits = read_splits(
        args.db,
        args.num_test_speakers,
        args.test_share,
        args.valid_share,
        args.max_bad,
        args.seed,
        partial(is_prompt, min_seconds=args.min_prompt, max_seconds=args.max_prompt),
    )
    if args.spelled_letters == "true":
        splits = {
            name: [r._replace(text=as_letters(r.text)) for r in recordings]
            for name, recordings in splits.items()
        }
    if args.lang:
        splits = {
            name: [r if r.language not in UNTOLD else r._replace(language=args.lang) for r in recordings]
            for name, recordings in splits.items()
        }
    make = PairChoice(args.num_pairs, args.seed, args.min_prompt, args.max_prompt)
    prepare_folder(splits, args.output_dir, make, args.vocabulary, args.max_vocabulary, args.nj)


if __name__ == "__main__":
    run_command(main)
