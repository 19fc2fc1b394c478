"""Tests of the aligner and of the loss that teaches a head to read."""

import itertools

import pytest
import torch

from espnet2_valle.valle.aligner import Aligner, diagonal, head_scores, reading_loss
from espnet2_valle.valle.alignment import attention_weights
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

VOCAB, WIDTH = 9, 12


@pytest.fixture
def aligner():
    torch.manual_seed(0)
    return Aligner(VOCAB, WIDTH)


def by_hand(given: torch.Tensor, tokens: int, groups: int) -> tuple[float, torch.Tensor]:
    """Loss and shares from every way of reading the text, written out."""
    total, shares = 0.0, torch.zeros(groups, tokens)
    for jumps in itertools.combinations(range(1, groups), tokens - 1):
        place = [sum(step >= jump for jump in jumps) for step in range(groups)]
        likely = float(given[range(groups), place].sum().exp())
        total += likely
        shares[range(groups), place] += likely
    return -float(torch.tensor(total).log()), shares / total


def scores(aligner, text, groups):
    """Log probabilities of one row (groups, text_time)."""
    lengths = torch.tensor([text.shape[1]]), torch.tensor([groups.shape[1]])
    prior = diagonal(lengths[0], text.shape[1], lengths[1], groups.shape[1])
    everything = (
        torch.ones(1, text.shape[1], dtype=torch.bool),
        torch.ones(1, groups.shape[1], dtype=torch.bool),
    )
    return aligner(text, everything[0], groups, everything[1], prior)[0]


def test_loss_and_shares_are_those_of_all_ways_of_reading_in_order(aligner):
    text, groups = torch.randint(VOCAB, (1, 3)), torch.randn(1, 6, WIDTH)
    loss, shares = aligner.align(text, torch.tensor([3]), groups, torch.tensor([6]))
    wanted, wanted_shares = by_hand(scores(aligner, text, groups).detach(), 3, 6)
    assert loss.item() == pytest.approx(wanted / 6, rel=1e-4)
    torch.testing.assert_close(shares[0], wanted_shares, atol=1e-4, rtol=1e-3)


def test_padding_changes_nothing(aligner):
    text, groups = torch.randint(VOCAB, (2, 5)), torch.randn(2, 16, WIDTH)
    text_lengths, group_lengths = torch.tensor([5, 3]), torch.tensor([11, 7])
    loss, shares = aligner.align(text, text_lengths, groups, group_lengths)
    total = 0.0
    for row, (tokens, length) in enumerate(zip([5, 3], [11, 7])):
        given = text[row : row + 1, :tokens], torch.tensor([tokens])
        alone, alone_shares = aligner.align(*given, groups[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(shares[row, :length, :tokens], alone_shares[0], atol=1e-5, rtol=1e-4)
        total += alone.item() * length
    assert shares[1, 7:].sum() == 0
    assert shares[1, :, 3:].sum() == 0
    assert loss.item() == pytest.approx(total / 18, rel=1e-4)


def test_shares_of_a_group_sum_to_one_and_rows_that_cannot_be_read_do_not_count(aligner):
    text, groups = torch.randint(VOCAB, (3, 6)), torch.randn(3, 8, WIDTH)
    lengths = torch.tensor([4, 6, 0]), torch.tensor([8, 5, 8])
    loss, shares = aligner.align(text, lengths[0], groups, lengths[1])
    torch.testing.assert_close(shares[0].sum(1), torch.ones(8), atol=1e-4, rtol=0)
    assert shares[1:].sum() == 0
    alone, _ = aligner.align(text[:1], lengths[0][:1], groups[:1], lengths[1][:1])
    assert loss.item() == pytest.approx(alone.item(), rel=1e-4)
    none, _ = aligner.align(text[1:], lengths[0][1:], groups[1:], lengths[1][1:])
    assert none.item() == 0


def test_without_gradients_it_finds_the_same(aligner):
    given = torch.randint(VOCAB, (1, 3)), torch.tensor([3]), torch.randn(1, 6, WIDTH), torch.tensor([6])
    loss, shares = aligner.align(*given)
    with torch.no_grad():
        again, shares_again = aligner.align(*given)
    torch.testing.assert_close((loss.detach(), shares), (again, shares_again))
    assert loss.requires_grad
    assert not shares.requires_grad


def test_it_finds_tokens_by_their_sound_where_they_are_not_on_the_diagonal(aligner):
    """Of each token a sound of its own; the first is held for most of the time."""
    torch.manual_seed(1)
    sounds = torch.randn(VOCAB, WIDTH)
    optimiser = torch.optim.Adam(aligner.parameters(), 0.01)

    def utterances():
        text = torch.stack([torch.randperm(VOCAB)[:4] for _ in range(8)])
        durations = torch.stack(
            [
                1 + torch.multinomial(torch.ones(4), 8, replacement=True).bincount(minlength=4)
                for _ in range(8)
            ]
        )
        groups = torch.stack([sounds[one.repeat_interleave(long)] for one, long in zip(text, durations)])
        return text, durations, groups + 0.1 * torch.randn_like(groups)

    for _ in range(80):
        text, _, groups = utterances()
        loss, _ = aligner.align(text, torch.full((8,), 4), groups, torch.full((8,), 12))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    text, durations, groups = utterances()
    _, shares = aligner.align(text, torch.full((8,), 4), groups, torch.full((8,), 12))
    true = torch.stack([torch.arange(4).repeat_interleave(long) for long in durations])
    assert (shares.argmax(2) == true).float().mean() > 0.95
    on_diagonal = diagonal(torch.tensor([4]), 4, torch.tensor([12]), 12)[0].argmax(1)
    assert (on_diagonal == true).float().mean() < 0.8


def test_the_scores_are_those_of_the_attention_itself():
    torch.manual_seed(0)
    model = VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32)
    attention = model.transformer.blocks[0].attention
    x = torch.randn(2, 7, 16)
    torch.testing.assert_close(
        head_scores(attention.qkv(x), attention.heads).exp(), attention_weights(attention, x)[:, 0]
    )


def test_reading_costs_nothing_where_the_position_before_a_group_attends_to_its_token():
    """Two tokens, text end, three groups: positions 2, 3 and 4 predict the groups."""
    attention = torch.full((1, 6, 6), -30.0)
    attention[0, [2, 3, 4], [0, 0, 1]] = 0.0
    shares = torch.tensor([[[1.0, 0], [1, 0], [0, 1]]])
    assert reading_loss(attention, shares, torch.tensor([2])).item() == pytest.approx(0)
    assert reading_loss(attention, shares.flip(2), torch.tensor([2])).item() > 5


@pytest.mark.parametrize("packed", [False, True])
def test_the_models_loss_is_the_same_padded_packed_and_alone(packed):
    torch.manual_seed(0)
    model = VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32, dropout=0.0, alignment_layer=2)
    text, text_lengths = torch.randint(8, (2, 6)), torch.tensor([6, 3])
    codes, codes_lengths = torch.randint(8, (2, 9, 1)), torch.tensor([9, 5])
    model.train()
    alone = []
    for row in range(2):
        one = slice(row, row + 1)
        given = text[one, : text_lengths[row]], text_lengths[one], codes[one, : codes_lengths[row]]
        alone.append(model(*given, codes_lengths[one]).alignment * codes_lengths[row])
    model.transformer.packed = packed
    both = model(text, text_lengths, codes, codes_lengths)
    torch.testing.assert_close(both.alignment, sum(alone) / codes_lengths.sum())


