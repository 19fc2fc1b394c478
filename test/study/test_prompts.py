import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.study.prompts import PAUSE_SECONDS, PEAK, choose_recordings, join, mix, music, pink_noise

RATE = 8000


def tone(seconds=1.0, level=0.1):
    return (level * np.sin(2 * np.pi * 200 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def power(wav):
    return float(np.mean(wav.astype(np.float64) ** 2))


@given(st.floats(-20, 40), st.integers(100, 20000))
@settings(max_examples=30, deadline=None)
def test_a_mixture_has_the_asked_ratio(snr, length):
    speech = tone()
    noise = np.random.default_rng(0).standard_normal(length)
    mixed = mix(speech, noise, snr)
    assert mixed.shape == speech.shape
    assert np.abs(mixed).max() <= PEAK + 1e-6
    under = np.resize(noise, speech.shape)
    parts = np.stack([speech, under], 1).astype(np.float64)
    (of_speech, of_noise), *_ = np.linalg.lstsq(parts, mixed.astype(np.float64), rcond=None)
    heard = 10 * np.log10(of_speech**2 * power(speech) / (of_noise**2 * power(under)))
    assert heard == pytest.approx(snr, abs=0.01)


def test_a_quiet_mixture_keeps_the_speech_as_it_was():
    speech = tone()
    under = pink_noise(len(speech), np.random.default_rng(0))
    added = mix(speech, under, 20) - speech
    assert 10 * np.log10(power(speech) / power(added)) == pytest.approx(20, abs=0.01)


def test_silence_is_no_disturbance():
    with pytest.raises(ValueError, match="silent"):
        mix(tone(), np.zeros(10), 0)


def test_noise_falls_with_frequency():
    spectrum = np.abs(np.fft.rfft(pink_noise(RATE * 4, np.random.default_rng(0)))) ** 2
    low, high = spectrum[400:800].mean(), spectrum[3200:6400].mean()  # three octaves apart
    assert 10 * np.log10(low / high) == pytest.approx(9, abs=1)


def test_music_has_the_chords_tones_and_its_seed_decides_the_key():
    one, same, other = (music(RATE, RATE, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    assert len(music(100, RATE, np.random.default_rng(0))) == 100
    chord = np.abs(np.fft.rfft(one[: int(0.8 * RATE)]))
    assert np.sort(chord)[-3:].sum() ** 2 > 0.2 * np.square(chord).sum()  # a few lines hold much of it


def test_joined_recordings_have_pauses_between_them():
    joined = join([tone(0.5), tone(0.25)], RATE)
    assert len(joined) == int((0.75 + PAUSE_SECONDS) * RATE)
    assert not joined[RATE // 2 : RATE // 2 + int(PAUSE_SECONDS * RATE)].any()
    assert np.array_equal(join([tone()], RATE), tone())


@given(
    st.dictionaries(st.text("abc", min_size=1), st.floats(0.3, 12), min_size=1, max_size=12),
    st.floats(0.5, 15),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_recordings_come_once_and_stop_when_more_would_be_further_away(durations, seconds, seed):
    chosen = choose_recordings(durations, seconds, np.random.default_rng(seed))
    assert chosen
    assert len(set(chosen)) == len(chosen)
    before = sum(durations[name] for name in chosen[:-1])
    if len(chosen) > 1:  # the last one brought the sum nearer
        assert abs(seconds - before - durations[chosen[-1]]) < seconds - before


def test_recordings_add_up_to_what_is_asked():
    durations = {f"u{n}": 2.0 + 0.1 * n for n in range(10)}
    total = sum(durations[name] for name in choose_recordings(durations, 10, np.random.default_rng(0)))
    assert total == pytest.approx(10, abs=1.2)
    assert len(choose_recordings(durations, 1, np.random.default_rng(0))) == 1
