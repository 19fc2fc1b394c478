"""Judges: a recogniser trained for a few steps can be loaded; pocketsphinx keeps to its grammar."""

import warnings
from itertools import groupby, product
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from espnet2_valle.asr.phones import PhoneScorer, PhoneUnits, sounding
from espnet2_valle.asr.recognizer import CTCRecognizer, PocketsphinxRecognizer
from espnet2_valle.asr.registry import CHOOSERS
from espnet2_valle.asr.training import (
    _normalised,
    _write_words,
    highest_frequency,
    is_trained,
    train_recognizer,
)
from espnet2_valle.bin import judge_train
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.espeak_speech import speak
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.evaluation.scorers import DefaultPlan

RATE = 16000
VOICE = EspeakVoice("en-us", "Hugo", pitch=20, pitch_range=50, rate=175)
TEXTS = ("one two", "two one two", "two two", "one", "one one two", "two one")
OF_ONE_STEP = {
    "max_epoch": 1,
    "num_iters_per_epoch": 1,
    "batch_size": 2,
    "num_workers": 0,
    "encoder_conf": {"output_size": 16, "attention_heads": 2, "linear_units": 16, "num_blocks": 1},
}


def say(text: str, rate: int = RATE) -> np.ndarray:
    return speak(", ".join(text.split()), VOICE, rate, 0.05)


def write_set(path: Path, texts: tuple[str, ...], rate: int = RATE) -> DataDir:
    wavs = {}
    for number, text in enumerate(texts):
        wav = path / f"{number}.wav"
        write_audio(wav, say(text, rate), rate)
        wavs[f"u{number}"] = str(wav)
    data = DataDir(
        path, wavs, {f"u{n}": text for n, text in enumerate(texts)}, dict.fromkeys(wavs, "speaker")
    )
    data.write()
    return data


