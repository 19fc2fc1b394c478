"""Rows of several lengths attend alike with a mask and without one.

The meta device, with operations counted, stands for a GPU: FlashAttention is chosen wherever it takes the
arguments.
"""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.padding import Padding
from espnet2_valle.valle.transformer import Transformer

LENGTHS = torch.tensor([5, 9, 2])
META = torch.device("meta")


@pytest.mark.parametrize(("left", "last"), [(False, 9), (True, 9), (True, 4), (True, 1)])
def test_attention_without_a_mask_is_that_with_it(left, last):
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, 2, 9, 8, requires_grad=True) for _ in range(3))
    padding = Padding(LENGTHS, 9, query.device, left)
    asked = query[:, :, 9 - last :]
    plain = F.scaled_dot_product_attention(asked, key, value, attn_mask=padding.mask)
    filled = padding.mask.transpose(2, 3)[:, :, 9 - last :]
    plain = torch.where(filled, plain, 0)
    jagged = padding.attend(asked, key, value)
    torch.testing.assert_close(jagged, plain)
    gradients = [torch.autograd.grad(out.square().sum(), (query, key, value)) for out in (jagged, plain)]
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other)


def test_compiled_code_is_one_graph_with_the_mask():
    torch.manual_seed(0)
    model = Transformer(1, 16, 2, 16, dropout=0.0, num_stages=3).train()
    compiled = torch.compile(model, backend="aot_eager", dynamic=True, fullgraph=True)
    x, stage = torch.randn(3, 9, 16), torch.tensor([2, 0, 1])
    padding = Padding(LENGTHS, 9, x.device)
    torch.testing.assert_close(compiled(x, False, padding, stage), model(x, False, padding, stage))


def kernels(work):
    """Kernels of attention that some work reaches."""
    with FlopCounterMode(display=False) as counted:
        work()
    names = {str(name).removeprefix("aten.") for name in counted.get_flop_counts()["Global"]}
    return {name for name in names if "attention" in name}


def test_padded_batches_train_by_flash_attention(sizes, batch, monkeypatch):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # it knows no meta device
    model = ESPnetVALLEModel(VALLENAR(**sizes)).to(META).train()
    there = {name: value if "lengths" in name else value.to(META) for name, value in batch.items()}
    found = kernels(lambda: model(**there)[0].sum().backward())
    assert found == {"_flash_attention_forward", "_flash_attention_backward"}


def test_padded_batches_are_completed_by_flash_attention(sizes):
    model = VALLENAR(**sizes).to(META).eval()
    text = [torch.zeros(length, dtype=torch.long, device=META) for length in (4, 7)]
    prompt = [torch.zeros(length, sizes["num_codebooks"], dtype=torch.long, device=META) for length in (3, 2)]
    first = [torch.zeros(length, dtype=torch.long, device=META) for length in (6, 9)]
    codes = []
    assert kernels(lambda: codes.extend(model.generate(text, prompt, first))) == {"_flash_attention_forward"}
    assert [tuple(each.shape) for each in codes] == [(6, 4), (9, 4)]
