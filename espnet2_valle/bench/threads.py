"""A training step beside busy processes: by the number of threads, and by what they do while they wait."""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from espnet2_valle.bench.figure import Figure
from espnet2_valle.common.machine import WAITING, cores

BUSY = "while True: pass"
WAYS = {
    "as chosen": WAITING,
    "sleeping at once": {**WAITING, "GOMP_SPINCOUNT": "0"},
    "spinning": {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "infinite", "KMP_BLOCKTIME": "infinite"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train, and beside what."""
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


def measure(args: argparse.Namespace) -> list[Figure]:
    """Measure each setting in a process of its own, since OpenMP reads its settings when it is loaded."""
    figures = []
    for busy in args.busy:
        for threads in sorted({1, 2 ** int(math.log2(cores())), cores()}):
            for waiting, environment in WAYS.items():
                if threads == 1 and environment is not WAITING:
                    continue  # one thread waits for none
                with neighbours(busy):
                    seconds = _step(args, {**environment, "OMP_NUM_THREADS": str(threads)})
                about = {"busy": busy, "threads": threads, "waiting": waiting, "dtype": args.dtype}
                figures.append(Figure(f"threads.{Path(args.config).stem}_step", seconds, "ms", "", about))
    return figures


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


def _step(args: argparse.Namespace, environment: dict[str, str]) -> float:
    """Milliseconds of a step in a process with these settings."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        command = [sys.executable, "-m", "espnet2_valle.bin.benchmark", "train", "--config", args.config]
        command += ["--dtype", args.dtype, "--steps", str(args.steps), "--batch_bins", str(args.batch_bins)]
        command += ["--json", str(figures), *(("--index", args.index) if args.index else ())]
        subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=True)
        lines = [json.loads(line) for line in figures.read_text(encoding="utf-8").splitlines()]
    return next(line["value"] for line in lines if line["figure"].endswith("_step"))
