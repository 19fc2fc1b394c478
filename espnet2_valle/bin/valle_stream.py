"""Say a text while it is still being made: each chunk is written as soon as it is there.

With `--output_wav -` raw samples (16 bit, little endian, mono) go to standard output, to be played at once:
`valle_stream ... --output_wav - | aplay -f S16_LE -r 24000`.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

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
from espnet2_valle.generate.say import SHORT_WORDS, cut_text, given_text, stream
from espnet2_valle.generate.streaming import FIRST_SECONDS


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads them from YAML."""
    parser = ConfigParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    group = parser.add_argument_group("stream")
    group.add_argument(
        "--first_chunk_seconds", type=float, default=FIRST_SECONDS, help="until something is heard"
    )
    group.add_argument("--chunk_seconds", type=float, help="of the later chunks; as in the NAR's training")
    group.add_argument("--text", help="what to say")
    group.add_argument("--text_file", help="in place of it: a long text; empty lines part paragraphs")
    group.add_argument(
        "--max_words",
        type=int,
        default=SHORT_WORDS,
        help="what is longer is said sentence by sentence, and sentences cut",
    )
    group.add_argument(
        "--longform_config", default=str(find("longform.yaml")), help="pauses between sentences"
    )
    add_prompt_arguments(group)
    group.add_argument(
        "--output_wav", help="where the speech goes as it comes (.wav or .flac), or - for standard output"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Stream what the options name."""
    args = parse(get_parser(), argv)
    require(args, "prompt_speech", "output_wav")
    voice = given_voice(args)
    text, _ = given_text(args.text, args.text_file, sys.stdin.buffer)
    stdout = sys.stdout.buffer
    with redirect_stdout(sys.stderr):  # whatever a library prints must not get between the samples
        sentences = cut_text(text, args.max_words, args.longform_config)
        stream(
            model_spec(args),
            sentences,
            voice,
            args.output_wav,
            stdout,
            args.first_chunk_seconds,
            args.chunk_seconds,
        )


if __name__ == "__main__":
    run_command(main)
