import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.valle.ar import VALLEAR

GROUPS = (1, 2, 3)


def build(sizes, group_size):
    torch.manual_seed(0)
    return VALLEAR(**sizes, group_size=group_size).eval()


def teacher_forced(model, batch):
    groups, lengths = model.group(batch["codes"][..., 0], batch["codes_lengths"])
    return model.logits(batch["text"], batch["text_lengths"], groups, lengths), groups, lengths


@pytest.mark.parametrize("group_size", GROUPS)
def test_later_codes_change_no_earlier_logit(sizes, batch, group_size):
    model = build(sizes, group_size)
    logits, groups, lengths = teacher_forced(model, batch)
    changed = groups.clone()
    changed[:, 2:] = (changed[:, 2:] + 1) % model.end
    after = model.logits(batch["text"], batch["text_lengths"], changed, lengths)
    torch.testing.assert_close(after[:, :3], logits[:, :3])
    assert not torch.allclose(after[:, 3], logits[:, 3])


def test_only_codebook_one_counts(sizes, batch):
    model = build(sizes, 2)
    logits, targets, _, _ = model(**batch)
    batch["codes"][..., 1:] = 0
    again, same_targets, _, _ = model(**batch)
    assert torch.equal(logits, again)
    assert torch.equal(targets, same_targets)


