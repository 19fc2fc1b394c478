"""The training index: what goes in comes out, and a broken one is refused."""

import json
import os
import pickle

import numpy as np
import pytest
from training_samples import write_archive

from espnet2_valle.bin import build_index as command
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.codes import CodeWriter, ShardedCodes
from espnet2_valle.train import index as index_module
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.index_writer import build_index

LENGTHS = {"ä1": 300, "ä2": 7, "b1": 5}  # 300 frames: the length takes more than one byte in the archive


def in_order(rows):
    return "".join(f"{key} {value}\n" for key, value in sorted(rows.items()))


@pytest.fixture
def sources(tmp_path):
    """Codes of three utterances, their token ids and speakers, and those of one that has no codes."""
    rng = np.random.default_rng(0)
    codes = {utt: rng.integers(0, 1024, (frames, 3)) for utt, frames in sorted(LENGTHS.items())}
    with CodeWriter(tmp_path / "codes") as writer:
        for utt, matrix in codes.items():
            writer[utt] = matrix
    texts = {"a0": "1", "ä1": "3 4 5", "ä2": "6", "b1": "7 8"}
    (tmp_path / "token_int").write_text(in_order(texts), encoding="utf-8")
    (tmp_path / "utt2spk").write_text(in_order({utt: utt[0] for utt in texts}), encoding="utf-8")
    return tmp_path, codes, texts


def build(folder, *more):
    options = {"codes_dir": "codes", "token_int": "token_int", "utt2spk": "utt2spk", "output_dir": "index"}
    command.main([*(f"--{name}={folder}/{value}" for name, value in options.items()), *more])
    return TrainingIndex(folder / "index")


def test_every_utterance_comes_back(sources):
    folder, codes, texts = sources
    index = build(folder)
    assert [index.utterance(n) for n in range(len(index))] == list(codes)
    for number, (utterance, matrix) in enumerate(codes.items()):
        np.testing.assert_array_equal(index.codes(number), matrix)
        assert index.codes(number).dtype == np.int16
        assert index.text(number).tolist() == [int(token) for token in texts[utterance].split()]
        assert index.speaker(number) == utterance[0]
    assert index.languages == ["und"]


def test_languages_are_kept(sources):
    folder, codes, _ = sources
    (folder / "utt2lang").write_text(in_order({utt: "de" if utt > "c" else "en" for utt in codes}))
    index = build(folder, f"--utt2lang={folder}/utt2lang")
    spoken = [index.languages[number] for number in index.columns["language"]]
    assert dict(zip(codes, spoken)) == {"b1": "en", "ä1": "de", "ä2": "de"}


def test_a_smaller_share_lies_in_a_larger_one(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"u{number:03d}" for number in range(200)]
    with CodeWriter(tmp_path / "codes") as writer:
        for name in names:
            writer[name] = rng.integers(0, 1024, (3, 2))
    for file, value in (("token_int", "1"), ("utt2spk", "s")):
        (tmp_path / file).write_text(in_order(dict.fromkeys(names, value)))
    drawn = {}
    for share in (0.25, 0.5, 1.0):
        index = build(tmp_path, f"--share={share}")
        drawn[share] = {index.utterance(number) for number in range(len(index))}
        assert abs(len(drawn[share]) - 200 * share) < 30
    assert drawn[0.25] < drawn[0.5] < drawn[1.0] == set(names)
    for share in ("0", "1.5"):
        with pytest.raises(InputError, match="out of range"):
            build(tmp_path, f"--share={share}")


def test_the_folder_can_be_moved_and_sent_to_another_process(sources, monkeypatch):
    folder, codes, _ = sources
    build(folder)
    moved = folder.with_name("moved")
    folder.rename(moved)
    monkeypatch.chdir("/")
    index = pickle.loads(pickle.dumps(TrainingIndex(moved / "index")))
    np.testing.assert_array_equal(index.codes(0), next(iter(codes.values())))


