"""Speaker embeddings of utterances, as ESPnet's multi-speaker systems take them: spembs.scp and arks."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.evaluation.speaker_embeddings import embed_set
from espnet2_valle.jobs.config import add_device_argument, add_worker_arguments


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--output_dir", required=True, help="gets spembs.scp, spembs_shape and arks")
    parser.add_argument("--encoder", default="resemblyzer", help="speaker encoder, by its name in conf/score")
    parser.add_argument("--seconds", type=float, help="embed so much of each beginning; default: all of it")
    parser.add_argument("--shard_size", type=int, default=256, help="utterances an ark, the unit of resuming")
    add_device_argument(parser, "the encoder")
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    embed_set(**vars(parse(get_parser(), argv)))


if __name__ == "__main__":
    run_command(main)
