"""Read a long text aloud: paragraphs, chapters. After a kill it goes on at the sentence it was at."""

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from espnet2.utils import config_argparse

from espnet2_valle.bin.valle_inference import (
    add_model_arguments,
    add_prompt_arguments,
    model_options,
    require,
)
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.longform import LongformOptions, speak
from espnet2_valle.generate.prepared_prompt import SUFFIX, PreparedPrompt
from espnet2_valle.generate.prompt import load_prompt
from espnet2_valle.generate.sentences import split_text
from espnet2_valle.generate.text2speech import Text2Speech, open_text2speech


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads those of the model from YAML."""
    parser = config_argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add_model_arguments(parser)
    group = parser.add_argument_group("long text")
    group.add_argument("--longform_config", default="conf/longform.yaml", help="pauses, prompts, levels")
    group.add_argument("--text_file", help="what to say; empty lines part paragraphs")
    add_prompt_arguments(group)
    group.add_argument("--output_wav", help="where the speech goes (.wav or .flac)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Read one text aloud."""
    args = get_parser().parse_args(argv)
    require(args, "text_file", "prompt_speech", "output_wav")
    options = read_options(args.longform_config)
    if not Path(args.text_file).is_file():
        raise InputError(args.text_file, "no such text", "Correct --text_file")
    text = Path(args.text_file).read_text(encoding="utf-8")
    sentences = split_text(text, options.pauses, options.language, options.max_words)
    text2speech = open_text2speech(json.dumps(model_options(args)))
    prompt = open_voice(args.prompt_speech, args.prompt_text, text2speech)
    outcomes = speak(text2speech, sentences, prompt, options, args.output_wav)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(outcomes).items()))
    print(f"{args.output_wav}: {len(sentences)} sentences ({counts})")


def read_options(path: str | Path) -> LongformOptions:
    """Read conf/longform.yaml or one like it.

    Raises:
        InputError: missing file, unknown key, or a value out of range.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such file", "Correct --longform_config")
    content: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    known = [field.name for field in dataclasses.fields(LongformOptions)]
    for key in content:
        if key not in known:
            raise InputError(path, f"unknown key {key!r}", f"Choose among {', '.join(known)}")
    if "pauses" not in content:
        raise InputError(path, "has no pauses", "Start from conf/longform.yaml")
    return LongformOptions(**content)


def open_voice(speech: str, text: str | None, text2speech: Text2Speech) -> PreparedPrompt:
    """The prompt of all sentences, prepared if it is not yet."""
    if Path(speech).suffix == SUFFIX:
        return PreparedPrompt.load(speech, text2speech.codec)
    return PreparedPrompt.encode(load_prompt(speech, None, text2speech.fs), text or "", text2speech.codec)


if __name__ == "__main__":
    run_command(main)
