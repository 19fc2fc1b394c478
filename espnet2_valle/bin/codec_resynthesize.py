"""Encode and decode utterances: what the codec alone does to speech."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.codec.build import open_codec
from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.corpus.pairs import read_pairs
from espnet2_valle.jobs.pool import parallel_map
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
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def prompts(pairs: str, wavs: dict[str, str]) -> dict[str, str]:
    """The sound files of the prompts that a `pairs` file names, by utterance."""
    return {pair.prompt_utt: wavs[pair.prompt_utt] for pair in read_pairs(pairs) if pair.prompt_utt in wavs}


def targets(pairs: str, wavs: dict[str, str]) -> dict[str, str]:
    """Map each pair of a `pairs` file to the sound file of its target utterance.

    Raises:
        InputError: a target without sound file.
    """
    found = {}
    for pair in read_pairs(pairs):
        if pair.target_utt not in wavs:
            raise InputError(
                pairs,
                f"target {pair.target_utt} of {pair.pair_id} is not in the wav.scp",
                "Run stage 1 again",
            )
        found[pair.pair_id] = wavs[pair.target_utt]
    return found


def resynthesise(codec_config: str, codebooks: int | None, job: tuple[str, Path]) -> None:
    """Read job[0], encode, decode, write job[1]."""
    source, output = job
    codec = open_codec(codec_config)
    wav, _ = read_audio(source, codec.sample_rate)
    write_audio(output, codec.decode(codec.encode(wav)[:, :codebooks]), codec.sample_rate)


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
    for _ in parallel_map(
        partial(resynthesise, codec_config, args.codebooks), jobs, nj=args.nj, title="resynthesise"
    ):
        pass
    if voices:
        with atomic_open(output / "prompts.scp") as scp:
            scp.writelines(f"{key} {path}\n" for key, path in voice_paths.items())
    with atomic_open(output / "wav.scp") as scp:
        scp.writelines(f"{key} {path}\n" for key, path in paths.items())


if __name__ == "__main__":
    run_command(main)
