"""The embedded corpus of several emotions: who says what, and how it is heard."""

from collections import Counter

import numpy as np
import pytest
import yaml

from espnet2_valle.bin import prepare_mini_emo
from espnet2_valle.common.conf import find, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.synthetic.mini import MiniConfig, plan_pairs, speak_words
from espnet2_valle.corpus.synthetic.mini_emo import MiniEmoConfig, plan
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import read_pairs

EMOTIONS = ["neutral", "happy", "sad", "angry"]


@pytest.fixture(scope="module")
def config():
    return MiniEmoConfig.load(find("mini_emo.yaml"))


@pytest.fixture
def content():
    """The shipped config, cut to a few voices and texts."""
    content = read_config(find("mini_emo.yaml"))
    for split in ("train", "valid", "test"):
        content[f"{split}_voices"] = content[f"{split}_voices"][:2]
    for part in ("train", "valid", "prompts", "targets"):
        content[part]["utterances"] = 4
    return content


def write_config(path, content):
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def test_every_voice_of_mini_speaks_in_every_emotion(config):
    planned = plan(config)
    mini = MiniConfig.load(find("mini.yaml"))
    for split in ("train", "valid", "test"):
        assert len({u.speaker for u in planned[split]}) == len(mini.voices[split])
        spoken = {(u.speaker, u.emotion) for u in planned[split]}
        assert len(spoken) == 4 * len(mini.voices[split])
    counts = Counter(u.emotion for u in planned["train"])
    assert set(counts) == set(EMOTIONS)
    assert max(counts.values()) - min(counts.values()) <= 4
    texts = [u.words for split in planned.values() for u in split]
    assert len(set(texts)) == len(texts)
    assert len({u.key for split in planned.values() for u in split}) == sum(map(len, planned.values()))


def test_prompts_are_neutral_and_targets_in_all_emotions(config):
    test = {u.key: u for u in plan(config)["test"]}
    pairs = plan_pairs(list(test.values()), config.seed)
    assert {test[pair.prompt_utt].emotion for pair in pairs} == {"neutral"}
    assert Counter(test[pair.target_utt].emotion for pair in pairs) == dict.fromkeys(EMOTIONS, 12 * 4)
    assert all(test[pair.prompt_utt].speaker == test[pair.target_utt].speaker for pair in pairs)


def test_emotions_are_heard_as_their_rules_say(config):
    pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    said = {emotion: [] for emotion in EMOTIONS}
    for utterance in plan(config)["test"][:22]:
        wav = speak_words(utterance, 24000, 0.05)
        level = 20 * np.log10(np.sqrt(np.mean(wav.astype(np.float64) ** 2)))
        said[utterance.emotion].append((level, len(wav) / 24000 / len(utterance.words)))
    level, slowness = (
        {name: np.mean([row[n] for row in rows]) for name, rows in said.items()} for n in (0, 1)
    )
    assert level["sad"] < level["neutral"] < level["happy"] < level["angry"]
    assert slowness["sad"] > slowness["neutral"] > slowness["angry"]


def test_the_corpus_is_written_with_emotions(content, tmp_path):
    pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    config = write_config(tmp_path / "c.yaml", content)
    command = ["--output_dir", str(tmp_path / "data"), "--config", str(config)]
    prepare_mini_emo.main(command)
    for split, voices in (("train", 2), ("test", 2)):
        data = DataDir.load(tmp_path / "data" / split)
        assert Counter(data.emotions.values())["happy"] == voices
    assert len(read_pairs(tmp_path / "data" / "test" / "pairs")) == 8
    marker = (tmp_path / "data" / "mini_emo.yaml").stat().st_mtime_ns
    prepare_mini_emo.main(command)
    assert (tmp_path / "data" / "mini_emo.yaml").stat().st_mtime_ns == marker


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.update(prompt_emotion="calm"),
            "prompt_emotion: there is no 'calm'. Choose one of neutral",
        ),
        (lambda c: c["emotions"]["sad"].update(gain=[2, 1]), r"emotions.sad.gain: goes from 2 to 1"),
        (lambda c: c["emotions"]["sad"].pop("rate"), "lacks the key 'rate'"),
        (lambda c: c["test_voices"][0].update(variant="Alex"), "variant 'Alex' is in two sets"),
    ],
)
def test_a_config_of_no_such_corpus_is_refused(content, tmp_path, change, message):
    change(content)
    with pytest.raises(InputError, match=message):
        MiniEmoConfig.load(write_config(tmp_path / "c.yaml", content))
