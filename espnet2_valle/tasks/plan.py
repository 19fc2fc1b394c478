"""Plan of the training of a config: parameters, memory a GPU, tokens a second, days.

The model is built on the meta device: no number of it is computed or stored. Formulae, for L blocks, width d,
C classes, N GPUs:

    memory       see `espnet2_valle/train/memory.py`; products in bfloat16
    operations   3 x forward; forward of s positions: 2 s W + 4 L s^2 d (half where causal) + 2 s C d, for W
                 weights of linear layers; what checkpointing computes twice is counted once
    tokens/s     N x peak x MFU / operations a position
    days         passes x positions of all hours / (tokens/s) / 86400
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.planned import build_planned
from espnet2_valle.train.memory import AUTO, Setting, memory_of
from espnet2_valle.train.throughput import FlopCounter
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

GIB = 2**30
TERA = 1e12
HOUR = 3600
DAY = 86400


@dataclass(frozen=True)
class PlanOptions:
    """Model, data and devices of a planned training.

    Attributes:
        config: training config.
        num_gpus: numbers of GPUs, a row each.
        memory: GiB of a GPU.
        fsdp: states in shards; None: as the config says.
        peak_tflops: of a GPU in bfloat16.
        mfu: share of the peak that training reaches.
        hours: of speech in the corpus.
        passes: over the corpus.
        seconds: of a training utterance.
        text_rate: text tokens a second.
        frame_rate, num_codebooks, codebook_size: of the codec.
        vocab_size: text tokens.
    """

    config: str
    num_gpus: Sequence[int] = (8, 64, 256)
    memory: float = 80.0
    fsdp: bool | None = None
    peak_tflops: float = 989.0
    mfu: float = 0.4
    hours: float = 60000.0
    passes: float = 1.0
    seconds: float = 15.0
    text_rate: float = 12.0
    frame_rate: float = 75.0
    num_codebooks: int = 8
    codebook_size: int = 1024
    vocab_size: int = 100


def plan(options: PlanOptions) -> str:
    """Plan of a training as text, with a Markdown table.

    Raises:
        InputError: see `build_planned` and `render`.
    """
    sizes = (options.vocab_size, options.frame_rate, options.num_codebooks, options.codebook_size)
    with torch.device("meta"):
        model, config = build_planned(options.config, *sizes)
    return render(options, model, config)


def render(options: PlanOptions, model: ESPnetVALLEModel, config: argparse.Namespace) -> str:
    """The plan as text.

    Args:
        options: what is trained on what.
        model: on the meta device.
        config: of the training.

    Raises:
        InputError: `--batch_bins auto`, and a GPU that has no room for one position.
    """
    valle = model.valle
    blocks = valle.transformer.blocks
    parameters = sum(p.numel() for p in model.parameters())
    block = sum(p.numel() for p in blocks[0].parameters())
    length = int(
        valle.positions(
            torch.tensor([options.seconds * options.text_rate]).long(),
            torch.tensor([options.seconds * options.frame_rate]).long(),
        )
    )
    sharded = config.fsdp if options.fsdp is None else options.fsdp
    operations = FlopCounter(valle).step(torch.tensor([length]), length) / length
    lines = [
        f"{options.config}: {parameters / 1e9:.2f} billion parameters, "
        f"{len(blocks)} blocks of {block / 1e6:.1f} million",
        f"utterances of {options.seconds:g} s: {length} positions, {operations / 1e9:.2f} GFLOP a position",
        f"{options.hours:g} hours, {options.passes:g} passes, batches of {config.batch_bins} positions, "
        f"{options.peak_tflops:g} TFLOP/s a GPU at MFU {options.mfu:g}",
        f"states {'divided by the GPUs (--fsdp)' if sharded else 'whole on each GPU (no --fsdp)'}; "
        f"--batch_bins auto fills GPUs of {options.memory:g} GiB",
        "",
        "| GPUs | GiB a GPU | states | weights | activations | logits | auto | tokens/s | days |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    positions = length * options.hours * HOUR / options.seconds * options.passes
    for gpus in options.num_gpus:
        taken = memory_of(model, Setting(gpus, sharded, config.ema_decay > 0))
        room = gpus * taken.positions(options.memory * GIB)
        if config.batch_bins == AUTO and room <= 0:
            raise InputError(
                options.config,
                f"{gpus} GPUs of {options.memory:g} GiB have no room for it",
                "Give more or larger ones (--num_gpus, --memory), or --fsdp true",
            )
        share = (room if config.batch_bins == AUTO else config.batch_bins) / gpus
        parts = (taken.states, taken.weights, share * taken.activations, share * taken.logits)
        rate = gpus * options.peak_tflops * TERA * options.mfu / operations
        numbers = " | ".join(f"{size / GIB:.1f}" for size in (sum(parts), *parts))
        fits = str(room) if room > 0 else "none fits"
        lines.append(f"| {gpus} | {numbers} | {fits} | {rate:.4g} | {positions / rate / DAY:.3g} |")
    return "\n".join(lines)
