"""Scoring speech by how much of its text a recogniser hears."""

from typing import Any

import numpy as np

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.asr.wer import count_words
from espnet2_valle.text.markup import without_markup


class WordScorer:
    """Scorer of candidates of one text: the fewer word errors, the better.

    The recogniser that chose flatters the metrics of what it chose: report them apart from those of single
    samples, or let another recogniser score.

    Args:
        recognizer: which listens.
    """

    def __init__(self, recognizer: AbsRecognizer):
        self.recognizer = recognizer

    def __call__(self, speech: Any, rate: int, text: str) -> float:
        """Minus the word errors of `speech`, samples (S,) at `rate` Hz in which `text` was to be said."""
        heard = self.recognizer.transcribe(np.asarray(speech, dtype=np.float32), rate)
        return -float(count_words(without_markup(text), heard).errors)
