"""Time to import what synthesis needs: each decoding worker pays it, and each command that speaks."""

import argparse
import statistics
import subprocess
import sys

from espnet2_valle.bench.metric import Metric

GENERATE = ("espnet2_valle.generate.text2speech",)
# What no synthesis can do without.
MODELS = (
    "espnet2_valle.valle.ar",
    "espnet2_valle.valle.nar",
    "espnet2_valle.codec.build",
    "espnet2_valle.text.tokens",
)
TORCH = ("torch",)
CODE = "import time, {modules}; print(time.process_time())"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option of repetitions."""
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes of each kind, in turn")


def measure(args: argparse.Namespace) -> list[Metric]:
    """CPU seconds of importing synthesis, beside those of models, codec and tokens, and of torch alone."""
    kinds = {"generate": GENERATE, "models": MODELS, "torch": TORCH}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(args.rounds + 1):
        for name, modules in kinds.items():
            seconds = cpu_seconds(modules)
            if turn:  # the first turn reads the files from disk
                times[name].append(seconds)
    medians = {name: statistics.median(one) for name, one in times.items()}
    ratio = medians["generate"] / medians["models"]
    setting = {"processes": args.rounds}
    return [
        Metric("startup.generate_over_models", ratio, "ratio", "<= 1.25", setting),
        *[Metric(f"startup.{name}", seconds, "CPU s", "", setting) for name, seconds in medians.items()],
    ]


def cpu_seconds(modules: tuple[str, ...]) -> float:
    """CPU seconds that a fresh process has taken when it has imported `modules`."""
    command = [sys.executable, "-c", CODE.format(modules=", ".join(modules))]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
