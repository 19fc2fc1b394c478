"""Measure speed and memory on this machine: `valle_benchmark decode`, and so on.

Each benchmark prints a table of figures with their bars; `--json FILE` writes one object a figure.
"""

import argparse
from collections.abc import Sequence
from importlib import import_module

from espnet2_valle.bench.figure import render, write_json
from espnet2_valle.common.cli import run_command

# Name and what it measures; each is a module of espnet2_valle/bench with add_arguments and measure.
BENCHMARKS: dict[str, str] = {
    "decode": "speed of decoding with random weights: cache, batches, memory bandwidth, real time",
    "index": "the training index: memory, time to open, to plan a pass, to the first batch",
    "machine": "what this machine does well: rates of products by type of number, and what is chosen for it",
    "threads": "a training step beside busy processes, by threads and by what they do while they wait",
    "train": "a training step against the matrix-multiply rate of the machine",
    "streaming": "time to the first sound of a stream, and the largest gap behind it, over its length",
    "tokenize": "tokenising with two workers over one",
    "score": "scoring with two workers over one",
    "longform": "likeness to the prompt over position, and memory, of a long text read aloud",
}


def get_parser() -> argparse.ArgumentParser:
    """The command's options, a subcommand for each benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for name, purpose in BENCHMARKS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.add_argument("--json", help="write the figures here too, one object a line")
        import_module(f"espnet2_valle.bench.{name}").add_arguments(command)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run one benchmark."""
    args = get_parser().parse_args(argv)
    figures = import_module(f"espnet2_valle.bench.{args.benchmark}").measure(args)
    print(render(figures))
    if args.json:
        write_json(figures, args.json)


if __name__ == "__main__":
    run_command(main)
