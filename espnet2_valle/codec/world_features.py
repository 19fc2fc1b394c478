"""Speech <-> a small feature vector a frame, by the WORLD vocoder.

Source: Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", 2016.
A frame holds, in this order: voicing (0 or 1), pitch (natural log of F0, interpolated through
unvoiced stretches), c0 .. (cosine transform of the log envelope on a mel axis up to `split` Hz),
high0 .. (mean log envelope of bands above `split`), breath0 .. (aperiodicity of voiced frames).
The envelope above `split` is kept apart, so that a recording without it shares the cepstra
of one that has it.
"""

import re
from dataclasses import dataclass

import numpy as np

MEL_POINTS = 80
DEFAULT_F0 = 120.0
APERIODICITY_SCALE = 10.0  # WORLD's coded aperiodicity is in dB; a tenth of it has the size of the rest
LEVEL_BLOCK = 0.02  # seconds
ACTIVE_FRACTION = 0.05  # blocks below this part of the mean power are pauses
HIGHEST_GAIN = 1e4
DITHER_SEED = 0


@dataclass(frozen=True)
class FeatureConfig:
    """How speech is analysed; see conf/codec/world.yaml for units and meaning."""

    sample_rate: int
    frame_rate: float
    f0_method: str = "harvest"
    f0_floor: float = 60.0
    f0_ceil: float = 500.0
    level: float = -26.0
    floor: float = -80.0
    split: float = 8000.0
    num_cepstra: int = 24
    num_high: int = 3


def mel(frequency: np.ndarray | float) -> np.ndarray:
    """Mel of `frequency` in Hz."""
    return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)


def cosine_basis(num_points: int, num_cepstra: int) -> np.ndarray:
    """Orthonormal DCT-II basis, (num_cepstra, num_points)."""
    angles = np.pi / num_points * np.outer(np.arange(num_cepstra), np.arange(num_points) + 0.5)
    basis = np.sqrt(2.0 / num_points) * np.cos(angles)
    basis[0] /= np.sqrt(2.0)
    return basis


def active_level(wav: np.ndarray, sample_rate: int) -> float:
    """Root-mean-square amplitude of the blocks of `wav` (S,) that are not pauses."""
    block = int(LEVEL_BLOCK * sample_rate)
    padded = np.pad(wav, (0, -len(wav) % block)).reshape(-1, block)
    power = (padded**2).mean(axis=1)
    return float(np.sqrt(power[power >= ACTIVE_FRACTION * power.mean()].mean()))


