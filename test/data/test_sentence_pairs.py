"""Sentences as pairs, for models and for scores."""

import pytest

from espnet2_valle.bin import sentence_pairs
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.evaluation.lists import read_list


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a1", "a2", "b1", "b2"):
        (folder / f"{name}.wav").write_bytes(b"RIFF")
    utterances = ("a1", "a2", "b1", "b2")
    (folder / "wav.scp").write_text("".join(f"{one} {folder}/{one}.wav\n" for one in utterances))
    (folder / "text").write_text("".join(f"{one} words of {one}\n" for one in utterances))
    (folder / "utt2spk").write_text("".join(f"{one} {one[0]}\n" for one in utterances))
    (folder / "pairs").write_text("p1 a1 a2 b1\np2 b1 b2 a1\n")
    return folder


def write(data, output, *more):
    words = ["--pairs", f"{data}/pairs", "--data_dir", str(data), "--output_dir", str(output)]
    sentence_pairs.main([*words, *more])


def test_prompts_take_turns(data, tmp_path):
    (tmp_path / "said.txt").write_text("one one\n\ntwo two\nthree\n")
    write(data, tmp_path / "out", "--sentences", f"{tmp_path}/said.txt")
    pairs, made = read_pairs(tmp_path / "out" / "pairs"), DataDir.load(tmp_path / "out")
    said = {made.texts[pair.target_utt]: pair.prompt_utt for pair in pairs}
    assert said == {"one one": "a1", "two two": "b1", "three": "a1"}
    trials = {trial.text: trial for trial in read_list(tmp_path / "out" / "list")}
    assert trials.keys() == said.keys()
    assert {trial.pair_id for trial in trials.values()} == {pair.pair_id for pair in pairs}
    assert str(trials["two two"].prompt) == str(data / "b1.wav")


def test_the_shipped_hard_sentences_are_a_hundred(data, tmp_path):
    write(data, tmp_path / "out")
    assert len(read_pairs(tmp_path / "out" / "pairs")) == 100
    lines = find("hard_sentences.txt").read_text().splitlines()
    assert len(set(lines)) == 100


def test_no_sentence_is_told(data, tmp_path):
    (tmp_path / "said.txt").write_text("\n")
    with pytest.raises(InputError, match="has no sentence"):
        write(data, tmp_path / "out", "--sentences", f"{tmp_path}/said.txt")
