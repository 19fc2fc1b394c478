from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from espnet2_valle.bin import read_aloud as command
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.read_aloud import (
    ReadAloudConfig,
    Reading,
    add_readings,
    invent_texts,
    reading_state,
)
from espnet2_valle.data.datadir import DataDir

RATE = 16000
TEXTS = {"ann-1": "Don't go, Philip.", "ann-2": "He saw the river."}
CONFIG = replace(
    ReadAloudConfig.load(find("read_aloud.yaml")), variants=("f3", "m3"), pitches=(30, 50), words=(2, 3)
)


@pytest.fixture
def recorded(tmp_path):
    """Two utterances of one speaker."""
    data = DataDir(tmp_path / "train", {}, dict(TEXTS), dict.fromkeys(TEXTS, "ann"))
    for utterance in TEXTS:
        data.wavs[utterance] = str(tmp_path / f"{utterance}.flac")
        soundfile.write(data.wavs[utterance], np.zeros(RATE), RATE)
    data.write()
    return data


def test_readings_join_the_recordings_as_voices_of_their_own(recorded, tmp_path):
    add_readings(recorded, 6, CONFIG, tmp_path / "train_ra")
    larger = DataDir.load(tmp_path / "train_ra")
    assert {u: larger.wavs[u] for u in TEXTS} == recorded.wavs
    speakers = larger.by_speaker()
    assert sorted(len(spoken) for spoken in speakers.values()) == [1, 1, 2, 2, 2]  # the voices take turns
    assert set(speakers) - {"ann"} == {f"espeak-{v}-en-us-{p}" for v in ("f3", "m3") for p in (30, 50)}
    for utterance in larger.wavs.keys() - TEXTS.keys():
        wav, rate = soundfile.read(larger.wavs[utterance])
        assert rate == RATE
        assert len(wav) > 0.1 * RATE * len(larger.texts[utterance].split())
        assert np.sqrt(np.mean(wav**2)) == pytest.approx(0.06, rel=0.02)


def test_what_is_read_has_the_words_of_the_training_set_alone():
    texts = invent_texts(TEXTS.values(), 300, CONFIG)
    sentences = [text for text in texts if text in TEXTS.values()]
    assert len(sentences) == pytest.approx(0.4 * 300, abs=40)
    invented = [text.split() for text in texts if text not in TEXTS.values()]
    assert {len(words) for words in invented} == {2, 3}
    assert {word for words in invented for word in words} == {
        "don't", "go", "philip", "he", "saw", "the", "river",
    }  # fmt: skip
    assert invent_texts(list(TEXTS.values()) * 2, 300, CONFIG) == texts
    assert invent_texts(TEXTS.values(), 300, replace(CONFIG, seed=1)) != texts


def test_frequent_words_are_drawn_more_often_where_that_is_wanted():
    texts = ["the the the the the the the the the river"]
    config = replace(CONFIG, sentence_share=0.0, words=(1, 1))
    often = invent_texts(texts, 200, replace(config, rare_share=0.0)).count("the")
    evenly = invent_texts(texts, 200, replace(config, rare_share=1.0)).count("the")
    assert often == pytest.approx(180, abs=20)
    assert evenly == pytest.approx(100, abs=35)


def test_a_second_run_makes_only_what_is_missing_or_reads_something_else(recorded, tmp_path):
    larger = add_readings(recorded, 4, CONFIG, tmp_path / "train_ra")
    lost, kept = sorted(Path(larger.wavs[u]) for u in larger.wavs.keys() - TEXTS.keys())[:2]
    first, before = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    add_readings(recorded, 4, CONFIG, tmp_path / "train_ra")
    assert lost.read_bytes() == first
    assert kept.stat().st_mtime_ns == before
    slower = add_readings(recorded, 4, replace(CONFIG, rate=120), tmp_path / "train_ra")
    assert kept.stat().st_mtime_ns != before
    assert str(kept) in slower.wavs.values()


def test_two_processes_write_the_same_bytes_as_one(recorded, tmp_path):
    one = add_readings(recorded, 20, CONFIG, tmp_path / "one")
    two = add_readings(recorded, 20, CONFIG, tmp_path / "two", nj=2)
    assert len(one.wavs) == 22
    for utterance in one.wavs:
        assert Path(one.wavs[utterance]).read_bytes() == Path(two.wavs[utterance]).read_bytes()


def test_a_text_without_a_sound_is_left_out(recorded, tmp_path):
    silent = replace(recorded, texts=dict.fromkeys(TEXTS, "..."))
    larger = add_readings(silent, 3, CONFIG, tmp_path / "train_ra")
    assert set(larger.wavs) == set(TEXTS)


def test_languages_are_kept_and_other_ones_refused(recorded, tmp_path):
    english = replace(recorded, languages=dict.fromkeys(TEXTS, "en"))
    larger = add_readings(english, 2, CONFIG, tmp_path / "train_ra")
    assert set(larger.languages.values()) == {"en"}
    german = replace(recorded, languages={"ann-1": "en", "ann-2": "de"})
    with pytest.raises(InputError, match="utt2lang: 'ann-2' is of language 'de'"):
        add_readings(german, 2, CONFIG, tmp_path / "train_ra")


def test_emotions_are_refused(recorded, tmp_path):
    with pytest.raises(InputError, match="utt2emo"):
        add_readings(
            replace(recorded, emotions=dict.fromkeys(TEXTS, "sad")), 2, CONFIG, tmp_path / "train_ra"
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sentence_share": 1.5}, "sentence_share: 1.5"),
        ({"rare_share": -1}, "rare_share: -1"),
        ({"words": [5, 2]}, r"words: \[5, 2\]"),
        ({"pitches": []}, "name no voice"),
        ({"pitchs": [20]}, "'pitchs'"),
    ],
)
def test_a_config_at_fault_is_named(tmp_path, change, message):
    content = yaml.safe_load(find("read_aloud.yaml").read_text())
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(InputError, match=f"bad.yaml: .*{message}"):
        ReadAloudConfig.load(tmp_path / "bad.yaml")


def test_the_command_wants_at_least_one_sentence(recorded, tmp_path):
    options = ["--data_dir", str(recorded.path), "--output_dir", str(tmp_path / "ra"), "--sentences"]
    with pytest.raises(InputError, match="--sentences: 0"):
        command.main([*options, "0"])
    command.main([*options, "3"])
    assert len(DataDir.load(tmp_path / "ra").wavs) == 5


def test_readings_are_known_as_in_earlier_versions():
    reading = Reading("say é", EspeakVoice("en-us", "f2", 60, 50, 150), "x.flac", 24000, 0.05)
    assert reading_state(reading) == "bb57f828b837e5b2fc89c95f51918f4d"
