"""Stage 1 of several corpora: put their sets together, with their speakers and utterances kept apart."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.combine import combine
from espnet2_valle.data.ids import BEHIND_CORPUS


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--part",
        type=_name_and_folder,
        action="append",
        required=True,
        metavar="NAME=FOLDER",
        help="a corpus, and its train/, valid/ and test/; give it once for each",
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="data/NAME")
    return parser


def _name_and_folder(word: str) -> tuple[str, Path]:
    name, _, folder = word.partition("=")
    if not name or not folder or BEHIND_CORPUS in name:
        raise argparse.ArgumentTypeError(f"'{word}' is not NAME=FOLDER, with no '-' in the name")
    return name, Path(folder)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    corpora = dict(args.part)
    if len(corpora) < len(args.part):
        raise InputError("--part", "a name is there twice", "Give each corpus a name of its own")
    for name, written in combine(corpora, args.output_dir).items():
        logging.info("%s: %d utterances, %d speakers", name, *written)


if __name__ == "__main__":
    run_command(main)
