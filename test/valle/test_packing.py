"""A packed batch is the padded one: in value, in gradient, and under each kind of mask."""

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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
    packing = Packing(LENGTHS, 9, x.device, causal=True)
    packed = packing.pack(x)
    assert packed.shape == (1, STEP, 4)
    torch.testing.assert_close(packed[0, 5:14], x[1])
    assert_rows_come_back(packing, packed, x)


def assert_rows_come_back(packing, packed, x):
    unpacked = packing.unpack(packed)
    for row, length in enumerate(LENGTHS.tolist()):
        torch.testing.assert_close(unpacked[row, :length], x[row, :length])
        assert not unpacked[row, length:].any()


def test_rows_of_a_stage_lie_side_by_side():
    x = torch.randn(3, 9, 4)
    packing = Packing(LENGTHS, 9, x.device, causal=False, stages=torch.tensor([2, 0, 2]))
    assert packing.stages == ((0, 9), (2, STEP - 9))
    packed = packing.pack(x)
    torch.testing.assert_close(packed[0, :9], x[1])
    torch.testing.assert_close(packed[0, 9:14], x[0, :5])
    assert_rows_come_back(packing, packed, x)


class Watching(TorchDispatchMode):
    """Keeps what operations give, and whose rows are taken one for each index."""

    def __init__(self):
        super().__init__()
        self.largest, self.indexed = 0, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
        if function is torch.ops.aten.index.Tensor:
            self.indexed.append((tuple(args[0].shape), tuple(result.shape)))
        return result


def test_norms_take_a_stage_once_and_not_for_each_position(sizes, batch):
    """A gather's gradient adds thousands of positions up, one by one, into a handful of rows."""
    model = ESPnetVALLEModel(VALLENAR(**sizes), packed=True).train()
    table = tuple(model.valle.transformer.norm.scale.shape)
    with Watching() as watching:
        model(**batch)[0].sum().backward()
    assert not [result for source, result in watching.indexed if source == table]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("ranked", [True, False])
def test_flex_attention_gets_the_mask_of_the_dense_path(causal, ranked):
    """What runs on a GPU, here in its slow form; backward it knows on GPUs only."""
    ranks = torch.randint(0, 3, (3, 9), generator=torch.Generator().manual_seed(0)) if ranked else None
    packing = Packing(LENGTHS, 9, torch.device("cpu"), causal, ranks)
    query, key, value = torch.randn(3, 1, 2, STEP, 16).unbind(0)
    flexible = flex_attention(query, key, value, block_mask=packing.block_mask)
    torch.testing.assert_close(flexible, packing.attend(query, key, value), rtol=1e-4, atol=1e-5)


def blocks(counts, order):
    """Dense blocks (queries, keys) bool of what a BlockMask keeps as numbers and indices."""
    dense = torch.zeros(order.shape[2:], dtype=torch.bool)
    for query, (count, keys) in enumerate(zip(counts[0, 0], order[0, 0])):
        dense[query, keys[:count].long()] = True
    return dense


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    "lengths",
    [[700], [128, 256, 128], [1, 500, 40, 129, 300], [256, 255, 257], [60, 70, 10]],
    ids=lambda lengths: "-".join(map(str, lengths)),
)
def test_blocks_are_those_that_comparing_all_positions_finds(lengths, causal):
    packing = Packing(torch.tensor(lengths), max(lengths), torch.device("cpu"), causal)
    size = len(packing.row)
    expected = create_block_mask(packing.mask, None, None, size, size, device="cpu")
    got = packing.block_mask
    for mask in (got, expected):
        assert mask.shape == (1, 1, size, size)
    for kind in ("", "full_"):
        pairs = [
            blocks(getattr(mask, f"{kind}kv_num_blocks"), getattr(mask, f"{kind}kv_indices"))
            for mask in (got, expected)
        ]
        assert torch.equal(*pairs), kind


def test_blocks_of_a_large_batch_take_little_memory():
    lengths = torch.full((96,), 1000)
    with Watching() as watching:
        mask = Packing(lengths, 1000, torch.device("cpu"), causal=False).block_mask
    assert mask.shape == (1, 1, 96000, 96000)
    assert watching.largest < 1e6


def test_little_is_computed_beside_the_rows(sizes):
    lengths = torch.tensor([100, 1000, 300])
    model = ESPnetVALLEModel(VALLEAR(**sizes), packed=True)
    assert packed_length(lengths) == model.valle.transformer.computed_positions(lengths) == 1408
    padded = ESPnetVALLEModel(VALLEAR(**sizes)).valle.transformer.computed_positions(lengths)
    assert padded == 3 * 1008
