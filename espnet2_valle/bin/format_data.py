"""Stage 2: every sound file of a set becomes mono 16-bit FLAC at one rate; what cannot be used is told."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.data.format import format_set
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.jobs.config import add_worker_arguments


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="data/NAME/SET")
    parser.add_argument("--output_dir", required=True, help="dump/NAME/raw/SET")
    parser.add_argument("--fs", type=int, required=True, help="rate of the codec in Hz")
    parser.add_argument(
        "--min_duration", type=float, default=0.3, help="seconds; shorter utterances are dropped"
    )
    parser.add_argument(
        "--max_duration", type=float, default=20.0, help="seconds; longer utterances are dropped"
    )
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad files left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv)
    with only_one(args.output_dir, WORK):
        format_set(**vars(args))


if __name__ == "__main__":
    run_command(main)
