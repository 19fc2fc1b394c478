"""The embedded corpus: who says what, and the same bytes each time."""

import hashlib
from pathlib import Path

import pytest
import soundfile
import yaml

from espnet2_valle.bin import prepare_mini
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.synthetic.mini import MiniConfig, plan, plan_pairs
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import read_pairs

SMALL = {"train": [2, [3, 12]], "valid": [1, [3, 8]], "prompts": [2, [6, 6]], "targets": [3, [3, 5]]}


@pytest.fixture(scope="module")
def config() -> MiniConfig:
    return MiniConfig.load(find("mini.yaml"))


@pytest.fixture
def content() -> dict:
    """The shipped config, cut to two voices a set."""
    content = yaml.safe_load(find("mini.yaml").read_text(encoding="utf-8"))
    for name, (utterances, words) in SMALL.items():
        content[name] = {"utterances": utterances, "words": words}
    for split in ("train", "valid", "test"):
        content[f"{split}_voices"] = content[f"{split}_voices"][:2]
    return content


def write_config(path: Path, content: dict) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.flac"))}


def test_shipped_plan_has_the_voices_and_pairs_that_are_promised(config):
    planned = plan(config)
    assert len({u.speaker for u in planned["train"]}) >= 40
    assert len({u.speaker for u in planned["test"]}) >= 12
    assert len(plan_pairs(planned["test"], config.seed)) >= 200


def test_no_test_text_or_timbre_is_in_training(config):
    planned = plan(config)
    seen = planned["train"] + planned["valid"]
    assert not {u.words for u in planned["test"]} & {u.words for u in seen}
    assert not {u.voice.variant for u in planned["test"]} & {u.voice.variant for u in seen}


def test_every_word_is_said_often_in_training(config):
    said = [word for utterance in plan(config)["train"] for word in utterance.words]
    assert set(said) == set(config.vocabulary)
    assert min(map(said.count, config.vocabulary)) > 50


def test_keys_are_unique_and_speakers_differ(config):
    keys = [u.key for utterances in plan(config).values() for u in utterances]
    assert len(keys) == len(set(keys))
    voices = {(u.speaker, u.voice) for utterances in plan(config).values() for u in utterances}
    assert len(voices) == len({speaker for speaker, _ in voices})


def test_pairs_keep_to_the_contract(config):
    utterances = {u.key: u for u in plan(config)["test"]}
    pairs = plan_pairs(list(utterances.values()), config.seed)
    assert pairs == plan_pairs(list(utterances.values()), config.seed)
    for pair in pairs:
        prompt, target, other = (utterances[u] for u in (pair.prompt_utt, pair.target_utt, pair.other_utt))
        assert prompt.speaker == target.speaker != other.speaker
        assert prompt.key != target.key
        assert len(prompt.words) + len(target.words) <= config.amounts["train"].words[1]


def test_command_writes_the_same_bytes_with_one_process_and_two(tmp_path, content):
    path = write_config(tmp_path / "small.yaml", content)
    for nj in (1, 2):
        prepare_mini.main(["--output_dir", str(tmp_path / str(nj)), "--config", str(path), "--nj", str(nj)])
    assert digests(tmp_path / "1") == digests(tmp_path / "2") != {}
    for split, count in (("train", 4), ("valid", 2), ("test", 10)):
        data = DataDir.load(tmp_path / "1" / split)
        assert len(data.wavs) == count
        for wav in data.wavs.values():
            info = soundfile.info(wav)
            assert (info.samplerate, info.channels, info.subtype) == (24000, 1, "PCM_16")
    assert len(read_pairs(tmp_path / "1" / "test" / "pairs")) == 6
    words = (tmp_path / "1" / "vocabulary").read_text().split()
    assert words == content["vocabulary"]


def test_second_run_does_nothing_and_a_new_config_does(tmp_path, content):
    path = write_config(tmp_path / "small.yaml", content)
    arguments = ["--output_dir", str(tmp_path / "data"), "--config", str(path)]
    prepare_mini.main(arguments)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*")}
    prepare_mini.main(arguments)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*")}
    write_config(path, content | {"rate": 250})
    old = digests(tmp_path / "data")
    prepare_mini.main(arguments)
    assert digests(tmp_path / "data") != old


def test_missing_config_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"absent\.yaml"):
        prepare_mini.main(["--output_dir", str(tmp_path), "--config", str(tmp_path / "absent.yaml")])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rte": 3}, "rte"),
        ({"train": {"utterances": 1, "wrds": [1, 2]}}, "train: there is no key 'wrds'.*words"),
        ({"vocabulary": None}, "vocabulary is None. Write a list"),
    ],
)
def test_misspelt_config_is_an_input_error(tmp_path, content, change, named):
    path = write_config(tmp_path / "bad.yaml", content | change)
    with pytest.raises(InputError, match=named):
        MiniConfig.load(path)


def test_voice_in_two_sets_is_an_input_error(tmp_path, content):
    content["valid_voices"] = content["train_voices"]
    with pytest.raises(InputError, match="two sets"):
        MiniConfig.load(write_config(tmp_path / "bad.yaml", content))
