"""Conditions of style of the AR and the NAR model, and guidance by them."""

import pytest
import torch

from espnet2_valle.valle.alignment import align
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.chunks import Chunks
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.styles import CONDITIONS, Lanes, SpokenStyle, StyleConditions

EMOTIONS = ["happy", "neutral", "sad"]
STYLE = {"style": ["emotion", "energy"], "emotions": EMOTIONS, "style_bins": 4}
VALUES = 7  # three emotions, four bins


def build(kind, sizes, **options):
    torch.manual_seed(0)
    model = kind(**sizes, **{**STYLE, **options}).eval()
    for weights in model.parameters():  # each value counts, and differs from the others
        torch.nn.init.normal_(weights, std=0.2)
    return model


def draw_styles(*shape, seed=2):
    return torch.rand(*shape, VALUES, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
def test_without_style_a_model_is_as_it_was(kind, sizes, batch):
    torch.manual_seed(0)
    before = kind(**sizes).eval()
    after = torch.rand(1)
    torch.manual_seed(0)
    named = kind(**sizes, style=[], emotions=EMOTIONS).eval()
    assert torch.equal(torch.rand(1), after)
    assert named.state_dict().keys() == before.state_dict().keys()
    torch.testing.assert_close(named(**batch).logits, before(**batch).logits, rtol=0, atol=0)
    assert named.styles.emotions == named.styles.names == ()


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": ["mood"]}, "style must name some of emotion, speaking_rate"),
        ({"style": ["energy", "energy"]}, "each once"),
        ({"emotions": []}, "style: emotion needs emotions, each once"),
        ({"emotions": ["sad", "sad"]}, "style: emotion needs emotions, each once"),
        ({"style_bins": 1}, "style_bins must be 2 or more"),
        ({"style_dropout": 1.0}, "style_dropout from 0 to below 1"),
    ],
)
def test_conditions_that_are_none_are_refused(kind, sizes, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**sizes, **{**STYLE, **options})


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
def test_what_is_told_is_heeded_and_nothing_told_is_no_style(kind, sizes, batch):
    model = build(kind, sizes)
    styles = draw_styles(3, 7)
    told = model(**batch, styles=styles).logits
    assert not torch.allclose(model(**batch, styles=styles.flip(2)).logits, told)
    nothing = model(**batch).logits
    torch.testing.assert_close(model(**batch, styles=torch.zeros_like(styles)).logits, nothing)


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize("training", [False, True])  # where lengths are rounded up
def test_padding_has_no_style(kind, training, sizes, batch):
    model = build(kind, sizes).train(training)
    styles = draw_styles(3, 7)
    inside = (torch.arange(7) < batch["text_lengths"].unsqueeze(1)).unsqueeze(2)
    logits = []
    for each in (styles, torch.where(inside, styles, 5.0)):
        torch.manual_seed(1)  # of the stages and prompts of a NAR training
        logits.append(model(**batch, styles=each).logits)
    torch.testing.assert_close(*logits)


def test_numbers_become_weights_and_nought_is_nothing():
    conditions = StyleConditions(["energy", "emotion"], EMOTIONS, 4, 0.2, 8).eval()
    assert conditions.names == ("emotion", "energy")
    assert (conditions.first("emotion"), conditions.first("energy")) == (0, 3)
    weights = conditions.weights(torch.tensor([[[1, 2, 4], [1, 0, 1], [0, 0, 0]]]))
    expected = [[0, 1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0], [0] * 7]
    assert weights.tolist() == [expected]


def test_in_training_conditions_are_hidden_of_each_joined_utterance_by_itself():
    torch.manual_seed(0)
    conditions = StyleConditions(list(CONDITIONS), EMOTIONS, 4, 0.25, 8).train()
    numbers = torch.ones(4000, 4, 6, dtype=torch.long)
    numbers[:, 2:, 0] = 2
    weights = conditions.weights(numbers)
    told = torch.stack(
        [weights[..., :3].sum(-1), *weights[..., 3:].unflatten(-1, (4, 4)).sum(-1).unbind(-1)], -1
    )
    assert torch.equal(told[:, 0], told[:, 1])
    assert torch.equal(told[:, 2], told[:, 3])
    assert (told[:, 0] != told[:, 2]).any(1).float().mean() > 0.5
    assert told[:, 0, 0].float().mean() == pytest.approx(0.75, abs=0.03)
    number = torch.bincount(told[:, 0, 1:].sum(-1).long(), minlength=5) / 4000
    assert number.tolist() == pytest.approx([0.2] * 5, abs=0.03)
    assert torch.equal(conditions.eval().weights(numbers).sum(-1), torch.full((4000, 4), 5))


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
def test_the_model_of_a_trainer_is_told_numbers(kind, sizes, batch):
    model = ESPnetVALLEModel(build(kind, sizes)).eval()
    numbers = torch.randint(0, 3, (3, 9, 3), generator=torch.Generator().manual_seed(1))
    loss, _, _ = model(**batch, text_styles=numbers)
    without, _, _ = model(**batch)
    assert loss != without
    torch.testing.assert_close(loss, model(**batch, text_styles=numbers[:, :7])[0])


