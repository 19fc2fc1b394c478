"""Padding changes nothing, durations are the lengths, a perfect predictor has no loss."""

import pytest
import torch
from ns2_samples import DIM, VOCAB, batch_of, collated
from torch.nn import functional as F

from espnet2_valle.ns2.espnet_model import ESPnetNS2Model
from espnet2_valle.ns2.losses import CodewordLoss
from espnet2_valle.ns2.model import NaturalSpeech2, Predicted, expand

LENGTHS = [(4, 9, 5), (6, 23, 8), (3, 14, 3)]


def test_tokens_are_repeated_for_their_frames():
    text = torch.arange(1.0, 5.0).view(1, 4, 1)
    found = expand(text, torch.tensor([[2, 0, 3, 1]]), 8)
    assert found.flatten().tolist() == [1, 1, 3, 3, 3, 4, 0, 0]


@pytest.mark.parametrize("more", [0, 7])
def test_padding_changes_nothing(tiny, more):
    model = ESPnetNS2Model(tiny).eval()
    rows = batch_of(LENGTHS)
    loss, stats, weight = model(**collated(rows, more))
    assert weight == 9 + 23 + 14
    alone = [model(**collated([row])) for row in rows]
    for name in ("data", "score", "pitch"):
        mean = sum(one[1][name] * one[2] for one in alone) / weight
        torch.testing.assert_close(stats[name], mean, rtol=1e-4, atol=1e-5)
    again = model(**collated(rows))[0]
    torch.testing.assert_close(loss, again, rtol=1e-4, atol=1e-5)


def test_padding_to_common_shapes_in_training_changes_nothing(tiny):
    model = ESPnetNS2Model(tiny).train()
    batch = collated(batch_of(LENGTHS))
    torch.manual_seed(1)
    predicted = tiny(*arguments(tiny, batch))
    longer = {
        name: F.pad(value, (0, 0) * (value.ndim - 2) + (0, 9))
        for name, value in batch.items()
        if value.ndim > 1
    }
    padded = tiny(*arguments(tiny, {**batch, **longer}))
    torch.testing.assert_close(
        padded.clean[:, :23][inside(batch)], predicted.clean[inside(batch)], rtol=1e-4, atol=1e-5
    )
    loss = model(**batch)[0]
    loss.backward()
    assert all(p.grad is not None for name, p in tiny.named_parameters() if name != "no_prompt")


def inside(batch):
    return torch.arange(23) < batch["latent_lengths"][:, None]


def arguments(model, batch):
    time = torch.full((3,), 0.5)
    return (
        *(batch["text"], batch["text_lengths"], batch["durations"], batch["pitch"]),
        *(batch["latent"], time, batch["latent_lengths"], batch["prompt"], batch["prompt_lengths"]),
    )


def test_a_perfect_predictor_has_no_loss(tiny, monkeypatch):
    model = ESPnetNS2Model(tiny, ce_weight=0.0).eval()
    batch = collated(batch_of(LENGTHS))

    def perfect(text, text_lengths, durations, pitch, *rest):
        clean = tiny.normalise(batch["latent"])
        return Predicted(clean, torch.log1p(durations.float()), pitch)

    monkeypatch.setattr(tiny, "forward", perfect)
    loss, stats, _ = model(**batch)
    assert loss == 0
    assert all(value == 0 for value in stats.values())


def test_frames_of_the_prompt_do_not_count(tiny):
    model = ESPnetNS2Model(tiny).eval()
    (row,) = batch_of([(4, 12, 5)])
    row["scored"][3:8] = 0
    before = model(**collated([row]))[1]
    other = {**row, "pitch": row["pitch"].clone()}
    other["pitch"][5] += 9.0  # a frame's own error in pitch
    changed = model(**collated([other]))[1]["pitch"]
    predicted_otherwise = (changed - before["pitch"]).abs()
    assert predicted_otherwise < 1e-6


def test_a_loss_in_validation_is_the_same_each_time_and_none_in_training_is(tiny):
    model = ESPnetNS2Model(tiny).eval()
    batch = collated(batch_of(LENGTHS))
    assert model(**batch)[0] == model(**batch)[0]
    model.train()
    assert model(**batch)[0] != model(**batch)[0]


def test_the_true_codes_are_likeliest_where_the_latent_is_their_sum():
    torch.manual_seed(0)
    codewords, weights = torch.randn(2, 4, DIM), torch.ones(2, DIM)
    codewords[1] *= 0.2
    loss = CodewordLoss(codewords, weights)
    codes = torch.randint(0, 4, (30, 2))
    latent = codewords[0][codes[:, 0]] + codewords[1][codes[:, 1]]
    for book in (0, 1):
        right = loss(latent, codes, book).mean()
        assert right < loss(latent, (codes + 1) % 4, book).mean()
        assert right < loss(torch.zeros_like(latent), codes, book).mean()


def test_a_perfect_latent_has_no_loss_of_codes_and_a_vague_one_that_of_guessing():
    torch.manual_seed(0)
    loss = CodewordLoss(100 * torch.randn(1, 64, DIM), torch.ones(1, DIM))
    codes = torch.randint(0, 64, (500, 1))
    assert loss(loss.codewords[0][codes[:, 0]], codes, 0).max() < 1e-3
    vague = loss(torch.zeros(500, DIM), codes, 0).mean()
    assert 0.5 * torch.log(torch.tensor(64.0)) < vague < 1.5 * torch.log(torch.tensor(64.0))


def test_codes_are_learnt_where_the_codec_tells_codewords(tiny):
    model = ESPnetNS2Model(tiny).eval()
    model.learn_codes(CodewordLoss(torch.randn(2, 4, DIM), torch.ones(2, DIM)))
    batch = collated(batch_of(LENGTHS))
    loss, stats, _ = model(**batch)
    parts = sum(stats[name] for name in ("data", "score", "duration", "pitch"))
    torch.testing.assert_close(loss, parts + 0.1 * stats["ce"])
    assert not any("codeword" in name for name in model.state_dict())


def test_the_papers_size():
    """435 M parameters in the paper, with the codec's 256 dimensions; its vocoder and codec apart."""
    with torch.device("meta"):
        model = NaturalSpeech2(100, 256)
    count = sum(one.numel() for one in model.parameters()) / 1e6
    assert 100 < count < 500
    assert model.embedding.num_embeddings == 100
    assert VOCAB < 100
