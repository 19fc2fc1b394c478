"""Score systems side by side, by the same judges: ground truth, codec resynthesis and VALL-E, or any others.

What was asked comes as pairs of a data directory (--pairs, --data_dir) or as a list in Seed-TTS-eval's format
(--list); what a system answered as a wav.scp or a folder of sound files named by the pairs' ids.
"""

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.evaluation.inputs import read_vocabulary
from espnet2_valle.evaluation.run import (
    score_run,
)
from espnet2_valle.evaluation.scorers import DefaultPlan
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.evaluation.table import results_markdown, score_table
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--pairs", default=None, help="list of pairs, as stage 1 writes it")
    parser.add_argument(
        "--data_dir", default=None, help="test set: wav.scp and text of all utterances in the pairs"
    )
    parser.add_argument(
        "--list", default=None, help="in place of pairs: id|prompt text|prompt sound|text[|reference sound]"
    )
    parser.add_argument("--config", default=None, help="conf/score/*.yaml: judges, protocol and the like")
    parser.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="NAME=WAV_SCP",
        help="outputs keyed by pair id, or a folder of them; repeatable. Several with commas between are "
        "samples of one system: figures are over all, and the best of each pair is a system of its own",
    )
    parser.add_argument(
        "--outcomes",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="lines `pair_id outcome`, files of several samples with commas between; repeatable",
    )
    parser.add_argument(
        "--versa",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="VERSA's results for a system, keyed by pair id; repeatable",
    )
    parser.add_argument(
        "--prompt_resynthesis",
        default=None,
        help="wav.scp of prompts after the codec, keyed by utterance (by pair with --list): SIM-r",
    )
    parser.add_argument(
        "--judge", default=None, help="directory of a trained CTC judge; without it pocketsphinx judges"
    )
    parser.add_argument(
        "--vocabulary", default=None, help="all words there are, one a line: pocketsphinx's grammar"
    )
    parser.add_argument("--stage_times", default=None, help="lines `stage seconds`, for the report")
    parser.add_argument(
        "--training",
        action="append",
        default=[],
        metavar="NAME=STAGE[,STAGE]",
        help="stages of --stage_times in which a system was trained: their time stands beside its scores",
    )
    parser.add_argument("--output_dir", required=True, help="gets scores.json, scores/ and RESULTS.md")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of unreadable outputs that count as silence"
    )
    add_worker_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    settings = read_settings(args.config)
    plan = DefaultPlan(args.judge, read_vocabulary(args.vocabulary), settings)
    with use_cluster(args.cluster):
        scores = score_run(args, plan, settings)
    output = Path(args.output_dir)
    command = "python -m espnet2_valle.bin.score " + shlex.join(_as_argv(args))
    with atomic_open(output / "scores.json", alone=True) as stream:
        json.dump(scores, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    with atomic_open(output / "RESULTS.md", alone=True) as stream:
        stream.write(results_markdown(scores, f"Scores of {output.name}", command))
    print(score_table(scores["systems"]), end="")


def _as_argv(args: argparse.Namespace) -> list[str]:
    """The options that differ from their defaults, as one would write them."""
    parser = get_parser()
    words: list[str] = []
    for key, value in vars(args).items():
        for item in value if isinstance(value, list) else [value]:
            if item != parser.get_default(key):
                words += [f"--{key}", str(item)]
    return words


if __name__ == "__main__":
    run_command(main)
