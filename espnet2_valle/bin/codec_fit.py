"""Make a codec ready: fit it on the training set, or check that its weights open; write codec.yaml."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.codec.build import CODECS, build_codec, save_codec_config
from espnet2_valle.codec.encodec import fetch_weights
from espnet2_valle.codec.espnet_codec import read_train_config
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.codec_fit import fit_world
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster

MODEL = "codec.npz"
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
    args = get_parser().parse_args(argv)
    config = read_yaml(args.config, "--config") if args.config else {}
    output = Path(args.output_dir)
    if args.codec == "world":
        if args.codec_model:
            raise InputError(
                "--codec_model",
                f"'{args.codec_model}' is for a trained codec, and world is fitted on the training set",
                "Leave it out, or choose --codec encodec or --codec espnet",
            )
        if args.config is None or args.wav_scp is None:
            raise InputError("codec_fit", "a world codec is fitted", "Give --config and --wav_scp")
        with use_cluster(args.cluster):
            world = fit_world(config, args.config, list(read_scp(args.wav_scp).values()), args.nj)
        world.save(output / MODEL)
        save_codec_config(output / CONFIG, world, MODEL, {})
        return
    model = Path(args.codec_model).resolve() if args.codec_model else None
    if model is None and args.codec == "encodec":
        model = fetch_weights()
    if args.codec == "espnet" and model is not None:  # codec.yaml holds it, so that the model can be moved
        config["train_config"] = read_train_config(model, config.get("train_config"))
    codec = build_codec(args.codec, model, config)
    save_codec_config(output / CONFIG, codec, str(model), config)


if __name__ == "__main__":
    run_command(main)
