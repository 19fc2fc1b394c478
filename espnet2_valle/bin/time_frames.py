"""Find the token and the pitch of each frame of a set: what a model of durations and pitch learns from.

With `--fit true` the aligner is first fitted to this set: the training set. Durations may be given as
TextGrids (tiers `words`, `phones`), named by utterance.
"""

import argparse
from collections.abc import Sequence

from espnet2.utils.types import str2bool

from espnet2_valle.asr.timing import TimingFiles, fit_aligner, time_set
from espnet2_valle.common.checks import TOKEN_LIST, check_folder, check_output_file
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.jobs.config import add_worker_arguments


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--codec_config", required=True, help="codec.yaml")
    parser.add_argument("--codes_dir", required=True, help="codes.scp of the set")
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--token_int", required=True, help="token ids of each utterance")
    parser.add_argument("--token_list", required=True, help="all tokens, one a line")
    parser.add_argument("--aligner", required=True, help="file (.npz) to align by")
    parser.add_argument("--fit", type=str2bool, default=False, help="fit it to this set first, and write it")
    parser.add_argument(
        "--judge_dir",
        help="recogniser of phones (valle asr train --token_type phn) that an aligner starts from",
    )
    parser.add_argument("--textgrids", help="folder of UTTERANCE.TextGrid: durations as they say")
    parser.add_argument("--output_dir", required=True, help="gets timing.scp, timing_shape and arks")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of misfits left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(
        get_parser(),
        argv,
        aligner=check_output_file,
        token_list=TOKEN_LIST,
        textgrids=check_folder(),
        judge_dir=check_folder(),
    )
    files = TimingFiles(
        args.codec_config, args.codes_dir, args.wav_scp, args.token_int, args.token_list, args.textgrids
    )
    with only_one(args.output_dir, WORK):
        if args.fit:
            fit_aligner(files, args.aligner, args.judge_dir, args.nj)
        time_set(files, args.aligner, args.output_dir, args.max_bad, args.nj, args.cluster)


if __name__ == "__main__":
    run_command(main)
