"""Make pairs of sentences that nobody has recorded: each is said in the voice of a prompt of a test set.

`valle say --pairs OUT/pairs --data_dir OUT` says them with any model, and `valle evaluate --list OUT/list`
counts words.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.checks import check_file
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find
from espnet2_valle.data.sentence_pairs import write_sentence_pairs


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--sentences", default=str(find("hard_sentences.txt")), help="one a line")
    parser.add_argument("--pairs", required=True, help="list of a test set, whose prompts take turns")
    parser.add_argument("--data_dir", required=True, help="its recordings and texts")
    parser.add_argument("--output_dir", required=True, help="gets wav.scp, text, utt2spk, pairs and list")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv, sentences=check_file())
    count = write_sentence_pairs(args.sentences, args.pairs, args.data_dir, Path(args.output_dir))
    logging.info("%s: %d sentences", args.output_dir, count)


if __name__ == "__main__":
    run_command(main)
