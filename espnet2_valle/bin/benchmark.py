"""Measure speed and memory on this machine: `valle benchmark decode`, and so on.

Each benchmark prints a table of metrics with their bars; `--json FILE` writes one object a metric.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from espnet2_valle.bench.metric import render, write_json
from espnet2_valle.commands import COMMANDS
from espnet2_valle.common.checks import check_folder, check_output_file
from espnet2_valle.common.cli import parse, run_command

# A benchmark is a module of espnet2_valle/bench with `add_arguments` and `measure`, and a line in the table.
BENCHMARKS = {command.argument: command.help for command in COMMANDS if command.module == "benchmark"}


def get_parser(name: str = "") -> argparse.ArgumentParser:
    """The options of one benchmark; the others are not imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    for each, purpose in BENCHMARKS.items():
        benchmark = benchmarks.add_parser(each, help=purpose, description=purpose)
        if each == name:
            benchmark.add_argument("--json", help="write the metrics here too, one object a line")
            import_module(f"espnet2_valle.bench.{name}").add_arguments(benchmark)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run one benchmark."""
    words = sys.argv[1:] if argv is None else argv
    args = parse(get_parser(*words[:1]), words, model=check_output_file, emotion_recognizer=check_folder())
    metrics = import_module(f"espnet2_valle.bench.{args.benchmark}").measure(args)
    print(render(metrics))
    if args.json:
        write_json(metrics, args.json)


if __name__ == "__main__":
    run_command(main)
