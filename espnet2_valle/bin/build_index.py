"""Stage 4: write the training index of a set of utterances from its codes, token ids and speakers."""

import argparse
import logging
from collections.abc import Sequence

from espnet2_valle.common.checks import check_file
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.train.index_writer import build_index


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes_dir", required=True, help="codes.scp and codes_shape")
    parser.add_argument("--token_int", required=True, help="token ids of each utterance")
    parser.add_argument("--utt2spk", required=True)
    parser.add_argument("--utt2lang", help="language of each utterance; without it none is known")
    parser.add_argument("--utt2emo", help="emotion of each utterance")
    parser.add_argument("--utt2style", help="what `valle data style` wrote: rate, pitch and energy of each")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of the utterances, drawn by their names: more than 0, up to 1",
    )
    parser.add_argument("--only", help="file of two columns: utterances that are not in it are left out")
    parser.add_argument("--output_dir", required=True, help="gets index.json and its columns")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv, only=check_file())
    if not 0 < args.share <= 1:
        raise InputError("--share", f"{args.share} is out of range", "Give more than 0 and at most 1")
    count = build_index(
        args.codes_dir,
        args.token_int,
        args.utt2spk,
        args.output_dir,
        args.utt2lang,
        args.share,
        args.only,
        args.utt2emo,
        args.utt2style,
    )
    logging.info("%s: %d utterances", args.output_dir, count)


if __name__ == "__main__":
    run_command(main)
