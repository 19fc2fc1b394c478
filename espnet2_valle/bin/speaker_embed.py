"""Speaker embeddings of utterances, as ESPnet's multi-speaker systems take them: spembs.scp and arks."""

import argparse
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from espnet2_valle.common.audio import read_first_seconds
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.data.arks import ShardedArks
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.evaluation.registry import SPEAKER_ENCODERS
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import cut, shard_state, work_on_shards


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--output_dir", required=True, help="gets spembs.scp, spembs_shape and arks")
    parser.add_argument("--encoder", default="resemblyzer", help="speaker encoder, by its name in conf/score")
    parser.add_argument("--seconds", type=float, help="embed so much of each beginning; default: all of it")
    parser.add_argument("--shard_size", type=int, default=256, help="utterances an ark, the unit of resuming")
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = get_parser().parse_args(argv)
    if args.shard_size < 1:
        raise InputError("--shard_size", f"{args.shard_size} is not a positive number", "Give 1 or more")
    encoder = SPEAKER_ENCODERS.check(Component(args.encoder))
    shards = dict(enumerate(cut(list(read_scp(args.wav_scp).items()), args.shard_size), 1))
    how = encoder.identity() if args.seconds is None else f"{encoder.identity()} {args.seconds}"
    marks = {number: shard_state(how, shard) for number, shard in shards.items()}
    output = ShardedArks(args.output_dir, "spembs")
    pending = {n: shard for n, shard in shards.items() if not output.is_done(n, marks[n])}
    with use_cluster(args.cluster):
        for number, results in work_on_shards(
            partial(embed_file, encoder, args.seconds), pending, args.nj, "embed speakers"
        ):
            output.write(number, marks[number], dict(map(_raised, results)))
    output.finish(len(shards))


def _raised(result: tuple[str, np.ndarray] | InputError) -> tuple[str, np.ndarray]:
    if isinstance(result, InputError):
        raise result
    return result


def embed_file(encoder: Component, seconds: float | None, item: tuple[str, str]) -> tuple[str, np.ndarray]:
    """The key of one (key, sound file), and the embedding (dimensions,) float32 of its first `seconds`.

    Raises:
        InputError: a sound file without a voice.
    """
    key, path = item
    vector = _open_encoder(encoder).embed(*read_first_seconds(path, seconds))
    if not np.isfinite(vector).all():
        raise InputError(path, "no voice can be made out in it", "Remove the utterance")
    return key, vector.astype(np.float32)


@lru_cache(maxsize=1)
def _open_encoder(encoder: Component) -> AbsSpeakerEncoder:
    return SPEAKER_ENCODERS.build(encoder)


if __name__ == "__main__":
    run_command(main)
