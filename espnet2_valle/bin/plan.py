"""What training a config would take: parameters, memory a GPU, tokens a second, days.

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

import argparse
from collections.abc import Sequence

import torch

from espnet2_valle.common.cli import run_command
from espnet2_valle.tasks.planned import build_planned
from espnet2_valle.train.throughput import FlopCounter

GIB = 2**30
TERA = 1e12
HOUR = 3600
DAY = 86400
STATES = 16  # bytes a parameter


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config", required=True, help="training config, such as conf/train_ar_12b.yaml")
    parser.add_argument("--num_gpus", type=int, nargs="+", default=[8, 64, 256])
    parser.add_argument("--peak_tflops", type=float, default=989.0, help="of a GPU in bfloat16; an H100's")
    parser.add_argument("--mfu", type=float, default=0.4, help="share of the peak that training reaches")
    parser.add_argument("--hours", type=float, default=60000.0, help="of speech in the corpus")
    parser.add_argument("--passes", type=float, default=1.0, help="over the corpus")
    parser.add_argument("--seconds", type=float, default=15.0, help="of a training utterance")
    parser.add_argument("--text_rate", type=float, default=12.0, help="text tokens a second")
    parser.add_argument("--frame_rate", type=float, default=75.0, help="of the codec")
    parser.add_argument("--num_codebooks", type=int, default=8)
    parser.add_argument("--codebook_size", type=int, default=1024)
    parser.add_argument("--vocab_size", type=int, default=100, help="text tokens")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Print the plan."""
    args = get_parser().parse_args(argv)
    with torch.device("meta"):
        model, config = build_planned(
            args.config, args.vocab_size, args.frame_rate, args.num_codebooks, args.codebook_size
        )
    print(render(args, model, config))


def render(args: argparse.Namespace, model: torch.nn.Module, config: argparse.Namespace) -> str:
    """The plan as text."""
    valle = model.valle
    blocks = valle.transformer.blocks
    parameters = sum(p.numel() for p in model.parameters())
    block = sum(p.numel() for p in blocks[0].parameters())
    length = int(
        valle.positions(
            torch.tensor([args.seconds * args.text_rate]).long(),
            torch.tensor([args.seconds * args.frame_rate]).long(),
        )
    )
    operations = FlopCounter(valle).step(torch.tensor([length]), length) / length
    lines = [
        f"{args.config}: {parameters / 1e9:.2f} billion parameters, "
        f"{len(blocks)} blocks of {block / 1e6:.1f} million",
        f"utterances of {args.seconds:g} s: {length} positions, {operations / 1e9:.2f} GFLOP a position",
        f"{args.hours:g} hours, {args.passes:g} passes, batches of {config.batch_bins} positions, "
        f"{args.peak_tflops:g} TFLOP/s a GPU at MFU {args.mfu:g}",
        "",
        "| GPUs | GiB a GPU | states | gathered | activations | logits | tokens/s | days |",
        "|---|---|---|---|---|---|---|---|",
    ]
    positions = length * args.hours * HOUR / args.seconds * args.passes
    for gpus in args.num_gpus:
        parts = memory(valle, parameters, block, config.batch_bins / gpus, gpus)
        rate = gpus * args.peak_tflops * TERA * args.mfu / operations
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


if __name__ == "__main__":
    run_command(main)
