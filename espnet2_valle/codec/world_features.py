"""Speech <-> a small feature vector a frame, by the WORLD vocoder.

Source: Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", 2016.
A frame holds, in this order: voicing (0 .. 1), pitch (natural log of F0, interpolated through
unvoiced stretches), c0 .. (cosine transform of the log envelope on a mel axis up to `split` Hz),
high0 .. (mean log envelope of bands above `split`), breath0 .. (aperiodicity of voiced frames) and gain
(natural log of the utterance's level, the same in all frames; the rest is measured after it is taken away).
The envelope above `split` is kept apart, so that a recording without it shares the cepstra
of one that has it. With `voice_cepstra`, what a voice has of its own comes last: the means of pitch, c1 ..,
high and breath over the utterance's voiced frames (voice_pitch, voice_c1 ..), the same in all frames and
taken away from them, so that a frame says what is spoken and the means say who speaks.
"""

import re

import numpy as np

from espnet2_valle.codec.pitch import track_pitch
from espnet2_valle.codec.world_config import FeatureConfig

MEL_POINTS = 80
DEFAULT_F0 = 120.0
APERIODICITY_SCALE = 10.0  # WORLD's coded aperiodicity is in dB; a tenth of it has the size of the rest
LEVEL_BLOCK = 0.02  # seconds
ACTIVE_FRACTION = 0.05  # blocks below this part of the mean power are pauses
LOWEST_RATIO = 1e-4  # silence is not made louder than by the inverse of it
DITHER_SEED = 0
PART = 0.005  # seconds, about: frames are analysed in parts and synthesised in parts
HARVEST_PERIOD = 1.0  # milliseconds
SILENCE = 3.0  # nepers below loud speech: a frame weaker than that holds no speech
LOUD_QUANTILE = 0.9
VOICE = "voice_"  # begins the name of a mean over the utterance
LEAP = 0.45  # nepers of mean log envelope from one frame to the next
LEAP_STEEPNESS = 3.0


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
        sample_rate: in Hz.
        frame_rate: frames a second.
        config: how to analyse.
    """

    def __init__(self, sample_rate: int, frame_rate: float, config: FeatureConfig):
        import pyworld

        self.config = config
        self.sample_rate = sample_rate
        self.world = pyworld
        self.hop = round(self.sample_rate / frame_rate)
        self.parts = max(1, round(1 / frame_rate / PART))
        self.fft_size = pyworld.get_cheaptrick_fft_size(self.sample_rate, pyworld.default_f0_floor)
        self.envelope_floor = pyworld.get_cheaptrick_f0_floor(self.sample_rate, self.fft_size)
        self.num_breath = pyworld.get_num_aperiodicities(self.sample_rate)
        self.basis = cosine_basis(MEL_POINTS, config.num_cepstra)
        self.bins = np.fft.rfftfreq(self.fft_size, 1.0 / self.sample_rate)
        self.mel_points = mel(config.split) * (np.arange(MEL_POINTS) + 0.5) / MEL_POINTS
        nyquist = self.sample_rate / 2
        self.high_edges = np.linspace(config.split, nyquist, config.num_high + 1)
        self.names = (
            ["voicing", "pitch"]
            + [f"c{i}" for i in range(config.num_cepstra)]
            + [f"high{i}" for i in range(config.num_high)]
            + [f"breath{i}" for i in range(self.num_breath)]
            + ["gain"]
        )
        own = [f"c{i + 1}" for i in range(config.voice_cepstra)]
        own = ["pitch", *own, *(name for name in self.names if name.startswith(("high", "breath")))]
        own = own if config.voice_cepstra else []
        self.own_columns = [self.names.index(name) for name in own]
        self.voice_columns = [len(self.names) + i for i in range(len(own))]
        self.names += [VOICE + name for name in own]
        self.gain_column = self.names.index("gain")
        self.level_column = self.names.index("c0")
        self.is_envelope = np.array([name.startswith(("c", "high")) for name in self.names])
        self.is_shape = np.array([re.fullmatch(r"c[1-9]\d*", name) is not None for name in self.names])
        self.is_breath = np.array([name.startswith("breath") for name in self.names])

    @property
    def dim(self) -> int:
        """Length of a feature vector."""
        return len(self.names)

    def columns(self, key: str) -> list[int]:
        """Columns named by `key`: a name, `cM-N`, or `high` / `breath` for all of them; `voice_` may precede.

        Raises:
            KeyError: nothing is called so.
        """
        span = re.fullmatch(rf"({VOICE})?c(\d+)-(\d+)", key)
        if span:
            wanted = [f"{span[1] or ''}c{i}" for i in range(int(span[2]), int(span[3]) + 1)]
        elif key.removeprefix(VOICE) in ("high", "breath"):
            wanted = [name for name in self.names if name.startswith(key)]
        else:
            wanted = [key]
        if not wanted or any(name not in self.names for name in wanted):
            raise KeyError(key)
        return [self.names.index(name) for name in wanted]

    def analyse(self, wav: np.ndarray) -> np.ndarray:
        """Features (T, dim) float32 of `wav` (S,); T = ceil(S / hop). The level of `wav` does not matter.

        A frame stands for `hop` samples. Its voicing and pitch are means over parts of it; its envelope is
        that of its middle, since a mean of log envelopes is further from any voice.
        """
        return self.take_voice(self.measure(wav)).astype(np.float32)

    def measure(self, wav: np.ndarray) -> np.ndarray:
        """Features (T, D) of `wav` (S,) before the voice's means are taken away."""
        wav, gain = self.normalise(np.asarray(wav, dtype=np.float64))
        num_frames = -(-len(wav) // self.hop)
        wav = np.pad(wav, (0, num_frames * self.hop - len(wav)))
        times = (np.arange(num_frames * self.parts) + 0.5) * self.hop / self.parts / self.sample_rate
        f0 = self.f0(wav, times)
        voiced = (f0 > 0).reshape(num_frames, self.parts).mean(axis=1, keepdims=True)
        log_f0 = interpolate_pitch(f0).reshape(num_frames, self.parts).mean(axis=1)
        smooth_f0 = np.maximum(np.exp(log_f0), self.envelope_floor)
        middles = (np.arange(num_frames) + 0.5) * self.hop / self.sample_rate
        of_frames = (wav, smooth_f0, middles, self.sample_rate)
        coded = self.code_envelope(self.world.cheaptrick(*of_frames, fft_size=self.fft_size))
        aperiodicity = self.world.d4c(*of_frames, fft_size=self.fft_size)
        breath = self.world.code_aperiodicity(aperiodicity, self.sample_rate) / APERIODICITY_SCALE
        breath = np.where(voiced > 0, breath, 0.0)
        gains = np.full((num_frames, 1), gain)
        return np.concatenate([voiced, log_f0[:, None], coded, breath, gains], axis=1)

    def take_voice(self, features: np.ndarray) -> np.ndarray:
        """Take the means of the voice away from `features` (T, D) and append them, (T, dim)."""
        if not self.own_columns:
            return features
        speech = self.holds_speech(features)
        voiced = speech & (features[:, 0] > 0.5)
        means = features[voiced if voiced.any() else speech][:, self.own_columns].mean(axis=0)
        features = features.copy()
        features[:, self.own_columns] -= means
        return np.concatenate([features, np.tile(means, (len(features), 1))], axis=1)

    def give_voice(self, features: np.ndarray) -> np.ndarray:
        """Features (T, dim) with the voice's means, where they have them, added where they belong.

        The median over the frames: a model that says the codes of a few frames wrong does not change it.
        """
        if self.own_columns:
            features = features.copy()
            features[:, self.own_columns] += np.median(features[:, self.voice_columns], axis=0)
        return features

    def with_pitch(self, features: np.ndarray, log_f0: np.ndarray) -> np.ndarray:
        """Features (T, dim) that are heard at the natural logs of F0 (T,), whatever the voice's is."""
        column = self.names.index("pitch")
        changed = features.copy()
        changed[:, column] += log_f0 - self.give_voice(features)[:, column]
        return changed

    def holds_speech(self, features: np.ndarray) -> np.ndarray:
        """Mask (T,) bool of the frames of `features` (T, D) that are not pauses, by their level."""
        level = features[:, self.level_column]
        return level >= np.quantile(level, LOUD_QUANTILE) - SILENCE * np.sqrt(MEL_POINTS)

    def f0(self, wav: np.ndarray, times: np.ndarray) -> np.ndarray:
        """F0 (T,) in Hz of `wav` at `times`, 0 where unvoiced."""
        config = self.config
        if config.f0_method == "harvest":
            found, where = self.world.harvest(
                wav, self.sample_rate, config.f0_floor, config.f0_ceil, frame_period=HARVEST_PERIOD
            )
            return found[np.clip(np.round(times * 1000 / HARVEST_PERIOD).astype(int), 0, len(where) - 1)]
        found = track_pitch(wav, self.sample_rate, times, config.f0_floor, config.f0_ceil)
        return self.world.stonemask(wav, found, times, self.sample_rate)

    def normalise(self, wav: np.ndarray) -> tuple[np.ndarray, float]:
        """Bring active speech to the configured level and add the noise that stands for silence.

        Returns:
            The new waveform, and its former level over the configured one as a natural logarithm.
        """
        target = 10 ** (self.config.level / 20)
        ratio = max(active_level(wav, self.sample_rate) / target, LOWEST_RATIO)
        noise = np.random.default_rng(DITHER_SEED).standard_normal(len(wav))
        return wav / ratio + target * 10 ** (self.config.floor / 20) * noise, float(np.log(ratio))

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
        """Waveform (T * hop,) float32, not clipped, of features (T, dim)."""
        num_samples = len(features) * self.hop
        features = self.refine(self.give_voice(np.asarray(features, dtype=np.float64)))
        voiced = features[:, 0] > 0.5
        pitch = np.clip(np.exp(features[:, 1]), self.config.f0_floor, self.config.f0_ceil)
        f0 = np.where(voiced, pitch, 0.0)
        envelope = np.ascontiguousarray(self.decode_envelope(features[:, self.is_envelope]))
        breath = np.minimum(features[:, self.is_breath] * APERIODICITY_SCALE, 0.0)
        coded = np.ascontiguousarray(np.where(voiced[:, None], breath, 0.0))
        aperiodicity = self.world.decode_aperiodicity(coded, self.sample_rate, self.fft_size)
        period = 1000.0 * self.hop / self.parts / self.sample_rate
        wav = self.world.synthesize(f0, envelope, aperiodicity, self.sample_rate, period)
        wav = wav[:num_samples] * np.exp(features[:, self.gain_column].mean())
        return wav.astype(np.float32)

    def refine(self, features: np.ndarray) -> np.ndarray:
        """Features (T * parts + 1, dim) at 0, 1 / parts, 2 / parts .. of a frame, drawn between the middles.

        Lines, but where the level leaps (a stop, an onset) the envelope crosses over in a fraction of the
        way: a line would smear the leap. WORLD itself would draw F0 from an unvoiced frame's 0 up to the next
        voiced one, which is heard as a glide; short steps leave it no room.
        """
        position = np.clip(np.arange(len(features) * self.parts + 1) / self.parts - 0.5, 0, len(features) - 1)
        below = np.minimum(position.astype(int), max(len(features) - 2, 0))
        before, after = features[below], features[np.minimum(below + 1, len(features) - 1)]
        line = (position - below)[:, None]
        steep = np.clip((line - 0.5) * LEAP_STEEPNESS + 0.5, 0.0, 1.0)
        leap = np.abs(after - before)[:, [self.level_column]] > LEAP * np.sqrt(MEL_POINTS)
        part = np.where(leap & self.is_envelope, steep, line)
        return (1 - part) * before + part * after


def interpolate_pitch(f0: np.ndarray) -> np.ndarray:
    """Natural log of F0 (T,), straight lines through the frames where it is 0."""
    voiced = np.flatnonzero(f0)
    if len(voiced) == 0:
        return np.full(len(f0), np.log(DEFAULT_F0))
    return np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced]))
