"""Speaker embeddings of the utterances of a set, in arks."""

from functools import lru_cache, partial

import numpy as np

from espnet2_valle.common.audio import read_first_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.data.arks import ShardedArks
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.evaluation.registry import SPEAKER_ENCODERS
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import cut, shard_state, work_on_shards


def embed_set(
    wav_scp: str,
    output_dir: str,
    encoder: str = "resemblyzer",
    seconds: float | None = None,
    shard_size: int = 256,
    nj: int = 1,
    cluster: str | None = None,
) -> None:
    """Write spembs.scp, spembs_shape and arks of a set. Goes on where it was.

    Args:
        wav_scp: sound files by utterance.
        output_dir: where all goes.
        encoder: name of a speaker encoder.
        seconds: embed so much of each beginning; None for all of it.
        shard_size: utterances of an ark.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.

    Raises:
        InputError: no such encoder, a number out of range, or a sound file without a voice.
    """
    if shard_size < 1:
        raise InputError("--shard_size", f"{shard_size} is not a positive number", "Give 1 or more")
    component = SPEAKER_ENCODERS.check(Component(encoder))
    shards = dict(enumerate(cut(list(read_scp(wav_scp).items()), shard_size), 1))
    how = component.identity() if seconds is None else f"{component.identity()} {seconds}"
    marks = {number: shard_state(how, shard) for number, shard in shards.items()}
    output = ShardedArks(output_dir, "spembs")
    pending = {n: shard for n, shard in shards.items() if not output.is_done(n, marks[n])}
    work = partial(embed_file, component, seconds)
    with use_cluster(cluster):
        for number, results in work_on_shards(work, pending, nj, "embed speakers"):
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
