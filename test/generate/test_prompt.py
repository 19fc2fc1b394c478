import numpy as np
import pytest
import soundfile

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import finish
from espnet2_valle.generate.prepared_prompt import load_prompt

from .conftest import RATE, buzz


def test_file_and_samples_are_the_same_prompt(tmp_path):
    wav = buzz(120, 1.0)
    soundfile.write(tmp_path / "p.wav", wav, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(load_prompt(tmp_path / "p.wav", None, RATE), load_prompt(wav, RATE, RATE))


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_any_rate_is_brought_to_the_codecs(rate):
    time = np.arange(rate) / rate
    wav = (0.3 * np.sin(2 * np.pi * 200 * time)).astype(np.float32)
    out = load_prompt(wav, rate, RATE)
    assert abs(len(out) - RATE) < RATE * 0.01
    peak = np.fft.rfft(out).__abs__().argmax() * RATE / len(out)
    assert abs(peak - 200) < 3


def test_stereo_is_mixed_down_and_said(caplog):
    wav = buzz(120, 1.0)
    mixed = load_prompt(np.stack([wav, wav], axis=1), RATE, RATE)
    np.testing.assert_allclose(mixed, load_prompt(wav, RATE, RATE), atol=1e-6)
    assert "2 channels" in caplog.text


def test_16_bit_samples_are_scaled():
    wav = buzz(120, 1.0)
    loaded = load_prompt((wav * 32767).astype(np.int16), RATE, RATE)
    np.testing.assert_allclose(loaded, load_prompt(wav, RATE, RATE), atol=1e-3)


def test_silent_edges_are_trimmed_to_a_margin():
    wav = buzz(120, 1.0)
    padded = np.concatenate([np.zeros(RATE), wav, np.zeros(RATE)]).astype(np.float32)
    assert 1.0 <= len(load_prompt(padded, RATE, RATE)) / RATE <= 1.15


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (buzz(120, 0.2), "lasts 0.20 s"),
        (np.zeros(RATE, dtype=np.float32), "silent"),
        (np.sign(buzz(120, 1.0)), "clipped"),
        (np.full(RATE, np.nan, dtype=np.float32), "NaN"),
        (np.zeros((2, 2, RATE), dtype=np.float32), "shape"),
    ],
)
def test_prompts_that_cannot_serve(wav, message):
    with pytest.raises(InputError, match=message):
        load_prompt(wav, RATE, RATE)


def test_samples_need_their_rate(tmp_path):
    with pytest.raises(InputError, match="prompt_fs"):
        load_prompt(buzz(120, 1.0), None, RATE)
    with pytest.raises(InputError, match="no such audio file"):
        load_prompt(tmp_path / "none.wav", None, RATE)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(InputError, match="not a readable sound file"):
        load_prompt(tmp_path / "text.wav", None, RATE)


def test_output_tail_limits_the_peak_and_notices_silence():
    loud, outcome = finish(buzz(100, 1.0) * 100, Outcome.OK)
    assert np.abs(loud).max() == pytest.approx(0.99)
    assert outcome is Outcome.OK
    wav = buzz(100, 1.0)
    assert finish(wav, Outcome.HIT_LENGTH_CAP)[0] is wav
    assert finish(np.zeros(100, dtype=np.float32), Outcome.OK)[1] is Outcome.NO_SPEECH
    assert finish(np.zeros(0, dtype=np.float32), Outcome.OK)[1] is Outcome.NO_SPEECH
    with pytest.raises(FloatingPointError):
        finish(np.array([np.nan], dtype=np.float32), Outcome.OK)
