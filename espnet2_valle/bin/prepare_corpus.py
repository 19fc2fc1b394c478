"""Stage 1 for the named corpora: download (or use --db), check, divide, choose test pairs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.cutting import Limits
from espnet2_valle.corpus.download import fetch
from espnet2_valle.corpus.named.registry import CORPORA, choose_parts, make_corpus
from espnet2_valle.corpus.prepare import add_preparation_arguments
from espnet2_valle.corpus.prepare_named import Reader, prepare_corpus
from espnet2_valle.data.pairs import PairChoice

DOWNLOAD = ("false", "true", "only")


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    limits = Limits()
    parser.add_argument("--corpus", required=True, choices=list(CORPORA))
    parser.add_argument("--db", type=Path, required=True, help="its folder, or where it is downloaded to")
    parser.add_argument("--output_dir", type=Path, help="data/NAME")
    parser.add_argument("--parts", help="of the corpus, with commas between; default: the corpus' own choice")
    parser.add_argument("--download", choices=DOWNLOAD, default="false", help="only: and do nothing else")
    parser.add_argument("--mirror", default="", help="URL of a folder that has the archives")
    parser.add_argument("--test_corpus", choices=list(CORPORA), help="take the test set of this one")
    parser.add_argument("--test_db", type=Path, help="folder of the test corpus")
    parser.add_argument(
        "--min_cut", type=float, default=limits.shortest, help="long recordings: shortest utterance, seconds"
    )
    parser.add_argument(
        "--max_cut", type=float, default=limits.longest, help="long recordings: longest utterance, seconds"
    )
    parser.add_argument(
        "--max_pause", type=float, default=limits.pause, help="long recordings: longest pause in one, seconds"
    )
    parser.add_argument(
        "--corpus_conf",
        type=_key_and_number,
        action="append",
        metavar="NAME=NUMBER",
        help="what is taken of a corpus with a choice: speechocean762: min_accuracy=7, min_test_age=18",
    )
    add_preparation_arguments(parser)
    return parser


def _key_and_number(word: str) -> tuple[str, float]:
    name, _, value = word.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{word}' is not NAME=NUMBER") from None


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    if not 0 < args.min_cut < args.max_cut:
        raise InputError(
            "--min_cut", f"{args.min_cut:g} and --max_cut {args.max_cut:g}", "Give the lesser first"
        )
    limits = Limits(args.min_cut, args.max_cut, args.max_pause)
    corpus = make_corpus(args.corpus, limits, dict(args.corpus_conf or ()))
    parts = choose_parts(corpus, args.parts)
    if args.download != "false":
        fetch(corpus.archives(parts), args.db, args.mirror)
    if args.download == "only":
        return
    if args.output_dir is None:
        raise InputError("--output_dir", "is not given", "Name the data directory, such as data/NAME")
    if args.test_corpus and args.test_db is None:
        raise InputError(
            "--test_db", "is not given", "Name the folder of --test_corpus (in run.sh's --local_data_opts)"
        )
    tester = (make_corpus(args.test_corpus), args.test_db) if args.test_corpus else None
    make = PairChoice(args.num_pairs, args.seed, args.min_prompt, args.max_prompt)
    reader = Reader(args.max_bad, args.seed)
    prepare_corpus(corpus, args.db, parts, args.output_dir, make, reader, tester, args.nj)


if __name__ == "__main__":
    run_command(main)
