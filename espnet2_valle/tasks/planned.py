"""The model of a training config, without the token list and codec that a training would have."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from espnet2_valle.common.conf import read_config
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel


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
    args.token_list = [str(number) for number in range(vocab_size + 1)]
    args.codec_config = {
        "name": "planned",
        "sample_rate": 24000,
        "frame_rate": frame_rate,
        "num_codebooks": num_codebooks,
        "codebook_size": codebook_size,
    }
    return VALLETask.build_model(args), args