def test_an_archive_written_again_is_noticed(sources):
    folder, codes, _ = sources
    index = build(folder)
    with CodeWriter(folder / "codes") as writer:
        for utt, matrix in codes.items():
            writer[utt] = matrix[:-1]
    index = TrainingIndex(folder / "index")
    with pytest.raises(InputError, match=r"codes of b1 are not where the index says.*stage 4"):
        index.codes(0)
    (folder / "codes" / "codes.1.ark").unlink()
    with pytest.raises(InputError, match="cannot be opened"):
        TrainingIndex(folder / "index").codes(0)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda d: (d / "index.json").unlink(), "not a training index"),
        (lambda d: (d / "index.json").write_text("{"), "is not JSON"),
        (lambda d: (d / "index.json").write_text(json.dumps({"magic": "other"})), "is not version 1"),
        (lambda d: (d / "frames.npy").write_bytes(b"short"), "has 5 bytes"),
        (lambda d: (d / "ids.npy").unlink(), "has None bytes"),
    ],
)
def test_a_broken_index_is_refused(sources, break_it, message):
    folder, _, _ = sources
    build(folder)
    break_it(folder / "index")
    with pytest.raises(InputError, match=message):
        TrainingIndex(folder / "index")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("token_int", "b1 7 8\nä1 3\n", "'ä2' of codes.scp is not in it"),
        ("token_int", "b1 7\nä1 x\nä2 6\n", "'ä1': invalid literal"),
        ("utt2spk", "a1 x\na0 x\nb1 b\nä1 ä\nä2 ä\n", "'a0' has no value or is not in order"),
        ("utt2spk", "b1\nä1 ä\nä2 ä\n", "'b1' has no value"),
        ("codes/codes_shape", "b1 5,3\nä1 300,4\nä2 7,3\n", "'ä1': shape 300,4"),
        ("codes/codes.scp", "", "has no utterance"),
    ],
)
def test_a_source_at_fault_is_named_and_no_index_is_left(sources, name, content, message):
    folder, _, _ = sources
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        build(folder)
    with pytest.raises(InputError, match="not a training index"):
        TrainingIndex(folder / "index")


@pytest.mark.parametrize(("most", "opens"), [(5, 5), (3, 8)])
def test_archives_stay_open_as_far_as_the_system_allows(tmp_path, monkeypatch, most, opens):
    """Where they may not all be open, that used longest ago is closed."""
    shards = ShardedCodes(tmp_path / "codes")
    names = [f"u{number}" for number in range(5)]
    for number, name in enumerate(names):
        shards.write(1 + number, "", {name: np.full((number + 1, 2), number)})
    shards.finish(len(names))
    for file, value in (("token_int", "1"), ("utt2spk", "s")):
        (tmp_path / file).write_text(in_order(dict.fromkeys(names, value)))
    index = build(tmp_path)
    asked, opened = [], []
    real = os.open
    monkeypatch.setattr(index_module, "allow_open_files", lambda wanted: asked.append(wanted) or most)
    monkeypatch.setattr(os, "open", lambda path, *more: opened.append(path) or real(path, *more))
    for number in (0, 1, 2, 0, 3, 0, 4, 1, 2, 0):
        assert index.codes(number).tolist() == [[number] * 2] * (number + 1)
    assert (len(opened), asked) == (opens, [5])


def test_utterances_that_another_file_lacks_are_left_out(tmp_path):
    write_archive(tmp_path)
    (tmp_path / "only").write_text("utt1 x\nutt4 x\nutt8 x\n")
    files = tmp_path / "token_int", tmp_path / "utt2spk"
    assert build_index(tmp_path, *files, tmp_path / "some", only=tmp_path / "only") == 2
    index = TrainingIndex(tmp_path / "some")
    assert [index.utterance(n) for n in range(2)] == ["utt1", "utt4"]
