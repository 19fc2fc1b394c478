"""Durations given by other aligners."""

import numpy as np
import pytest

from espnet2_valle.asr.textgrid import sound_spans, word_sizes
from espnet2_valle.common.errors import InputError

TOKENS = ["<sos/eos>", "t", "ˈ", "u", "ː", ",", "<space>", "g", "o", "<sos/eos>"]


def tier(name, *intervals):
    rows = (
        f'intervals [{n}]:\nxmin = {begin}\nxmax = {end}\ntext = "{label}"\n'
        for n, (begin, end, label) in enumerate(intervals, 1)
    )
    body = "".join(rows)
    return (
        f'    item [1]:\n        class = "IntervalTier"\n        name = "{name}"\n        xmin = 0\n'
        f"        xmax = 2\n        intervals: size = {len(intervals)}\n{body}"
    )


def write(path, *tiers):
    path.write_text('File type = "ooTextFile"\nObject class = "TextGrid"\n\nitem []:\n' + "".join(tiers))
    return path


WORDS = tier("words", (0, 0.1, ""), (0.1, 0.5, "two"), (0.5, 0.6, "sp"), (0.6, 1.0, "go"), (1.0, 2.0, ""))


def test_phones_where_there_are_as_many(tmp_path):
    phones = tier("phones", (0.1, 0.2, "T"), (0.2, 0.5, "UW1"), (0.6, 0.7, "G"), (0.7, 1.0, "OW1"))
    spans = sound_spans(write(tmp_path / "u.TextGrid", WORDS, phones), TOKENS)
    np.testing.assert_allclose(spans, [(0.1, 0.2), (0.2, 0.5), (0.6, 0.7), (0.7, 1.0)])


def test_words_are_shared_evenly_otherwise(tmp_path):
    phones = tier("phones", (0.1, 0.5, "X"))
    spans = sound_spans(write(tmp_path / "u.TextGrid", WORDS, phones), TOKENS)
    np.testing.assert_allclose(spans, [(0.1, 0.3), (0.3, 0.5), (0.6, 0.8), (0.8, 1.0)])


def test_another_text_is_told(tmp_path):
    path = write(tmp_path / "u.TextGrid", tier("words", (0.1, 0.5, "two")))
    with pytest.raises(InputError, match="0 phones in 1 words, its text 4 in 2"):
        sound_spans(path, TOKENS)


def test_what_is_no_textgrid(tmp_path):
    with pytest.raises(InputError, match="no such TextGrid"):
        sound_spans(tmp_path / "u.TextGrid", TOKENS)
    (tmp_path / "u.TextGrid").write_text("short")
    with pytest.raises(InputError, match="has no interval tier"):
        sound_spans(tmp_path / "u.TextGrid", TOKENS)


def test_words_by_the_pauses_between_them():
    assert word_sizes(TOKENS) == [2, 2]
