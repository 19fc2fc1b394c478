"""Several corpora put together: ids apart, tables whole, lists of pairs, a test set of each."""

import math

import pytest

from espnet2_valle.bin import combine_data
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.combine import SETS
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair, read_pairs, write_pairs


def corpus(folder, **tables):
    """Three sets of one speaker, ann, with two utterances each."""
    for number, name in enumerate(SETS):
        utterances = [f"ann-{number}{n}" for n in "ab"]
        of = {key: dict.fromkeys(utterances, value) for key, value in tables.items()}
        data = DataDir(
            folder / name,
            {u: f"/{folder.name}/{u}.wav" for u in utterances},
            {u: f"text {u}" for u in utterances},
            dict.fromkeys(utterances, "ann"),
            **of,
        )
        data.write()
    write_pairs(folder / "test" / "pairs", [Pair("ann-2b_0", "ann-2a", "ann-2b", "-")])
    return folder


def combine(tmp_path, *names):
    words = [word for name in names for word in ("--part", f"{name}={tmp_path / name}")]
    combine_data.main([*words, "--output_dir", str(tmp_path / "all")])
    return {path.name: DataDir.load(path) for path in sorted((tmp_path / "all").iterdir()) if path.is_dir()}


def test_speakers_and_utterances_of_the_same_names_are_kept_apart(tmp_path):
    for name in ("x", "y"):
        corpus(tmp_path / name)
    sets = combine(tmp_path, "x", "y")
    assert list(sets) == ["test", "test_x", "test_y", "train", "valid"]
    assert sets["train"].wavs == {f"{name}-ann-0{n}": f"/{name}/ann-0{n}.wav" for name in "xy" for n in "ab"}
    assert sets["train"].by_speaker() == {f"{name}-ann": [f"{name}-ann-0{n}" for n in "ab"] for name in "xy"}
    assert sets["test"].texts["y-ann-2a"] == "text ann-2a"
    assert set(sets["test_y"].wavs) == {"y-ann-2a", "y-ann-2b"}
    pairs = {name: Pair(*(f"{name}-ann-2{end}" for end in ("b_0", "a", "b")), "-") for name in "xy"}
    assert read_pairs(tmp_path / "all" / "test" / "pairs") == [pairs["x"], pairs["y"]]
    assert read_pairs(tmp_path / "all" / "test_x" / "pairs") == [pairs["x"]]


def test_what_one_corpus_tells_and_another_does_not_is_unknown(tmp_path):
    corpus(tmp_path / "x", languages="en", emotions="sad", spans=(0.5, 2.0))
    corpus(tmp_path / "y")
    train = combine(tmp_path, "x", "y")["train"]
    assert (train.languages["x-ann-0a"], train.languages["y-ann-0a"]) == ("en", "und")
    assert (train.emotions["x-ann-0a"], train.emotions["y-ann-0a"]) == ("sad", "unknown")
    assert (train.spans["x-ann-0a"], train.spans["y-ann-0a"]) == ((0.5, 2.0), (0.0, math.inf))
    assert train.wavs["y-ann-0b"] == "/y/ann-0b.wav"


def test_the_vocabulary_is_closed_if_each_is(tmp_path):
    for name, words in (("x", "one\ntwo\n"), ("y", "two\nsix\n")):
        (corpus(tmp_path / name) / "vocabulary").write_text(words)
    combine(tmp_path, "x", "y")
    assert (tmp_path / "all" / "vocabulary").read_text() == "one\nsix\ntwo\n"
    (tmp_path / "x" / "vocabulary").unlink()
    combine(tmp_path, "x", "y")
    assert not (tmp_path / "all" / "vocabulary").exists()


def test_a_list_of_continuations_is_of_those_that_have_one(tmp_path):
    for name in ("x", "y"):
        corpus(tmp_path / name)
    continued = tmp_path / "x" / "test" / "pairs_continuation"
    write_pairs(continued, [Pair("ann-2a", "ann-2a", "ann-2a", "ann-2b")])
    combine(tmp_path, "x", "y")
    expected = [Pair("x-ann-2a", "x-ann-2a", "x-ann-2a", "x-ann-2b")]
    assert read_pairs(tmp_path / "all" / "test" / "pairs_continuation") == expected
    continued.unlink()
    combine(tmp_path, "x", "y")
    assert not (tmp_path / "all" / "test" / "pairs_continuation").exists()


def test_corpora_of_several_languages_have_pairs_that_cross_them(tmp_path):
    corpus(tmp_path / "x", languages="en")
    corpus(tmp_path / "y", languages="pl")
    corpus(tmp_path / "z")
    combine(tmp_path, "x", "y")
    own = {name: Pair(f"{name}-ann-2b_0", f"{name}-ann-2a", f"{name}-ann-2b", "-") for name in "xy"}
    across = [
        Pair(f"{a}-ann-2b_0_{to}", f"{a}-ann-2a", f"{b}-ann-2b", "-")
        for a, b, to in (("x", "y", "pl"), ("y", "x", "en"))
    ]
    expected = sorted([*own.values(), *across], key=lambda pair: pair.pair_id)
    assert read_pairs(tmp_path / "all" / "test" / "pairs_across") == expected
    assert not (tmp_path / "all" / "test_x" / "pairs_across").exists()
    combine(tmp_path, "x", "z")  # nobody knows what z speaks
    assert not (tmp_path / "all" / "test" / "pairs_across").exists()


def test_a_corpus_without_training_set_is_told_before_anything_is_written(tmp_path):
    corpus(tmp_path / "x")
    (corpus(tmp_path / "y") / "valid").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="y/valid: no such data directory"):
        combine(tmp_path, "x", "y")
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("words", [["--part", "x"], ["--part", "a-b=/x"], ["--part", "=/x"]])
def test_a_part_has_name_and_folder(tmp_path, capsys, words):
    with pytest.raises(SystemExit):
        combine_data.main([*words, "--output_dir", str(tmp_path / "all")])
    assert "is not NAME=FOLDER, with no '-' in the name" in capsys.readouterr().err


def test_a_name_is_given_once(tmp_path):
    corpus(tmp_path / "x")
    with pytest.raises(InputError, match="--part: a name is there twice"):
        combine(tmp_path, "x", "x")
