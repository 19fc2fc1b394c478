"""What the commands that speak share: options that name model, voice and decoding, and opening the model."""

import argparse
import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.asr.registry import CHOOSERS
from espnet2_valle.asr.word_scorer import WordScorer
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.text2speech import MODEL_FILES, Text2Speech

DECODING_OPTIONS: dict[str, Callable[[str], Any]] = {
    "seed": int,
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "min_p": float,
    "repetition_window": int,
    "repetition_threshold": float,
    "repetition_counts_drawn": str2bool,
    "min_duration_ratio": float,
    "max_duration_ratio": float,
    "max_repeat_seconds": float,
    "best_of": int,
    "retries": int,
    "dtype": str,
    "native": str,
    "cuda_graphs": str2bool,
}
LIKELIEST = "log_probability"


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that name a model and how it draws codes; `model_options` reads them."""
    group = parser.add_argument_group("model")
    group.add_argument("--model_tag", help="a packed model (zip) or a model-zoo name, in place of the files")
    for option in MODEL_FILES:
        group.add_argument(f"--{option}")
    group.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N")
    group = parser.add_argument_group("decoding; see espnet2_valle.generate.text2speech.Text2Speech")
    defaults = inspect.signature(Text2Speech).parameters
    for name, kind in DECODING_OPTIONS.items():
        group.add_argument(f"--{name}", type=kind, default=defaults[name].default)
    group.add_argument(
        "--chooser",
        default=LIKELIEST,
        help=f"which of --best_of candidates is kept: that of the highest {LIKELIEST} (mean of its codes), "
        f"or that in which a recogniser hears the text best: {', '.join(sorted(CHOOSERS))}",
    )
    group.add_argument(
        "--chooser_conf",
        action=NestedDictAction,
        default={},
        help="options of the recogniser, such as judge_dir=exp/mini/judge for ctc",
    )


def add_prompt_arguments(group: argparse._ArgumentGroup) -> None:
    """Options that name the voice."""
    group.add_argument(
        "--prompt_speech", help="sound file with the voice, about 3 s, or a prepared prompt (.npz)"
    )
    group.add_argument("--prompt_text", help="what is said in it; a prepared prompt knows")


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """What `open_text2speech` takes, out of the command's options.

    Raises:
        InputError: a chooser that there is not, or that has nothing to choose from.
    """
    files = {name: getattr(args, name) for name in (*MODEL_FILES, "model_tag") if getattr(args, name)}
    options = {**files, **{name: getattr(args, name) for name in ("device", *DECODING_OPTIONS)}}
    if args.chooser != LIKELIEST:
        if args.best_of < 2:
            raise InputError("--best_of", f"{args.best_of} leaves --chooser no choice", "Give 2 or more")
        options["chooser"] = {"name": args.chooser, **args.chooser_conf}
        CHOOSERS.check(Component.parse(options["chooser"], "--chooser"))
    elif args.chooser_conf:
        raise InputError("--chooser_conf", f"--chooser {LIKELIEST} has no options", "Give --chooser")
    return options


def chooser(options: dict[str, Any]) -> Component | None:
    """What chooses among candidates; None where the likeliest is kept."""
    return Component.parse(options["chooser"], "--chooser") if "chooser" in options else None


@functools.lru_cache(maxsize=1)
def open_text2speech(options: str) -> Text2Speech:
    """Open a model once in each process.

    Lives here and not in the command that calls it: what is cached can only be sent to a worker by its
    name, and a command's own name is `__main__`.

    Args:
        options: JSON of what `model_options` returns, so that it can be a key.
    """
    chosen = json.loads(options)
    component = chooser(chosen)
    chosen.pop("chooser", None)
    tag = chosen.pop("model_tag", None)
    if component is not None:
        judge = CHOOSERS.build(component)
        chosen["scorer"] = WordScorer(judge) if isinstance(judge, AbsRecognizer) else judge
    return Text2Speech.from_pretrained(tag, **chosen) if tag else Text2Speech(**chosen)


@functools.lru_cache(maxsize=1)
def open_streamer(options: str) -> Streamer:
    """A streamer of the model that `open_text2speech` opens."""
    return Streamer.of(open_text2speech(options))


def require(args: argparse.Namespace, *names: str) -> None:
    """Raise InputError at an option that is not given."""
    for name in names:
        if getattr(args, name) is None:
            raise InputError(f"--{name}", "is not given", "It is needed here; see --help")
