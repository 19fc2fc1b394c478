"""Encode and decode utterances: what the codec alone does to speech."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.codec.build import open_codec
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, remove_unfinished
from espnet2_valle.data.code_files import prompts, resynthesise, targets
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import parallel_map, use_cluster
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
        required=True,
        help="gets wav/ and wav.scp; with --pairs also prompts/ and prompts.scp, by utterance",
    )
    parser.add_argument("--codebooks", type=int, help="decode only the first so many codebooks; default all")
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    if (args.codec_config is None) == (args.model_tag is None):
        raise InputError("--codec_config", "and --model_tag: one of them is needed", "Give one")
    codec_config = args.codec_config or unpack(args.model_tag)["codec_config"]
    codec = open_codec(codec_config)
    if args.codebooks is not None and not 1 <= args.codebooks <= codec.num_codebooks:
        raise InputError("--codebooks", f"{args.codebooks} is not in 1..{codec.num_codebooks}", "Correct it")
    wavs = read_scp(args.wav_scp)
    wanted = targets(args.pairs, wavs) if args.pairs else wavs
    output = Path(args.output_dir)
    paths = {key: output / "wav" / f"{key}.wav" for key in wanted}
    voices = prompts(args.pairs, wavs) if args.pairs else {}
    voice_paths = {key: output / "prompts" / f"{key}.wav" for key in voices}
    jobs = [(source, paths[key]) for key, source in wanted.items()]
    jobs += [(source, voice_paths[key]) for key, source in voices.items()]
    work = partial(resynthesise, codec_config, args.codebooks)
    with use_cluster(args.cluster):
        for _ in parallel_map(work, jobs, nj=args.nj, title="resynthesise"):
            pass
    remove_unfinished(output / "wav", output / "prompts")
    if voices:
        with atomic_open(output / "prompts.scp") as scp:
            scp.writelines(f"{key} {path}\n" for key, path in voice_paths.items())
    with atomic_open(output / "wav.scp") as scp:
        scp.writelines(f"{key} {path}\n" for key, path in paths.items())


if __name__ == "__main__":
    run_command(main)
