import numpy as np
import pytest

from espnet2_valle.common.audio import resample
from espnet2_valle.evaluation.speaker import ResemblyzerEncoder, similarity

RATE = 16000


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("resemblyzer")
    return ResemblyzerEncoder()


def buzz(pitch, seconds=2.0, rate=RATE, seed=0):
    """A voiced sound: harmonics with a little noise."""
    time = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 15))
    return (0.1 * wave + np.random.default_rng(seed).normal(0, 0.003, time.size)).astype(np.float32)


def test_a_voice_is_nearer_to_itself_than_to_another(encoder):
    one, again, other = (
        encoder.embed(buzz(pitch, seed=seed), RATE) for pitch, seed in ((110, 0), (110, 1), (260, 2))
    )
    assert similarity(one, again) > similarity(one, other) + 0.05


@pytest.mark.parametrize("wav", [buzz(120), buzz(120, 0.2), buzz(120)[:50], 1e-3 * buzz(120)])
def test_vectors_have_length_one(encoder, wav):
    vector = encoder.embed(wav, RATE)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert similarity(vector, vector) == pytest.approx(1, abs=1e-5)


def test_noise_without_voice_still_has_a_vector(encoder):
    noise = np.random.default_rng(0).normal(0, 1e-3, RATE).astype(np.float32)
    assert np.isfinite(encoder.embed(noise, RATE)).all()


def test_the_rate_is_heeded(encoder):
    wav = buzz(150)
    vector = encoder.embed(resample(wav, RATE, 24000), 24000)
    assert similarity(vector, encoder.embed(wav, RATE)) > 0.95