@pytest.mark.parametrize("group_size", GROUPS)
def test_batch_equals_single_and_padding_changes_nothing(sizes, batch, group_size):
    model = build(sizes, group_size)
    logits, groups, lengths = teacher_forced(model, batch)
    for row in range(3):
        text_length, length = batch["text_lengths"][row], lengths[row]
        alone = model.logits(
            batch["text"][row : row + 1, :text_length],
            text_length[None],
            groups[row : row + 1, :length],
            length[None],
        )
        torch.testing.assert_close(alone[0], logits[row, : length + 1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("group_size", GROUPS)
def test_targets_are_the_codes_and_then_the_end(sizes, batch, group_size):
    model = build(sizes, group_size)
    _, targets, _, _ = model(**batch)
    expected = []
    for codes, length in zip(batch["codes"][..., 0], batch["codes_lengths"], strict=True):
        kept = codes[length % group_size : length]  # leading frames go, so that groups are full
        expected += [*kept.tolist(), *[model.end] * group_size]
    assert targets.tolist() == expected


def test_one_frame_groups_are_the_plain_model(sizes, batch):
    """G = 1 has no group projections and predicts what a plain causal LM over the same weights predicts."""
    model = build(sizes, 1)
    assert not any(name.startswith("group") for name, _ in model.named_parameters())
    row = 1
    text = batch["text"][row : row + 1, : batch["text_lengths"][row]]
    codes = batch["codes"][row, : batch["codes_lengths"][row], 0]
    embedded_text, _ = model.text(text, torch.tensor([text.shape[1]]))
    embedded = model.codes.weight[0][codes] * model.codes.scale
    from espnet2_valle.valle.embeddings import sinusoids

    x = torch.cat([embedded_text[0], embedded + sinusoids(torch.arange(len(codes)), 32)])[None]
    hidden = model.transformer(x, causal=True)[0, text.shape[1] :]
    plain = hidden @ model.codes.weight[0].T
    grouped = model.logits(
        text, torch.tensor([text.shape[1]]), codes[None, :, None], torch.tensor([len(codes)])
    )
    torch.testing.assert_close(grouped[0, :, 0], plain)


def test_history_dropout_hides_codes_in_training_only(sizes, batch):
    torch.manual_seed(0)
    model = VALLEAR(**sizes, history_dropout=1.0)
    blind = model.train()(**batch)[0]
    batch["codes"] = (batch["codes"] + 1) % 16
    torch.testing.assert_close(model(**batch)[0], blind)
    seeing = model.eval()(**batch)[0]
    assert not torch.allclose(seeing, blind)


def test_position_rate_puts_speech_beside_its_text(sizes, batch):
    """With half a text position a group, group 2n has the position of token n."""
    model = VALLEAR(**sizes, position_rate=0.5).eval()
    groups, _ = model.group(batch["codes"][..., 0], batch["codes_lengths"])
    placed = torch.arange(groups.shape[1]) * 0.5
    embedded = model._embed(groups, placed) - model.codes.weight[0][groups[..., 0]] * model.codes.scale
    text, _ = model.text(batch["text"], batch["text_lengths"])
    plain = text[0, :4] - model.text.table(batch["text"][0, :4]) * model.text.scale
    torch.testing.assert_close(embedded[0, :8:2], plain, atol=1e-5, rtol=1e-4)


def test_parts_begin_where_their_texts_do_and_have_rates_of_their_own(sizes):
    model = VALLEAR(**sizes, group_size=2, position_rate=0.5, own_rate_weight=1.0, positions_by_part=True)
    parts = torch.tensor([[3, 13], [4, 8]])  # the second row is one utterance
    placed = model.part_positions(parts, torch.tensor([9, 4]), torch.tensor([25, 8]), 12)
    first = [place * 0.5 for place in range(6)]  # 3 tokens in 6 groups, an odd frame left out
    second = [3 + place * 1.0 for place in range(6)]  # 6 tokens in as many
    torch.testing.assert_close(placed[0], torch.tensor(first + second))
    torch.testing.assert_close(placed[1, :4], torch.arange(4.0))


def test_what_is_said_behind_a_prompt_has_the_pace_of_a_part(sizes):
    model = VALLEAR(**sizes, position_rate=0.5, own_rate_weight=1.0, positions_by_part=True).eval()
    tokens, groups = torch.tensor([4, 0]), torch.tensor([8, 0])
    rates, origins = model.pace(tokens, groups, torch.tensor([2.0, 1.0]))
    torch.testing.assert_close(rates, torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(origins + 8 * rates, torch.tensor([4.0, 4.0]))  # behind the prompt's text
    text = torch.randint(0, 9, (1, 10))
    codes = torch.randint(0, 16, (1, 14, 1))
    said, alone = codes[0, 8:], torch.tensor([6])  # six tokens in six groups: twice the prompt's rate
    placed = model.part_positions(torch.tensor([[4, 8]]), torch.tensor([10]), torch.tensor([14]), 14)
    full = model.logits(text, torch.tensor([10]), codes, torch.tensor([14]), placed=placed)
    cache = model.new_cache(1, 30)
    steps = [model.prefill(text, codes[:, :8], cache, model.position_rates(tokens, groups)[:1])]
    for number, group in enumerate(said):
        given = group[None], torch.tensor([8 + number]), cache, rates[:1], None, origins[:1]
        steps.append(model.step(*given))
    assert len(steps) == int(alone) + 1
    torch.testing.assert_close(torch.stack(steps, 1), full[:, 8:], atol=1e-4, rtol=1e-4)
    plain = VALLEAR(**sizes, position_rate=0.5, own_rate_weight=1.0)
    assert [one.tolist() for one in plain.pace(tokens, groups, torch.ones(2))] == [[0.5, 0.5], [0.0, 0.0]]


def test_own_rate_takes_the_place_of_the_corpus_rate(sizes):
    tokens, groups = torch.tensor([8, 8, 0]), torch.tensor([10, 40, 0])
    for weight, expected in ((0.0, [0.2, 0.2, 0.2]), (1.0, [0.8, 0.2, 0.2]), (0.5, [0.4, 0.2, 0.2])):
        model = VALLEAR(**sizes, position_rate=0.2, own_rate_weight=weight)
        torch.testing.assert_close(model.position_rates(tokens, groups), torch.tensor(expected))


def test_training_uses_each_utterances_own_rate(sizes, batch):
    torch.manual_seed(0)
    model = VALLEAR(**sizes, position_rate=0.4, own_rate_weight=1.0).eval()
    logits = model(**batch)[0]
    groups, lengths = model.group(batch["codes"][..., 0], batch["codes_lengths"])
    own = batch["text_lengths"] / lengths
    expected = model.logits(batch["text"], batch["text_lengths"], groups, lengths, own)
    torch.testing.assert_close(logits[: lengths[0] + 1], expected[0, : lengths[0] + 1].flatten(0, 1))
    model.own_rate_weight = 0.0
    assert not torch.allclose(model(**batch)[0], logits)


@settings(max_examples=15, deadline=None)
@given(
    own=st.booleans(),
    rate=st.sampled_from([1.0, 0.4]),
    group_size=st.integers(1, 3),
    prompt=st.integers(0, 4),
    new=st.integers(1, 6),
    text=st.integers(1, 9),
)
def test_cached_decoding_equals_uncached(own, rate, group_size, prompt, new, text):
    torch.manual_seed(prompt + 10 * new)
    model = VALLEAR(12, 4, 16, group_size, 2, 32, 4, 64, position_rate=rate).eval()
    ids, groups = torch.randint(0, 11, (2, text)), torch.randint(0, 16, (2, prompt + new, group_size))
    cache = model.new_cache(2, text + 1 + prompt + new)
    rates = torch.tensor([0.3, 1.7]) if own else None
    steps = [model.prefill(ids, groups[:, :prompt], cache, rates)]
    for position in range(prompt, prompt + new):
        steps.append(model.step(groups[:, position], torch.full((2,), position), cache, rates))
    full = model.logits(ids, torch.full((2,), text), groups, torch.full((2,), prompt + new), rates)
    torch.testing.assert_close(torch.stack(steps, 1), full[:, prompt:].detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("group_size", [1, 2])
def test_rows_of_unlike_lengths_are_read_as_each_alone(sizes, group_size):
    model = build(sizes, group_size)
    lengths = [(5, 3), (2, 7), (9, 0)]
    texts = [torch.randint(0, 11, (text,)) for text, _ in lengths]
    groups = [torch.randint(0, 16, (count, group_size)) for _, count in lengths]
    rates, positions = torch.tensor([0.5, 1.0, 2.0]), [text + 1 + count for text, count in lengths]
    cache = model.new_cache(3, max(positions))
    logits = model.prefill(texts, groups, cache, rates)
    for row, part in enumerate(cache.split(positions)):
        alone = model.new_cache(1, positions[row])
        expected = model.prefill([texts[row]], [groups[row]], alone, rates[row : row + 1])
        torch.testing.assert_close(logits[row : row + 1], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(part.buffer[..., : part.length, :], alone.buffer, atol=1e-5, rtol=1e-4)
        assert (part.length, part.batch) == (alone.length, 1)


def test_a_full_cache_says_so(sizes):
    model = build(sizes, 1)
    cache = model.new_cache(1, 4)
    model.prefill(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 0, 1, dtype=torch.long), cache)
    with pytest.raises(IndexError, match="holds 4 positions"):
        model.step(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1), cache)
    with pytest.raises(ValueError, match="one causal step at a time"):
        model.prefill(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 0, 1, dtype=torch.long), cache)


def test_heads_must_divide_width(sizes):
    with pytest.raises(ValueError, match="multiple of heads"):
        VALLEAR(**{**sizes, "width": 30})