class WorldFeatures:
    """Analysis to and synthesis from feature vectors.

    Args:
        config: how to analyse.
    """

    def __init__(self, config: FeatureConfig):
        import pyworld

        self.config = config
        self.world = pyworld
        self.hop = round(config.sample_rate / config.frame_rate)
        self.period = 1000.0 * self.hop / config.sample_rate
        self.fft_size = pyworld.get_cheaptrick_fft_size(config.sample_rate, config.f0_floor)
        self.num_breath = pyworld.get_num_aperiodicities(config.sample_rate)
        self.basis = cosine_basis(MEL_POINTS, config.num_cepstra)
        self.bins = np.fft.rfftfreq(self.fft_size, 1.0 / config.sample_rate)
        self.mel_points = mel(config.split) * (np.arange(MEL_POINTS) + 0.5) / MEL_POINTS
        nyquist = config.sample_rate / 2
        self.high_edges = np.linspace(config.split, nyquist, config.num_high + 1)
        self.names = (
            ["voicing", "pitch"]
            + [f"c{i}" for i in range(config.num_cepstra)]
            + [f"high{i}" for i in range(config.num_high)]
            + [f"breath{i}" for i in range(self.num_breath)]
        )

    @property
    def dim(self) -> int:
        """Length of a feature vector."""
        return len(self.names)

    def columns(self, key: str) -> list[int]:
        """Columns named by `key`: a name, `cM-N`, or `high` / `breath` for all of them.

        Raises:
            KeyError: nothing is called so.
        """
        span = re.fullmatch(r"c(\d+)-(\d+)", key)
        if span:
            wanted = [f"c{i}" for i in range(int(span[1]), int(span[2]) + 1)]
        elif key in ("high", "breath"):
            wanted = [name for name in self.names if name.startswith(key)]
        else:
            wanted = [key]
        if not wanted or any(name not in self.names for name in wanted):
            raise KeyError(key)
        return [self.names.index(name) for name in wanted]

    def analyse(self, wav: np.ndarray) -> np.ndarray:
        """Features (T, dim) float32 of `wav` (S,); T = ceil(S / hop). The level of `wav` does not matter."""
        wav = self.normalise(np.asarray(wav, dtype=np.float64))
        num_frames = -(-len(wav) // self.hop)
        wav = np.pad(wav, (0, num_frames * self.hop - len(wav)))
        f0, envelope, aperiodicity = (part[:num_frames] for part in self.world_parts(wav))
        voiced = f0 > 0
        breath = self.world.code_aperiodicity(aperiodicity, self.config.sample_rate) / APERIODICITY_SCALE
        return np.concatenate(
            [
                voiced[:, None],
                interpolate_pitch(f0)[:, None],
                self.code_envelope(envelope),
                np.where(voiced[:, None], breath, 0.0),
            ],
            axis=1,
        ).astype(np.float32)

    def normalise(self, wav: np.ndarray) -> np.ndarray:
        """Bring active speech to the configured level and add the noise that stands for silence."""
        target = 10 ** (self.config.level / 20)
        level = active_level(wav, self.config.sample_rate)
        gain = min(target / level, HIGHEST_GAIN) if level > 0 else 1.0
        noise = np.random.default_rng(DITHER_SEED).standard_normal(len(wav))
        return gain * wav + target * 10 ** (self.config.floor / 20) * noise

    def world_parts(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """F0 (T,) in Hz, power envelope (T, bins) and aperiodicity (T, bins) of `wav`."""
        rate, limits = self.config.sample_rate, (self.config.f0_floor, self.config.f0_ceil)
        if self.config.f0_method == "dio":
            f0, times = self.world.dio(wav, rate, *limits, frame_period=self.period)
            f0 = self.world.stonemask(wav, f0, times, rate)
        else:
            f0, times = self.world.harvest(wav, rate, *limits, frame_period=self.period)
        envelope = self.world.cheaptrick(wav, f0, times, rate, fft_size=self.fft_size)
        aperiodicity = self.world.d4c(wav, f0, times, rate, fft_size=self.fft_size)
        return f0, envelope, aperiodicity

    def code_envelope(self, envelope: np.ndarray) -> np.ndarray:
        """Cepstra and high bands (T, num_cepstra + num_high) of a power envelope (T, bins)."""
        log_envelope = 0.5 * np.log(envelope + np.finfo(np.float64).tiny)
        position = np.interp(self.mel_points, mel(self.bins), np.arange(len(self.bins)))
        below = np.floor(position).astype(int)
        part = position - below
        warped = (1 - part) * log_envelope[:, below] + part * log_envelope[:, below + 1]
        high = [
            log_envelope[:, (self.bins >= low) & (self.bins <= top)].mean(axis=1, keepdims=True)
            for low, top in zip(self.high_edges[:-1], self.high_edges[1:], strict=True)
        ]
        return np.concatenate([warped @ self.basis.T, *high], axis=1)

    def decode_envelope(self, coded: np.ndarray) -> np.ndarray:
        """Power envelope (T, bins) of cepstra and high bands (T, num_cepstra + num_high)."""
        num_cepstra = self.config.num_cepstra
        warped = coded[:, :num_cepstra] @ self.basis
        points = np.concatenate([self.mel_points, mel((self.high_edges[:-1] + self.high_edges[1:]) / 2)])
        values = np.concatenate([warped, coded[:, num_cepstra:]], axis=1)
        position = np.clip(np.interp(mel(self.bins), points, np.arange(len(points))), 0, len(points) - 1)
        below = np.minimum(np.floor(position).astype(int), len(points) - 2)
        part = position - below
        return np.exp(2 * ((1 - part) * values[:, below] + part * values[:, below + 1]))

    def synthesise(self, features: np.ndarray) -> np.ndarray:
        """Waveform (T * hop,) float32 of features (T, dim)."""
        features = np.asarray(features, dtype=np.float64)
        breath_from = self.dim - self.num_breath
        voiced = features[:, 0] > 0.5
        pitch = np.clip(np.exp(features[:, 1]), self.config.f0_floor, self.config.f0_ceil)
        f0 = np.where(voiced, pitch, 0.0)
        envelope = np.ascontiguousarray(self.decode_envelope(features[:, 2:breath_from]))
        breath = np.minimum(features[:, breath_from:] * APERIODICITY_SCALE, 0.0)
        coded = np.ascontiguousarray(np.where(voiced[:, None], breath, 0.0))
        aperiodicity = self.world.decode_aperiodicity(coded, self.config.sample_rate, self.fft_size)
        wav = self.world.synthesize(f0, envelope, aperiodicity, self.config.sample_rate, self.period)
        wav = np.pad(wav, (0, max(0, len(f0) * self.hop - len(wav))))[: len(f0) * self.hop]
        return np.clip(wav, -1.0, 1.0).astype(np.float32)


def interpolate_pitch(f0: np.ndarray) -> np.ndarray:
    """Natural log of F0 (T,), straight lines through the frames where it is 0."""
    voiced = np.flatnonzero(f0)
    if len(voiced) == 0:
        return np.full(len(f0), np.log(DEFAULT_F0))
    return np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced]))
