"""Speaker embeddings of the utterances of a set, in arks."""

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from espnet2_valle.common.audio import read_first_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.data.arks import Made, ShardedArks, Source
from espnet2_valle.data.made_from import told_to_make_anew
from espnet2_valle.data.tables import Table
from espnet2_valle.evaluation.registry import SPEAKER_ENCODERS
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder
from espnet2_valle.jobs.pool import use_cluster


def embed_set(
    wav_scp: str,
    output_dir: str,
    encoder: str = "resemblyzer",
    seconds: float | None = None,
    shard_size: int = 256,
    nj: int = 1,
    cluster: str | None = None,
    device: str = "cpu",
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
        device: where the encoder computes, see `jobs.pool.use_cluster`.

    Raises:
        InputError: no such encoder, a number out of range, or a sound file without a voice.
    """
    if shard_size < 1:
        raise InputError("--shard_size", f"{shard_size} is not a positive number", "Give 1 or more")
    component = SPEAKER_ENCODERS.check(Component(encoder))
    with told_to_make_anew(), use_cluster(cluster, device):
        ShardedArks(output_dir, "spembs").fill(
            Table(wav_scp),
            component.identity() if seconds is None else f"{component.identity()} {seconds}",
            partial(embed_files, component, device, seconds),
            nj=nj,
            title="embed speakers",
            shard_size=shard_size,
        )


def embed_files(encoder: Component, device: str, seconds: float | None, sounds: Sequence[Source]) -> Made:
    """The embedding (dimensions,) float32 of each sound file's first `seconds`.

    Raises:
        InputError: a sound file without a voice.
    """
    embedded: Made = {}
    for key, path in sounds:
        vector = _open_encoder(encoder, device).embed(*read_first_seconds(path, seconds))
        if not np.isfinite(vector).all():
            raise InputError(path, "no voice can be made out in it", "Remove the utterance")
        embedded[key] = vector.astype(np.float32)
    return embedded


@lru_cache(maxsize=1)
def _open_encoder(encoder: Component, device: str) -> AbsSpeakerEncoder:
    return SPEAKER_ENCODERS.build(encoder, device=device)
