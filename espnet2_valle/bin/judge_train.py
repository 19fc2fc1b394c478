"""Train the judge of a closed vocabulary: a small ESPnet CTC recogniser, on ground-truth speech."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.score.judge import is_trained, train_judge

DEFAULT_CONFIG = Path(__file__).resolve().parents[2] / "conf" / "judge" / "train_asr_ctc.yaml"


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--train_dir", type=Path, required=True, help="data directory to learn from")
    parser.add_argument("--valid_dir", type=Path, required=True, help="data directory to choose the epoch on")
    parser.add_argument("--output_dir", type=Path, required=True, help="ESPnet training directory")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="ESPnet training config")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or go on where a killed run was; does nothing when the judge is there."""
    args = get_parser().parse_args(argv)
    if is_trained(args.output_dir):
        logging.info("%s is there already", args.output_dir)
        return
    train_judge(args.train_dir, args.valid_dir, args.output_dir, args.config)


if __name__ == "__main__":
    run_command(main)
