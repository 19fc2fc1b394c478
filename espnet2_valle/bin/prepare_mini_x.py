"""Generate the embedded corpus `mini_x`: espeak-ng voices of several languages, a few words of each."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find
from espnet2_valle.corpus.synthetic.mini_x import write_mini_x


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="data directory, such as data/mini_x")
    parser.add_argument("--config", type=Path, default=find("mini_x.yaml"), help="voices, words and amounts")
    parser.add_argument("--nj", type=int, default=1, help="number of processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there."""
    write_mini_x(**vars(parse(get_parser(), argv)))


if __name__ == "__main__":
    run_command(main)
