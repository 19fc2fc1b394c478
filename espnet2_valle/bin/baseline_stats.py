"""Shapes and statistics that an ESPnet TTS system trains with: ESPnet's --collect_stats, in parallel."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.baseline.data import add_data_arguments, read_data_arguments
from espnet2_valle.baseline.kinds import KINDS
from espnet2_valle.baseline.training import collect_stats
from espnet2_valle.common.cli import parse, run_command


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--config", type=Path, required=True, help="ESPnet's training config")
    add_data_arguments(parser)
    parser.add_argument("--output_dir", type=Path, required=True, help="gets train/ and valid/")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    data = read_data_arguments(args)
    collect_stats(KINDS[args.kind], args.config, data, args.output_dir, args.nj)


if __name__ == "__main__":
    run_command(main)
