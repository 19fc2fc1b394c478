"""Durations of tokens by the attention of a trained Tacotron 2: what FastSpeech 2 learns from."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.baseline.data import DURATIONS
from espnet2_valle.baseline.durations import spoken_utterances, time_tokens
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp, write_scp


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
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    for path in (args.train_config, args.model_file):
        if not Path(path).is_file():
            raise InputError(path, "no such file of the teacher", "Train tacotron2 first")
    utterances = spoken_utterances(read_scp(args.wav_scp), read_scp(args.token_int), read_scp(args.spembs))
    if not utterances:
        raise InputError(args.token_int, f"and {args.wav_scp} share no utterance", "Give files of one set")
    timed = time_tokens(args.train_config, args.model_file, utterances, args.nj)
    write_scp(args.output_dir / "focus_rates", {one.key: f"{one.focus:.5f}" for one in timed})
    write_scp(args.output_dir / DURATIONS, {one.key: " ".join(map(str, one.steps)) for one in timed})


if __name__ == "__main__":
    run_command(main)
