"""What a training step on a CPU does in one pass: torch's results, and dropout by share and gradient."""

import pytest
import torch
from torch import nn

from espnet2_valle.common import compiled
from espnet2_valle.common.compiled import CompileError
from espnet2_valle.valle import transformer
from espnet2_valle.valle.fused import kernels, ops

KINDS = [torch.float32, torch.bfloat16]
SHARE = 0.1


@pytest.fixture(params=["compiled", "torch"])
def way(request, monkeypatch):
    """With the compiled functions, and without."""
    if request.param == "torch":
        monkeypatch.setattr(kernels, "_library", lambda: None)
    elif kernels._library() is None:
        pytest.skip("there is no C++ compiler")
    return request.param


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_behind_a_layer_drops_its_share_and_the_gradient_with_it(way, kind):
    torch.manual_seed(0)
    x = torch.randn(3, 5, 4001, requires_grad=True)
    y = torch.rand(3, 5, 4001).add(1).to(kind).requires_grad_()
    out = ops.add_dropped(x, y, SHARE, training=True)
    kept = (out - x).detach().abs() > 0.5
    assert abs(kept.float().mean().item() - (1 - SHARE)) < 0.01
    torch.testing.assert_close(out, x + torch.where(kept, y.float() / (1 - SHARE), 0.0), rtol=0.01, atol=0.02)
    for_x, for_y = torch.autograd.grad(out.sum(), (x, y))
    assert torch.equal(for_x, torch.ones_like(x))
    assert for_y.dtype == kind
    torch.testing.assert_close(for_y.float(), kept / (1 - SHARE), rtol=0.01, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rectifier_with_dropout_lets_the_same_numbers_through_both_ways(way, kind):
    torch.manual_seed(0)
    x = torch.randn(7, 4001).to(kind).requires_grad_()
    out = ops.drop_rectified(x, SHARE, training=True)
    kept = out > 0
    assert not kept[x <= 0].any()
    assert abs(kept[x > 0].float().mean().item() - (1 - SHARE)) < 0.01
    torch.testing.assert_close(out[kept].float(), x[kept].float() / (1 - SHARE), rtol=0.01, atol=0)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient.float(), kept / (1 - SHARE), rtol=0.01, atol=0)


def test_where_dropout_falls_follows_from_torchs_seed_and_from_nothing_near(way):
    x, y = torch.zeros(100, 1000), torch.ones(100, 1000, requires_grad=True)

    def drawn(seed):
        torch.manual_seed(seed)
        return torch.stack([ops.add_dropped(x, y, 0.5, training=True) > 1 for _ in range(2)]).float()

    one, other = drawn(0), drawn(1)
    assert torch.equal(one, drawn(0))
    flat = torch.cat([one, other]).flatten(1)
    neighbours = torch.stack([flat[0, :-1], flat[0, 1:]])
    for several in (flat, neighbours, torch.stack([flat[0, :-1000], flat[0, 1000:]])):
        correlation = torch.corrcoef(several) - torch.eye(len(several))
        assert correlation.abs().max() < 0.015  # five standard deviations


def test_nothing_is_dropped_outside_of_training(way):
    x = torch.randn(4, 8, requires_grad=True)
    assert torch.equal(ops.add_dropped(x, x, SHARE, training=False), x + x)
    assert torch.equal(ops.drop_rectified(x, SHARE, training=False), x.relu())


@pytest.mark.parametrize("sizes", [(1, 5, 3, 2), (2, 70, 65, 130)])
def test_a_layers_gradients_are_those_of_autocast(way, sizes):
    torch.manual_seed(0)
    batch, time, width, wide = sizes
    layer = nn.Linear(width, wide)
    x = torch.randn(batch, time, width, requires_grad=True)
    results = []
    for call in (lambda: ops.linear(layer, x), lambda: layer(x)):
        with torch.autocast("cpu", torch.bfloat16):
            out = call()
        results.append((out, *torch.autograd.grad(out.float().square().sum(), (x, layer.weight, layer.bias))))
    for one, expected in zip(*results):
        assert one.dtype == expected.dtype
        torch.testing.assert_close(one, expected, rtol=0.02, atol=0.02 * expected.abs().max().item())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_norm_is_torchs_with_its_gradients(kind, rows):
    if kernels._library() is None:
        pytest.skip("there is no C++ compiler")
    torch.manual_seed(0)
    x = (3 * torch.randn(3, 2 * kernels.PART + 5, 70) + 1).requires_grad_()
    scale, shift = (torch.randn(rows, 70, requires_grad=True) for _ in range(2))
    upper = torch.randn(x.shape).to(kind)
    expected = nn.functional.layer_norm(x, (70,)) * scale[:, None] + shift[:, None]
    out, stats = kernels.normalise(x.detach(), scale.detach(), shift.detach(), kind)
    torch.testing.assert_close(
        out, expected.to(kind), rtol=1e-2 if kind == torch.bfloat16 else 1e-5, atol=1e-5
    )
    found = kernels.normalise_back(upper, x.detach(), scale.detach(), stats)
    for one, other in zip(found, torch.autograd.grad(expected, (x, scale, shift), upper.float())):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stage", [0, torch.tensor([1, 0]), torch.tensor([[1, 0, 1], [0, 0, 1]])])
def test_a_stages_norm_is_the_same_in_training_and_outside_of_it(way, stage):
    torch.manual_seed(0)
    norm, x = transformer.AdaptiveLayerNorm(70, 2), torch.randn(2, 3, 70, requires_grad=True)
    with torch.no_grad():
        norm.scale.normal_()
        norm.shift.normal_()
        expected = norm(x, stage)
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x, stage)
    torch.testing.assert_close(out.float(), expected, rtol=1e-2, atol=1e-2)
    upper = torch.randn(x.shape)
    found = torch.autograd.grad((out * upper).sum(), (x, norm.scale, norm.shift))
    plain = torch.autograd.grad((norm(x, stage) * upper).sum(), (x, norm.scale, norm.shift))
    for one, other in zip(found, plain):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2)


def test_other_layers_are_left_to_themselves():
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    layer, x = Doubled(3, 2), torch.randn(4, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ops.linear(layer, x), layer(x))


def test_a_machine_without_compiler_says_so_once(monkeypatch, caplog):
    def fail(folder):
        raise CompileError("c++: not found")

    monkeypatch.setattr(compiled, "load_library", fail)
    kernels._library.cache_clear()
    try:
        x = torch.randn(2, 3, requires_grad=True)
        for _ in range(2):
            assert not kernels.available(x)
        assert caplog.text.count("training steps are left to torch") == 1
    finally:
        kernels._library.cache_clear()


@pytest.mark.parametrize("bf16", [False, True])
def test_a_block_without_dropout_trains_as_torch_would(monkeypatch, bf16):
    if kernels._library() is None:
        pytest.skip("there is no C++ compiler")
    torch.manual_seed(0)
    block = transformer.Block(16, 2, 32, dropout=0.0, attention_dropout=0.0, num_stages=1)
    x = torch.randn(2, 9, 16, requires_grad=True)
    results = []
    for library in (kernels._library(), None):
        monkeypatch.setattr(kernels, "_library", lambda library=library: library)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            out = block(x, True, None, 0, None, 0)
        used = [p for p in block.parameters() if p.requires_grad]
        results.append((out, *torch.autograd.grad(out.float().square().sum(), (x, *used))))
    for one, expected in zip(*results):
        tolerance = 0.02 if bf16 else 1e-5
        torch.testing.assert_close(
            one, expected, rtol=tolerance, atol=tolerance * expected.abs().max().item()
        )
