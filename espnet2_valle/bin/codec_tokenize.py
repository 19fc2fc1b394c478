"""Turn every utterance of a wav.scp into codec codes: codes.scp, codes_shape and arks."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.data.code_files import SHARD_SIZES, encode_set
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.jobs.config import add_device_argument, add_worker_arguments


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--codec_config", required=True, help="codec.yaml")
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--only", help="file of two columns: utterances that are not in it are left out")
    parser.add_argument("--output_dir", required=True)
    parser.add_argument(
        "--shard_size",
        type=int,
        help=f"utterances an ark, the unit of resuming; default: {SHARD_SIZES[0]}, for large sets up to "
        f"{SHARD_SIZES[-1]}",
    )
    parser.add_argument("--batch_size", type=int, default=1, help="utterances of a shard encoded at once")
    add_device_argument(parser, "a codec that can")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad files left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv)
    with only_one(args.output_dir, WORK):
        encode_set(**vars(args))


if __name__ == "__main__":
    run_command(main)
