import numpy as np
import pytest

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.asr.word_scorer import WordScorer

pytest.importorskip("jiwer")


class Parrot(AbsRecognizer):
    """Hears what it was told to."""

    def __init__(self, heard):
        self.heard = heard
        self.given = []

    def transcribe(self, wav, rate):
        self.given.append((wav.dtype, wav.shape, rate))
        return self.heard


@pytest.mark.parametrize(
    ("heard", "score"),
    [
        ("one two three", 0.0),
        ("One, two, three!", 0.0),
        ("one too three", -1.0),
        ("", -3.0),
        ("one " * 5, -4.0),
    ],
)
def test_every_wrong_word_counts_against_it(heard, score):
    parrot = Parrot(heard)
    assert WordScorer(parrot)(np.zeros(800), 8000, "one two three") == score
    assert parrot.given == [(np.float32, (800,), 8000)]
