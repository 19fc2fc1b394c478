"""Rates of this machine's products by type of number, and the types and threads chosen for it."""

import argparse

import torch

from espnet2_valle.bench.metric import Metric
from espnet2_valle.common import machine
from espnet2_valle.train.throughput import matmul_rate

DTYPES = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16")}
GIGA = 1e9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the device."""
    parser.add_argument("--device", choices=list(DTYPES), default="cpu")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Print the machine and the choices, and measure products."""
    choice = machine.training_type(args.device)
    chosen = {
        "products in training": f"{choice.value} ({choice.why})",
        "NAR model with --dtype int8": str(machine.fast_type(args.device)).removeprefix("torch."),
        "workers of the data stages": str(machine.workers()),
    }
    for name, value in {**machine.describe(), **chosen}.items():
        print(f"{name}: {value}")
    about = {"threads": torch.get_num_threads(), "device": args.device}
    rates = {dtype: matmul_rate(args.device, getattr(torch, dtype)) for dtype in DTYPES[args.device]}
    return [
        Metric(f"machine.products_{dtype}", rate / GIGA, "GFLOP/s", "", about)
        for dtype, rate in rates.items()
    ]
