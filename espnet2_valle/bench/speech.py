"""Something like a voice, and a codec fitted on nothing else: enough to measure speed with."""

from pathlib import Path

import numpy as np

from espnet2_valle.codec.quantizer import ResidualQuantizer
from espnet2_valle.codec.world import WorldCodec, stage_scales
from espnet2_valle.codec.world_config import WorldConfig
from espnet2_valle.codec.world_fit import build_features
from espnet2_valle.common.conf import read_config

PITCH, WANDER, HARMONICS, LEVEL = 120.0, 0.1, 40, 0.1


def voice(seconds: float, sample_rate: int, seed: int = 0) -> np.ndarray:
    """A hum (S,) float32 whose pitch wanders, with some breath."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(PITCH * (1 + WANDER * np.sin(3 * time))) / sample_rate
    hum = sum(np.sin(number * phase) / number for number in range(1, HARMONICS))
    return (LEVEL * (hum + 0.1 * rng.standard_normal(len(time)))).astype(np.float32)


def speech_codec(config_file: Path) -> WorldCodec:
    """A world codec of the configured size that costs what a fitted one costs, and is there at once.

    Its first codebook holds frames of `voice`, the others almost nothing.
    """
    content = read_config(config_file, "--codec_config")
    config = WorldConfig.from_dict(content, config_file)
    features = build_features(config)
    frames = features.analyse(voice(config.codebook_size / config.frame_rate, config.sample_rate))
    scales = stage_scales(config.stages, features, config_file)
    codebooks = np.zeros((len(config.stages), config.codebook_size, features.dim), dtype=np.float32)
    codebooks[0] = np.resize(frames, codebooks[0].shape)
    codebooks[1:] += np.random.default_rng(0).normal(0, 1e-3, codebooks[1:].shape)
    return WorldCodec(content, ResidualQuantizer(codebooks, scales), config_file)