def test_training_teaches_the_head_to_read_and_the_reported_loss_stays_the_cross_entropy():
    torch.manual_seed(0)
    valle = VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32, dropout=0.0, alignment_layer=1)
    model = ESPnetVALLEModel(valle, alignment_weight=0.5).train()
    lengths = torch.tensor([4, 4]), torch.tensor([12, 12])
    batch = torch.randint(8, (2, 4)), lengths[0], torch.randint(8, (2, 12, 1)), lengths[1]
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    first = None
    for _ in range(60):
        loss, stats, _ = model(*batch)
        torch.testing.assert_close(loss.detach(), stats["loss"] + 0.5 * stats["alignment"])
        first = first or float(stats["alignment"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(stats["alignment"]) < 0.5 * first


def test_validation_tells_what_the_codes_would_cost_with_the_text_read_backwards():
    torch.manual_seed(0)
    valle = VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32, dropout=0.0, alignment_layer=1)
    model = ESPnetVALLEModel(valle, alignment_weight=0.5)
    text, text_lengths = torch.tensor([[1, 2, 3, 4], [5, 6, 0, 0]]), torch.tensor([4, 2])
    codes = torch.randint(8, (2, 12, 1)), torch.tensor([12, 9])
    _, stats, _ = model.train()(text, text_lengths, *codes)
    assert "text_gain" not in stats
    _, stats, _ = model.eval()(text, text_lengths, *codes)
    backwards = torch.tensor([[4, 3, 2, 1], [6, 5, 0, 0]])
    _, reversed_stats, _ = model(backwards, text_lengths, *codes)
    torch.testing.assert_close(stats["text_gain"], reversed_stats["loss"] - stats["loss"])
    assert abs(float(stats["text_gain"])) > 1e-4


def test_without_a_layer_there_is_no_aligner_and_no_loss():
    valle = VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32)
    assert not any(name.startswith("aligner") for name in valle.state_dict())
    given = torch.randint(8, (1, 4)), torch.tensor([4]), torch.randint(8, (1, 12, 1)), torch.tensor([12])
    assert valle(*given).alignment is None


def test_a_layer_that_is_not_there_and_a_weight_without_one_are_refused():
    with pytest.raises(ValueError, match="alignment_layer"):
        VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32, alignment_layer=3)
    valle = VALLEAR(VOCAB, 1, 8, layers=2, width=16, heads=2, feed_forward=32)
    with pytest.raises(ValueError, match="alignment_layer"):
        ESPnetVALLEModel(valle, alignment_weight=0.5)
