"""Write the report of a run: scores, players, spectrograms, training curves in one HTML file."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.evaluation.inputs import named_files
from espnet2_valle.report.read import RunFiles
from espnet2_valle.report.write import write_report


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--exp_dir", type=Path, required=True, help="of the run: its trainings, stage_times")
    parser.add_argument("--score_dir", type=Path, help="with scores.json and scores/; default: exp_dir")
    parser.add_argument("--pairs", required=True, help="list of pairs, as stage 1 writes it")
    parser.add_argument("--data_dir", type=Path, required=True, help="test set: wav.scp and text")
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
    parser.add_argument("--output", type=Path, help="default: report.html in score_dir")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    score_dir = args.score_dir or args.exp_dir
    output = args.output or score_dir / "report.html"
    systems = named_files(args.system, "--system")
    files = RunFiles(
        args.exp_dir,
        score_dir,
        args.pairs,
        args.data_dir,
        systems,
        args.outcomes,
        args.inference_model,
        args.listening,
    )
    write_report(files, output, args.num_examples, args.seed, args.demo)
    print(output)


if __name__ == "__main__":
    run_command(main)
