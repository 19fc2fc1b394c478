"""Read a long text aloud: paragraphs, chapters. What was broken off goes on at the sentence it was at."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find
from espnet2_valle.common.config_parser import ConfigParser
from espnet2_valle.generate.arguments import (
    add_model_arguments,
    add_prompt_arguments,
    given_voice,
    model_spec,
    require,
)
from espnet2_valle.generate.say import given_text, read_aloud


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads those of the model from YAML."""
    parser = ConfigParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    group = parser.add_argument_group("long text")
    group.add_argument(
        "--longform_config", default=str(find("longform.yaml")), help="pauses, prompts, levels"
    )
    group.add_argument("--text_file", help="what to say; empty lines part paragraphs")
    add_prompt_arguments(group)
    group.add_argument("--output_wav", help="where the speech goes (.wav or .flac)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Read one text aloud."""
    args = parse(get_parser(), argv)
    require(args, "text_file", "prompt_speech", "output_wav")
    voice = given_voice(args)
    text, _ = given_text(None, args.text_file, sys.stdin.buffer)
    outcomes = read_aloud(model_spec(args), text, voice, args.longform_config, args.output_wav)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(outcomes).items()))
    print(f"{args.output_wav}: {len(outcomes)} sentences ({counts})")


if __name__ == "__main__":
    run_command(main)