def train_one_step(folder: Path, valid_texts: tuple[str, ...], shipped: Path, *more: str) -> Path:
    """Train a tiny model for one step; everything else is the shipped config."""
    train, valid = write_set(folder / "train", TEXTS), write_set(folder / "valid", valid_texts)
    config = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    config["encoder_conf"] |= OF_ONE_STEP["encoder_conf"]
    config |= {key: value for key, value in OF_ONE_STEP.items() if key != "encoder_conf"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    arguments = ["--train_dir", train.path, "--valid_dir", valid.path, "--output_dir", folder / "exp"]
    judge_train.main([str(a) for a in [*arguments, "--config", folder / "config.yaml", *more]])
    return folder / "exp"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    return train_one_step(tmp_path_factory.mktemp("judge"), TEXTS[:2], find("judge/train_asr_ctc.yaml"))


def test_trained_judge_transcribes_with_its_words_only(trained):
    judge = CTCRecognizer(trained)
    for rate in (RATE, 24000):
        heard = judge.transcribe(say("one two", rate), rate).split()
        assert set(heard) <= {"one", "two", "<unk>", "<sos/eos>"}


@pytest.mark.parametrize("wav", [np.zeros(0), np.zeros(RATE), np.ones(10)])
def test_judge_hears_nothing_in_silence_or_scraps(trained, wav):
    assert CTCRecognizer(trained).transcribe(wav.astype(np.float32), RATE) == ""


def test_judge_does_not_warn_at_every_model_and_utterance(trained, caplog):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        CTCRecognizer(trained).transcribe(say("one two"), RATE)
    assert [one for one in told if one.category is FutureWarning and "autocast" in str(one.message)] == []
    assert "ctc_weight" not in caplog.text


def test_judge_does_not_hear_how_loud_speech_is(trained):
    judge, wav = CTCRecognizer(trained), say("one two two")
    assert judge.transcribe(wav, RATE) == judge.transcribe(0.1 * wav, RATE)


@pytest.fixture(scope="module")
def phones(tmp_path_factory) -> Path:
    """A recogniser of letters."""
    folder, units = tmp_path_factory.mktemp("phones"), ("--token_type", "char")
    return train_one_step(folder, ("One, too!",), judge_train.PHONE_CONFIG, *units)


def test_phones_of_a_text_are_what_sounds():
    marked = ["<space>", "ˈ", "iː", "n", "ʔ", "̩", "ˌ", ".", "AH0", "ː", "'", "你", "<unk>"]
    assert sounding(marked) == ["iː", "n", "ʔ", "AH0", "你"]


def test_a_scorer_of_phones_weighs_every_way_to_say_the_text(phones):
    """Against the sum over all alignments of a short text, written out."""
    scorer, wav = PhoneScorer(phones), say("one")[: RATE // 3]
    log_probs = scorer.model.log_probs(wav, RATE)
    numbers = [scorer.model.tokens.index(letter) for letter in "no"]
    total = sum(
        float(np.exp(log_probs[np.arange(len(path)), path].sum()))
        for path in product([*numbers, scorer.model.blank], repeat=len(log_probs))
        if [token for token, _ in groupby(path) if token != scorer.model.blank] == numbers
    )
    assert scorer(wav, RATE, "no!") == pytest.approx(np.log(total) / len(log_probs), rel=1e-4)
    assert scorer(wav, RATE, "nzo") == scorer(wav, RATE, "no")  # what was never heard is passed over


def test_a_scorer_of_phones_likes_nothing_that_cannot_be_the_text(phones):
    scorer = PhoneScorer(phones)
    assert scorer(np.zeros(RATE), RATE, "one") == float("-inf")
    assert scorer(say("one"), RATE, "5") == float("-inf")
    assert scorer(say("one")[: RATE // 3], RATE, "one " * 20) == float("-inf")


def test_words_and_phones_are_told_apart(trained, phones):
    with pytest.raises(InputError, match="hears phones, not words"):
        CTCRecognizer(phones)
    with pytest.raises(InputError, match="nothing here hears phones"):
        PhoneScorer(trained)
    assert isinstance(CHOOSERS.build(Component("phones", (("judge_dir", str(phones)),))), PhoneScorer)


def test_a_text_without_phones_is_named(tmp_path):
    train, valid = write_set(tmp_path / "train", ("one", "1 2")), write_set(tmp_path / "valid", ("one",))
    with pytest.raises(InputError, match=r"'1 2' of 'u1' has no phones"):
        train_recognizer(
            train.path, valid.path, tmp_path / "exp", judge_train.PHONE_CONFIG, PhoneUnits("char")
        )


def test_trained_judge_is_not_trained_again(trained):
    before = {p: p.stat().st_mtime_ns for p in trained.rglob("*")}
    folder = trained.parent
    judge_train.main(
        [
            "--train_dir",
            str(folder / "train"),
            "--valid_dir",
            str(folder / "valid"),
            "--output_dir",
            str(trained),
        ]
    )
    assert is_trained(trained)
    assert before == {p: p.stat().st_mtime_ns for p in trained.rglob("*")}


def test_a_trained_recogniser_goes_on_with_more_epochs(tmp_path):
    config = yaml.safe_load(find("judge/train_asr_ctc.yaml").read_text(encoding="utf-8"))
    shipped = tmp_path / "shipped.yaml"
    shipped.write_text(yaml.safe_dump({**config, "scheduler": None, "scheduler_conf": {}}))
    folder = train_one_step(tmp_path, TEXTS[:2], shipped)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**config, "max_epoch": 2}))
    words = [f"--{name}_dir={tmp_path / name}" for name in ("train", "valid")]
    judge_train.main([*words, f"--output_dir={folder}", f"--config={tmp_path / 'config.yaml'}"])
    assert is_trained(folder)
    reporter = torch.load(folder / "checkpoint.pth", weights_only=False)["reporter"]
    assert sorted(reporter["stats"]) == [1, 2]


def test_more_epochs_than_the_cycle_of_the_learning_rate_are_told(tmp_path):
    train, valid = write_set(tmp_path / "train", TEXTS), write_set(tmp_path / "valid", TEXTS[:2])
    config = yaml.safe_load(find("judge/train_asr_ctc.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**config, "max_epoch": 17}))
    with pytest.raises(
        InputError, match="has 425 steps, and its learning rate's cycle .* 400. Write total_steps: 425"
    ):
        train_recognizer(train.path, valid.path, tmp_path / "exp", path)


def test_few_recordings_are_not_passed_over_again_and_again(tmp_path, caplog, monkeypatch):
    train, valid = write_set(tmp_path / "train", TEXTS), write_set(tmp_path / "valid", TEXTS[:2])
    given = []
    monkeypatch.setattr("espnet2.tasks.asr.ASRTask.main", lambda args: given.append(args))
    config = find("judge/train_asr_ctc.yaml")
    for max_passes in (200.0, 0.0):
        train_recognizer(train.path, valid.path, tmp_path / str(max_passes), config, max_passes=max_passes)
    # six utterances are one batch of sixteen
    assert "400 steps would be 400 passes over the training set of 6 utterances" in caplog.text
    schedules = [(args.num_iters_per_epoch, args.scheduler_conf["total_steps"]) for args in given]
    assert schedules == [(12, 192), (25, 400)]


def test_missing_judge_says_how_to_get_one(tmp_path):
    with pytest.raises(InputError, match="Run `valle asr train` first"):
        CTCRecognizer(tmp_path)


def test_word_unheard_in_training_is_named(tmp_path):
    train, valid = write_set(tmp_path / "train", ("one",)), write_set(tmp_path / "valid", ("seven",))
    with pytest.raises(InputError, match="seven"):
        train_recognizer(train.path, valid.path, tmp_path / "exp", find("judge/train_asr_ctc.yaml"))
    assert not is_trained(tmp_path / "exp")


def test_sets_of_two_rates_are_an_input_error(tmp_path):
    train, valid = (
        write_set(tmp_path / "train", ("one",)),
        write_set(tmp_path / "valid", ("one",), rate=24000),
    )
    with pytest.raises(InputError, match="sample rate"):
        train_recognizer(train.path, valid.path, tmp_path / "exp", find("judge/train_asr_ctc.yaml"))


def test_missing_config_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.yaml"):
        train_recognizer(tmp_path, tmp_path, tmp_path / "exp", tmp_path / "absent.yaml")


@pytest.mark.parametrize("top", [1000, 3000])
def test_band_ends_where_the_sound_does(tmp_path, top):
    noise = np.random.default_rng(0).standard_normal(2 * RATE)
    spectrum = np.fft.rfft(noise)
    spectrum[round(top * len(noise) / RATE) :] = 0
    wav = np.fft.irfft(spectrum)
    write_audio(tmp_path / "u.wav", 0.5 * wav / np.abs(wav).max(), RATE)
    data = DataDir(tmp_path, {"u": str(tmp_path / "u.wav")}, {"u": "one"}, {"u": "s"})
    assert abs(highest_frequency(data, RATE) - top) < 300


def test_pocketsphinx_keeps_to_its_grammar():
    judge = PocketsphinxRecognizer(["three", "seven", "window"])
    assert judge.transcribe(say("seven window three"), RATE).split() == ["seven", "window", "three"]
    assert set(judge.transcribe(say("cancel open music"), RATE).split()) <= {"three", "seven", "window"}


def test_pocketsphinx_hears_free_text_and_silence():
    judge = PocketsphinxRecognizer(None)
    assert judge.transcribe(say("yes open the window"), RATE)
    assert judge.transcribe(np.zeros(RATE, dtype=np.float32), RATE) == ""


def test_pocketsphinx_names_a_word_it_does_not_know():
    with pytest.raises(InputError, match="xyzzy"):
        PocketsphinxRecognizer(["one", "xyzzy"])


def test_words_are_those_that_are_counted_whatever_their_case_and_punctuation(tmp_path):
    data = DataDir(tmp_path, {}, {"u1": "One, two.", "u2": "two ONE!"}, {})
    assert _write_words(_normalised(data), tmp_path / "tokens.txt") == {"one", "two"}


def test_a_second_judge_that_lacks_a_word_is_left_out_with_a_warning(tmp_path, caplog):
    plan = DefaultPlan(str(tmp_path), ("one", "xyzzy"))
    assert plan.recognizer_name == "ESPnet CTC recogniser"
    assert plan.second_name is None
    assert "'xyzzy'" in caplog.text
    assert DefaultPlan(str(tmp_path), ("one", "two")).second_name == "pocketsphinx with a grammar"
