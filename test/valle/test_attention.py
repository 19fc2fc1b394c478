"""The ways to attend in training are one in value and gradient."""

import pytest
import torch
from torch.nn import functional as F

from espnet2_valle.valle import transformer
from espnet2_valle.valle.transformer import SelfAttention, Transformer


@pytest.mark.parametrize(("causal", "masked"), [(True, False), (False, True), (False, False)])
def test_plain_attention_is_torchs(causal, masked):
    torch.manual_seed(0)
    tensors = [torch.randn(2, 3, 7, 4, requires_grad=True) for _ in range(3)]
    mask = torch.ones(2, 1, 1, 7, dtype=torch.bool)
    mask[1, ..., 5:] = False
    options = {"attn_mask": mask if masked else None, "dropout_p": 0.0, "is_causal": causal}
    results = []
    for attend in (transformer._attend_plainly, F.scaled_dot_product_attention):
        out = attend(*tensors, **options)
        results.append((out, *torch.autograd.grad(out.square().sum(), tensors)))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


def test_short_training_in_bfloat16_on_a_cpu_attends_plainly(monkeypatch):
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
    mask = None if causal else torch.rand(3, 1, 9, 9) > 0.3
    caches = [model.new_cache(3, 9) for _ in range(2)]
    with torch.no_grad():
        everything = model(x, causal, mask, cache=caches[0])
        some = model(x, causal, mask, cache=caches[1], last=last)
    torch.testing.assert_close(some, everything[:, 9 - last :], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(caches[1].buffer, caches[0].buffer)
    assert caches[1].length == 9
