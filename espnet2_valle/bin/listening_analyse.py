"""Analyse the ratings of a listening test: listening.json and listening.md."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import espnet2_valle.baseline.kinds  # noqa: F401  # adds the names of its systems to the tables
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.listening.analyse import analyse
from espnet2_valle.listening.table import write_results


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--test_dir", type=Path, required=True, help="folder of the test")
    parser.add_argument(
        "--answers",
        type=Path,
        nargs="*",
        default=[],
        help="files that raters saved; of one rater's the fullest counts",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    print(write_results(analyse(args.test_dir, args.answers, args.seed), args.test_dir), end="")


if __name__ == "__main__":
    run_command(main)
