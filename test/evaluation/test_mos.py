import numpy as np
import pytest

from espnet2_valle.evaluation.mos import DNSMOS_RATE, WINDOW_SAMPLES, DNSMOSP808Scorer, DNSMOSScorer


@pytest.fixture(scope="module")
def scorer():
    pytest.importorskip("speechmos")
    return DNSMOSScorer()


def sound(seconds, seed=0):
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * DNSMOS_RATE)) / DNSMOS_RATE
    wave = (
        sum(np.sin(2 * np.pi * 130 * n * time) / n for n in range(1, 12)) * np.sin(2 * np.pi * 2 * time) ** 2
    )
    return (0.08 * wave + generator.normal(0, 0.002, time.size)).astype(np.float32)


@pytest.mark.parametrize("seconds", [9.5, 10.5, 11.2])
def test_long_clips_are_rated_as_speechmos_does(scorer, seconds):
    from speechmos import dnsmos

    clip = sound(seconds)
    expected = dnsmos.run(clip, DNSMOS_RATE)["ovrl_mos"]
    assert scorer.score(clip, DNSMOS_RATE) == pytest.approx(expected, abs=1e-3)


def test_p808_is_that_of_speechmos(scorer):
    from speechmos import dnsmos

    clip = sound(10.5)
    expected = dnsmos.run(clip, DNSMOS_RATE)["p808_mos"]
    assert DNSMOSP808Scorer().score(clip, DNSMOS_RATE) == pytest.approx(expected, abs=1e-3)


def test_a_short_clip_is_rated_as_its_repetition(scorer):
    clip = sound(2.0)
    repeated = np.tile(clip, 5)[:WINDOW_SAMPLES]
    assert scorer.score(clip, DNSMOS_RATE) == pytest.approx(scorer.score(repeated, DNSMOS_RATE), abs=1e-5)


def test_noise_lowers_the_score_and_all_scores_are_sane(scorer):
    clip = sound(2.0)
    noise = np.random.default_rng(1).normal(0, 0.1, clip.size).astype(np.float32)
    clean, noisy = scorer.score(clip, DNSMOS_RATE), scorer.score(clip + noise, DNSMOS_RATE)
    assert 1 <= noisy < clean <= 5


@pytest.mark.parametrize("wav", [sound(0.05), 5 * sound(1.0), sound(1.0)[:1]])
def test_very_short_and_clipped_audio_is_rated_too(scorer, wav):
    assert np.isfinite(scorer.score(wav, 24000))
