"""Encode and decode utterances: what the codec alone does to speech."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.resynthesis import resynthesise_set
from espnet2_valle.jobs.config import add_device_argument, add_worker_arguments
from espnet2_valle.zoo.load import unpack


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec_config", help="codec.yaml")
    parser.add_argument("--model_tag", help="a packed model (zip) or model-zoo name, for the codec in it")
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument(
        "--pairs", help="resynthesise the target of each pair, named by the pair, and the prompts"
    )
    parser.add_argument(
        "--output_dir",
        type=Path,
        required=True,
        help="gets wav/ and wav.scp; with --pairs also prompts/ and prompts.scp, by utterance",
    )
    parser.add_argument("--codebooks", type=int, help="decode only the first so many codebooks; default all")
    parser.add_argument("--batch_size", type=int, default=1, help="utterances coded at once")
    add_device_argument(parser, "a codec that can")
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    if (args.codec_config is None) == (args.model_tag is None):
        raise InputError("--codec_config", "and --model_tag: one of them is needed", "Give one")
    codec_config = args.codec_config or unpack(args.model_tag)["codec_config"]
    resynthesise_set(
        codec_config,
        args.wav_scp,
        args.output_dir,
        args.pairs,
        args.codebooks,
        args.nj,
        args.cluster,
        args.device,
        args.batch_size,
    )


if __name__ == "__main__":
    run_command(main)
