"""Synthesise speech: one text, or a whole list of (prompt, text) pairs.

`valle say "seven two nine" --prompt voice.wav -o out.wav`. A text from a file or standard input (`-`) may be
long: it is said sentence by sentence. With `-o -` a WAV goes to standard output, without `-o` to the sound
card.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout

from espnet2.utils.types import str2bool

from espnet2_valle.common.checks import check_file, check_text
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find
from espnet2_valle.common.config_parser import ConfigParser
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.generate.arguments import (
    add_model_arguments,
    add_prompt_arguments,
    given_voice,
    model_spec,
    require,
)
from espnet2_valle.generate.control_lines import check_control
from espnet2_valle.generate.decode_pairs import synthesise_pairs
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.generate.say import SHORT_WORDS, STDOUT, delivery, given_text, read_aloud, say
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads them from YAML."""
    parser = ConfigParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    group = parser.add_argument_group("a list of pairs")
    group.add_argument("--pairs", help="lines `pair_id prompt_utt target_utt other_utt`")
    group.add_argument("--data_dir", help="wav.scp and text of the utterances in the pairs")
    group.add_argument("--output_dir", help="gets wav/, codes/, wav.scp, outcomes and tries")
    group.add_argument("--batch_size", type=int, default=1, help="utterances decoded at once in a process")
    group.add_argument(
        "--streaming", type=str2bool, default=False, help="chunk by chunk as valle_stream, one at once"
    )
    group.add_argument(
        "--controls", help="of NaturalSpeech 2 models: lines `pair_id WISHES`, such as those of --control"
    )
    group.add_argument(
        "--languages",
        help="lines `pair_id LANG PROMPT_LANG ACCENT`, - or nothing for what utt2lang of --data_dir says",
    )
    group.add_argument(
        "--styles",
        help="lines `pair_id NAME=VALUE ...`, such as emotion=sad speaking_rate=4; what is not named is that "
        "of utt2emo of --data_dir, and of the options",
    )
    add_worker_arguments(group)
    group = parser.add_argument_group("one utterance")
    group.add_argument("spoken", nargs="?", metavar="TEXT", help="what to say; - reads standard input")
    group.add_argument("--text", help="the same as an option")
    group.add_argument(
        "--text_file", help="in place of it: a text, long or short; empty lines part paragraphs"
    )
    group.add_argument(
        "--longform_config", default=str(find("longform.yaml")), help="pauses between sentences"
    )
    add_prompt_arguments(group)
    group.add_argument(
        "--control",
        help="of NaturalSpeech 2 models: 'speed=0.8 pitch=2 pitch_range=1.5 2-3:speed=0.5', the last for "
        "words 2 to 3; reference=FILE takes durations and pitch from a recording of the same text",
    )
    group.add_argument(
        *("--output_wav", "-o"),
        help="where the speech goes (.wav, .flac; - for standard output); by default to the sound card",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Synthesise what the options name."""
    args = parse(get_parser(), argv, controls=check_file(), languages=check_file(), styles=check_file())
    model = model_spec(args)
    if args.pairs:
        require(args, "data_dir", "output_dir")
        with only_one(args.output_dir, WORK), use_cluster(args.cluster, args.device):
            synthesise_pairs(
                model,
                args.pairs,
                args.data_dir,
                args.output_dir,
                args.nj,
                args.batch_size,
                args.streaming,
                args.controls,
                args.languages,
                args.styles,
            )
    else:
        require(args, "prompt_speech")
        say_one(args, model)


def say_one(args: argparse.Namespace, model: ModelSpec) -> None:
    """Say one text, short or long."""
    if args.spoken and args.text:
        raise InputError("--text", "is given twice", f"Leave out it, or '{args.spoken}'")
    text, where = given_text(args.spoken or args.text, args.text_file, sys.stdin.buffer)
    check_text(text, where)
    if args.control:
        check_control(args.control)
    voice = given_voice(args)
    stdout = sys.stdout.buffer
    with redirect_stdout(sys.stderr) if args.output_wav in (None, STDOUT) else nullcontext():
        with delivery(args.output_wav, stdout) as path:
            if where == "--text" or len(text.split()) <= SHORT_WORDS:
                outcome = say(model, text, voice, path, args.control).outcome.value
            elif args.control:
                raise InputError(
                    "--control",
                    "is for one sentence",
                    "Give speed and pitch as --speed and --pitch (in run.sh's --inference_args)",
                )
            else:
                outcomes = read_aloud(model, text, voice, args.longform_config, path)
                outcome = ", ".join(f"{count} {each}" for each, count in Counter(outcomes).items())
        print(f"{args.output_wav or 'the sound card'}: {outcome}")


if __name__ == "__main__":
    run_command(main)
