"""Scoring a run: systems, scorers and protocol in, scores.json and tables out."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.evaluation.emotions import emotion_scores, intended_of
from espnet2_valle.evaluation.inputs import Asked, read_asked, read_times
from espnet2_valle.evaluation.labels import check_known
from espnet2_valle.evaluation.languages import language_scores, spoken_in
from espnet2_valle.evaluation.lists import read_samples
from espnet2_valle.evaluation.scorecard import GROUND_TRUTH, Scored, assemble, with_best
from espnet2_valle.evaluation.scorers import AbsScorerPlan
from espnet2_valle.evaluation.settings import CONTINUATION, Settings
from espnet2_valle.evaluation.speaker_verification import speaker_reference
from espnet2_valle.evaluation.systems import score_system, write_rows
from espnet2_valle.evaluation.table import TRAINING_MINUTES, results_markdown
from espnet2_valle.evaluation.versa import read_versa, with_versa
from espnet2_valle.labels.kinds import EMOTION, LANGUAGE


@dataclass(frozen=True)
class ScoringInputs:
    """Inputs of a scoring, and the folder of its scores.

    Attributes:
        output_dir: gets scores/, scores.json and RESULTS.md.
        systems: name -> wav.scp or folder of sound files; several, of samples, with commas between.
        pairs: list of pairs, with data_dir.
        data_dir: the test set.
        trial_list: in place of both, see `lists.read_list`.
        prompt_resynthesis: wav.scp of prompts after the codec.
        outcomes: name of a system -> files of its outcomes, with commas between.
        versa: name of a system -> file of VERSA's results.
        stage_times: file of lines `stage seconds`.
        training: name of a system -> stages in which it was trained, with commas between.
        max_bad: share of unreadable outputs that count as silence.
        seed: of the bootstrap.
        nj: workers.
        emotion_recognizer: folder of the recogniser that hears emotions; None: they are not heard.
        language_recognizer: the same of languages.
    """

    output_dir: Path
    systems: Mapping[str, str] = field(default_factory=dict)
    pairs: str | None = None
    data_dir: str | None = None
    trial_list: str | None = None
    prompt_resynthesis: str | None = None
    outcomes: Mapping[str, str] = field(default_factory=dict)
    versa: Mapping[str, str] = field(default_factory=dict)
    stage_times: str | None = None
    training: Mapping[str, str] = field(default_factory=dict)
    max_bad: float = MAX_BAD
    seed: int = 0
    nj: int = 1
    emotion_recognizer: str | None = None
    language_recognizer: str | None = None


def score_run(inputs: ScoringInputs, plan: AbsScorerPlan, settings: Settings | None = None) -> dict[str, Any]:
    """Check the inputs, score every system and return what scores.json holds.

    Raises:
        InputError: see `read_asked`, `read_samples` and `score_system`.
    """
    settings = settings or Settings()
    asked = read_asked(inputs.pairs, inputs.data_dir, inputs.trial_list, inputs.prompt_resynthesis, settings)
    listed = {name: read_samples(path) for name, path in inputs.systems.items()}
    if GROUND_TRUTH in listed:
        raise InputError(
            "--system", f"{GROUND_TRUTH} is taken from --data_dir or --list", "Leave it out or rename it"
        )
    references = {trial.pair_id: trial.reference for trial in asked.trials if trial.reference}
    systems = ({GROUND_TRUTH: [references]} if len(references) == len(asked.trials) else {}) | listed
    if not systems:
        raise InputError("--list", "has no reference recordings, and no system is given", "Give --system")
    outcomes = read_outcomes(inputs.outcomes, systems)
    times = read_times(inputs.stage_times)
    check_systems(inputs.training, "--training", systems)
    check_systems(inputs.versa, "--versa", systems)
    versa = {name: read_versa(path) for name, path in inputs.versa.items()}
    check_recognizers(inputs, asked)
    folder = inputs.output_dir / "scores"
    scored: dict[str, Scored] = {}
    for name, samples in systems.items():
        rows = [
            score_system(
                name, asked.trials, wavs, plan, folder / rows_file(name, number), inputs.nj, inputs.max_bad
            )
            for number, wavs in enumerate(samples)
        ]
        rows = [with_versa(sample, versa.get(name, {})) for sample in rows]
        scored[name] = Scored(rows, outcomes.get(name, ()))
    everything = with_best(scored)
    for name in everything.keys() - scored.keys():
        best = {row.pair_id: row for row in everything[name].samples[0]}
        write_rows(folder / rows_file(name, 0), asked.trials, best)
    scores = assemble(everything, plan, times, {t.pair_id: t.speaker for t in asked.trials}, inputs.seed)
    every = {name: each.rows for name, each in everything.items()}
    heard_in = (folder, inputs.seed, inputs.nj)
    scores |= language_scores(every, systems, asked.languages, inputs.language_recognizer, *heard_in)
    scores |= emotion_scores(every, systems, asked.emotions, inputs.emotion_recognizer, *heard_in)
    scores["protocol"] = settings.protocol
    if settings.protocol == CONTINUATION:
        scores["prompt_seconds"] = settings.prompt_seconds
    for name, stages in inputs.training.items():
        minutes = training_minutes(stages.split(","), times)
        if minutes is not None:
            scores["systems"][name][TRAINING_MINUTES] = {"value": minutes, "low": None, "high": None}
    return scores | _speaker_references(asked, plan, settings, inputs.seed, inputs.nj)


def check_recognizers(inputs: ScoringInputs, asked: Asked) -> None:
    """Check that recognisers of labels know those of the test set; warn where there is nothing to tell apart.

    Raises:
        InputError: see `check_known`.
    """
    for label, recognizer, wanted in (
        (EMOTION, inputs.emotion_recognizer, intended_of(asked.emotions)),
        (LANGUAGE, inputs.language_recognizer, spoken_in(asked.languages)),
    ):
        if recognizer and wanted:
            check_known(label, recognizer, wanted.values())
        elif recognizer:
            logging.warning(
                "--%s_recognizer hears nothing: all pairs are of one %s, or %s does not tell it",
                label.name,
                label.name,
                label.file,
            )


def rows_file(name: str, sample: int) -> str:
    """Name of the file of a sample's rows; the first sample's is that of the system."""
    return f"{name}.jsonl" if sample == 0 else f"{name}.{sample + 1}.jsonl"


def read_outcomes(outcomes: Mapping[str, str], systems: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """System -> outcomes of each of its samples.

    Raises:
        InputError: an outcome file of no system, or one that cannot be read.
    """
    check_systems(outcomes, "--outcomes", systems)
    return {name: read_samples(paths) for name, paths in outcomes.items()}


def check_systems(given: Mapping[str, str], option: str, systems: Mapping[str, Any]) -> None:
    """Raise InputError where an option is given for a system that there is not."""
    unknown = sorted(given.keys() - systems.keys())
    if unknown:
        raise InputError(option, f"no system is called '{unknown[0]}'", "Name one given by --system")


def training_minutes(stages: Sequence[str], times: Mapping[str, float]) -> float | None:
    """Minutes spent in these stages; None, with a warning, where one was not timed."""
    missing = [stage for stage in stages if stage not in times]
    if missing:
        logging.warning("--stage_times has no '%s': no training time is given for it", missing[0])
        return None
    return sum(times[stage] for stage in stages) / 60


def write_scores(scores: Mapping[str, Any], output_dir: Path, command: str) -> None:
    """Write scores.json and RESULTS.md, which names the command that scored."""
    with atomic_open(output_dir / "scores.json", alone=True) as stream:
        json.dump(scores, stream, indent=2, ensure_ascii=False)
        stream.write("\n")
    with atomic_open(output_dir / "RESULTS.md", alone=True) as stream:
        stream.write(results_markdown(scores, f"Scores of {output_dir.name}", command))


def _speaker_references(
    asked: Asked, plan: AbsScorerPlan, settings: Settings, seed: int, nj: int
) -> dict[str, Any]:
    """Similarity of real recordings by each encoder, where the data directory tells who speaks in them."""
    if not settings.reference_utterances or not asked.speakers:
        return {}
    wavs = {key: asked.wavs[key] for key in asked.speakers}
    found = {
        f"{mark}speaker_reference": speaker_reference(
            wavs, asked.speakers, plan, settings.reference_utterances, seed, nj, encoder
        )
        for encoder, mark in enumerate(plan.speaker_marks)
    }
    return {name: reference for name, reference in found.items() if reference}
