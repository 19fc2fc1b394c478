"""The one way out of a waveform."""

import numpy as np
import pytest

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import finish

from .conftest import buzz


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
