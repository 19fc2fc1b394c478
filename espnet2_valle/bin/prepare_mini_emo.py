"""Generate the embedded corpus `mini_emo`: the voices of `mini` in several emotions, each made by rule."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.corpus.synthetic.arguments import corpus_parser
from espnet2_valle.corpus.synthetic.mini_emo import write_mini_emo


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    return corpus_parser("mini_emo", __doc__)


def main(argv: Sequence[str] | None = None) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there."""
    write_mini_emo(**vars(parse(get_parser(), argv)))


if __name__ == "__main__":
    run_command(main)
