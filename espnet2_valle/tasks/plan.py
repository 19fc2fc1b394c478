"""Plan of the training of a config: parameters, memory a GPU, tokens a second, days.

The model is built on the meta device: no number of it is computed or stored. Formulae, for P parameters, B of
them in a block, L blocks, width d, feed-forward width f, C classes, t positions of a GPU at a step, N GPUs:

    states       16 P / N bytes: weights, gradients and AdamW's two moments in float32, sharded by FSDP
    gathered     2 (2 B + P - L B) bytes, in bfloat16: a block in use, the next one, and what is in no block
    activations  t L (18 d + 4 f) bytes (Korthikanti et al., 2022, eq. 1, without the attention scores, which
                 flash attention does not keep); with activation checkpointing t (4 L d + 18 d + 4 f)
    logits       10 t C bytes: in bfloat16, and with their gradient in float32
    operations   3 x forward; forward of s positions: 2 s W + 4 L s^2 d (half where causal) + 2 s C d, for W
                 weights of linear layers; what checkpointing computes twice is counted once
    tokens/s     N x peak x MFU / operations a position
    days         passes x positions of all hours / (tokens/s) / 86400
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet2_valle.tasks.planned import build_planned
from espnet2_valle.train.throughput import FlopCounter

GIB = 2**30
TERA = 1e12
HOUR = 3600
DAY = 86400
STATES = 16  # bytes a parameter


@dataclass(frozen=True)
class PlanOptions:
    """Model, data and devices of a planned training.

    Attributes:
        config: training config.
        num_gpus: numbers of GPUs, a row each.
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
        InputError: see `build_planned`.
    """
    sizes = (options.vocab_size, options.frame_rate, options.num_codebooks, options.codebook_size)
    with torch.device("meta"):
        model, config = build_planned(options.config, *sizes)
    return render(options, model, config.batch_bins)


def render(options: PlanOptions, model: torch.nn.Module, batch_bins: int) -> str:
    """The plan as text.

    Args:
        options: what is trained on what.
        model: on the meta device.
        batch_bins: positions of a batch, over all GPUs.
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
    operations = FlopCounter(valle).step(torch.tensor([length]), length) / length
    lines = [
        f"{options.config}: {parameters / 1e9:.2f} billion parameters, "
        f"{len(blocks)} blocks of {block / 1e6:.1f} million",
        f"utterances of {options.seconds:g} s: {length} positions, {operations / 1e9:.2f} GFLOP a position",
        f"{options.hours:g} hours, {options.passes:g} passes, batches of {batch_bins} positions, "
        f"{options.peak_tflops:g} TFLOP/s a GPU at MFU {options.mfu:g}",
        "",
        "| GPUs | GiB a GPU | states | gathered | activations | logits | tokens/s | days |",
        "|---|---|---|---|---|---|---|---|",
    ]
    positions = length * options.hours * HOUR / options.seconds * options.passes
    for gpus in options.num_gpus:
        parts = memory(valle, parameters, block, batch_bins / gpus, gpus)
        rate = gpus * options.peak_tflops * TERA * options.mfu / operations
        cells = [sum(parts), *parts]
        numbers = " | ".join(f"{size / GIB:.1f}" for size in cells)
        lines.append(f"| {gpus} | {numbers} | {rate:.4g} | {positions / rate / DAY:.3g} |")
    return "\n".join(lines)


def memory(
    valle: torch.nn.Module, parameters: int, block: int, positions: float, gpus: int
) -> tuple[float, float, float, float]:
    """Bytes on a GPU: states, gathered weights, activations, logits."""
    transformer = valle.transformer
    layers, width = len(transformer.blocks), transformer.width
    feed_forward = transformer.blocks[0].expand.out_features
    of_block = 18 * width + 4 * feed_forward
    if transformer.activation_checkpointing:
        activations = positions * (4 * layers * width + of_block)
    else:
        activations = positions * layers * of_block
    gathered = 2 * (2 * block + parameters - layers * block)
    return STATES * parameters / gpus, gathered, activations, 10 * positions * valle.codes.size
