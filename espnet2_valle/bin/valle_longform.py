"""Read a long text aloud: paragraphs, chapters. After a kill it goes on at the sentence it was at."""

import argparse
import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from espnet2.utils import config_argparse

from espnet2_valle.bin.model_options import (
    add_model_arguments,
    add_prompt_arguments,
    model_options,
    open_text2speech,
    require,
)
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.config import check_keys, read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.longform import LongformOptions, speak
from espnet2_valle.generate.prepared_prompt import open_prompt
from espnet2_valle.generate.sentences import split_text


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
    prompt = open_prompt(args.prompt_speech, args.prompt_text, None, text2speech.codec)
    outcomes = speak(text2speech, sentences, prompt, options, args.output_wav)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(outcomes).items()))
    print(f"{args.output_wav}: {len(sentences)} sentences ({counts})")


def read_options(path: str | Path) -> LongformOptions:
    """Read conf/longform.yaml or one like it.

    Raises:
        InputError: missing file, unknown key, or a value out of range.
    """
    content = read_yaml(path, "--longform_config")
    check_keys(path, content, [field.name for field in dataclasses.fields(LongformOptions)])
    if "pauses" not in content:
        raise InputError(path, "has no pauses", "Start from conf/longform.yaml")
    return LongformOptions(**content)


if __name__ == "__main__":
    run_command(main)
