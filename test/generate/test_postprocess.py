"""The one way out of a waveform."""

import numpy as np
import pytest

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import StreamTail, finish
from espnet2_valle.mark.registry import build_watermark

from .conftest import RATE, buzz


def test_output_tail_limits_the_peak_and_notices_silence():
    loud, outcome = finish(buzz(100, 1.0) * 100, RATE, Outcome.OK, None)
    assert np.abs(loud).max() == pytest.approx(0.99)
    assert outcome is Outcome.OK
    wav = buzz(100, 1.0)
    assert finish(wav, RATE, Outcome.HIT_LENGTH_CAP, None)[0] is wav
    assert finish(np.zeros(100, dtype=np.float32), RATE, Outcome.OK, None)[1] is Outcome.NO_SPEECH
    assert finish(np.zeros(0, dtype=np.float32), RATE, Outcome.OK, None)[1] is Outcome.NO_SPEECH
    with pytest.raises(FloatingPointError):
        finish(np.array([np.nan], dtype=np.float32), RATE, Outcome.OK, None)


def test_what_leaves_is_signed_at_once_and_in_chunks_alike():
    watermark = build_watermark("spread", "key", 258)
    wav = buzz(110, 3.0)
    whole, _ = finish(wav, RATE, Outcome.OK, watermark)
    tail = StreamTail(RATE, watermark)
    chunks = [tail.pass_on(wav[start : start + 1234]) for start in range(0, len(wav), 1234)]
    streamed = np.concatenate([*chunks, tail.flush()])
    assert len(whole) == len(wav)
    assert np.array_equal(streamed, whole)
    assert not np.array_equal(whole, wav)
