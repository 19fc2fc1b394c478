"""Score systems side by side, by the same judges: ground truth, codec resynthesis and VALL-E, or any others.

What was asked comes as pairs of a data directory (--pairs, --data_dir) or as a list in Seed-TTS-eval's format
(--list); what a system answered as a wav.scp or a folder of sound files named by the pairs' ids.
"""

import argparse
import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.bin.score_inputs import (
    Asked,
    named_files,
    read_asked,
    read_times,
    read_vocabulary,
)
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.setaside import MAX_BAD
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.score.lists import read_samples
from espnet2_valle.score.reference import speaker_reference
from espnet2_valle.score.scorecard import GROUND_TRUTH, Scored, assemble, with_best
from espnet2_valle.score.scorers import AbsScorerPlan, DefaultPlan
from espnet2_valle.score.settings import CONTINUATION, Settings, read_settings
from espnet2_valle.score.systems import score_system, write_rows
from espnet2_valle.score.table import TRAINING_MINUTES, results_markdown, score_table
from espnet2_valle.score.versa import read_versa, with_versa


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


def score_run(
    args: argparse.Namespace, plan: AbsScorerPlan, settings: Settings | None = None
) -> dict[str, Any]:
    """Check the inputs, score every system and return what scores.json holds.

    Raises:
        InputError: see `read_asked`, `read_samples` and `score_system`.
    """
    settings = settings or Settings()
    asked = read_asked(args.pairs, args.data_dir, args.list, args.prompt_resynthesis, settings)
    listed = {name: read_samples(path) for name, path in named_files(args.system, "--system").items()}
    if GROUND_TRUTH in listed:
        raise InputError(
            "--system", f"{GROUND_TRUTH} is taken from --data_dir or --list", "Leave it out or rename it"
        )
    references = {trial.pair_id: trial.reference for trial in asked.trials if trial.reference}
    systems = ({GROUND_TRUTH: [references]} if len(references) == len(asked.trials) else {}) | listed
    if not systems:
        raise InputError("--list", "has no reference recordings, and no system is given", "Give --system")
    outcomes = read_outcomes(args.outcomes, systems)
    times = read_times(args.stage_times)
    trained = of_systems(args.training, "--training", systems)
    versa = {name: read_versa(path) for name, path in of_systems(args.versa, "--versa", systems).items()}
    folder = Path(args.output_dir) / "scores"
    scored: dict[str, Scored] = {}
    for name, samples in systems.items():
        rows = [
            score_system(
                name, asked.trials, wavs, plan, folder / rows_file(name, number), args.nj, args.max_bad
            )
            for number, wavs in enumerate(samples)
        ]
        rows = [with_versa(sample, versa.get(name, {})) for sample in rows]
        scored[name] = Scored(rows, outcomes.get(name, ()))
    everything = with_best(scored)
    for name in everything.keys() - scored.keys():
        best = {row.pair_id: row for row in everything[name].samples[0]}
        write_rows(folder / rows_file(name, 0), asked.trials, best)
    scores = assemble(everything, plan, times, {t.pair_id: t.speaker for t in asked.trials}, args.seed)
    scores["protocol"] = settings.protocol
    if settings.protocol == CONTINUATION:
        scores["prompt_seconds"] = settings.prompt_seconds
    for name, stages in trained.items():
        minutes = training_minutes(stages.split(","), times)
        if minutes is not None:
            scores["systems"][name][TRAINING_MINUTES] = {"value": minutes, "low": None, "high": None}
    reference = _speaker_reference(asked, plan, settings, args)
    return scores | ({"speaker_reference": reference} if reference else {})


def rows_file(name: str, sample: int) -> str:
    """Name of the file of a sample's rows; the first sample's is that of the system."""
    return f"{name}.jsonl" if sample == 0 else f"{name}.{sample + 1}.jsonl"


def read_outcomes(options: Sequence[str], systems: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """System -> outcomes of each of its samples.

    Raises:
        InputError: an outcome file of no system, or one that cannot be read.
    """
    given = of_systems(options, "--outcomes", systems)
    return {name: read_samples(paths) for name, paths in given.items()}


def of_systems(options: Sequence[str], option: str, systems: Mapping[str, Any]) -> dict[str, str]:
    """What was given as NAME=VALUE for systems.

    Raises:
        InputError: see `named_files`, or there is no such system.
    """
    given = named_files(options, option)
    unknown = sorted(given.keys() - systems.keys())
    if unknown:
        raise InputError(option, f"no system is called '{unknown[0]}'", "Name one given by --system")
    return given


def training_minutes(stages: Sequence[str], times: Mapping[str, float]) -> float | None:
    """Minutes spent in these stages; None, with a warning, where one was not timed."""
    missing = [stage for stage in stages if stage not in times]
    if missing:
        logging.warning("--stage_times has no '%s': no training time is given for it", missing[0])
        return None
    return sum(times[stage] for stage in stages) / 60


def _speaker_reference(
    asked: Asked, plan: AbsScorerPlan, settings: Settings, args: argparse.Namespace
) -> dict[str, Any] | None:
    """Similarity of real recordings, where the data directory tells who speaks in them."""
    if not settings.reference_utterances or not asked.speakers:
        return None
    wavs = {key: asked.wavs[key] for key in asked.speakers}
    return speaker_reference(wavs, asked.speakers, plan, settings.reference_utterances, args.seed, args.nj)


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
