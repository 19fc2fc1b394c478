"""Signal figures on sounds whose figures are known."""

import numpy as np
import pytest

from espnet2_valle.evaluation.signal import (
    MCD_SCALE,
    NUM_CEPSTRA,
    RATE,
    compare_pitch,
    mel_cepstra,
    signal_metrics,
)

pytest.importorskip("librosa")


def voice(pitch=120.0, seconds=1.0, rise=0.2):
    """Pulses through a resonance, rising by the share `rise`: speech enough for WORLD."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = np.cumsum(pitch * (1 + rise * time / seconds)) / RATE
    harmonics = sum(np.sin(2 * np.pi * n * phase) / n for n in range(1, 15))
    noise = np.random.default_rng(0).normal(0, 0.003, time.size)
    return (0.1 * harmonics + noise).astype(np.float32)


def test_a_recording_is_like_itself_at_any_level_and_rate():
    metrics = signal_metrics(0.3 * voice(), RATE, voice(), RATE, "one two three")
    assert metrics["mcd"] < 0.6
    assert metrics["f0_rmse"] < 10
    assert metrics["f0_correlation"] > 0.99
    assert metrics["voicing_error"] < 0.05
    assert metrics["rate_ratio"] == pytest.approx(1, abs=0.03)
    assert metrics["speaking_rate"] == pytest.approx(3, abs=0.1)


def test_a_voice_two_semitones_higher_and_slower():
    metrics = signal_metrics(voice(120 * 2 ** (2 / 12), 2.0, 0), RATE, voice(120, 1.0, 0), RATE, "one")
    assert metrics["f0_rmse"] == pytest.approx(200, abs=10)
    assert metrics["rate_ratio"] == pytest.approx(0.5, abs=0.03)


def test_silence_around_speech_does_not_count():
    silence = np.zeros(RATE, dtype=np.float32)
    padded = np.concatenate([silence, voice(), silence])
    assert signal_metrics(padded, RATE, voice(), RATE, "one")["rate_ratio"] == pytest.approx(1, abs=0.05)


def test_scraps_have_no_figures():
    assert signal_metrics(voice()[:100], RATE, voice(), RATE, "one") == {}


def test_cepstra_measure_the_distance_of_envelopes_in_decibels():
    """An envelope that differs by a cosine on the mel axis differs in one cepstrum, by its amplitude."""
    count = 513
    flat = np.ones((1, count))
    hertz = np.linspace(0, RATE / 2, count)
    mel = np.log1p(hertz / 700) / np.log1p(RATE / 2 / 700)
    amplitude = 0.5
    tilted = np.exp(2 * amplitude * np.cos(np.pi * mel))[None]  # power: twice the log amplitude
    gap = mel_cepstra(tilted) - mel_cepstra(flat)
    assert gap.shape == (1, NUM_CEPSTRA)
    assert gap[0, 0] == pytest.approx(amplitude, abs=0.01)
    assert np.abs(gap[0, 1:]).max() < 0.01
    rms = np.sqrt(np.mean((20 / np.log(10) * amplitude * np.cos(np.linspace(0, np.pi, 1000))) ** 2))
    assert MCD_SCALE * np.linalg.norm(gap) == pytest.approx(rms, rel=0.02)


def test_voicing_errors_are_counted_and_short_agreement_tells_nothing():
    one = np.array([100.0] * 5 + [0.0] * 5)
    other = np.array([100.0] * 3 + [0.0] * 7)
    metrics = compare_pitch(one, other)
    assert metrics == {"f0_rmse": None, "f0_correlation": None, "voicing_error": pytest.approx(0.2)}
