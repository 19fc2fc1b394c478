"""The ways to attend in training are one in value and gradient."""

import pytest
import torch
from torch.nn import functional as F

from espnet2_valle.valle import transformer
from espnet2_valle.valle.fused import attention as fused
from espnet2_valle.valle.fused import kernels
from espnet2_valle.valle.transformer import SelfAttention, Transformer


@pytest.mark.parametrize(("causal", "masked"), [(True, False), (False, True), (False, False)])
def test_plain_attention_is_torchs(causal, masked):
    torch.manual_seed(0)
    tensors = [torch.randn(2, 3, 7, 4, requires_grad=True) for _ in range(3)]
    mask = torch.zeros(2, 1, 1, 7)
    mask[1, ..., 5:] = float("-inf")
    options = {"attn_mask": mask if masked else None, "dropout_p": 0.0, "is_causal": causal}
    results = []
    for attend in (transformer._attend_plainly, F.scaled_dot_product_attention):
        out = attend(*tensors, **options)
        results.append((out, *torch.autograd.grad(out.square().sum(), tensors)))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


@pytest.fixture(params=["matrix unit", "products"])
def way(request, monkeypatch):
    """Where compiled attention multiplies."""
    if kernels._library() is None:
        pytest.skip("there is no C++ compiler")
    if request.param == "products":
        monkeypatch.setattr(kernels, "has_attention", lambda x, head_dim: False)
    elif not kernels.has_attention(torch.ones(1, dtype=torch.bfloat16), kernels.HEAD_DIM):
        pytest.skip("this processor has no matrix unit (AMX)")
    return request.param


def attended_by_torch(qkv, heads, lengths, causal):
    """Of float32, as it is written in the books."""
    batch, time, _ = qkv.shape
    query, key, value = qkv.float().view(batch, time, 3, heads, -1).permute(2, 0, 3, 1, 4)
    seen = (torch.arange(time) < lengths.unsqueeze(1))[:, None, None]
    if causal:
        seen = seen & torch.ones(time, time, dtype=torch.bool).tril()
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen).transpose(1, 2).flatten(2)


def assert_as_near_as_bfloat16(one, other):
    assert (one.float() - other.float()).norm() <= 0.01 * other.float().norm() + 1e-4


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("lengths", "room", "kept"),
    [([1], 1 << 23, 512), ([45, 40], 1, 512), ([33, 1, 32], 1 << 23, 0), ([200, 131], 1 << 23, 512)],
)
def test_compiled_attention_is_torchs(way, monkeypatch, causal, lengths, room, kept):
    monkeypatch.setattr(fused, "ROOM", room)
    monkeypatch.setattr(fused, "LONGEST_KEPT", kept)
    torch.manual_seed(0)
    heads, lengths = 2, torch.tensor(lengths)
    batch, time = len(lengths), int(lengths.max())
    qkv = torch.randn(batch, time, 3 * heads * kernels.HEAD_DIM).bfloat16().requires_grad_()
    hidden = torch.zeros(batch, 1, 1, time).masked_fill(
        torch.arange(time) >= lengths[:, None, None, None], float("-inf")
    )
    mask = hidden if time > lengths.min() else None
    out = fused.attend(qkv, heads, mask, causal, dropout=0.0)
    expected = attended_by_torch(qkv, heads, lengths, causal)
    assert_as_near_as_bfloat16(out, expected)
    upper = torch.randn_like(out)
    (gradient,) = torch.autograd.grad(out, qkv, upper)
    (as_torch,) = torch.autograd.grad(expected, qkv, upper.float())
    for one, other in zip(gradient.chunk(3, -1), as_torch.chunk(3, -1)):
        assert_as_near_as_bfloat16(one, other)


