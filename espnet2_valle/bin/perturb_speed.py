"""Stage 2, on request: add copies at other speeds to a training set, as voices of their own."""

import argparse
import logging
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.perturb import parse_factors, perturb_speed


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="dump/NAME/raw/SET, as stage 2 wrote it")
    parser.add_argument("--recorded_dir", required=True, help="data/NAME/SET, which it was made from")
    parser.add_argument("--output_dir", required=True, help="dump/NAME/raw/SET_sp")
    parser.add_argument("--factors", required=True, help='speeds of the copies, such as "0.9 1.1"')
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv)
    factors = parse_factors(args.factors)
    data, recorded = DataDir.load(args.data_dir), DataDir.load(args.recorded_dir)
    larger = perturb_speed(data, recorded, factors, args.output_dir, args.nj)
    logging.info("%s: %d utterances of %d speakers", larger.path, len(larger.wavs), len(larger.by_speaker()))


if __name__ == "__main__":
    run_command(main)
