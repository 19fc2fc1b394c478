"""A GPU computes what the CPU computes: losses and gradients, padded and packed."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from espnet2_valle.common.machine import bfloat16
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

pytestmark = pytest.mark.gpu
KINDS = {
    "ar": ("ar", {}),
    "groups": ("ar", {"group_size": 2}),
    "nar": ("nar", {}),
    "prefix": ("nar", {"prompt_mode": "prefix"}),
    "chunks": ("nar", {"chunk_frames": 25}),
}


def moved(batch, device):
    return {name: one if "lengths" in name else one.to(device) for name, one in batch.items()}


def loss_and_gradients(model, batch, device, training):
    torch.manual_seed(1)
    model.to(device).train(training)
    loss, stats, _ = model(**moved(batch, device))
    gradients = torch.autograd.grad(loss.sum(), list(model.parameters()))
    return [loss.detach().cpu(), *(each.cpu() for each in gradients)], stats


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_the_cpus(build, batch, device, kind, packed, training):
    name, options = KINDS[kind]
    expected, _ = loss_and_gradients(ESPnetVALLEModel(build(name, **options)), batch, "cpu", training)
    got, stats = loss_and_gradients(
        ESPnetVALLEModel(build(name, **options), packed=packed), batch, device, training
    )
    assert next(iter(stats.values())).device.type == device.type
    for one, other in zip(got, expected):
        assert (one - other).norm() <= 2e-3 * other.norm() + 1e-6


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near(build, batch, device, kind, packed):
    if bfloat16(device).value != "bfloat16":
        pytest.skip(bfloat16(device).why)
    name, options = KINDS[kind]
    expected, _ = loss_and_gradients(ESPnetVALLEModel(build(name, **options)), batch, "cpu", True)
    half = ESPnetVALLEModel(build(name, **options), bf16=True, packed=packed)
    got, _ = loss_and_gradients(half, batch, device, True)
    assert got[0].item() == pytest.approx(expected[0].item(), rel=0.02)


@pytest.mark.parametrize("kind", ["ar", "nar"])
def test_padded_batches_take_flash_attention(build, batch, device, kind):
    if bfloat16(device).value != "bfloat16":
        pytest.skip(bfloat16(device).why)
    model = ESPnetVALLEModel(build(kind), bf16=True)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # which raises where it cannot serve
        loss_and_gradients(model, batch, device, True)


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_does_not_wait_for_the_gpu(build, batch, device, kind, packed):
    if device.type != "cuda":
        pytest.skip("only CUDA tells of waits")
    name, options = KINDS[kind]
    model = ESPnetVALLEModel(build(name, **options), packed=packed).to(device).train()
    there = moved(batch, device)
    model(**there)[0].sum().backward()  # libraries set themselves up, kernels are compiled
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        model(**there)[0].sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
