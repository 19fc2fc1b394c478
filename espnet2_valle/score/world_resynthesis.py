"""What WORLD, and a codec built on it, do to a voice and to sound quality."""

from functools import lru_cache

import numpy as np

from espnet2_valle.codec.world import WorldCodec
from espnet2_valle.common.audio import read_audio
from espnet2_valle.score.mos import AbsQualityScorer, DNSMOSScorer
from espnet2_valle.score.speaker import AbsSpeakerEncoder, ResemblyzerEncoder, similarity

SHIFTS = (12.0, -12.0)  # decibels
WORLD_PERIOD = 1000 / 75  # milliseconds: frames of unquantised WORLD, as many as EnCodec has
SYSTEMS = ("original", "WORLD", "WORLD, our frames", "codec", "codebook 1", "codec +12 dB", "codec -12 dB")
Scores = dict[str, tuple[float, float]]


@lru_cache(maxsize=1)
def scorers() -> tuple[AbsSpeakerEncoder, AbsQualityScorer]:
    """The scorers, opened once a process."""
    return ResemblyzerEncoder(), DNSMOSScorer()


def world_resynthesis(wav: np.ndarray, rate: int) -> np.ndarray:
    """`wav` (S,) through WORLD as it comes, nothing coded: harvest, CheapTrick, D4C."""
    import pyworld

    samples = wav.astype(np.float64)
    f0, times = pyworld.harvest(samples, rate, frame_period=WORLD_PERIOD)
    envelope = pyworld.cheaptrick(samples, f0, times, rate)
    aperiodicity = pyworld.d4c(samples, f0, times, rate)
    return pyworld.synthesize(f0, envelope, aperiodicity, rate, WORLD_PERIOD).astype(np.float32)


def score_file(model: str, seconds: float, path: str) -> Scores:
    """Similarity to the original and DNSMOS of every system for one sound file.

    A shift of level is taken back before scoring, since both scorers hear level.

    Args:
        model: a world codec (.npz).
        seconds: of the sound file that are used.
        path: the sound file.
    """
    codec = WorldCodec.load(model)
    rate = codec.sample_rate
    wav = read_audio(path, rate)[0][: round(seconds * rate)]
    codes = codec.encode(wav)
    sounds = {
        "original": wav,
        "WORLD": world_resynthesis(wav, rate),
        "WORLD, our frames": codec.features.synthesise(codec.features.analyse(wav)),
        "codec": codec.decode(codes),
        "codebook 1": at_level_of(wav, codec.decode(codes[:, :1])),
    }
    for shift in SHIFTS:
        gain = np.float32(10 ** (shift / 20))
        sounds[f"codec {shift:+.0f} dB"] = codec.decode(codec.encode(wav * gain)) / gain
    encoder, quality = scorers()
    voice = encoder.embed(wav, rate)
    return {
        name: (similarity(voice, encoder.embed(sound, rate)), quality.score(sound, rate))
        for name, sound in sounds.items()
    }


def at_level_of(wav: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """`sound` as loud as `wav`: codebook 1 alone does not code the level."""
    power = float(np.mean(sound**2))
    return sound * np.float32(np.sqrt(np.mean(wav**2) / power)) if power else sound
