"""What one entry says of a system is all that others ask."""

import pytest

from espnet2_valle.baseline.data import TrainingData, model_options, source_options
from espnet2_valle.baseline.kinds import KINDS, Kind, training_stages, with_teachers
from espnet2_valle.bin import baseline_stats
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Registry
from espnet2_valle.evaluation.table import system_name

STUDENT = Kind(
    title="A Student",
    task="tts",
    embedding=("tts_conf", "spk_embed_dim"),
    rates=(("feats_extract_conf", "fs"),),
    statistics={"normalize": "feats"},
    teacher="fastspeech2",
)


@pytest.fixture
def kinds(monkeypatch):
    """The registry as it would be with one more line in it."""
    registry = Registry("--baseline", {name: KINDS[name] for name in KINDS})
    registry.register("student", STUDENT)
    monkeypatch.setattr("espnet2_valle.baseline.kinds.KINDS", registry)
    monkeypatch.setattr(baseline_stats, "KINDS", registry)
    return registry


def test_teachers_are_trained_first_and_once():
    assert with_teachers(["fastspeech2", "vits", "tacotron2"]) == ["tacotron2", "fastspeech2", "vits"]
    assert with_teachers(["vits"]) == ["vits"]
    assert training_stages("fastspeech2") == ["train_tacotron2", "train_fastspeech2"]
    assert training_stages("vits") == ["train_vits"]


def test_a_system_that_there_is_not():
    with pytest.raises(InputError, match="--baseline: there is no 'yourtts'. Choose among vits, tacotron2"):
        with_teachers(["vits", "yourtts"])


def test_a_new_system_is_one_entry(kinds, corpus, tmp_path):
    assert with_teachers(["student"]) == ["tacotron2", "fastspeech2", "student"]
    folders = [f"--{name}_dir=x" for name in ("raw", "token", "spembs", "output")]
    words = ["--kind=student", "--config=x", *folders, "--fs=24000"]
    assert baseline_stats.get_parser().parse_args(words).kind == "student"
    for split in ("train", "valid"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "durations").write_text("")
    sets = {"train": "train", "valid": "valid"}
    data = TrainingData(corpus / "raw", corpus / "token", corpus / "spembs", tmp_path, sets, 24000)
    assert model_options(kinds["student"], "x.yaml", data)[-4:] == [
        *("--feats_extract_conf", "fs=24000"),
        *("--tts_conf", "spk_embed_dim=6"),
    ]
    assert f"{tmp_path}/train/durations,durations,text_int" in source_options(kinds["student"], data)


def test_tables_call_a_system_by_its_title():
    assert [system_name(name) for name in KINDS] == ["VITS", "Tacotron 2", "FastSpeech 2"]
