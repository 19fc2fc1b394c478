"""Turn every utterance of a wav.scp into codec codes: codes.scp, codes_shape and arks."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec, read_codec_config
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.codes import ShardedCodes, fingerprint
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.jobs.pool import parallel_map


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec_config", required=True, help="codec.yaml")
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--shard_size", type=int, default=256, help="utterances an ark, the unit of resuming")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def encode_file(codec_config: str, item: tuple[str, str]) -> tuple[str, np.ndarray]:
    """The key and codes of one (key, sound file)."""
    key, path = item
    codec = open_codec(codec_config)
    wav, _ = read_audio(path, codec.sample_rate)
    return key, codec.encode(wav)


def codec_fingerprint(codec_config: str) -> str:
    """A digest of codec.yaml and the model file it names."""
    model = read_codec_config(codec_config)["model"]
    files = [Path(codec_config)] + ([Path(codec_config).parent / model] if model else [])
    return fingerprint([file.read_bytes().hex() for file in files])


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    if args.shard_size < 1:
        raise InputError("--shard_size", f"{args.shard_size} is not a positive number", "Give 1 or more")
    open_codec(args.codec_config)
    codec_print = codec_fingerprint(args.codec_config)
    items = list(read_scp(args.wav_scp).items())
    shards = [items[start : start + args.shard_size] for start in range(0, len(items), args.shard_size)]
    prints = [fingerprint([codec_print, *(f"{key} {path}" for key, path in shard)]) for shard in shards]
    output = ShardedCodes(args.output_dir)
    pending = [number for number, mark in enumerate(prints, 1) if not output.is_done(number, mark)]
    work = [item for number in pending for item in shards[number - 1]]
    encoded = iter(parallel_map(partial(encode_file, args.codec_config), work, nj=args.nj, title="tokenise"))
    for number in pending:
        output.write(number, prints[number - 1], dict(next(encoded) for _ in shards[number - 1]))
    output.finish(len(shards))


if __name__ == "__main__":
    run_command(main)
