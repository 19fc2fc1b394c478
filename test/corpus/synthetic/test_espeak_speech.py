import numpy as np
import pytest

from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.espeak_speech import speak

VOICE = EspeakVoice("en-us", "f2", pitch=50, pitch_range=50, rate=175)


def test_speech_has_even_level_and_short_silent_edges():
    wav = speak("three, stop.", VOICE, sample_rate=24000, edge_seconds=0.05)
    loud = np.flatnonzero(np.abs(wav) > 0.02 * np.abs(wav).max())
    assert abs(loud[0] / 24000 - 0.05) < 0.002
    assert abs((len(wav) - loud[-1]) / 24000 - 0.05) < 0.002
    assert np.sqrt(np.mean(wav**2)) == pytest.approx(0.06, rel=0.01)
    assert np.abs(wav).max() < 1
