"""The training data of a world codec: features of enough recordings, with the variety that they may lack."""

import logging
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from espnet2_valle.codec.world_config import FitConfig, WorldConfig
from espnet2_valle.codec.world_features import WorldFeatures
from espnet2_valle.common.audio import audio_seconds, read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import shuffled

FRAMES_A_CODEWORD = 2  # where a codebook is made smaller
FEWEST_CODEWORDS = 16
LIFTED_SHARE = 0.5  # of the frames
LIFT_RIPPLE = 0.1  # of the lift, between bands


def build_features(config: WorldConfig) -> WorldFeatures:
    """The analysis of a world codec."""
    return WorldFeatures(config.sample_rate, config.frame_rate, config.features)


def analyse_file(config: WorldConfig, path: str) -> np.ndarray:
    """Analyse one sound file to world features (T, dim)."""
    wav, _ = read_audio(path, config.sample_rate)
    return build_features(config).analyse(wav)


def enough_wavs(wavs: Sequence[str], seconds: float, seed: int) -> list[str]:
    """Draw sound files until they last `seconds`; analysing more would only be thrown away."""
    drawn: list[str] = []
    for place in shuffled(len(wavs), random.Random(seed)):
        if seconds <= 0:
            break
        drawn.append(wavs[place])
        seconds -= audio_seconds(drawn[-1])
    return drawn


def affordable_size(frames: int, config: WorldConfig, where: str | Path) -> int:
    """Codewords of a codebook that so many frames can fill: as configured, or a smaller power of 2.

    Raises:
        InputError: not even the smallest codebook can be filled.
    """
    size = config.codebook_size
    if frames >= size:
        return size
    smaller = 2 ** (max(1, frames // FRAMES_A_CODEWORD).bit_length() - 1)
    if smaller < FEWEST_CODEWORDS:
        raise InputError(
            where, f"{frames} frames cannot fill {size} codewords", "Give more speech or lower codebook_size"
        )
    logging.warning(
        "%s: %d frames (%.0f s) of speech cannot fill %d codewords, so codebooks have %d",
        *(where, frames, frames / config.frame_rate, size, smaller),
    )
    return smaller


def widen(
    vectors: np.ndarray, features: WorldFeatures, config: FitConfig, rng: np.random.Generator
) -> np.ndarray:
    """Spread `vectors` (N, dim) over what the training set may lack, so that other recordings find codewords.

    Half of the frames get energy above `split`, as a wide-band recording has; the gain becomes any between
    two levels; voices are spread around those of the training set, which are few beside those that exist.
    """
    vectors = vectors.astype(np.float64)
    count = len(vectors)
    voice = features.voice_columns
    spread = config.voice_jitter * vectors[:, voice].std(axis=0)
    vectors[:, voice] += spread * rng.standard_normal((count, len(voice)))
    high = features.columns("voice_high" if voice else "high")
    lifted = rng.random((count, 1)) < LIFTED_SHARE
    vectors[:, high] += config.high_lift * np.where(lifted, rng.random((count, 1)), 0.0)
    vectors[:, high] += config.high_lift * LIFT_RIPPLE * rng.standard_normal((count, len(high)))
    levels = np.array([config.lowest_level, config.highest_level]) - features.config.level
    lowest, highest = np.log(10.0) / 20 * levels
    vectors[:, features.gain_column] = rng.uniform(lowest, highest, count)
    return vectors.astype(np.float32)
