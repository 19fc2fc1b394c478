"""A miniature run of run.sh --corpus mini_emo: a model of several emotions, from voices to scores."""

import json
import zipfile
from pathlib import Path

import pytest
import yaml
from miniature import edited, run, write_configs

from espnet2_valle.common.conf import find, read_config
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.zoo.checkpoint import read_train_config

pytestmark = pytest.mark.recipe
STYLE = ["emotion", "speaking_rate", "pitch_level", "pitch_variation", "energy"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of a run of all stages, and what it printed."""
    pytest.importorskip("torcheval", reason="the extra emotion is not installed")
    folder = tmp_path_factory.mktemp("recipe")
    given = dict(zip(*[iter(write_configs(folder))] * 2, strict=True))
    content = read_config(find("mini_emo.yaml"))
    content |= {
        "train_voices": content["train_voices"][:12:4],
        "valid_voices": content["valid_voices"][:1],
        "test_voices": content["test_voices"][:2],
        "train": {"utterances": 8, "words": [2, 4]},
        "valid": {"utterances": 4, "words": [2, 3]},
        "prompts": {"utterances": 2, "words": [3, 3]},
        "targets": {"utterances": 4, "words": [2, 2]},
    }
    corpus = folder / "mini_emo.yaml"
    corpus.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    for option in ("--ar_config", "--nar_config"):
        config = yaml.safe_load(Path(given[option]).read_text(encoding="utf-8"))
        config["valle_conf"]["style"] = STYLE
        Path(given[option]).write_text(yaml.safe_dump(config), encoding="utf-8")
    given["--local_data_opts"] = f"--config {corpus}"
    given["--emotion_config"] = str(
        edited("emotion/train_cls.yaml", folder / "emotion.yaml", num_iters_per_epoch=3, max_epoch=1)
    )
    done = run("--corpus", "mini_emo", *(word for pair in given.items() for word in pair))
    assert done.returncode == 0, done.stdout
    return folder, done.stdout


def test_a_run_scores_the_emotions_that_are_heard(finished):
    folder, printed = finished
    exp = folder / "exp" / "mini_emo"
    scores = json.loads((exp / "scores.json").read_text())
    assert {emotion: found["pairs"] for emotion, found in scores["by_emotion"].items()} == dict.fromkeys(
        ("angry", "happy", "neutral", "sad"), 2
    )
    heard = scores["emotion"]
    assert heard["labels"] == ["angry", "happy", "neutral", "sad"]
    assert {"ground_truth", "codec", "valle"} == heard["systems"].keys()
    for found in heard["systems"].values():
        assert [sum(row) for row in found["confusion"].values()] == [2, 2, 2, 2]
        assert 0 <= found["accuracy"]["value"] <= 1
    assert "Emotion recognised" in printed
    page = (exp / "report.html").read_text(encoding="utf-8")
    assert 'id="emotions"' in page
    assert "By emotion" in page
    card = zipfile.ZipFile(exp / "model.zip").read("README.md").decode()
    assert "the voices and words of `mini` in emotions that are rules" in card


def test_the_packed_model_is_told_styles(finished):
    folder, _ = finished
    exp = folder / "exp" / "mini_emo"
    for kind in ("ar", "nar"):
        conf = read_train_config(exp / kind / "config.yaml").valle_conf
        assert conf["emotions"] == ["angry", "happy", "neutral", "sad"]
        assert conf["style"] == STYLE
    model = Text2Speech.from_pretrained(str(exp / "model.zip"), max_duration_ratio=1.0)
    raw = folder / "dump" / "mini_emo" / "raw" / "test"
    emotions = dict(line.split() for line in (raw / "utt2emo").read_text().splitlines())
    wavs = dict(line.split() for line in (raw / "wav.scp").read_text().splitlines())
    prompt = next(utterance for utterance in emotions if "_p" in utterance)
    style = {"emotion": "happy", "emotion_strength": 2.0, "speaking_rate": 5}
    speech = model("one <emotion=sad>two</emotion>", wavs[prompt], "one two three", **style)
    assert speech.tries == 1
    heard = {"emotion_reference": wavs[prompt], "emotion_recognizer": str(exp / "emotion")}
    assert model("one two", wavs[prompt], "one two three", **heard).tries == 1