def guided(styles, row, length, strength):
    told = styles[row, :length]
    return SpokenStyle(told, SpokenStyle(told * torch.tensor([0.0] * 3 + [1.0] * 4)), strength)


def test_lanes_are_combined_by_each_row_s_strength():
    plain, baseline = SpokenStyle(torch.ones(2, 1)), SpokenStyle(torch.zeros(2, 1))
    lanes = Lanes([plain, SpokenStyle(torch.ones(2, 1), baseline, 3.0), None])
    assert lanes.owners == [0, 1, 1, 2]
    assert lanes.styles[2] is baseline
    assert lanes.of_rows([1, 2]) == [1, 2, 3]
    logits = torch.tensor([[1.0], [5.0], [4.0], [2.0]])
    assert lanes.combined(logits).tolist() == [[1.0], [4.0 + 3 * 1.0], [2.0]]
    assert lanes.spread(torch.tensor([7, 8, 9])).tolist() == [7, 8, 8, 9]
    assert Lanes([plain, None]).combined(logits[:2]).data_ptr() == logits.data_ptr()


@pytest.mark.parametrize("size", [1, 2])
def test_incremental_decoding_is_as_the_whole(size, sizes):
    model = build(VALLEAR, sizes, group_size=size)
    text = torch.arange(6)
    groups = torch.randint(0, 16, (1, 7, size), generator=torch.Generator().manual_seed(3))
    styles = draw_styles(1, 6)
    expected = model.logits(text[None], torch.tensor([6]), groups, torch.tensor([7]), styles=styles)
    cache = model.new_cache(1, 30)
    steps = [model.prefill([text], groups[:, :3], cache, styles=[styles[0]])]
    steps += [model.step(groups[:, place], torch.tensor([place]), cache) for place in range(3, 7)]
    torch.testing.assert_close(torch.stack(steps, 1), expected[:, 3:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("strengths", [(1.0, 1.0), (2.5, 0.5), (None, 3.0)])
def test_the_nar_model_fills_in_alike_at_once_in_batches_and_chunk_by_chunk(strengths, sizes):
    model = build(VALLENAR, sizes, chunk_frames=4)
    generator = torch.Generator().manual_seed(4)
    texts = [torch.randint(0, 11, (length,), generator=generator) for length in (6, 4)]
    prompts = [torch.randint(0, 16, (length, 4), generator=generator) for length in (5, 7)]
    firsts = [torch.randint(0, 16, (length,), generator=generator) for length in (12, 9)]
    drawn = draw_styles(2, 6)
    styles = [
        None if strength is None else guided(drawn, row, len(texts[row]), strength)
        for row, strength in enumerate(strengths)
    ]
    chunks = Chunks(4, 4)
    together = model.generate(texts, prompts, firsts, chunks, None, styles)
    for row, expected in enumerate(together):
        given = [texts[row]], [prompts[row]], [firsts[row]], chunks, None, [styles[row]]
        torch.testing.assert_close(model.generate(*given)[0], expected)
        context = model.prefill(texts[row], prompts[row], None, styles[row])
        parts = [model.extend(part, context) for part in firsts[row].split(4)]
        torch.testing.assert_close(torch.cat(parts), expected)
    # A strength of 1 is as told without a baseline, and 0 the baseline.
    told = guided(drawn, 0, 6, 1.0)
    given = [texts[0]], [prompts[0]], [firsts[0]], None, None
    alone = model.generate(*given, [SpokenStyle(told.weights)])[0]
    torch.testing.assert_close(model.generate(*given, [told])[0], alone)
    away = model.generate(*given, [told.baseline])[0]
    torch.testing.assert_close(model.generate(*given, [guided(drawn, 0, 6, 0.0)])[0], away)
    assert not torch.equal(away, alone)


def test_the_alignment_is_told_the_style(sizes):
    model = build(VALLEAR, sizes)
    text, codes = torch.arange(6), torch.arange(9)
    found = [
        align(model, text, codes[:4], codes[4:], 3, None, SpokenStyle(draw_styles(6, seed=seed))).weights
        for seed in (0, 1)
    ]
    assert not torch.allclose(*found)
