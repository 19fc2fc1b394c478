"""Durations of tokens by the attention of a trained Tacotron 2: what FastSpeech 2 learns from."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.baseline.durations import write_durations
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.jobs.config import add_device_argument


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--train_config", required=True, help="config.yaml of the teacher")
    parser.add_argument("--model_file", required=True, help="its weights")
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--token_int", required=True)
    parser.add_argument("--spembs", required=True, help="spembs.scp")
    parser.add_argument("--output_dir", type=Path, required=True, help="gets durations and focus_rates")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    add_device_argument(parser, "the teacher")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    write_durations(**vars(parse(get_parser(), argv)))


if __name__ == "__main__":
    run_command(main)
