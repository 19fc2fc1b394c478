"""Scoring a run: systems, judges and protocol in, scores.json and tables out."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.inputs import Asked, named_files, read_asked, read_times
from espnet2_valle.evaluation.lists import read_samples
from espnet2_valle.evaluation.scorecard import GROUND_TRUTH, Scored, assemble, with_best
from espnet2_valle.evaluation.scorers import AbsScorerPlan
from espnet2_valle.evaluation.settings import CONTINUATION, Settings
from espnet2_valle.evaluation.speaker_verification import speaker_reference
from espnet2_valle.evaluation.systems import score_system, write_rows
from espnet2_valle.evaluation.table import TRAINING_MINUTES
from espnet2_valle.evaluation.versa import read_versa, with_versa


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
