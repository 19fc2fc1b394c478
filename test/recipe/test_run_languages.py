"""A miniature run of run.sh --corpus mini_x: a model of several languages, from voices to scores."""

import json
import zipfile
from pathlib import Path

import pytest
import yaml
from miniature import ROOT, edited, run, write_configs

from espnet2_valle.common.conf import find, read_config
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.zoo.checkpoint import read_train_config

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder of a run of all stages, and what it printed."""
    pytest.importorskip("torcheval", reason="the extra emotion is not installed")
    folder = tmp_path_factory.mktemp("recipe")
    given = dict(zip(*[iter(write_configs(folder))] * 2, strict=True))
    mini_x = yaml.safe_load((ROOT / "conf" / "mini_x.yaml").read_text(encoding="utf-8"))
    corpus = edited(
        "mini_x.yaml",
        folder / "mini_x.yaml",
        train_voices=[v for v in mini_x["train_voices"] if v["language"] in ("en", "zh")][:4],
        valid_voices=[v for v in mini_x["valid_voices"] if v["language"] in ("en", "zh")][:1],
        test_voices=[v for v in mini_x["test_voices"] if v["language"] in ("en", "zh")][:2],
        train={"utterances": 8, "words": [2, 4]},
        valid={"utterances": 3, "words": [2, 3]},
        prompts={"utterances": 2, "words": [3, 3]},
        targets={"utterances": 2, "words": [2, 2]},
        across={"utterances": 2, "words": [2, 2]},
    )
    content = yaml.safe_load(corpus.read_text(encoding="utf-8"))  # `edited` only adds keys below
    content["languages"] = {name: content["languages"][name] for name in ("en", "zh")}
    corpus.write_text(yaml.safe_dump(content), encoding="utf-8")
    for option in ("--ar_config", "--nar_config"):
        config = yaml.safe_load(Path(given[option]).read_text(encoding="utf-8"))
        config["valle_conf"]["language_id"] = "both"
        Path(given[option]).write_text(yaml.safe_dump(config), encoding="utf-8")
    given["--local_data_opts"] = f"--config {corpus}"
    config = read_config(find("language/train_cls.yaml")) | {"num_iters_per_epoch": 3, "max_epoch": 1}
    (folder / "language.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    given["--language_config"] = str(folder / "language.yaml")
    options = [word for pair in given.items() for word in pair]
    done = run("--corpus", "mini_x", *options, "--g2p", "en=espeak:en-us zh=pypinyin_g2p_phone")
    assert done.returncode == 0, done.stdout
    return folder, done.stdout


def test_a_run_scores_within_languages_and_across(finished):
    folder, printed = finished
    scores = json.loads((folder / "exp" / "mini_x" / "scores.json").read_text())
    groups = scores["by_language"]
    assert {"within", "across", "within en", "within zh", "across en", "across zh"} == groups.keys()
    assert (groups["within"]["pairs"], groups["across"]["pairs"]) == (4, 4)
    assert {"ground_truth", "codec", "valle"} == groups["across"]["systems"].keys()
    assert "Ground truth, across as a share of within: " in printed
    heard = scores["language"]
    assert heard["labels"] == ["en", "zh"]
    assert {"ground_truth", "codec", "valle"} == heard["systems"].keys()
    for found in heard["systems"].values():
        for group in (found["within"], found["across"]):
            assert [sum(row) for row in group["confusion"].values()] == [2, 2]
    assert "Language recognised" in printed
    page = (folder / "exp" / "mini_x" / "report.html").read_text(encoding="utf-8")
    assert 'id="languages"' in page
    card = zipfile.ZipFile(folder / "exp" / "mini_x" / "model.zip").read("README.md").decode()
    assert "made by espeak-ng (GPL-3) from many synthetic voices and a few words of five languages" in card


def test_the_packed_model_knows_its_languages(finished):
    folder, _ = finished
    exp = folder / "exp" / "mini_x"
    for kind in ("ar", "nar"):
        assert read_train_config(exp / kind / "config.yaml").valle_conf["languages"] == ["en", "zh"]
    model = Text2Speech.from_pretrained(str(exp / "model.zip"), max_duration_ratio=1.0)
    assert model.languages == ("en", "zh")
    raw = folder / "dump" / "mini_x" / "raw" / "test"
    spoken = dict(line.split() for line in (raw / "utt2lang").read_text().splitlines())
    prompt = next(utterance for utterance in spoken if "-en-" in utterance and "_p" in utterance)
    path = dict(line.split() for line in (raw / "wav.scp").read_text().splitlines())[prompt]
    speech = model("三 <lang=en>one</lang>", path, "one two three", lang="zh", prompt_lang="en")
    assert speech.problem is None or "never learnt" in speech.problem
