"""Make a codec ready: fit it on the training set, or check that its weights open; write codec.yaml."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.codec.abs_codec import CodecSource
from espnet2_valle.codec.build import CODECS, build_codec, save_codec_config
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import read_config
from espnet2_valle.data.made_from import told_to_make_anew
from espnet2_valle.data.tables import Table, Values
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import parallel_map, use_cluster

CONFIG = "codec.yaml"


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", required=True, choices=CODECS)
    parser.add_argument("--config", help="YAML with the codec's options; see conf/codec/")
    parser.add_argument("--codec_model", help="trained weights, for codecs that are not fitted here")
    parser.add_argument("--wav_scp", help="training utterances, for codecs that are fitted here")
    parser.add_argument("--output_dir", required=True, help="gets codec.yaml and, where fitted, codec.npz")
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    output = Path(args.output_dir)
    source = CodecSource(
        output,
        read_config(args.config, "--config") if args.config else {},
        args.config,
        Path(args.codec_model) if args.codec_model else None,
        Values(Table(args.wav_scp)) if args.wav_scp else None,
        partial(parallel_map, nj=args.nj, title="analyse"),
    )
    with told_to_make_anew(), use_cluster(args.cluster):
        model, options = CODECS[args.codec].prepare(source)
    codec = build_codec(args.codec, output / model if model else None, options)
    save_codec_config(output / CONFIG, codec, model, options)


if __name__ == "__main__":
    run_command(main)
