"""The model of a training config, without the token list and codec that a training would have."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet2_valle.common.conf import read_config
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.tasks.ns2 import NS2Task
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.languages import NONE
from espnet2_valle.valle.styles import EMOTION

ANY_FRAME_RATE, ANY_CODEBOOKS, ANY_SIZE = 50.0, 8, 1024  # a diffusion model's size does not depend on them


def build_planned(
    config: str | Path,
    vocab_size: int,
    frame_rate: float,
    num_codebooks: int,
    codebook_size: int,
    valle_conf: Mapping[str, Any] | None = None,
) -> tuple[ESPnetVALLEModel, argparse.Namespace]:
    """Build it, on torch's present default device.

    Args:
        config: such as conf/train_ar_paper.yaml.
        vocab_size: text tokens; one more is <sos/eos>.
        frame_rate, num_codebooks, codebook_size: of the codec.
        valle_conf: what is to differ from the config's.

    Returns:
        the model and its training options.

    Raises:
        InputError: no such config, or one that builds no model.
    """
    given = read_config(config)
    args = VALLETask.get_parser().parse_args(["--config", str(config), "--output_dir", "unused"])
    args.valle = given.get("valle", args.valle)
    args.valle_conf = {**args.valle_conf, **(valle_conf or {})}
    if args.valle_conf.get("language_id", NONE) != NONE:
        args.valle_conf.setdefault("languages", ["en"])  # a training takes its set's
    if EMOTION in (args.valle_conf.get("style") or []):
        args.valle_conf.setdefault("emotions", ["neutral"])  # the same
    plan_data(args, vocab_size + 1, frame_rate, num_codebooks, codebook_size)
    return VALLETask.build_model(args), args


def planned_ns2(config: str | Path, vocab_size: int, latent_dim: int) -> NaturalSpeech2:
    """Build the diffusion model of a training config.

    Args:
        config: such as conf/train_ns2_paper.yaml.
        vocab_size: text tokens.
        latent_dim: of the codec.

    Raises:
        InputError: no such config, or one that builds no model.
    """
    read_config(config)
    args = NS2Task.get_parser().parse_args(["--config", str(config), "--output_dir", "unused"])
    args.latent_dim = latent_dim
    plan_data(args, vocab_size, ANY_FRAME_RATE, ANY_CODEBOOKS, ANY_SIZE)
    return NS2Task.build_model(args).ns2


def plan_data(
    args: argparse.Namespace, tokens: int, frame_rate: float, num_codebooks: int, codebook_size: int
) -> None:
    """Give training options a token list and a codec of these sizes."""
    args.token_list = [str(number) for number in range(tokens)]
    args.codec_config = {
        "name": "planned",
        "sample_rate": 24000,
        "frame_rate": frame_rate,
        "num_codebooks": num_codebooks,
        "codebook_size": codebook_size,
    }
