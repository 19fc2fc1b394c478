"""Fitting a codec on the recordings of a data directory."""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from espnet2_valle.codec.world import WorldCodec, build_features, stage_scales
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.common.audio import audio_seconds, read_audio
from espnet2_valle.jobs.pool import parallel_map


def analyse_file(config: WorldConfig, path: str) -> np.ndarray:
    """World features (T, dim) of one sound file."""
    wav, _ = read_audio(path, config.sample_rate)
    return build_features(config).analyse(wav)


def enough_wavs(wavs: Sequence[str], seconds: float, seed: int) -> list[str]:
    """Draw sound files until they last `seconds`; analysing more would only be thrown away."""
    drawn: list[str] = []
    for path in random.Random(seed).sample(list(wavs), len(wavs)):
        if seconds <= 0:
            break
        drawn.append(path)
        seconds -= audio_seconds(path)
    return drawn


def fit_world(options: dict[str, Any], where: str, wavs: Sequence[str], nj: int) -> WorldCodec:
    """Fit a world codec on as many sound files as hold the frames that the fit wants."""
    config = WorldConfig.from_dict(options, where)
    stage_scales(config.stages, build_features(config), where)  # a mistake is told before the long work
    wavs = enough_wavs(wavs, config.fit.max_frames / config.frame_rate, config.fit.seed)
    features = parallel_map(partial(analyse_file, config), wavs, nj=nj, title="analyse")
    return WorldCodec.fit(options, features, where)
