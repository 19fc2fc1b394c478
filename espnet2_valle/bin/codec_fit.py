"""Make a codec ready: fit it on the training set, or check that its weights open; write codec.yaml."""

import argparse
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.build import CODECS, build_codec, save_codec_config
from espnet2_valle.codec.encodec import fetch_weights
from espnet2_valle.codec.espnet_codec import read_train_config
from espnet2_valle.codec.world import WorldCodec, build_features, stage_scales
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.common.audio import audio_seconds, read_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.config import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import parallel_map, use_cluster

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


def analyse_file(config: WorldConfig, path: str) -> np.ndarray:
    """World features (T, dim) of one sound file."""
    wav, _ = read_audio(path, config.sample_rate)
    return build_features(config).analyse(wav)


def enough_wavs(wavs: Sequence[str], seconds: float, seed: int) -> list[str]:
    """Draw sound files until they last `seconds`; analysing more would only be thrown away."""
    drawn: list[str] = []
    for path in random.Random(seed).sample(list(wavs), len(wavs)):
        if seconds <= 0:
            break
        drawn.append(path)
        seconds -= audio_seconds(path)
    return drawn


def fit_world(options: dict[str, Any], where: str, wavs: Sequence[str], nj: int) -> WorldCodec:
    """Fit a world codec on as many sound files as hold the frames that the fit wants."""
    config = WorldConfig.from_dict(options, where)
    stage_scales(config.stages, build_features(config), where)  # a mistake is told before the long work
    wavs = enough_wavs(wavs, config.fit.max_frames / config.frame_rate, config.fit.seed)
    features = parallel_map(partial(analyse_file, config), wavs, nj=nj, title="analyse")
    return WorldCodec.fit(options, features, where)


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
