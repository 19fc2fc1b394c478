"""Options and work of the commands that train a recogniser of emotions or of languages."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.checks import check_folder
from espnet2_valle.common.cli import parse
from espnet2_valle.common.conf import find, locate
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.labels.kinds import Label
from espnet2_valle.labels.training import train_label_recognizer

CONFIG = "train_cls.yaml"


def training_parser(label: Label, purpose: str) -> argparse.ArgumentParser:
    """The options of a command.

    Args:
        label: that is to be heard.
        purpose: of the command.
    """
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--train_dir", required=True, help="data directory to learn from")
    parser.add_argument("--valid_dir", required=True, help="the same, to choose the best epoch on")
    parser.add_argument("--config", type=Path, help=f"default: conf/{label.name}/{CONFIG}")
    parser.add_argument("--output_dir", required=True, help="gets the recogniser")
    parser.add_argument("--train_args", default="", help='for ESPnet\'s trainer, such as "--max_epoch 20"')
    return parser


def train_by_command(label: Label, parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> None:
    """Train the recogniser that a command line asks for, or go on where a killed run was.

    Raises:
        InputError: see `train_label_recognizer`, or an option cannot be.
    """
    folder = check_folder("no such data directory", "Run stage 2 first, or correct the path")
    args = parse(parser, argv, train_dir=folder, valid_dir=folder)
    config = locate(args.config or find(f"{label.name}/{CONFIG}"))
    with only_one(args.output_dir, WORK):
        train_label_recognizer(
            label, args.train_dir, args.valid_dir, args.output_dir, config, args.train_args.split()
        )
