import numpy as np
import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.prompt_check import PromptLimits, flat_tops, mix_down, prepare_prompt

from .conftest import RATE, buzz


def silence(seconds):
    return np.zeros(int(seconds * RATE), dtype=np.float32)


def noise(like, snr):
    rng = np.random.default_rng(0)
    level = np.sqrt(np.mean(like**2)) * 10 ** (-snr / 20)
    return (level * rng.standard_normal(len(like))).astype(np.float32)


def phrases(*seconds, pause=0.3):
    """Buzzes with pauses between them, half a second of silence around them."""
    parts = [silence(0.5)]
    for n, length in enumerate(seconds):
        parts += [buzz(120, length, seed=n), silence(pause)]
    return np.concatenate([*parts, silence(0.5)])


def test_about_three_seconds_are_cut_out_at_pauses():
    recording = phrases(1.4, 2.5, 2.9, 1.7)
    wav, report = prepare_prompt(recording, RATE, RATE)
    assert 2.1 <= len(wav) / RATE <= 4.0
    starts = np.cumsum([0.5, 1.7, 2.8, 3.2])
    ends = starts + [1.4, 2.5, 2.9, 1.7]
    assert np.abs(starts - report.start).min() < 0.35
    assert np.abs(ends - report.end).min() < 0.35
    assert report.warnings == ()


def test_a_recording_with_text_keeps_all_its_speech():
    _, report = prepare_prompt(phrases(2.0, 2.0, 2.0), RATE, RATE, cut=False)
    assert report.start == pytest.approx(0.45, abs=0.05)
    assert report.end == pytest.approx(0.5 + 6.6 + 0.05, abs=0.05)
    assert "enough" in report.warnings[0]


@pytest.mark.parametrize("rate", [8000, 44100])
def test_rates_and_channels_do_not_matter(rate):
    time = np.arange(int(3 * rate)) / rate
    wav = (0.2 * np.sin(2 * np.pi * 150 * time) * (np.sin(2 * np.pi * time) > -0.5)).astype(np.float32)
    prompt, report = prepare_prompt(np.stack([wav, 0.5 * wav], axis=1), rate, RATE)
    assert (report.channels, report.recorded_rate) == (2, rate)
    assert len(prompt) / RATE == pytest.approx(3.0, abs=0.5)


def test_channels_that_cancel_are_not_mixed():
    wav = buzz(120, 1.0)
    np.testing.assert_array_equal(mix_down(np.stack([wav, -wav], axis=1)), wav)
    np.testing.assert_allclose(mix_down(np.stack([wav, wav], axis=1)), wav, atol=1e-6)


def test_clipping_is_seen_at_any_level_and_avoided():
    clean = phrases(2.8, 2.8)
    clipped = clean.copy()
    early = slice(int(0.5 * RATE), int(3.3 * RATE))
    clipped[early] = np.clip(3 * clean[early], -0.15, 0.15)
    clipped[int(3.5 * RATE) :] *= 0.4
    assert flat_tops(clean).mean() < 0.001
    assert flat_tops(clipped).mean() > 0.01
    _, report = prepare_prompt(clipped, RATE, RATE)
    assert report.start > 3.3
    assert report.clipped == 0
    _, report = prepare_prompt(clipped[: early.stop], RATE, RATE)
    assert any("clipped" in warning for warning in report.warnings)


@pytest.mark.parametrize("snr", [10, 25, 40])
def test_noise_is_measured(snr):
    clean = phrases(1.4, 1.4)
    speech = buzz(120, 2.0)
    noisy = clean + noise(np.resize(speech, len(clean)), snr)
    _, report = prepare_prompt(noisy, RATE, RATE)
    assert report.snr == pytest.approx(snr, abs=4)
    assert any("noisy" in warning for warning in report.warnings) == (snr < PromptLimits.min_snr)


def test_quiet_and_short_are_said():
    _, report = prepare_prompt(phrases(1.0) * 0.03, RATE, RATE)
    assert [warning.split()[0] for warning in report.warnings] == ["only", "quiet"]
    assert "warning: quiet" in "\n".join(report.lines())


def test_a_second_voice_is_noticed():
    def embed(wav, rate):
        """A voice told by its pitch."""
        spectrum = np.abs(np.fft.rfft(wav, 1 << 16))
        pitch = (spectrum[: 400 * (1 << 16) // rate].argmax()) * rate / (1 << 16)
        return np.array([1.0, 0.0]) if pitch < 170 else np.array([0.0, 1.0])

    one = np.concatenate([buzz(110, 2.5), silence(0.2), buzz(115, 2.5)])
    two = np.concatenate([buzz(110, 2.5), silence(0.2), buzz(230, 2.5)])
    reports = [prepare_prompt(wav, RATE, RATE, embed=embed)[1] for wav in (one, two)]
    assert reports[0].similarity == pytest.approx(1.0)
    assert not any("voice" in warning for warning in reports[0].warnings)
    assert any("more than one voice" in warning for warning in reports[1].warnings)
    assert prepare_prompt(buzz(110, 1.0), RATE, RATE, embed=embed)[1].similarity is None


@pytest.mark.parametrize("wav", [np.zeros((0, 1), np.float32), silence(2.0), buzz(120, 0.2)])
def test_recordings_that_hold_no_prompt(wav):
    with pytest.raises(InputError):
        prepare_prompt(wav, RATE, RATE)
