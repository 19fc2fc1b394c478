import pytest
import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.common.machine import Choice
from espnet2_valle.valle import decode_steps
from espnet2_valle.valle import quantize as weights
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.decode_steps import prepare_nar
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.quantize import FEW_ROWS, Bfloat16Linear, Int8Linear, convert_linears


def linear():
    torch.manual_seed(0)
    layer = nn.Linear(64, 48)
    with torch.no_grad():
        layer.weight[:8] *= 100  # channels of very different size: each needs its own scale
        layer.weight[8] = 0
    return layer


@pytest.mark.parametrize("rows", [1, FEW_ROWS + 1])
@pytest.mark.parametrize("has_kernel", [True, False])
@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_smaller_weights_are_close(dtype, rows, has_kernel, monkeypatch):
    monkeypatch.setattr(
        weights, "has_int8_product", lambda: has_kernel and hasattr(torch, "_weight_int8pack_mm")
    )
    layer = linear()
    model = nn.ModuleDict({"layer": layer})
    convert_linears(model, dtype)
    x = torch.randn(2, rows, 64)
    expected, got = layer(x), model["layer"](x).float()
    assert got.shape == expected.shape
    size = x.norm(dim=2, keepdim=True) * layer.weight.norm(dim=1) + layer.bias.abs()  # of the terms summed
    assert ((got - expected).abs() / size).max() < 0.01


@pytest.mark.parametrize("columns", [17, 33, 50])
def test_odd_sizes_do_not_reach_the_product_that_they_crash(columns):
    torch.manual_seed(0)
    layer, x = nn.Linear(columns, 5), torch.randn(1, columns)
    torch.testing.assert_close(Int8Linear(layer)(x).float(), layer(x), rtol=0.05, atol=0.05)


def test_a_device_that_is_slow_at_bfloat16_does_not_multiply_it(monkeypatch):
    multiplied = []
    product = F.linear
    monkeypatch.setattr(weights, "fast_type", lambda device: torch.float32)
    monkeypatch.setattr(
        weights.F, "linear", lambda x, w, *more: multiplied.append(w.dtype) or product(x, w, *more)
    )
    layer, x = linear(), torch.randn(FEW_ROWS + 1, 64)
    got = Int8Linear(layer)(x)
    assert multiplied == [torch.float32]
    assert got.dtype == torch.bfloat16
    size = x.norm(dim=1, keepdim=True) * layer.weight.norm(dim=1) + layer.bias.abs()
    assert ((got.float() - product(x, layer.weight, layer.bias)).abs() / size).max() < 0.01


def test_a_slow_choice_is_told(sizes, monkeypatch, caplog):
    monkeypatch.setattr(decode_steps, "bfloat16", lambda device: Choice("float32", "it is slow"))
    for dtype in ("float32", "int8"):
        prepare_nar(VALLENAR(**sizes), dtype)
    assert not caplog.records
    prepare_nar(VALLENAR(**sizes), "bfloat16")
    assert "in bfloat16, but it is slow: float32 is faster" in caplog.text


@pytest.mark.parametrize(("fast", "kind"), [("float32", nn.Linear), ("bfloat16", Bfloat16Linear)])
def test_in_place_of_int8_the_nar_model_takes_what_is_fast(sizes, monkeypatch, fast, kind):
    monkeypatch.setattr(decode_steps, "bfloat16", lambda device: Choice(fast, "as said in a test"))
    model = VALLENAR(**sizes)
    prepare_nar(model, "int8")
    assert {type(block.expand) for block in model.transformer.blocks} == {kind}


def test_a_missing_product_is_noticed(monkeypatch):
    weights.has_int8_product.cache_clear()
    monkeypatch.delattr(torch, "_weight_int8pack_mm")
    assert not weights.has_int8_product()
    weights.has_int8_product.cache_clear()


def test_int8_weights_are_a_quarter():
    layer = linear()
    assert Int8Linear(layer).weight.nbytes * 4 == layer.weight.nbytes


@pytest.mark.parametrize("group_size", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_a_converted_model_predicts_the_same(sizes, dtype, group_size):
    torch.manual_seed(0)
    model = VALLEAR(**sizes, group_size=group_size).eval()
    text, groups = torch.randint(0, 11, (1, 5)), torch.randint(0, 16, (1, 4, group_size))

    def logits():
        cache = model.new_cache(1, 20)
        model.prefill(text, groups[:, :3], cache)
        return model.step(groups[:, 3], torch.tensor([3]), cache)

    with torch.no_grad():
        before = logits()
        convert_linears(model, dtype)
        after = logits()
    assert not any(isinstance(module, nn.Linear) for module in model.modules()) or dtype == "float32"
    assert after.dtype == torch.float32
    assert (after - before).norm() / before.norm() < 0.05


def test_unknown_types_are_named(sizes):
    with pytest.raises(ValueError, match="float16"):
        convert_linears(VALLEAR(**sizes), "float16")
