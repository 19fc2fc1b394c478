"""Turn every utterance of a wav.scp into codec codes: codes.scp, codes_shape and arks."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec, read_codec_config
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.corpus.arks import fingerprint
from espnet2_valle.corpus.codes import ShardedCodes
from espnet2_valle.corpus.datadir import read_scp


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
    open_codec(args.codec_config)
    ShardedCodes(args.output_dir).write_all(
        read_scp(args.wav_scp),
        partial(encode_file, args.codec_config),
        codec_fingerprint(args.codec_config),
        args.shard_size,
        args.nj,
        "tokenise",
    )


if __name__ == "__main__":
    run_command(main)
