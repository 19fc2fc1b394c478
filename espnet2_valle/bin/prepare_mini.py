"""Generate the embedded corpus `mini`: espeak-ng voices that speak a small closed vocabulary."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.corpus.synthetic.arguments import corpus_parser
from espnet2_valle.corpus.synthetic.mini import write_mini


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    return corpus_parser("mini", __doc__)


def main(argv: Sequence[str] | None = None) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there."""
    write_mini(**vars(parse(get_parser(), argv)))


if __name__ == "__main__":
    run_command(main)
