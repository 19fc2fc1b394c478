"""Train a recogniser of emotions on the recordings of two data directories, which have utt2emo."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.checks import check_folder
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find, locate
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.emotion.training import train_emotion_recognizer

DEFAULT_CONFIG = find("emotion/train_cls.yaml")


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_dir", required=True, help="data directory to learn from")
    parser.add_argument("--valid_dir", required=True, help="the same, to choose the best epoch on")
    parser.add_argument("--config", type=Path, help=f"default: conf/emotion/{DEFAULT_CONFIG.name}")
    parser.add_argument("--output_dir", required=True, help="gets the recogniser")
    parser.add_argument("--train_args", default="", help='for ESPnet\'s trainer, such as "--max_epoch 20"')
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    folder = check_folder("no such data directory", "Run stage 2 first, or correct the path")
    args = parse(get_parser(), argv, train_dir=folder, valid_dir=folder)
    config = locate(args.config or DEFAULT_CONFIG)
    with only_one(args.output_dir, WORK):
        train_emotion_recognizer(
            args.train_dir, args.valid_dir, args.output_dir, config, args.train_args.split()
        )


if __name__ == "__main__":
    run_command(main)
