"""Train a small ESPnet CTC recogniser on ground-truth speech: of words, to score, or of phones, to choose."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.asr.phones import PhoneUnits
from espnet2_valle.asr.training import train_recognizer
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find, locate
from espnet2_valle.text.reading import CURRENT
from espnet2_valle.text.tokenizer import G2P_HELP
from espnet2_valle.train.schedule import MAX_PASSES

DEFAULT_CONFIG = find("judge/train_asr_ctc.yaml")
PHONE_CONFIG = find("judge/train_asr_ctc_phones.yaml")


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--train_dir", type=Path, required=True, help="data directory to learn from")
    parser.add_argument("--valid_dir", type=Path, required=True, help="data directory to choose the epoch on")
    parser.add_argument("--output_dir", type=Path, required=True, help="ESPnet training directory")
    parser.add_argument(
        "--config",
        type=Path,
        help=f"ESPnet training config; default: conf/judge/{DEFAULT_CONFIG.name}, "
        f"of phones {PHONE_CONFIG.name}",
    )
    parser.add_argument(
        "--max_passes",
        type=float,
        default=MAX_PASSES,
        help="over the training set; a longer schedule is shortened in proportion; 0: it is not",
    )
    group = parser.add_argument_group("phones in place of whole words, for --chooser phones")
    group.add_argument("--token_type", choices=("word", "phn", "char"), default="word")
    group.add_argument("--g2p", help=G2P_HELP)
    group.add_argument("--cleaner", help="ESPnet text cleaner, for phn and char")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Train, or go on where a killed run was; does nothing when the recogniser is there."""
    args = parse(get_parser(), argv)
    units = None
    if args.token_type != "word":
        units = PhoneUnits(args.token_type, args.g2p, args.cleaner, CURRENT)
    config = locate(args.config or (PHONE_CONFIG if units else DEFAULT_CONFIG))
    train_recognizer(args.train_dir, args.valid_dir, args.output_dir, config, units, args.max_passes)


if __name__ == "__main__":
    run_command(main)
