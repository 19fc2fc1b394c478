import pytest
import torch

from espnet2_valle.valle.alignment import align, attention_weights
from espnet2_valle.valle.ar import VALLEAR


@pytest.mark.parametrize("group_size", [1, 2, 3])
def test_each_step_behind_the_prompt_looks_at_the_text(sizes, batch, group_size):
    torch.manual_seed(0)
    model = VALLEAR(**sizes, group_size=group_size).eval()
    text, codes = batch["text"][0], batch["codes"][1, :, 0]
    found = align(model, text, codes[:7], codes[7:], 3)
    assert found.weights.shape == (6 // group_size, len(text))
    assert found.prompt_groups == 7 // group_size
    assert (found.weights >= 0).all()
    assert (found.weights.sum(1) < 1).all(), "some of it goes to the end mark and the speech"
    assert found.focus == pytest.approx(float(found.weights.amax(1).mean()))
    assert not any(block.attention._forward_pre_hooks for block in model.transformer.blocks)


def test_the_sharpest_head_is_chosen(sizes, batch):
    torch.manual_seed(0)
    model = VALLEAR(**sizes).eval()
    attention = model.transformer.blocks[1].attention
    width = sizes["width"] // sizes["heads"]
    with torch.no_grad():  # head 3 of layer 2 looks sharply at something
        attention.qkv.weight[2 * width : 3 * width] *= 200
    text, codes = batch["text"][0], batch["codes"][1, :, 0]
    found = [align(model, text, codes[:start], codes[start:], 3) for start in (3, 5, 7)]
    assert {(one.layer, one.head) for one in found} == {(2, 3)}


def test_the_weights_are_those_of_the_attention_itself(sizes):
    torch.manual_seed(0)
    attention = VALLEAR(**sizes).eval().transformer.blocks[0].attention
    x = torch.randn(2, 9, sizes["width"])
    values = attention.qkv(x).view(2, 9, 3, attention.heads, -1)[:, :, 2].transpose(1, 2)
    mixed = torch.matmul(attention_weights(attention, x), values).transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(attention.out(mixed), attention(x, causal=True))


def test_nothing_said_cannot_be_aligned(sizes, batch):
    model = VALLEAR(**sizes, group_size=2).eval()
    with pytest.raises(ValueError, match="no codes"):
        align(model, batch["text"][0], batch["codes"][0, :4, 0], batch["codes"][0, :1, 0], 3)
