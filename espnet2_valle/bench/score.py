"""Scoring with one worker and with two, on made-up speech."""

import argparse
import tempfile
from pathlib import Path

from espnet2_valle.bench.metric import Metric
from espnet2_valle.bench.workers import compare_workers, seconds_of, write_voices
from espnet2_valle.evaluation.run import ScoringInputs, score_run, write_scores
from espnet2_valle.evaluation.scorers import DefaultPlan
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.jobs.pool import use_cluster

RATE = 24000  # Hz
PROMPTS = 20  # voices to be imitated
TEXT = "seven two nine four"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the amount of work."""
    parser.add_argument("--num_utterances", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of an utterance")
    parser.add_argument("--rounds", type=int, default=1, help="runs with one and with two workers, in turn")
    parser.add_argument("--config", help="conf/score/*.yaml")
    parser.add_argument("--folder", help="where the data is made (and removed); default: the system's")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Score the same outputs with one worker and with two."""
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        prompts = list(write_voices(folder / "prompts", PROMPTS, args.seconds / 2, RATE).values())
        said = write_voices(folder / "said", args.num_utterances, args.seconds, RATE)
        lines = [
            f"{utterance}|{TEXT}|{prompts[number % PROMPTS]}|{TEXT}\n"
            for number, utterance in enumerate(said)
        ]
        (folder / "meta.lst").write_text("".join(lines), encoding="utf-8")

        def seconds_with(nj: int, number: int) -> float:
            output, systems = folder / f"scores.{nj}.{number}", {"made_up": str(folder / "said")}
            inputs = ScoringInputs(output, systems, trial_list=str(folder / "meta.lst"), nj=nj)
            return seconds_of(score, inputs, args.config)

        config = {"seconds": args.seconds, "config": args.config or "default"}
        return compare_workers("score", args.num_utterances, args.rounds, seconds_with, config)


def score(inputs: ScoringInputs, config: str | None) -> None:
    """Score as `valle evaluate` does."""
    settings = read_settings(config)
    with use_cluster():
        scores = score_run(inputs, DefaultPlan(None, (), settings), settings)
    write_scores(scores, inputs.output_dir, "")
