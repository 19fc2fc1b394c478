"""Memory that a training takes of a device: a plan prints it, and `--batch_bins auto` fills a card by it.

For P parameters, of which T are trained and W are factors of products; L blocks of B parameters, width d,
feed-forward width f and h heads; C classes in groups of G; e bytes a number in products (2, or 4 in float32);
N devices:

    states       4 P + 12 T bytes: weights in float32, gradients and AdamW's two moments; 4 T more for the
                 buckets in which N > 1 devices exchange gradients, and for `--ema_decay`. Only with `--fsdp`
                 all of it is divided by N
    weights      copies in the type of products, which autocast keeps for the backward pass: 2 W. With
                 `--fsdp` e (2 B + P - L B): a block in use, the next one, and what is in no block
    activations  a position in a block: (10 + 6 e) d + (2 e + 1) f + 4 h + 16, the terms of Korthikanti et al.
                 (2022, eq. 1) with the residual path and norms in float32, as here, and the statistics of
                 norms and softmax in place of attention scores, which flash attention does not keep.
                 Without dropout (8 + 6 e) d + e f in place of the first two; 8 d more where norms depend on
                 the stage. The ends of the model take (9 + e) d, or (13 + e) d with stages. With activation
                 checkpointing a block keeps 4 d, its input, and one has all
    logits       14 G C a position: with their logarithm and its gradients in float32

A test holds these against the tensors that a forward pass keeps (within 3 %). It runs on a CPU, where dropout
keeps a number for each flag (`Setting.mask`); all else is kept as on a GPU.
"""

from dataclasses import dataclass

import torch
from torch import nn

from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

AUTO = "auto"  # of `--batch_bins`
FULL = 4  # bytes of a number in float32
HALF = 2  # in bfloat16 and float16
FLAG = 1  # of what dropout keeps on a GPU
OF_LOGITS = 14
MARGIN = 0.9  # of a device: allocators leave gaps, and lengths in a batch differ


@dataclass(frozen=True)
class Setting:
    """Conditions of a training that its memory depends on.

    Attributes:
        devices: how many train it.
        sharded: with `--fsdp`.
        averaged: with `--ema_decay`.
        product: bytes of a number in products.
        mask: bytes that dropout keeps of each number.
    """

    devices: int = 1
    sharded: bool = False
    averaged: bool = False
    product: int = HALF
    mask: int = FLAG


@dataclass(frozen=True)
class Memory:
    """Bytes of a device.

    Attributes:
        states: weights, gradients, moments.
        weights: copies of weights.
        activations, logits: of each position of a batch.
    """

    states: float
    weights: float
    activations: float
    logits: float

    def positions(self, size: float) -> int:
        """Positions of a step for which a device of `size` bytes has room; 0 or less if it has none."""
        room = MARGIN * size - self.states - self.weights
        return int(room / (self.activations + self.logits))


def memory_of(model: ESPnetVALLEModel, setting: Setting) -> Memory:
    """Memory of the training of a model, which may be on the meta device."""
    valle = model.valle
    return Memory(
        _states(model, setting),
        _weights(model, setting),
        _activations(model, setting),
        OF_LOGITS * valle.codes.size * getattr(valle, "group_size", 1),
    )


def _states(model: ESPnetVALLEModel, setting: Setting) -> float:
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    every, trained = sum(size for size, _ in sizes), sum(size for size, wanted in sizes if wanted)
    states = FULL * (every + 3 * trained + setting.averaged * every)
    if setting.sharded:
        return states / setting.devices
    return states + FULL * trained * (setting.devices > 1)


def _weights(model: ESPnetVALLEModel, setting: Setting) -> float:
    blocks = model.valle.transformer.blocks
    if setting.sharded:
        block = sum(p.numel() for p in blocks[0].parameters())
        every = sum(p.numel() for p in model.parameters())
        return setting.product * (2 * block + every - len(blocks) * block)
    if setting.product == FULL:
        return 0.0
    return setting.product * sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear))


def _activations(model: ESPnetVALLEModel, setting: Setting) -> float:
    """Bytes that a forward pass keeps of a position, without the logits."""
    transformer = model.valle.transformer
    block = transformer.blocks[0]
    layers, width, hidden = len(transformer.blocks), transformer.width, block.expand.out_features
    product, mask = setting.product, setting.mask
    staged = len(transformer.norm.scale) > 1
    # The residual sum twice; both norms' outputs, queries, keys, values and what is attended; hidden units.
    of_block = 2 * FULL * width + 6 * product * width + product * hidden
    of_block += FULL * block.attention.heads + 4 * FULL
    of_ends = (2 * FULL + product) * width
    if block.dropout.p:
        of_block += mask * (2 * width + hidden) + product * hidden  # before dropout and behind it
        of_ends += mask * width
    if staged:
        of_block += 2 * FULL * width
        of_ends += FULL * width
    if transformer.activation_checkpointing:
        return FULL * layers * width + of_block + of_ends
    return layers * of_block + of_ends


def agreed_positions(own: int) -> int:
    """Positions of a batch over all devices, each with as many as the one that has least room."""
    if not torch.distributed.is_initialized():
        return own
    found: list[int | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, own)
    return len(found) * min(one for one in found if one is not None)
