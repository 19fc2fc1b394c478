"""Times of phones by a CTC recogniser."""

import numpy as np
import pytest

from espnet2_valle.asr.ctc_alignment import ctc_spans
from espnet2_valle.common.errors import InputError

PATH = [0, 0, 3, 3, 0, 2, 0, 0, 2, 2, 0]  # 3, then 2 twice, between blanks


def log_probs(path, classes=5):
    probs = np.full((len(path), classes), 0.02)
    probs[np.arange(len(path)), path] = 1.0
    return np.log(probs / probs.sum(1, keepdims=True)).astype(np.float32)


def test_each_target_lies_where_it_is_heard():
    spans = ctc_spans(log_probs(PATH), [3, 2, 2], 0, "u")
    assert spans.tolist() == [[2, 4], [5, 6], [8, 10]]


def test_too_many_phones_for_so_little_sound():
    with pytest.raises(InputError, match="too short for its 2 phones"):
        ctc_spans(log_probs([0, 2]), [2, 2], 0, "utterance a")