def test_compiled_attention_is_the_same_alone_and_in_a_batch(way):
    torch.manual_seed(0)
    qkv = torch.randn(3, 70, 3 * kernels.HEAD_DIM).bfloat16().requires_grad_()
    together = fused.attend(qkv, 1, None, True, 0.0)
    for row, expected in zip(qkv, together):
        assert torch.equal(fused.attend(row[None], 1, None, True, 0.0)[0], expected)


def test_compiled_attention_serves_training_in_bfloat16_with_padding_at_the_end(way):
    def serves(qkv, mask=None, causal=False, dropout=0.0):
        return fused.attend(qkv, 3, mask, causal, dropout) is not None

    qkv = torch.randn(2, 9, 9 * kernels.HEAD_DIM, dtype=torch.bfloat16, requires_grad=True)
    padding, chunks = torch.zeros(2, 1, 1, 9), torch.zeros(2, 1, 9, 9)
    assert serves(qkv)
    assert serves(qkv, padding)
    assert serves(qkv, causal=True)
    assert not serves(qkv, chunks)
    assert not serves(qkv, dropout=0.1)
    assert not serves(qkv.detach())
    assert not serves(qkv.float())
    long = torch.randn(1, fused.LONGEST_CAUSAL + 1, qkv.shape[2], dtype=torch.bfloat16, requires_grad=True)
    assert serves(long)
    assert serves(long, causal=True) == (way == "matrix unit")
    with torch.no_grad():
        assert not serves(qkv)


def test_without_a_compiler_short_training_in_bfloat16_on_a_cpu_attends_plainly(monkeypatch):
    monkeypatch.setattr(kernels, "_library", lambda: None)
    served = []
    plainly = transformer._attend_plainly
    monkeypatch.setattr(transformer, "_attend_plainly", lambda *a, **k: served.append(1) or plainly(*a, **k))
    attention = SelfAttention(8, 2, 0.0)
    short = torch.randn(1, 6, 8)
    attention(short, causal=True)
    with torch.autocast("cpu", torch.bfloat16):
        attention(torch.randn(1, transformer.LONGEST_PLAIN + 1, 8), causal=True)
        with torch.no_grad():
            attention(short, causal=True)
        assert not served
        plain = attention(short, causal=True)
        assert served
        monkeypatch.setattr(transformer, "LONGEST_PLAIN", 0)
        torch.testing.assert_close(plain, attention(short, causal=True), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("causal", [True, False])
def test_training_keeps_no_attention_weights_of_long_sequences(kind, causal):
    time, kept = transformer.LONGEST_PLAIN + 8, []
    block = transformer.Block(16, 2, 32, dropout=0.1, attention_dropout=0.0, num_stages=1).to(kind)
    x = torch.randn(1, time, 16, dtype=kind)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        block(x, causal, None, 0, None, 0)
    assert max(kept) < time * time


def test_attention_weights_are_dropped_where_that_is_wanted():
    attention = SelfAttention(8, 2, 0.5)
    x = torch.randn(1, 6, 8)
    assert not torch.equal(attention(x, causal=True), attention(x, causal=True))
    attention.eval()
    torch.testing.assert_close(attention(x, causal=True), attention(x, causal=True))


@pytest.mark.parametrize(("causal", "last"), [(True, 0), (True, 1), (False, 0), (False, 1), (False, 4)])
def test_the_last_positions_alone_are_those_of_all(causal, last):
    torch.manual_seed(0)
    model = Transformer(2, 32, 2, 48, dropout=0.0).eval()
    x = torch.randn(3, 9, 32)
    mask = None if causal else torch.zeros(3, 1, 9, 9).masked_fill(torch.rand(3, 1, 9, 9) < 0.3, -1e9)
    caches = [model.new_cache(3, 9) for _ in range(2)]
    with torch.no_grad():
        everything = model(x, causal, mask, cache=caches[0])
        some = model(x, causal, mask, cache=caches[1], last=last)
    torch.testing.assert_close(some, everything[:, 9 - last :], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(caches[1].buffer, caches[0].buffer)
    assert caches[1].length == 9
