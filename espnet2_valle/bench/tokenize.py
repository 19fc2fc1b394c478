"""Tokenising with one worker and with two, on made-up speech."""

import argparse
import tempfile
from pathlib import Path

from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.speech import speech_codec
from espnet2_valle.bench.workers import compare_workers, seconds_of, write_voices
from espnet2_valle.codec.build import save_codec_config
from espnet2_valle.common.conf import find
from espnet2_valle.data.code_files import encode_set
from espnet2_valle.data.datadir import write_scp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the amount of work."""
    parser.add_argument("--num_utterances", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=5.0, help="of an utterance")
    parser.add_argument("--rounds", type=int, default=3, help="runs with one and with two workers, in turn")
    parser.add_argument("--folder", help="where the data is made (and removed); default: the system's")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Tokenise the same utterances with one worker and with two."""
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        codec = speech_codec(find("codec/world.yaml"))
        codec.save(folder / "codec.npz")
        save_codec_config(folder / "codec.yaml", codec, "codec.npz", {})
        wavs = write_voices(folder / "wav", args.num_utterances, args.seconds, codec.sample_rate)
        write_scp(folder / "wav.scp", wavs)

        def seconds_with(nj: int, number: int) -> float:
            given = (folder / "codec.yaml", folder / "wav.scp", folder / f"codes.{nj}.{number}")
            return seconds_of(encode_set, *map(str, given), nj=nj)

        config = {"codec": codec.spec.name, "seconds": args.seconds}
        return compare_workers("tokenize", args.num_utterances, args.rounds, seconds_with, config)
