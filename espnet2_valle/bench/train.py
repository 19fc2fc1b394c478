"""A training step of a config against the matrix-multiply rate of the machine, both measured side by side."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from espnet2.utils.types import str2bool

from espnet2_valle.bench.index import CODEBOOK_SIZE, CODEBOOKS, FRAME_RATE, write_synthetic
from espnet2_valle.bench.metric import Metric
from espnet2_valle.common.machine import training_type
from espnet2_valle.tasks.planned import build_planned
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train.batches import BatchRule
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.iterator import IndexedUtterances, IndexIterFactory
from espnet2_valle.train.throughput import FlopCounter, matmul_rate
from espnet2_valle.valle.embeddings import SHAPE_STEP

VOCAB_SIZE = 100
NUM_UTTERANCES = 20000
NUM_SPEAKERS = 100
DTYPES = ("float32", "float16", "bfloat16")
BARS = {"cpu": ">= 0.6", "cuda": ">= 0.45"}  # of the matrix-multiply rate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training and of its length."""
    parser.add_argument("--config", nargs="+", required=True, help="such as conf/train_{ar,nar}_paper.yaml")
    parser.add_argument(
        "--dtype", nargs="+", choices=DTYPES, help="default: float32, and what --device multiplies fastest"
    )
    parser.add_argument("--batch_bins", type=int, default=6000, help="positions of a step")
    parser.add_argument(
        "--index", help="of stage 4, such as dump/mini/index/train; default: made-up utterances"
    )
    parser.add_argument("--steps", type=int, default=5, help="that are measured, of each config and type")
    parser.add_argument("--warm_up", type=int, default=2, help="steps before them")
    parser.add_argument("--device", choices=list(BARS), default="cpu")
    parser.add_argument("--packed", type=str2bool, help="compute no padding; default: as the config has it")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Measure each config in each type of number."""
    dtypes = args.dtype or sorted({"float32", training_type(args.device).value}, reverse=True)
    settings = (args.batch_bins, args.steps, args.warm_up, args.device, args.packed)
    with an_index(args.index) as index:
        return [
            metric
            for config in args.config
            for dtype in dtypes
            for metric in measure_steps(config, dtype, index, *settings)
        ]


@contextmanager
def an_index(path: str | None) -> Iterator[str]:
    """Folder of a training index: `path`, or one of made-up utterances within the block."""
    if path:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(Path(folder), NUM_UTTERANCES, NUM_SPEAKERS)
        yield folder


def measure_steps(
    config: str,
    dtype: str,
    index: str,
    batch_bins: int,
    steps: int,
    warm_up: int = 2,
    device: str = "cpu",
    packed: bool | None = None,
) -> list[Metric]:
    """Figures of training steps.

    Args:
        config: of the training.
        dtype: of its products.
        index: folder of the training index.
        batch_bins: positions of a step.
        steps: that are measured.
        warm_up: steps before them.
        device: cpu or cuda.
        packed: whether no padding is computed; None: as the config has it.
    """
    model, options = build_planned(config, VOCAB_SIZE, FRAME_RATE, CODEBOOKS, CODEBOOK_SIZE)
    model.compute_dtype = getattr(torch, dtype)
    model.to(device).train()
    transformer = model.valle.transformer
    transformer.packed = transformer.packed if packed is None else packed
    options.batch_bins = batch_bins
    (optimizer,) = VALLETask.build_optimizers(options, model)
    rule = BatchRule(batch_bins, SHAPE_STEP, model.valle.positions)
    factory = IndexIterFactory(
        IndexedUtterances(TrainingIndex(index)),
        rule,
        VALLETask.build_collate_fn(options, train=True),
        pin_memory=device == "cuda",
    )
    batches = iter(factory.build_iter(1))
    counter = FlopCounter(model.valle)
    rates, shares, seconds, loading = [], [], [], []
    used = cost = 0
    for step in range(warm_up + steps):
        start = time.perf_counter()
        _, batch = next(batches)
        loaded = time.perf_counter()
        lengths = model.valle.positions(batch["text_lengths"], batch["codes_lengths"])
        # As the trainer does: lengths stay on the CPU.
        there = {name: batch[name].to(device, non_blocking=True) for name in ("text", "codes")}
        loss, _, predictions = model(**{**batch, **there})
        loss.sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.grad_clip)
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        done = time.perf_counter()
        peak = matmul_rate(device, getattr(torch, dtype))  # beside each step: other work comes and goes
        if step < warm_up:
            continue
        rate = counter.step(lengths, float(predictions)) / (done - loaded)
        rates.append(int(lengths.sum()) / (done - start))
        shares.append(rate / peak)
        seconds.append(done - start)
        loading.append(loaded - start)
        used += int(lengths.sum())
        cost += transformer.computed_positions(lengths)
    name = Path(config).stem.removeprefix("train_")
    about = {"dtype": dtype, "threads": torch.get_num_threads(), "batch_bins": batch_bins, "device": device}
    about["packed"] = transformer.packed
    return [
        Metric(f"train_{name}_step", 1000 * statistics.median(seconds), "ms", "", about),
        Metric(f"train_{name}_speed", statistics.median(rates), "tokens/s", "", about),
        Metric(f"train_{name}_share_of_matmul", statistics.median(shares), "ratio", BARS[device], about),
        Metric(f"train_{name}_padding", 1 - used / cost, "ratio", "<= 0.03", about),
        Metric(f"train_{name}_loading", sum(loading) / sum(seconds), "ratio", "<= 0.02", about),
    ]
