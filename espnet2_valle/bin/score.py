"""Score systems side by side, by the same scorers: ground truth, codec resynthesis and VALL-E, or any others.

What was asked comes as pairs of a data directory (--pairs, --data_dir) or as a list in Seed-TTS-eval's format
(--list); what a system answered as a wav.scp or a folder of sound files named by the pairs' ids.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

import espnet2_valle.baseline.kinds  # noqa: F401  # adds the names of its systems to the tables
from espnet2_valle.common.checks import check_folder
from espnet2_valle.common.cli import given_options, parse, run_command
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.evaluation.inputs import named_files, read_vocabulary
from espnet2_valle.evaluation.run import ScoringInputs, score_run, write_scores
from espnet2_valle.evaluation.scorers import DefaultPlan
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.evaluation.table import score_table
from espnet2_valle.jobs.config import add_device_argument, add_worker_arguments
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
    parser.add_argument("--config", default=None, help="conf/score/*.yaml: scorers, protocol and the like")
    parser.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="NAME=WAV_SCP",
        help="outputs keyed by pair id, or a folder of them; repeatable. Several with commas between are "
        "samples of one system: metrics are over all, and the best of each pair is a system of its own",
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
        "--judge", default=None, help="directory of a trained CTC recogniser; without it pocketsphinx scores"
    )
    parser.add_argument(
        "--vocabulary", default=None, help="all words there are, one a line: pocketsphinx's grammar"
    )
    parser.add_argument(
        "--emotion_recognizer",
        default=None,
        help="directory of a trained recogniser of emotions: what it hears, against utt2emo of --data_dir",
    )
    parser.add_argument(
        "--language_recognizer",
        default=None,
        help="directory of a trained recogniser of languages: what it hears, against utt2lang of --data_dir",
    )
    parser.add_argument("--stage_times", default=None, help="lines `stage seconds`, for the report")
    parser.add_argument(
        "--training",
        action="append",
        default=[],
        metavar="NAME=STAGE[,STAGE]",
        help="stages of --stage_times in which a system was trained: their time stands beside its scores",
    )
    parser.add_argument(
        "--output_dir", type=Path, required=True, help="gets scores.json, scores/ and RESULTS.md"
    )
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of unreadable outputs that count as silence"
    )
    add_device_argument(parser, "recognisers, speaker encoder and estimators of opinions that can")
    add_worker_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv, emotion_recognizer=check_folder(), language_recognizer=check_folder())
    settings = read_settings(args.config)
    plan = DefaultPlan(args.judge, read_vocabulary(args.vocabulary), settings, args.device)
    inputs = ScoringInputs(
        output_dir=args.output_dir,
        systems=named_files(args.system, "--system"),
        pairs=args.pairs,
        data_dir=args.data_dir,
        trial_list=args.list,
        prompt_resynthesis=args.prompt_resynthesis,
        outcomes=named_files(args.outcomes, "--outcomes"),
        versa=named_files(args.versa, "--versa"),
        stage_times=args.stage_times,
        training=named_files(args.training, "--training"),
        max_bad=args.max_bad,
        seed=args.seed,
        nj=args.nj,
        emotion_recognizer=args.emotion_recognizer,
        language_recognizer=args.language_recognizer,
    )
    with only_one(args.output_dir, WORK):
        with use_cluster(args.cluster, args.device):
            scores = score_run(inputs, plan, settings)
        write_scores(
            scores, args.output_dir, f"valle evaluate {shlex.join(given_options(get_parser(), args))}"
        )
    print(score_table(scores["systems"]), end="")


if __name__ == "__main__":
    run_command(main)
