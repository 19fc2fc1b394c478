"""The embedded corpus of several languages: who says what in which."""

from collections import Counter

import pytest
import yaml

from espnet2_valle.bin import prepare_mini_x
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.synthetic.espeak import Espeak
from espnet2_valle.corpus.synthetic.mini import plan_pairs
from espnet2_valle.corpus.synthetic.mini_x import MiniXConfig, plan
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import read_pairs

LANGUAGES = {"en", "zh", "de", "es", "pl"}


@pytest.fixture(scope="module")
def config():
    return MiniXConfig.load(find("mini_x.yaml"))


@pytest.fixture
def content():
    """The shipped config, cut to a few voices and texts."""
    content = yaml.safe_load(find("mini_x.yaml").read_text(encoding="utf-8"))
    for split in ("train", "valid", "test"):
        content[f"{split}_voices"] = content[f"{split}_voices"][:2]
    for part in ("train", "valid", "prompts", "targets", "across"):
        content[part]["utterances"] = 1
    return content


def write_config(path, content):
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def test_each_voice_speaks_one_language_and_those_of_the_test_all(config):
    planned = plan(config)
    assert set(config.languages) == LANGUAGES
    for split in ("train", "valid"):
        spoken = {(u.speaker, u.language) for u in planned[split]}
        assert len(spoken) == len({speaker for speaker, _ in spoken})
        assert {language for _, language in spoken} == LANGUAGES
    assert len(planned["train"]) == 2970
    counts = Counter(u.language for u in planned["train"])
    assert max(counts.values()) - min(counts.values()) <= 30
    speakers = {u.speaker for u in planned["test"]}
    assert len(speakers) == 12
    assert len({(u.speaker, u.language) for u in planned["test"]}) == 12 * 5
    seen = {u.voice.variant for u in planned["train"] + planned["valid"]}
    assert not seen & {u.voice.variant for u in planned["test"]}
    assert len({u.key for split in planned.values() for u in split}) == sum(map(len, planned.values()))


def test_no_text_comes_twice_and_words_are_of_one_language(config):
    texts = [u.words for split in plan(config).values() for u in split]
    assert len(set(texts)) == len(texts)
    assert len(set(config.vocabulary)) == len(config.vocabulary) == 60
    for utterance in plan(config)["test"]:
        assert set(utterance.words) <= set(config.languages[utterance.language].words)


def test_prompts_are_of_the_voice_s_own_language_and_targets_of_all(config):
    test = {u.key: u for u in plan(config)["test"]}
    pairs = plan_pairs(list(test.values()), config.seed)
    crossing = Counter()
    for pair in pairs:
        prompt, target, other = (test[key] for key in (pair.prompt_utt, pair.target_utt, pair.other_utt))
        assert prompt.speaker == target.speaker != other.speaker
        assert f"-{prompt.language}-" in prompt.speaker
        crossing[prompt.language == target.language] += 1
    assert crossing == {True: 12 * 6, False: 12 * 4 * 3}


def test_the_corpus_is_written_with_languages(content, tmp_path):
    pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    command = [
        "--output_dir",
        str(tmp_path / "data"),
        "--config",
        str(write_config(tmp_path / "c.yaml", content)),
    ]
    prepare_mini_x.main(command)
    train = DataDir.load(tmp_path / "data" / "train")
    test = DataDir.load(tmp_path / "data" / "test")
    assert len(train.wavs) == 2
    assert set(test.languages.values()) == LANGUAGES
    assert len(read_pairs(tmp_path / "data" / "test" / "pairs")) == 2 * 5
    words = (tmp_path / "data" / "vocabulary").read_text(encoding="utf-8").split()
    assert {"一", "fünf", "sí", "pięć", "yes"} < set(words)
    marker = (tmp_path / "data" / "mini_x.yaml").stat().st_mtime_ns
    prepare_mini_x.main(command)
    assert (tmp_path / "data" / "mini_x.yaml").stat().st_mtime_ns == marker


def test_every_language_is_heard_otherwise(config):
    pytest.importorskip("espeakng_loader", reason="the extra espeak is not installed")
    speaker = config.test_voices[0]
    said = {
        language: Espeak().say("3", config.voice(speaker, language))[0].tobytes() for language in LANGUAGES
    }
    assert len(set(said.values())) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["languages"]["en"]["words"].append("ja"), "'ja' is a word of en and of de"),
        (
            lambda c: c["test_voices"][0].update(language="fr"),
            "test_voices: 'fr' is no language. Choose one of",
        ),
        (lambda c: c["test_voices"][0].update(variant="Alex"), "variant 'Alex' is in two sets"),
        (lambda c: c.pop("across"), "lacks the key 'across'"),
    ],
)
def test_a_config_of_no_such_corpus_is_refused(content, tmp_path, change, message):
    change(content)
    with pytest.raises(InputError, match=message):
        MiniXConfig.load(write_config(tmp_path / "c.yaml", content))
