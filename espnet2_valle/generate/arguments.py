"""Command-line arguments that name a model, its options of decoding, and a voice."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool

from espnet2_valle.asr.registry import LISTENERS_HELP, POCKETSPHINX, open_recognizer
from espnet2_valle.common.audio import audio_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.diffusion_options import DiffusionOptions
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.option import Pairs, kinds
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.prompt import SUFFIX, require_text
from espnet2_valle.generate.voice import Voice
from espnet2_valle.zoo.trained import MODEL_FILES, ModelFiles


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that name a model and how it decodes; `model_spec` reads them."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model_tag",
        help="a packed model (zip, folder, model-zoo name, HuggingFace repository), in place of the files",
    )
    for option in MODEL_FILES:
        group.add_argument(f"--{option}")
    group.add_argument(
        "--device", default=ModelSpec.device, help="cpu, cuda, cuda:N; pairs on cuda: all GPUs"
    )
    add_options(parser.add_argument_group("decoding"), DecodingOptions)
    add_options(parser.add_argument_group("decoding of NaturalSpeech 2 models"), DiffusionOptions)


def add_options(group: argparse._ArgumentGroup, options: type) -> None:
    """Add an option for each field of a dataclass of options."""
    for one in fields(options):
        kind, about = kinds(options)[one.name], one.metadata["help"]
        if kind == Pairs:
            group.add_argument(f"--{one.name}", action=NestedDictAction, default={}, help=about)
        else:
            convert: Any = str2bool if kind is bool else kind
            group.add_argument(f"--{one.name}", type=convert, default=one.default, help=about)


def add_prompt_arguments(group: argparse._ArgumentGroup) -> None:
    """Options that name the voice."""
    group.add_argument(
        *("--prompt_speech", "--prompt"),
        help="sound file with the voice, about 3 s, or a prepared prompt (.npz)",
    )
    group.add_argument(
        "--prompt_text",
        help="what is said in it; a prepared prompt knows. Without it about 3 s are cut out, and transcribed",
    )
    group.add_argument("--recognizer", default=POCKETSPHINX, help=LISTENERS_HELP)


def model_spec(args: argparse.Namespace) -> ModelSpec:
    """The model that a command's options name.

    Raises:
        InputError: see `DecodingOptions`.
    """
    files = ModelFiles(**{one.name: getattr(args, one.name) for one in fields(ModelFiles)})
    options = {one.name: getattr(args, one.name) for one in fields(DecodingOptions)}
    diffusion = {one.name: getattr(args, one.name) for one in fields(DiffusionOptions)}
    return ModelSpec(files, args.device, DecodingOptions(**options), DiffusionOptions(**diffusion))


def given_voice(args: argparse.Namespace) -> Voice:
    """The voice that a command's options name, checked as far as no model is needed for it.

    Raises:
        InputError: it is no sound file, its text is empty, or there is no recogniser to transcribe it.
    """
    if Path(args.prompt_speech).suffix == SUFFIX:
        return Voice(args.prompt_speech)
    audio_seconds(args.prompt_speech)
    if args.prompt_text is None:
        return Voice(args.prompt_speech, listener=open_recognizer(args.recognizer), name=args.recognizer)
    return Voice(args.prompt_speech, require_text(args.prompt_text))


def require(args: argparse.Namespace, *names: str) -> None:
    """Raise InputError at an option that is not given."""
    for name in names:
        if getattr(args, name) is None:
            raise InputError(f"--{name}", "is not given", "It is needed here; see --help")
