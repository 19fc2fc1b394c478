"""A training step does not ask a GPU for numbers: lengths and what follows from them are on the CPU.

The meta device stands for a GPU: it has no numbers to ask for, and says so. With operations counted,
attention takes the kernels of a GPU there.
"""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from espnet2_valle.valle import packing
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.packing import Packing

META = torch.device("meta")
KINDS = {
    "ar": (VALLEAR, {"history_dropout": 0.1}),
    "groups": (VALLEAR, {"group_size": 2}),
    "nar": (VALLENAR, {}),
    "prefix": (VALLENAR, {"prompt_mode": "prefix"}),
    "chunks": (VALLENAR, {"chunk_frames": 3}),
}


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_and_its_gradient_ask_for_no_number(sizes, batch, kind, packed, monkeypatch):
    made, options = KINDS[kind]
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # it knows no meta device
    model = ESPnetVALLEModel(made(**sizes, **options), packed=packed).to(META).train()
    if packed:  # which is compiled, and compiled code has no meta device
        monkeypatch.setattr(
            packing, "_compiled_flex_attention", lambda: lambda *given, block_mask: attend(*given)
        )
    there = {name: value if "lengths" in name else value.to(META) for name, value in batch.items()}
    with FlopCounterMode(display=False):
        loss, stats, weight = model(**there)
        loss.sum().backward()
    assert {each.device for each in (loss, *stats.values(), weight)} == {META}
    assert all(parameter.grad is not None for parameter in model.parameters())


def attend(query, key, value):
    return F.scaled_dot_product_attention(query, key, value)


@pytest.mark.parametrize("causal", [True, False])
def test_blocks_are_laid_out_without_asking(causal):
    mask = Packing(torch.tensor([200, 100]), 200, META, causal).block_mask
    assert mask.shape == (1, 1, 384, 384)


def test_lengths_as_arrays_are_those_of_tensors(sizes, batch):
    """What copies a batch to a GPU leaves arrays where they are."""
    model = ESPnetVALLEModel(VALLEAR(**sizes))
    arrays = {name: value.numpy() if "lengths" in name else value for name, value in batch.items()}
    torch.testing.assert_close(model(**arrays)[0], model(**batch)[0], rtol=0, atol=0)
