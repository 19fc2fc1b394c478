"""Write the report of a run: scores, players, spectrograms, training curves in one HTML file."""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.report.demo import write_demo
from espnet2_valle.report.page import render, tested_system
from espnet2_valle.report.read import (
    read_alignments,
    read_run,
)


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--exp_dir", required=True, help="of the run: training directories, stage_times")
    parser.add_argument("--score_dir", default=None, help="with scores.json and scores/; default: exp_dir")
    parser.add_argument("--pairs", required=True, help="list of pairs, as stage 1 writes it")
    parser.add_argument("--data_dir", required=True, help="test set: wav.scp and text")
    parser.add_argument(
        "--system", action="append", default=[], metavar="NAME=WAV_SCP",
        help="outputs to listen to, or a folder of them; default: exp_dir's resynthesis and decode",
    )  # fmt: skip
    parser.add_argument("--outcomes", default=None, help="of VALL-E; default: exp_dir's decode/outcomes")
    parser.add_argument(
        "--inference_model", default="valid.loss.ave.pth",
        help="weights in exp_dir's ar/ and nar/, which show where they look in the text of each example",
    )  # fmt: skip
    parser.add_argument("--num_examples", type=int, default=12, help="pairs to listen to")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of examples")
    parser.add_argument("--demo", default=None, help="write a demo page with its sounds into this folder too")
    parser.add_argument(
        "--listening", nargs="*", default=None, metavar="FILE",
        help="results of listening tests; default: exp_dir/listening/*/listening.json",
    )  # fmt: skip
    parser.add_argument("--output", default=None, help="default: report.html in score_dir")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    logging.getLogger("tensorboard").setLevel(logging.WARNING)  # tells where each record of training ends
    score_dir = Path(args.score_dir or args.exp_dir)
    output = Path(args.output or score_dir / "report.html")
    run = read_run(args, score_dir)
    run = replace(run, alignments=read_alignments(args, run))
    page = render(run, args.num_examples, args.seed)
    with atomic_open(output, alone=True) as stream:
        stream.write(page)
    if args.demo:
        rows = run.rows.get(tested_system(run.scores), ())
        write_demo(Path(args.demo), run.name, rows, run.trials, run.wavs, args.num_examples, args.seed)
    print(output)


if __name__ == "__main__":
    run_command(main)
