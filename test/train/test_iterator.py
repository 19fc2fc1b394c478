"""The iterator over a training index: joined data, epochs of an endless sequence, ranks, resuming."""

import numpy as np
import pytest
import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.codes import CodeWriter
from espnet2_valle.train.batches import BatchRule
from espnet2_valle.train.concatenate import ALONE
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.index_writer import build_index
from espnet2_valle.train.iterator import IndexedUtterances, IndexIterFactory
from espnet2_valle.train.told_style import ToldStyle


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    names = [f"utt{n:02}" for n in range(30)]
    with CodeWriter(folder) as writer:
        for name in names:
            writer[name] = rng.integers(0, 9, (int(rng.integers(3, 30)), 2))
    (folder / "token_int").write_text("".join(f"{name} {n} {n}\n" for n, name in enumerate(names)))
    (folder / "utt2spk").write_text("".join(f"{name} s{n % 2}\n" for n, name in enumerate(names)))
    build_index(folder, folder / "token_int", folder / "utt2spk", folder / "index")
    return TrainingIndex(folder / "index")


def collate(utterances):
    return [name for name, _ in utterances], {
        "frames": torch.tensor([len(d["codes"]) for _, d in utterances])
    }


def factory(index, world_size=1, join=0, **options):
    rule = BatchRule(100, 4, lambda tokens, frames: tokens + 1 + frames, world_size, join, separator=99)
    return IndexIterFactory(IndexedUtterances(index, None, 99), rule, collate, **options)


def names(iterator):
    return [batch for batch, _ in iterator]


def test_two_utterances_are_laid_behind_one_another(index):
    utterances = IndexedUtterances(index, separator=99)
    name, data = utterances[3, 5]
    assert name == "utt03+utt05"
    assert data["text"].tolist() == [3, 3, 99, 5, 5]
    np.testing.assert_array_equal(data["codes"], np.concatenate([index.codes(3), index.codes(5)]))
    assert utterances[3, ALONE][1]["text"].tolist() == [3, 3]


def test_a_pair_tells_where_its_utterances_meet(index):
    utterances = IndexedUtterances(index, separator=99, parts=True)
    assert utterances[3, 5][1]["parts"].tolist() == [2, index.frames[3]]
    assert utterances[3, ALONE][1]["parts"].tolist() == [2, index.frames[3]]


def test_a_preprocessor_sees_every_utterance(index):
    seen = []
    utterances = IndexedUtterances(index, lambda name, data: seen.append(name) or data)
    assert utterances[0, ALONE][0] == seen[0] == "utt00"


@pytest.mark.parametrize("join", [0, 40])
def test_short_epochs_are_cut_from_the_same_sequence(index, join):
    whole = factory(index, join=join)
    length = whole.pass_length
    short = factory(index, join=join, num_iters_per_epoch=3)
    expected = [batch for epoch in (1, 2) for batch in names(whole.build_iter(epoch))]
    got = [batch for epoch in range(1, 2 * length // 3 + 1) for batch in names(short.build_iter(epoch))]
    assert got == expected[: len(got)]
    assert len(short.build_iter(1)) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_off_epoch_goes_on_with_what_it_lacks(index, workers):
    whole = names(factory(index, num_workers=workers).build_iter(2))
    again = factory(index, num_workers=workers)
    again.skip(2, 2)
    assert names(again.build_iter(2)) == whole[2:]
    assert names(again.build_iter(2)) == whole


def test_ranks_share_each_step(index):
    one = names(factory(index, world_size=2).build_iter(1))
    both = [names(factory(index, world_size=2, rank=rank).build_iter(1)) for rank in (0, 1)]
    assert both[0] == one
    assert [len(batch) for batch in both[0]] == [len(batch) for batch in both[1]]
    assert {name for share in both for batch in share for name in batch} == {f"utt{n:02}" for n in range(30)}


def test_training_random_numbers_are_left_alone(index):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    names(factory(index).build_iter(1))
    assert torch.rand(1) == expected


def test_utterances_have_the_number_of_their_language(index, tmp_path):
    source = index.directory.parent
    languages = {index.utterance(n): ("eng", "German")[n % 2] for n in range(len(index))}
    (tmp_path / "utt2lang").write_text("".join(f"{utt} {name}\n" for utt, name in languages.items()))
    build_index(source, source / "token_int", source / "utt2spk", tmp_path / "index", tmp_path / "utt2lang")
    spoken = TrainingIndex(tmp_path / "index")
    utterances = IndexedUtterances(spoken, separator=99, languages=["de", "en"])
    data = utterances[3, ALONE][1]
    assert data["text_languages"].tolist() == [0] * len(data["text"])
    assert data["codes_languages"].tolist() == [0] * len(data["codes"])
    data = utterances[2, 3][1]
    assert data["text_languages"].tolist() == [1, 1, 1, 0, 0]
    assert data["codes_languages"].tolist() == [1] * spoken.frames[2] + [0] * spoken.frames[3]
    assert set(IndexedUtterances(spoken)[3, ALONE][1]) == {"text", "codes"}
    with pytest.raises(InputError, match="has 'de', which is none of the languages of the model: en, fr"):
        IndexedUtterances(spoken, languages=["en", "fr"])


def test_each_token_has_the_style_of_its_utterance_and_which_of_a_pair_it_is(index, tmp_path):
    source = index.directory.parent
    lines = {index.utterance(n): ("sad", "shy")[n % 2] for n in range(len(index))}
    (tmp_path / "utt2emo").write_text("".join(f"{utt} {name}\n" for utt, name in lines.items()))
    (tmp_path / "utt2style").write_text("".join(f"{utt} 1 2 3 {n % 5}\n" for n, utt in enumerate(lines)))
    told = {"utt2emo": tmp_path / "utt2emo", "utt2style": tmp_path / "utt2style"}
    build_index(source, source / "token_int", source / "utt2spk", tmp_path / "index", **told)
    styled = TrainingIndex(tmp_path / "index")
    told_style = ToldStyle(["emotion", "energy"], ["shy", "sad"], 5)
    utterances = IndexedUtterances(styled, separator=99, told=told_style)
    data = utterances[3, ALONE][1]
    assert data["text_styles"].tolist() == [[1, 1, 3]] * len(data["text"])
    data = utterances[2, 3][1]
    assert data["text_styles"].tolist() == [[1, 2, 2]] * 3 + [[2, 1, 3]] * 2
    assert "text_styles" not in IndexedUtterances(styled)[3, ALONE][1]
