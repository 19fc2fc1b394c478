"""A packed batch is the padded one: in value, in gradient, and under each kind of mask."""

import pytest
import torch
from torch.nn.attention.flex_attention import flex_attention

from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.packing import STEP, Packing, packed_length

LENGTHS = torch.tensor([5, 9, 1])


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (VALLEAR, {"group_size": 2}),
        (VALLENAR, {}),
        (VALLENAR, {"chunk_frames": 3, "mask_mix": {"chunk": 1.0, "causal": 1.0, "full": 1.0}}),
    ],
    ids=["ar", "nar", "chunks"],
)
@pytest.mark.parametrize("training", [True, False])
def test_packed_is_padded(sizes, batch, kind, options, training):
    results = []
    for packed in (False, True):
        torch.manual_seed(0)
        model = ESPnetVALLEModel(kind(**sizes, **options), packed=packed, activation_checkpointing=True)
        model.train(training)
        torch.manual_seed(1)
        loss, stats, _ = model(**batch)
        gradients = torch.autograd.grad(loss.sum(), list(model.parameters()))
        results.append([stats["loss"], stats["acc10"], *gradients])
    for padded, packed in zip(*results):
        torch.testing.assert_close(padded, packed, rtol=1e-4, atol=1e-6)


def test_rows_come_back_from_where_they_lay():
    x = torch.randn(3, 9, 4)
    packing = Packing(LENGTHS, 9, causal=True)
    packed = packing.pack(x)
    assert packed.shape == (1, STEP, 4)
    torch.testing.assert_close(packed[0, 5:14], x[1])
    unpacked = packing.unpack(packed)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(unpacked[row, :length], x[row, :length])
        assert not unpacked[row, length:].any()
    assert packing.per_position(torch.tensor([7, 8, 9]))[0, [0, 4, 5, 13, 14]].tolist() == [7, 7, 8, 8, 9]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("ranked", [True, False])
def test_flex_attention_gets_the_mask_of_the_dense_path(causal, ranked):
    """What runs on a GPU, here in its slow form; backward it knows on GPUs only."""
    ranks = torch.randint(0, 3, (3, 9), generator=torch.Generator().manual_seed(0)) if ranked else None
    packing = Packing(LENGTHS, 9, causal, ranks)
    query, key, value = torch.randn(3, 1, 2, STEP, 16).unbind(0)
    flexible = flex_attention(query, key, value, block_mask=packing.block_mask)
    torch.testing.assert_close(flexible, packing.attend(query, key, value), rtol=1e-4, atol=1e-5)


def test_little_is_computed_beside_the_rows(sizes):
    lengths = torch.tensor([100, 1000, 300])
    model = ESPnetVALLEModel(VALLEAR(**sizes), packed=True)
    assert packed_length(lengths) == model.valle.transformer.computed_positions(lengths) == 1408
    padded = ESPnetVALLEModel(VALLEAR(**sizes)).valle.transformer.computed_positions(lengths)
    assert padded == 3 * 1008
