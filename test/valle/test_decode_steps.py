"""One file chooses what takes the decoding steps, and the models know none of the choices."""

import logging

import pytest
import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.valle import decode_steps
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.decode_steps import prepare_ar
from espnet2_valle.valle.quantize import Int8Linear

SIZES = {"layers": 1, "width": 64, "heads": 2, "feed_forward": 96}
needs_library = pytest.mark.skipif(decode_steps._library()[0] is None, reason="no native code here")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VALLEAR(12, 4, 40, **SIZES).eval()


class Doubling:
    """A step of another kind: the Transformer asks for nothing but the protocol."""

    dtype = torch.float64

    def serves(self, x, cache):
        return x.shape[1] == 1

    def __call__(self, x, cache):
        cache.advance(1)
        return 2 * x


@torch.no_grad()
def test_the_transformer_takes_any_step(model):
    model.transformer.decode_step = Doubling()
    cache, x = model.new_cache(1, 4), torch.randn(1, 1, 64)
    assert cache.dtype == torch.float64
    assert torch.equal(model.transformer(x, causal=True, cache=cache), 2 * x)
    assert not torch.equal(model.transformer(x, causal=True), 2 * x), "without a cache it is no step"
    assert cache.length == 1


def test_never_leaves_the_steps_to_torch(model):
    prepare_ar(model, "int8", "never")
    assert model.transformer.decode_step is None
    assert isinstance(model.transformer.blocks[0].expand, Int8Linear)


@needs_library
def test_the_step_reads_the_prepared_weights(model):
    prepare_ar(model, "int8", "always")
    assert model.transformer.decode_step.dtype == torch.int8


@needs_library
def test_graphs_that_cannot_be_had_leave_native_code_its_turn(model, caplog):
    with caplog.at_level(logging.WARNING):
        prepare_ar(model, "float32", "always", cuda_graphs=True)
    assert "--cuda_graphs: the model is not on a GPU" in caplog.text
    assert isinstance(model.transformer.decode_step, decode_steps.NativeStep)


def test_graphs_go_before_native_code(model, monkeypatch):
    monkeypatch.setattr(decode_steps, "graphed_step", lambda transformer, wanted: wanted and Doubling())
    prepare_ar(model, "float32", "never", cuda_graphs=True)
    assert isinstance(model.transformer.decode_step, Doubling)


def test_nothing_is_compiled_for_a_model_that_is_not_on_a_cpu(model, monkeypatch):
    monkeypatch.setattr(decode_steps, "_library", lambda: pytest.fail("compiled"))
    prepare_ar(model.to("meta"), "float32", "auto")
    assert model.transformer.decode_step is None
    with pytest.raises(InputError, match="--native always: the model is not on a CPU"):
        prepare_ar(model, "float32", "always")


def test_an_unknown_mode_is_named(model):
    with pytest.raises(InputError, match="--native: sometimes is out of range"):
        prepare_ar(model, "float32", "sometimes")


def test_int8_is_refused_where_there_is_no_product_for_it(model):
    with pytest.raises(InputError, match="--dtype int8: the model is on meta.*Give --dtype bfloat16"):
        prepare_ar(model.to("meta"), "int8")
