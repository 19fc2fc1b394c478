from collections import Counter

import pytest
import torch

from espnet2_valle.valle.chunks import MASK_KINDS, Chunks, chunk_ranks, draw_chunk_ranks
from espnet2_valle.valle.nar import VALLENAR

LAYOUTS = [Chunks(1, 1), Chunks(3, 4), Chunks(4, 4), Chunks(5, 2)]


def build(sizes, **options):
    torch.manual_seed(0)
    return VALLENAR(**sizes, **options).eval()


def given(batch, rows=3):
    text, prompt, target = batch["text"][:rows], batch["codes"][:rows, :5], batch["codes"][:rows]
    return {
        "text": text,
        "text_lengths": batch["text_lengths"][:rows],
        "prompt": prompt,
        "prompt_lengths": torch.tensor([5, 3, 4])[:rows],
        "target": target,
        "target_lengths": batch["codes_lengths"][:rows],
        "stage": torch.tensor([1, 2, 3])[:rows],
    }


def test_bounds_and_ranks_agree():
    chunks = Chunks(3, 4)
    assert list(chunks.bounds(12)) == [(0, 3), (3, 7), (7, 11), (11, 12)]
    assert list(chunks.bounds(2)) == [(0, 2)]
    assert list(chunks.bounds(0)) == []
    expected = [[n for n, (start, end) in enumerate(chunks.bounds(12), 1) for _ in range(start, end)]]
    assert chunks.ranks(12, torch.device("cpu")).tolist() == expected
    with pytest.raises(ValueError, match="at least one frame"):
        Chunks(0, 4)


@pytest.mark.parametrize("chunks", LAYOUTS)
def test_later_chunks_change_no_earlier_one(sizes, batch, chunks):
    model, inputs = build(sizes), given(batch)
    frames = inputs["target"].shape[1]
    inputs["ranks"] = chunks.ranks(frames, torch.device("cpu")).expand(3, -1)
    logits = model.logits(**inputs)
    for start, end in chunks.bounds(frames):
        changed = inputs["target"].clone()
        changed[:, start:end, 0] = (changed[:, start:end, 0] + 1) % 16
        other = model.logits(**{**inputs, "target": changed})
        assert torch.equal(other[:, :start], logits[:, :start])
        row = 1  # the only one that has all frames
        assert not torch.isclose(other[row, start:], logits[row, start:]).all(-1).any()


def test_full_attention_does_look_ahead(sizes, batch):
    model, inputs = build(sizes), given(batch)
    changed = inputs["target"].clone()
    changed[:, 8:, 0] = (changed[:, 8:, 0] + 1) % 16
    before = model.logits(**inputs)[:, :8]
    assert not torch.isclose(model.logits(**{**inputs, "target": changed})[:, :8], before).all(-1).any()


def test_rows_of_size_zero_have_full_attention(sizes, batch):
    model, inputs = build(sizes), given(batch)
    whole = model.logits(**inputs)
    ranks = chunk_ranks(torch.tensor([1, 3, 1]), torch.tensor([0, 4, 0]), inputs["target"].shape[1])
    mixed = model.logits(**inputs, ranks=ranks)
    torch.testing.assert_close(mixed[[0, 2]], whole[[0, 2]])
    assert not torch.allclose(mixed[1], whole[1])


@pytest.mark.parametrize("chunks", LAYOUTS)
def test_batch_equals_single_under_chunks(sizes, batch, chunks):
    model, inputs = build(sizes), given(batch)
    together = model.logits(**inputs, ranks=chunks.ranks(13, torch.device("cpu")).expand(3, -1))
    for row in range(3):
        one = {name: value[row : row + 1] for name, value in inputs.items()}
        for name in ("text", "prompt", "target"):
            one[name] = one[name][:, : one[f"{name}_lengths"][0]]
        frames = one["target"].shape[1]
        alone = model.logits(**one, ranks=chunks.ranks(frames, torch.device("cpu")))[0]
        torch.testing.assert_close(alone, together[row, :frames], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("chunks", LAYOUTS)
def test_chunk_by_chunk_equals_one_pass(sizes, batch, chunks, restarted):
    model = build(sizes, restart_positions=restarted)
    text, prompt, first = batch["text"][0], batch["codes"][0, :5], batch["codes"][1, :, 0]
    whole = model.generate(text[None], prompt[None], first[None], chunks)[0]
    context = model.prefill(text, prompt)
    parts = [model.extend(first[start:end], context) for start, end in chunks.bounds(len(first))]
    assert torch.equal(torch.cat(parts), whole)
    if not restarted:  # by chance so small a model says the same otherwise
        assert not torch.equal(model.generate(text[None], prompt[None], first[None])[0], whole)


def test_training_meets_every_mask_and_phase():
    torch.manual_seed(0)
    ranks = draw_chunk_ranks(4, dict.fromkeys(MASK_KINDS, 1.0), 400, 24, torch.device("cpu"))
    longest = [int(torch.bincount(row).max()) for row in ranks]
    assert set(longest) == {1, 4, 8, 24}  # causal, a chunk, two chunks, all
    firsts = {int((row == 1).sum()) for row, size in zip(ranks, longest, strict=True) if size == 8}
    assert firsts == set(range(1, 9))


def test_in_evaluation_numbers_decide_on_the_mask():
    mix = {"full": 1.0, "chunk": 2.0, "causal": 0.0}
    drawn = draw_chunk_ranks(4, mix, 4, 8, torch.device("cpu"), torch.tensor([6, 1, 10, 3])).tolist()
    assert drawn[0] == drawn[2] == [0] * 8
    assert drawn[1] == drawn[3] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_each_stage_is_validated_under_each_mask(sizes, monkeypatch):
    model, seen = build(sizes, chunk_frames=4), []
    logits = model.logits

    def watch(*given):
        longest = [int(torch.bincount(row[:20]).max()) for row in given[7]]
        seen.extend(zip(given[6].tolist(), longest, strict=True))
        return logits(*given)

    monkeypatch.setattr(model, "logits", watch)
    torch.manual_seed(1)
    rows = 600
    text, codes = torch.randint(0, 11, (rows, 3)), torch.randint(0, 16, (rows, 20, 4))
    model(text, torch.full((rows,), 3), codes, torch.full((rows,), 20))
    counts = Counter(seen)
    assert set(counts) == {(stage, longest) for stage in (1, 2, 3) for longest in (1, 4, 8, 20)}
    assert min(counts.values()) > rows / 12 / 2


def test_a_model_without_chunks_trains_as_before(sizes, batch):
    plain, full = build(sizes), build(sizes, chunk_frames=4, mask_mix={"full": 1.0})
    torch.testing.assert_close(full(**batch)[0], plain(**batch)[0])
    chunked = build(sizes, chunk_frames=4, mask_mix={"chunk": 1.0})
    assert not torch.allclose(chunked(**batch)[0], plain(**batch)[0])


def test_training_under_chunks_reaches_every_weight(sizes, batch):
    model = build(sizes, chunk_frames=4).train()
    torch.manual_seed(0)
    logits, targets, _, _ = model(**batch)
    torch.nn.functional.cross_entropy(logits, targets).backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters() if weight.grad is not None)


@pytest.mark.parametrize("mix", [{"diagonal": 1.0}, {"full": 0.0}, {}, {"full": 1.0, "chunk": -1.0}])
def test_mixes_that_are_none(sizes, mix):
    with pytest.raises(ValueError, match="mask_mix"):
        VALLENAR(**sizes, chunk_frames=4, mask_mix=mix)
    with pytest.raises(ValueError, match="chunk_frames"):
        VALLENAR(**sizes, chunk_frames=-1)
