"""What `bf16` of a config comes to."""

import pytest
import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import Choice
from espnet2_valle.train import compute_dtype
from espnet2_valle.train.compute_dtype import choose_dtype, gradient_scaler


@pytest.fixture
def machine(monkeypatch):
    """Says what the machine is to do fast."""

    def pretend(training, bfloat16="float32"):
        monkeypatch.setattr(compute_dtype, "training_type", lambda device: Choice(training, "it is fast"))
        monkeypatch.setattr(compute_dtype, "bfloat16", lambda device: Choice(bfloat16, "it is slow"))

    return pretend


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_auto_is_what_the_machine_does_fast(machine, dtype):
    machine(dtype)
    assert choose_dtype("auto", "cpu") == Choice(dtype, "it is fast")


def test_true_and_false_force_it_and_a_slow_one_is_told(machine, caplog):
    machine("float32")
    assert choose_dtype(False, "cpu").value == "float32"
    assert not caplog.records
    assert choose_dtype(True, "cpu").value == "bfloat16"
    assert "it is slow" in caplog.text
    assert "--model_conf bf16=auto" in caplog.text


def test_a_forced_fast_one_is_not_told(machine, caplog):
    machine("bfloat16", bfloat16="bfloat16")
    choose_dtype(True, "cpu")
    assert not caplog.records


def test_shards_have_no_scaler(machine):
    machine("float16")
    choice = choose_dtype("auto", "cuda", sharded=True)
    assert choice.value == "float32"
    assert "--fsdp" in choice.why


@pytest.mark.parametrize("value", ["atuo", 1, None, "true"])
def test_another_value_is_refused(value):
    with pytest.raises(InputError, match="auto, true or false"):
        choose_dtype(value, "cpu")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (["bfloat16", "float16"], "float16"),
        (["float16", "float32"], "float32"),
        (["bfloat16"] * 2, "bfloat16"),
    ],
)
def test_ranks_agree_on_what_all_do_fast(machine, monkeypatch, chosen, expected):
    machine(chosen[0])

    def gather(into, own):
        assert own.value == chosen[0]
        into[:] = [Choice(value, "of a rank") for value in chosen]

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: len(chosen))
    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    assert choose_dtype("auto", "cuda").value == expected


def test_only_float16_is_scaled():
    assert gradient_scaler(torch.float16, "cpu").is_enabled()
    for dtype in (torch.float32, torch.bfloat16):
        assert not gradient_scaler(dtype, "cpu").is_enabled()
