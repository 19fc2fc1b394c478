"""A training step beside busy processes: by the number of threads, and by what they do while they wait."""

import argparse
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from espnet2_valle.bench.fresh import run_fresh
from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.train import an_index, measure_steps
from espnet2_valle.common.machine import WAITING, cores

BUSY = "while True: pass"
WAYS = {
    "as chosen": WAITING,
    "sleeping at once": {**WAITING, "GOMP_SPINCOUNT": "0"},
    "spinning": {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "infinite", "KMP_BLOCKTIME": "infinite"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the training, and of the processes beside it."""
    parser.add_argument("--config", required=True, help="such as conf/train_ar_mini.yaml")
    parser.add_argument("--batch_bins", type=int, default=900, help="positions of a step")
    parser.add_argument(
        "--index", help="of stage 4, such as dump/mini/index/train; default: made-up utterances"
    )
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--steps", type=int, default=10, help="that are measured in each setting")
    parser.add_argument(
        "--busy", type=int, nargs="+", default=sorted({0, 1, cores()}), help="busy processes beside it"
    )


def measure(args: argparse.Namespace) -> list[Metric]:
    """Measure each setting in a process of its own, since OpenMP reads its settings when it is loaded."""
    with an_index(args.index) as index:
        return _metrics(args, index)


def _metrics(args: argparse.Namespace, index: str) -> list[Metric]:
    metrics = []
    for busy in args.busy:
        for threads in sorted({1, 2 ** int(math.log2(cores())), cores()}):
            for waiting, environment in WAYS.items():
                if threads == 1 and environment is not WAITING:
                    continue  # one thread waits for none
                with neighbours(busy):
                    seconds = _step(args, index, {**environment, "OMP_NUM_THREADS": str(threads)})
                about = {"busy": busy, "threads": threads, "waiting": waiting, "dtype": args.dtype}
                metrics.append(Metric(f"threads.{Path(args.config).stem}_step", seconds, "ms", "", about))
    return metrics


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Within the block, so many processes keep a core busy each."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _step(args: argparse.Namespace, index: str, environment: dict[str, str]) -> float:
    """Milliseconds of a step in a process with these settings."""
    given = (args.config, args.dtype, index, args.batch_bins, args.steps)
    metrics = run_fresh(measure_steps, *given, environment=environment).result
    return next(metric.value for metric in metrics if metric.metric.endswith("_step"))
