"""Trained diffusion models from their training config and weights, without ESPnet's trainer."""

import argparse
from pathlib import Path

import torch
from espnet2.utils.get_default_kwargs import get_default_kwargs

from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys
from espnet2_valle.ns2.espnet_model import ESPnetNS2Model
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.zoo.checkpoint import (
    CONFIG_KEYS,
    check_codec,
    check_files,
    check_fit,
    read_train_config,
    token_list,
)
from espnet2_valle.zoo.weights import read_weights

NS2_MODELS: dict[str, type[NaturalSpeech2]] = {"wavenet": NaturalSpeech2}  # by the name that `--ns2` gives
DERIVED = {"vocab_size", "latent_dim"}
KEYS = {
    **{name: kind for name, kind in CONFIG_KEYS.items() if not name.startswith("valle")},
    "ns2": str,
    "ns2_conf": dict,
    "latent_dim": int,
}


def load_ns2(
    config_file: str | Path,
    model_file: str | Path | None = None,
    device: str = "cpu",
    codec: CodecSpec | None = None,
) -> tuple[ESPnetNS2Model, argparse.Namespace]:
    """Load a trained diffusion model; every key has to match.

    Args:
        config_file: config.yaml of the training.
        model_file: the weights; None leaves them as initialised.
        device: cpu, cuda, cuda:N.
        codec: that the model is to be for; None: any.

    Returns:
        the model in evaluation mode, and the training arguments.

    Raises:
        InputError: a missing file, weights of another model, or a model for another codec.
    """
    config = Path(config_file)
    check_files(config, model_file, "stage 5")
    args = read_ns2_config(config)
    check_codec(args, codec, model_file or config)
    if model_file is None:
        return build_ns2(args).to(device).eval(), args
    state = read_weights(model_file)
    check_fit(build_ns2, args, args.ns2_conf.get("wavenet_layers", 0), state, model_file, config)
    model = build_ns2(args)
    model.load_state_dict(state)
    return model.to(device).eval(), args


def read_ns2_config(config: str | Path) -> argparse.Namespace:
    """Read config.yaml of a training, which is data alone; see `read_train_config`."""
    return read_train_config(config, "ns2", KEYS, "NaturalSpeech 2")


def build_ns2(args: argparse.Namespace) -> ESPnetNS2Model:
    """Build the model that training arguments describe, with weights as initialised.

    Raises:
        InputError: no token list, a key that the model does not know, or numbers that do not go together.
    """
    tokens = token_list(args)
    model_class = NS2_MODELS.get(args.ns2)
    if model_class is None:
        raise InputError("--ns2", f"there is no model {args.ns2!r}", f"Choose {', '.join(NS2_MODELS)}")
    check_keys("ns2_conf", args.ns2_conf, get_default_kwargs(model_class).keys() - DERIVED)
    check_keys("model_conf", args.model_conf, get_default_kwargs(ESPnetNS2Model))
    try:
        ns2 = model_class(vocab_size=len(tokens), latent_dim=args.latent_dim, **args.ns2_conf)
    except ValueError as error:
        raise InputError("ns2_conf", str(error), "Correct it in the training config") from error
    return ESPnetNS2Model(ns2=ns2, **args.model_conf)


def count_ns2_parameters(config: str | Path) -> int:
    """Number of weights of the model that a config.yaml describes."""
    args = read_ns2_config(config)
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_ns2(args).parameters())
