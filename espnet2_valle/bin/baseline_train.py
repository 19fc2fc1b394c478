"""Train one of ESPnet's TTS systems as espnet2.bin.{tts,gan_tts}_train do; their options may follow."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.baseline.data import add_data_arguments, read_data_arguments
from espnet2_valle.baseline.kinds import KINDS
from espnet2_valle.baseline.training import train
from espnet2_valle.common.checks import check_options
from espnet2_valle.common.cli import run_command


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; what it does not know goes to ESPnet's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--config", type=Path, required=True, help="ESPnet's training config")
    add_data_arguments(parser)
    parser.add_argument("--stats_dir", type=Path, required=True, help="of baseline_stats")
    parser.add_argument("--output_dir", type=Path, required=True, help="ESPnet's training directory")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args, more = get_parser().parse_known_args(argv)
    check_options(args)
    data = read_data_arguments(args)
    train(KINDS[args.kind], args.config, data, args.stats_dir, args.output_dir, more)


if __name__ == "__main__":
    run_command(main)
