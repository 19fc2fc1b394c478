"""The memory that a training is said to take, against the tensors that a forward pass keeps."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from espnet2_valle.train.memory import HALF, MARGIN, Memory, Setting, memory_of
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR

SHORT, LONG = 1024, 2048  # frames: long enough for attention that keeps no scores
SIZES = {
    "vocab_size": 30,
    "num_codebooks": 8,
    "codebook_size": 64,
    "layers": 3,
    "width": 128,
    "heads": 4,
    "feed_forward": 512,
}


def build(kind, model_conf=None, **options):
    torch.manual_seed(0)
    valle = {"ar": VALLEAR, "nar": VALLENAR}[kind](**{**SIZES, **options})
    return ESPnetVALLEModel(valle, **{"bf16": True, **(model_conf or {})}).train()


def kept(model, frames):
    """Tensors that a forward pass on one utterance keeps beside the weights, and its positions."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor, lest its place be reused
        return tensor

    text, codes = torch.randint(0, 29, (1, 31)), torch.randint(0, 64, (1, frames, 8))
    lengths = torch.tensor([31]), torch.tensor([frames])
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        model(text, lengths[0], codes, lengths[1])
    return [*storages.values()], int(model.valle.positions(*lengths)[0])


def slope(model):
    """Bytes that each further position keeps."""
    (few, first), (many, last) = (kept(model, frames) for frames in (SHORT, LONG))
    return (sum(size for size, _ in many) - sum(size for size, _ in few)) / (last - first)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ar", {"dropout": 0.1}),
        ("ar", {"dropout": 0.0}),
        ("nar", {"dropout": 0.1, "max_prompt_frames": 225}),
        ("nar", {"dropout": 0.0, "prompt_mode": "prefix"}),
    ],
)
@pytest.mark.parametrize("bf16", [True, False])
def test_what_a_position_keeps_is_what_the_plan_says(kind, options, bf16):
    model = build(kind, {"bf16": bf16}, **options)
    found = slope(model)
    size = HALF if bf16 else 4
    said = memory_of(model, Setting(product=size, mask=size))
    # Of the logits the logarithm alone is kept; the rest comes and goes with the loss.
    assert said.activations + 4 * model.valle.codes.size == pytest.approx(found, rel=0.03)


def test_autocast_keeps_copies_of_the_weights():
    model = build("ar", dropout=0.1)
    shapes = {tuple(reversed(m.weight.shape)) for m in model.modules() if isinstance(m, torch.nn.Linear)}
    tensors, _ = kept(model, SHORT)
    copies = [size for size, tensor in tensors if tuple(tensor.shape) in shapes]
    assert memory_of(model, Setting()).weights == sum(copies) > 0
    assert memory_of(model, Setting(product=4)).weights == 0


def test_checkpointing_keeps_the_input_of_each_block_and_one_block_whole():
    whole = memory_of(build("ar", dropout=0.1), Setting()).activations
    deeper = memory_of(build("ar", dropout=0.1, layers=4), Setting()).activations
    of_block = deeper - whole
    few, more = (
        memory_of(build("ar", {"activation_checkpointing": True}, dropout=0.1, layers=layers), Setting())
        for layers in (3, 4)
    )
    assert more.activations - few.activations == 4 * SIZES["width"]
    assert few.activations - 3 * 4 * SIZES["width"] == whole - 2 * of_block


def test_states_are_divided_among_devices_with_fsdp_alone():
    model = build("ar")
    parameters = sum(p.numel() for p in model.parameters())

    def states(**given):
        return memory_of(model, Setting(**given)).states / parameters

    assert states() == 16
    assert states(devices=8) == 20  # with the buckets in which gradients are exchanged
    assert states(devices=8, sharded=True) == 2
    assert states(averaged=True) == 20
    for parameter in model.valle.text.parameters():
        parameter.requires_grad_(False)
    assert states() < 16


def test_as_many_positions_as_there_is_room_for():
    memory = Memory(states=100.0, weights=20.0, activations=8.0, logits=2.0)
    assert memory.positions(1000) == int((MARGIN * 1000 - 120) / 10)
    assert memory.positions(10) <= 0
