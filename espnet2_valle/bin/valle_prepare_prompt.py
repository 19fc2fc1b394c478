"""Make a prompt of a recording: cut it, check it, say what was found, and keep it with its codes in one file.

Without `--prompt_text` about three clean seconds are chosen and a recogniser writes down what is said in
them. With it, only silent edges are cut, since the text is that of the whole recording.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from espnet2_valle.asr.registry import LISTENERS_HELP, POCKETSPHINX, open_recognizer
from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.provenance import Provenance
from espnet2_valle.evaluation.speaker import ResemblyzerEncoder
from espnet2_valle.generate.prepare_prompt import prepare_recording, save_prompt
from espnet2_valle.generate.prompt import SUFFIX
from espnet2_valle.generate.prompt_check import Embed, PromptLimits
from espnet2_valle.text.multilingual import normal_code
from espnet2_valle.zoo.trained import ModelFiles


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--prompt_speech", required=True, help="recording of the voice, any rate and channels"
    )
    parser.add_argument("--prompt_text", help="what is said in all of it; without it a recogniser listens")
    parser.add_argument("--prompt_lang", default="", help="language of it, such as en, for models of several")
    parser.add_argument("--recognizer", default=POCKETSPHINX, help=LISTENERS_HELP)
    group = parser.add_argument_group("codec; one of them")
    group.add_argument("--model_tag", help="packed model (zip) or model-zoo name whose codec is used")
    group.add_argument("--codec_config", help="codec.yaml")
    parser.add_argument("--seconds", type=float, default=PromptLimits.seconds, help="wanted length")
    parser.add_argument(
        "--voices",
        choices=("auto", "yes", "no"),
        default="auto",
        help="look for a second voice (extra score)",
    )
    parser.add_argument("--output", required=True, help=f"the prepared prompt ({SUFFIX})")
    parser.add_argument("--output_wav", help="its sound, to listen to")
    parser.add_argument("--report", help="what was found, as JSON")
    group = parser.add_argument_group("provenance, which every file that is said in this voice carries")
    group.add_argument("--consent", default="", help="statement of the speaker's consent, in any words")
    group.add_argument("--origin", default="", help="where the recording comes from")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Prepare one prompt."""
    args = parse(get_parser(), argv)
    if Path(args.output).suffix != SUFFIX:
        raise InputError("--output", f"{args.output} does not end in {SUFFIX}", "Let it")
    prompt, report = prepare_recording(
        args.prompt_speech,
        open_codec(args),
        args.prompt_text,
        lambda wav, rate: open_recognizer(args.recognizer).transcribe(wav, rate),
        PromptLimits(seconds=args.seconds),
        _embed(args.voices),
        args.recognizer,
    )
    if args.prompt_text is None:
        print(f"heard by {args.recognizer}, please check: {prompt.text}")
    provenance = Provenance(args.consent, args.origin)
    prompt = replace(prompt, provenance=provenance, lang=normal_code(args.prompt_lang))
    save_prompt(prompt, report, args.output, args.output_wav, args.report)
    print("\n".join([*report.lines(), args.output]))


def open_codec(args: argparse.Namespace) -> AbsCodec:
    """The codec that the options name.

    Raises:
        InputError: none or two are named.
    """
    if bool(args.model_tag) == bool(args.codec_config):
        raise InputError("--codec_config", "one of it and --model_tag is needed", "Give one")
    files = ModelFiles(codec_config=args.codec_config, model_tag=args.model_tag).unpacked()
    return load_codec(str(files.codec_config))


def _embed(choice: str) -> Embed | None:
    """A speaker encoder, if it is wanted and, unless it must be, there."""
    if choice == "no":
        return None
    try:
        return ResemblyzerEncoder().embed
    except InputError:
        if choice == "yes":
            raise
        return None


if __name__ == "__main__":
    run_command(main)
