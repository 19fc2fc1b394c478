"""Trained models from their training config and weights: ready for inference, without ESPnet's trainer."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml
from espnet2.utils.get_default_kwargs import get_default_kwargs

from espnet2_valle.codec.build import read_codec_config
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys
from espnet2_valle.text.reading import reading_of
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.valle.abs_valle import AbsVALLE
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.zoo.weights import read_weights

MODELS: dict[str, type[AbsVALLE]] = {"ar": VALLEAR, "nar": VALLENAR}  # by the name that `--valle` gives
# Arguments of a model that the token list and the codec give, never its configuration.
DERIVED = {"vocab_size", "num_codebooks", "codebook_size", "utterance_codebooks"}
# What is read of config.yaml, and of which type it is.
CONFIG_KEYS: dict[str, type | tuple[type, ...]] = {
    "valle": str,
    "valle_conf": dict,
    "model_conf": dict,
    "token_list": (list, str),
    "codec_config": (dict, str),
    "token_type": str,
}
DOWN, UP, ROWS = "lora_A", "lora_B", "lora_rows"


def load_model(
    config_file: str | Path | None = None,
    model_file: str | Path | None = None,
    device: str = "cpu",
    codec: CodecSpec | None = None,
) -> tuple[ESPnetVALLEModel, argparse.Namespace]:
    """Load a trained model, adapters folded into its weights; every key has to match.

    Args:
        config_file: config.yaml of the training; by default the one beside `model_file`.
        model_file: the weights; None leaves them as initialised.
        device: cpu, cuda, cuda:N.
        codec: that the model is to be for; None: any.

    Returns:
        the model in evaluation mode, and the training arguments.

    Raises:
        InputError: a missing file, weights of another model, or a model for another codec.
    """
    if config_file is None and model_file is None:
        raise InputError("--model_file", "neither a model nor its config is given", "Give one")
    config = Path(config_file) if config_file else Path(str(model_file)).parent / "config.yaml"
    check_files(config, model_file, "stages 5 and 6")
    args = read_train_config(config)
    check_codec(args, codec, model_file or config)
    if model_file is None:
        return build_model(args).to(device).eval(), args
    state = read_weights(model_file)
    if getattr(args, "use_adapter", False):
        state = fold(state, args.adapter_conf)
    layers = args.valle_conf.get("layers", 0)
    check_fit(build_model, args, layers, state, model_file, config)
    model = build_model(args)
    model.load_state_dict(state)
    return model.to(device).eval(), args


def check_files(config: Path, model_file: str | Path | None, stages: str) -> None:
    """Raise InputError unless the config, and the weights if any are named, are there; `stages` make them."""
    for path in (config, model_file):
        if path is not None and not Path(path).is_file():
            raise InputError(path, "no such file", f"Train the model first ({stages}) or correct the path")


def check_codec(args: argparse.Namespace, codec: CodecSpec | None, where: str | Path) -> None:
    """Raise InputError unless a model of training arguments is for `codec`, if one is given."""
    if codec is not None and codec_spec(args) != codec:
        raise InputError(
            where,
            f"was trained with {codec_spec(args)}, but the codec is {codec}",
            "Give the codec.yaml of the same run (--codec_config)",
        )


def read_train_config(
    config: str | Path,
    kind: str = "valle",
    keys: Mapping[str, type | tuple[type, ...]] = CONFIG_KEYS,
    title: str = "VALL-E",
) -> argparse.Namespace:
    """Read config.yaml of a training, which is data alone.

    Args:
        config: the file.
        kind: key that tells such trainings from others.
        keys: what is read of it, and of which type it is.
        title: of the model, for messages.

    Raises:
        InputError: it is not YAML, or none of such a training.
    """
    remedy = "Give config.yaml of stage 5 or 6"
    try:
        content = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(config, f"is not plain YAML ({error})", remedy) from error
    if not isinstance(content, dict) or kind not in content:
        raise InputError(config, f"is not the config of a {title} training", remedy)
    for key, types in keys.items():
        if not isinstance(content.get(key), types):
            raise InputError(config, f"{key} is {str(content.get(key))[:80]!r}", remedy)
    return argparse.Namespace(**content)


def count_parameters(config: str | Path) -> int:
    """Number of weights of the model that a config.yaml describes, adapters folded in."""
    args = read_train_config(config)
    with torch.device("meta"):
        return sum(weight.numel() for weight in build_model(args).parameters())


def check_fit(
    build: Callable[[argparse.Namespace], torch.nn.Module],
    args: argparse.Namespace,
    layers: Any,
    state: Mapping[str, torch.Tensor],
    model_file: str | Path,
    config: Path,
) -> None:
    """Raise InputError unless weights are those of the model that a config describes.

    The model is described without memory for its weights: a config may ask for any number of them.

    Args:
        build: makes the model of training arguments.
        args: of the training.
        layers: that they ask for; each has a weight at least.
        state: the weights; model_file: where they are from; config: the arguments' file.
    """
    remedy = "Give the config it was trained with"
    if not isinstance(layers, int) or layers > len(state):
        raise InputError(model_file, f"its {len(state)} weights are none of {layers!r} layers", remedy)
    try:
        with torch.device("meta"):
            shapes = {name: value.shape for name, value in build(args).state_dict().items()}
    except InputError:
        raise
    except Exception as error:  # the models and typeguard have errors of their own for wrong values
        raise InputError(config, f"describes no model ({error})", remedy) from error
    wrong = [name for name, value in state.items() if shapes.get(name) != value.shape]
    wrong += [name for name in shapes if name not in state]
    if wrong:
        name = wrong[0]
        there = f"is {tuple(state[name].shape)}" if name in state else "is not there"
        asked = f"is to be {tuple(shapes[name])}" if name in shapes else "has no place in it"
        raise InputError(model_file, f"its weights do not fit {config}: {name} {there} and {asked}", remedy)


def build_model(args: argparse.Namespace) -> ESPnetVALLEModel:
    """Build the model that training arguments describe, with weights as initialised.

    Raises:
        InputError: token list or codec configuration missing, or a key that the model does not know.
    """
    spec = codec_spec(args)
    tokens = token_list(args)
    model_class = MODELS.get(args.valle)
    if model_class is None:
        raise InputError("--valle", f"there is no model {args.valle!r}", f"Choose among {', '.join(MODELS)}")
    options = get_default_kwargs(model_class).keys()
    check_keys("valle_conf", args.valle_conf, options - DERIVED)
    of_utterance = (
        {"utterance_codebooks": spec.utterance_codebooks} if "utterance_codebooks" in options else {}
    )
    check_keys("model_conf", args.model_conf, get_default_kwargs(ESPnetVALLEModel))
    try:
        valle = model_class(
            vocab_size=len(tokens),
            num_codebooks=spec.num_codebooks,
            codebook_size=spec.codebook_size,
            **of_utterance,
            **args.valle_conf,
        )
    except ValueError as error:
        raise InputError("valle_conf", str(error), "Correct it in the training config") from error
    return ESPnetVALLEModel(valle=valle, **args.model_conf)


def codec_spec(args: argparse.Namespace) -> CodecSpec:
    """The codec that a model is for. Its numbers are read once; later calls find them in `args`.

    Raises:
        InputError: see `read_codec_config`.
    """
    if not isinstance(args.codec_config, dict):
        content = read_codec_config(args.codec_config)
        names = [field.name for field in fields(CodecSpec) if field.name != "name"]
        args.codec_config = {"name": content["type"], **{name: content[name] for name in names}}
    try:
        return CodecSpec(**args.codec_config)
    except TypeError as error:
        raise InputError(
            "codec_config", f"describes no codec ({error})", "Give config.yaml of stage 5 or 6"
        ) from error


def token_list(args: argparse.Namespace) -> list[str]:
    """The tokens that a model knows. The list is read once; later calls find it in `args`.

    The way of reading texts that it was made with becomes `args.text_reading`.

    Raises:
        InputError: see `TokenIDs.load`.
    """
    if not isinstance(args.token_list, list):
        args.text_reading = reading_of(args.token_list)
        args.token_list = TokenIDs.load(args.token_list).tokens
    return args.token_list


def fold(state: Mapping[str, torch.Tensor], adapter_conf: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The weights of a model without adapters that computes the same: W + alpha / rank B A.

    Args:
        state: of a model with adapters: `NAME.weight` (out, in), `NAME.lora_A` (rank, in), `NAME.lora_B`
            (out, rank); and `NAME.lora_rows` (new, width), added to the rows of `NAME.table.weight`
            before the last.
        adapter_conf: of the training; what it lacks is ESPnet's default.
    """
    from espnet2.layers.create_adapter_fn import create_lora_adapter  # which imports models of all kinds

    conf = {**get_default_kwargs(create_lora_adapter), **adapter_conf}
    folded = {name: value for name, value in state.items() if not name.endswith((DOWN, UP, ROWS))}
    for name in state:
        if name.endswith(DOWN):
            layer = name.removesuffix(DOWN)
            change = state[layer + UP].double() @ state[name].double()
            weight = state[f"{layer}weight"]
            folded[f"{layer}weight"] = (weight + conf["alpha"] / conf["rank"] * change).to(weight.dtype)
        if name.endswith(ROWS):
            table = f"{name.removesuffix(ROWS)}table.weight"
            folded[table] = state[table].clone()
            folded[table][-1 - len(state[name]) : -1] += state[name]
    return folded
