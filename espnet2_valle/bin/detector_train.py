"""Train a detector of synthetic speech, and measure it on speakers and systems that it never heard."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import espnet2_valle.baseline.kinds  # noqa: F401  # adds the names of its systems to the table
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find, locate
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.evaluation.detection import build_detector, worth_table
from espnet2_valle.evaluation.inputs import named_files
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster

DEFAULT_CONFIG = find("detector/train_asvspoof.yaml")


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="real speech: wav.scp and utt2spk")
    parser.add_argument(
        "--system",
        action="append",
        default=[],
        required=True,
        metavar="NAME=WAV_SCP",
        help="synthetic speech, or a folder of it, by pair or by utterance of --data_dir; repeatable",
    )
    parser.add_argument("--pairs", help="list of pairs whose targets the systems imitate")
    parser.add_argument(
        "--unseen",
        nargs="*",
        metavar="NAME",
        help="test on each by a detector that learns without it; default: all",
    )
    parser.add_argument(
        "--only_unseen", nargs="*", default=[], metavar="NAME", help="systems that no detector learns from"
    )
    parser.add_argument("--config", type=Path, help=f"default: conf/detector/{DEFAULT_CONFIG.name}")
    parser.add_argument(
        "--output_dir", type=Path, required=True, help="gets the detector and what it is worth"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the division of speakers")
    parser.add_argument("--train_args", default="", help='for ESPnet\'s trainer, such as "--max_epoch 20"')
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv)
    systems = named_files(args.system, "--system")
    unseen = args.unseen
    if unseen is None:
        unseen = [name for name in systems if name not in args.only_unseen]
        unseen = unseen if len(unseen) > 1 else []
    with only_one(args.output_dir, WORK), use_cluster(args.cluster):
        found = build_detector(
            args.data_dir,
            systems,
            args.output_dir,
            locate(args.config or DEFAULT_CONFIG),
            args.pairs,
            unseen,
            args.only_unseen,
            args.seed,
            args.nj,
            args.train_args.split(),
        )
    print(worth_table(found))


if __name__ == "__main__":
    run_command(main)
