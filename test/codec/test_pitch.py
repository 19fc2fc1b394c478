import numpy as np
import pytest
from codec_samples import RATE, vowel

from espnet2_valle.codec.pitch import track_pitch

TIMES = np.arange(0, 1.5, 0.005)


@pytest.mark.parametrize("f0", [75.0, 120.0, 210.0, 400.0])
def test_a_steady_voice_has_its_pitch(f0):
    time = np.arange(2 * RATE) / RATE
    wav = sum(np.sin(2 * np.pi * f0 * harmonic * time) / harmonic for harmonic in range(1, 12))
    found = track_pitch(wav, RATE, TIMES[10:], 60, 500)
    np.testing.assert_allclose(found, f0, rtol=0.01)


def test_a_gliding_voice_is_followed():
    time = np.arange(2 * RATE) / RATE
    f0 = 100 + 60 * time
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    wav = sum(np.sin(phase * harmonic) / harmonic for harmonic in range(1, 10))
    found = track_pitch(wav, RATE, TIMES[10:], 60, 500)
    np.testing.assert_allclose(found, 100 + 60 * TIMES[10:], rtol=0.03)


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).standard_normal(2 * RATE)
    assert (track_pitch(noise, RATE, TIMES, 60, 500) > 0).mean() < 0.2
    assert not track_pitch(np.zeros(2 * RATE), RATE, TIMES, 60, 500).any()


def test_pauses_are_unvoiced():
    wav = vowel(1.6, 150).astype(np.float64)
    wav[RATE // 2 : RATE] = 0
    found = track_pitch(wav, RATE, TIMES, 60, 500)
    assert not found[(TIMES > 0.55) & (TIMES < 0.95)].any()


def test_a_sound_shorter_than_a_window():
    assert track_pitch(np.ones(3), RATE, np.array([0.0]), 60, 500).shape == (1,)


def test_the_level_does_not_matter():
    wav = vowel(1.6, 150).astype(np.float64)
    np.testing.assert_array_equal(
        track_pitch(wav, RATE, TIMES, 60, 500), track_pitch(wav / 4, RATE, TIMES, 60, 500)
    )
