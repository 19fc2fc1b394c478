"""Stage 2: every sound file of a set becomes mono 16-bit FLAC at one rate; what cannot be used is told."""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.data.datadir import DataDir, write_scp
from espnet2_valle.data.format import (
    format_all,
    keep_pairs,
    within_duration,
)
from espnet2_valle.data.pairs import PAIR_LISTS
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.jobs.config import add_worker_arguments


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="data/NAME/SET")
    parser.add_argument("--output_dir", required=True, help="dump/NAME/raw/SET")
    parser.add_argument("--fs", type=int, required=True, help="rate of the codec in Hz")
    parser.add_argument(
        "--min_duration", type=float, default=0.3, help="seconds; shorter utterances are dropped"
    )
    parser.add_argument(
        "--max_duration", type=float, default=20.0, help="seconds; longer utterances are dropped"
    )
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad files left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = get_parser().parse_args(argv)
    data = DataDir.load(args.data_dir)
    output_dir = Path(args.output_dir).absolute()
    good = format_all(data, output_dir, args)
    kept = within_duration(good, args.fs, args.min_duration, args.max_duration, data.path)
    wavs = {u: str(output_dir / "wav" / f"{u}.flac") for u in kept}
    formatted = replace(data.subset(kept, output_dir), wavs=wavs, spans={})
    for name in PAIR_LISTS:
        keep_pairs(data.path / name, output_dir / name, set(kept))
    write_scp(output_dir / "utt2num_samples", kept)
    formatted.write()
    hours = sum(kept.values()) / args.fs / 3600
    logging.info(
        "%s: %d of %d utterances kept, %.2f h at %d Hz", output_dir, len(kept), len(data.wavs), hours, args.fs
    )


if __name__ == "__main__":
    run_command(main)
