"""Train a recogniser of spoken languages on the recordings of two data directories, which have utt2lang."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import run_command
from espnet2_valle.labels.command import train_by_command, training_parser
from espnet2_valle.labels.kinds import LANGUAGE


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    return training_parser(LANGUAGE, str(__doc__))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    train_by_command(LANGUAGE, get_parser(), argv)


if __name__ == "__main__":
    run_command(main)
