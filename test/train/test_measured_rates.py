"""Speaking rates that a training set tells of languages and styles."""

import numpy as np
import pytest

from espnet2_valle.data.codes import CodeWriter
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.index_writer import build_index
from espnet2_valle.train.relative_rates import measured_rates
from espnet2_valle.train.told_style import ToldStyle

# speaker, language, emotion, tokens and frames
UTTERANCES = [
    ("ann", "en", "sad", 4, 40),
    ("ann", "en", "happy", 4, 10),
    ("bob", "pl", "sad", 8, 20),
    ("bob", "pl", "happy", 8, 5),
    ("bob", "pl", "unknown", 8, 10),
]


@pytest.fixture
def index(tmp_path):
    names = [f"u{n}" for n in range(len(UTTERANCES))]
    with CodeWriter(tmp_path) as writer:
        for name, (*_, frames) in zip(names, UTTERANCES):
            writer[name] = np.zeros((frames, 2), int)
    rows = {
        "token_int": [" ".join("1" * tokens) for *_, tokens, _ in UTTERANCES],
        "utt2spk": [one[0] for one in UTTERANCES],
        "utt2lang": [one[1] for one in UTTERANCES],
        "utt2emo": [one[2] for one in UTTERANCES],
        "utt2style": ["1 2 2 2", "3 2 2 2", "1 2 2 2", "3 2 2 2", "0 2 2 2"],
    }
    for table, values in rows.items():
        (tmp_path / table).write_text("".join(f"{name} {value}\n" for name, value in zip(names, values)))
    told = {name: tmp_path / name for name in ("utt2lang", "utt2emo", "utt2style")}
    build_index(tmp_path, tmp_path / "token_int", tmp_path / "utt2spk", tmp_path / "index", **told)
    return TrainingIndex(tmp_path / "index")


def test_a_language_is_compared_with_all_and_a_style_with_its_speaker(index):
    told = ToldStyle(["emotion", "speaking_rate", "energy"], ["sad", "happy", "shy"], 4)
    rates = measured_rates(index, ["pl", "en", "de"], told)
    assert set(rates) == {"language", "emotion", "speaking_rate"}
    overall = (0.1 * 0.4 * 0.4 * 1.6 * 0.8) ** 0.2
    assert rates["language"] == pytest.approx([0.8 / overall, 0.2 / overall, 1.0], abs=1e-3)
    assert rates["emotion"] == pytest.approx([0.5, 2.0, 1.0], abs=1e-3)  # each speaks half and twice as fast
    assert rates["speaking_rate"] == pytest.approx([0.5, 1.0, 2.0, 1.0], abs=1e-3)


def test_what_a_set_does_not_tell_has_no_rate(index, tmp_path):
    assert measured_rates(index, ["pl"], None)["language"] == pytest.approx([0.8 / 0.4595], abs=1e-3)
    build_index(tmp_path, tmp_path / "token_int", tmp_path / "utt2spk", tmp_path / "plain")
    told = ToldStyle(["emotion"], ["sad"], 5)
    assert measured_rates(TrainingIndex(tmp_path / "plain"), None, told) == {}


def test_a_model_that_is_told_nothing_has_none(index):
    assert measured_rates(index, None, None) == {}
