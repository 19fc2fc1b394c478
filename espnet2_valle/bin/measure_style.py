"""Stage 4: measure speaking rate, pitch and energy of each utterance of a set, for models that are told them.

With `--fit true` the bins are made first, by the quantiles of this set: the training set.
"""

import argparse
import logging
from collections.abc import Sequence

from espnet2.utils.types import str2bool

from espnet2_valle.common.checks import at_least, check_output_file
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.data.styles import UTT2STYLE, write_styles
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.valle.styles import BINS


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="wav.scp and utt2spk of the set")
    parser.add_argument("--token_int", required=True, help="token ids of each utterance")
    parser.add_argument("--edges", required=True, help="YAML file of the bins' edges")
    parser.add_argument("--fit", type=str2bool, default=False, help="make them of this set first")
    parser.add_argument("--bins", type=int, default=BINS, help="as style_bins of the training configs")
    parser.add_argument("--output_dir", required=True, help=f"gets {UTT2STYLE}")
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv, edges=check_output_file, bins=at_least(2))
    with only_one(args.output_dir, WORK), use_cluster(args.cluster):
        write_styles(args.data_dir, args.token_int, args.edges, args.output_dir, args.fit, args.bins, args.nj)
    logging.info("%s/%s is written", args.output_dir, UTT2STYLE)


if __name__ == "__main__":
    run_command(main)
