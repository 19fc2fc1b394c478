"""The report: everything about one run in one HTML file that needs nothing else."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from espnet2_valle.baseline.kinds import KINDS
from espnet2_valle.common.conf import read_yaml
from espnet2_valle.evaluation.table import (
    MEASURES,
    TRAINING_MINUTES,
    WORD_MEASURES,
    Measure,
    confusion_table,
    crossing_lines,
    group_tables,
    heard_accuracies,
    heard_groups,
    paired_rows,
    reference_lines,
    shown_measures,
    system_name,
)
from espnet2_valle.evaluation.utterance import Trial, UtteranceScore
from espnet2_valle.listening.table import rated_name
from espnet2_valle.report.chart import shares
from espnet2_valle.report.curves import read_curves, training_chart
from espnet2_valle.report.examples import AlignmentPicture, Example, choose, listing, make_clip
from espnet2_valle.report.plots import length_plots, outcome_shares

TEMPLATE = "report.html.j2"
SCRIPT = "report.js"
MODELS = {  # by their folder
    "ar": "Autoregressive model (AR)",
    "nar": "Non-autoregressive model (NAR)",
    "ns2": "Diffusion model (NaturalSpeech 2)",
    **{name: KINDS[name].title for name in KINDS},
    "judge": "Recogniser",
    "emotion": "Recogniser of emotions",
    "language": "Recogniser of languages",
}
TRAINED = {"valle": ("ar", "nar"), "ns2": ("ns2",)}  # system -> models; of the others a run may have none
OPINION = (1.0, 5.0)
SCALES = {  # all others lie in 0 to 1
    "dnsmos": OPINION,
    "dnsmos_p808": OPINION,
    "distillmos": OPINION,
    "utmos": OPINION,
    "mcd": (0.0, 12.0),
    "f0_rmse": (0.0, 1200.0),
    "speaking_rate": (0.0, 6.0),
    "rate_ratio": (0.0, 2.0),
    TRAINING_MINUTES: (0.0, 60.0),
}
RECOGNIZER_BAR = 0.9  # of ground truth's words: below it the recogniser itself is in doubt
MAX_LISTED = 1000
OUTCOME_MEANINGS = {
    "ok": "ended by itself",
    "hit_length_cap": "never said that it was done and was cut at the longest length allowed",
    "no_speech": "ended at once, or came out silent",
    "prompt_rejected": "the prompt could not be used, so nothing was said",
    "no_audio": "no sound file, or an empty or silent one",
}


@dataclass(frozen=True)
class Run:
    """Parts of a report.

    Attributes:
        name: of the run.
        scores: the content of scores.json.
        rows: system -> its rows; a system without rows is left out.
        trials: pair_id -> what was asked.
        wavs: system -> pair_id -> sound file.
        outcomes: pair_id -> how decoding ended.
        train_dirs: model -> ESPnet training directory, there or not.
        seconds_by_stage: stage -> seconds.
        listening: results of listening tests.
        alignments: pair_id -> where the model looked in its text; of the pairs to listen to, or of none.
    """

    name: str
    scores: Mapping[str, Any]
    rows: Mapping[str, Sequence[UtteranceScore]]
    trials: Mapping[str, Trial]
    wavs: Mapping[str, Mapping[str, str]]
    outcomes: Mapping[str, str]
    train_dirs: Mapping[str, Path]
    seconds_by_stage: Mapping[str, float] = field(default_factory=dict)
    listening: Sequence[Mapping[str, Any]] = ()
    alignments: Mapping[str, AlignmentPicture] = field(default_factory=dict)


def render(run: Run, num_examples: int = 12, seed: int = 0) -> str:
    """The page, with `num_examples` pairs to listen to (fewer if there are fewer)."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    systems = run.scores["systems"]
    tested = tested_system(run.scores)
    rows = list(run.rows.get(tested, []))
    script = (Path(__file__).parent / SCRIPT).read_text(encoding="utf-8")
    stage_shares = shares(list(run.seconds_by_stage.values()))
    return environment.get_template(TEMPLATE).render(
        name=run.name,
        scores=run.scores,
        system_names={key: system_name(key) for key in systems},
        tested=system_name(tested),
        tiles=headline(run.scores, tested),
        doubt=recognizer_doubt(run.scores),
        measures=[measure_row(measure, systems) for measure in shown_measures(systems)],
        second=second_judge(run.scores),
        outcomes=outcome_rows(systems),
        shares=outcome_shares(systems),
        plots=length_plots(run.rows, run.trials),
        references=reference_lines(run.scores),
        groups=group_sections(run.scores),
        heard=heard_sections(run.scores),
        tests=paired_rows(run.scores.get("paired_tests", ())),
        listening=[listening_result(result) for result in run.listening],
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        examples=make_examples(run, rows, num_examples, seed),
        listed=listing(rows, run.outcomes)[:MAX_LISTED],
        num_rows=len(rows),
        trainings=[training(model, folder) for model, folder in _expected(run.train_dirs, tested)],
        times=[
            {"stage": stage, "text": duration(seconds), "share": share}
            for (stage, seconds), share in zip(run.seconds_by_stage.items(), stage_shares)
        ],
        total_time=duration(sum(run.seconds_by_stage.values())),
    )


def tested_system(scores: Mapping[str, Any]) -> str:
    """The system that the report is about."""
    systems = scores["systems"]
    return next((name for name in systems if name in TRAINED), list(systems)[-1])


def headline(scores: Mapping[str, Any], tested: str) -> list[dict[str, str]]:
    """The few metrics that say whether the system works."""
    metrics = scores["systems"][tested]
    relative = scores.get("relative_word_accuracy", {}).get(tested)
    measures = {measure.key: measure for measure in MEASURES}
    tiles = [
        (measures["word_accuracy"], metrics["word_accuracy"], "of the words are heard right"),
        (measures["word_accuracy"], relative, "of what codec resynthesis reaches"),
        (
            measures["prompt_beats_other"],
            metrics["prompt_beats_other"],
            "sound more like their prompt than another voice",
        ),
        (measures["dnsmos"], metrics["dnsmos"], "DNSMOS, from 1 to 5"),
    ]
    return [
        {"value": measure.show(metric["value"]), "interval": measure.show_interval(metric), "label": label}
        for measure, metric, label in tiles
        if metric is not None and metric["value"] is not None
    ]


def recognizer_doubt(scores: Mapping[str, Any]) -> str | None:
    """Ground truth's word accuracy, where it is so low that the word metrics measure the recogniser."""
    value = scores["systems"].get("ground_truth", {}).get("word_accuracy", {}).get("value")
    return MEASURES[0].show(value) if value is not None and value < RECOGNIZER_BAR else None


def measure_row(measure: Measure, systems: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the score table: a cell for each system, with its bar in per cent of the scale."""
    start, end = SCALES.get(measure.key, (0.0, 1.0))

    def place(value: float | None) -> float:
        return 0.0 if value is None else round(100 * min(1.0, max(0.0, (value - start) / (end - start))), 2)

    cells = []
    for key, system in systems.items():
        metric = system.get(measure.key) or {"value": None, "low": None, "high": None}
        low, high = place(metric["low"]), place(metric["high"])
        cells.append(
            {
                "system": key,
                "value": measure.show(metric["value"]),
                "interval": measure.show_interval(metric),
                "fill": place(metric["value"]),
                "low": low,
                "width": round(high - low, 2),
            }
        )
    return {"measure": measure, "cells": cells}


def second_judge(scores: Mapping[str, Any]) -> dict[str, Any] | None:
    """Name and lines of the second recogniser, None without one."""
    second = scores.get("second_judge")
    if not second:
        return None
    return {"name": second["name"], "measures": [measure_row(m, second["systems"]) for m in WORD_MEASURES]}


def group_sections(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables by language and by emotion, with what else is told of them; none where all pairs are of one."""
    found = []
    for key, title, lines in (
        ("by_language", "By language", crossing_lines(scores)),
        ("by_emotion", "By emotion", []),
    ):
        if scores.get(key):
            found.append({"title": title, "tables": group_tables(scores[key]), "lines": lines})
    return found


def heard_sections(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A section of the emotions and one of the languages that are heard, where any are."""
    return [
        {"id": f"{key}s", "title": f"{key}s".capitalize(), "matrices": _matrices(scores[key])}
        for key in ("emotion", "language")
        if scores.get(key)
    ]


def _matrices(heard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Accuracies and confusion matrix of each system; `heard` is "emotion" or "language" of scores.json."""
    matrices = []
    for name, (accuracy, *of_groups) in zip(heard["systems"], heard_accuracies(heard)):
        header, rows = confusion_table(heard, name)
        cells = [
            [
                {"count": count, "share": round(int(count) / max(1, sum(map(int, row[1:]))), 3)}
                for count in row[1:]
            ]
            for row in rows
        ]
        matrices.append(
            {
                "title": system_name(name),
                "accuracies": [f"{accuracy} right", *map(" ".join, zip(heard_groups(heard), of_groups))],
                "header": header[1:],
                "rows": [(row[0], of_row) for row, of_row in zip(rows, cells)],
            }
        )
    return matrices


def outcome_rows(systems: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Count the outcomes of each system's pairs."""
    kinds = sorted(
        {kind for system in systems.values() for kind in system["outcomes"]}, key=lambda k: (k != "ok", k)
    )
    return [
        {
            "kind": kind,
            "meaning": OUTCOME_MEANINGS.get(kind, ""),
            "counts": {key: system["outcomes"].get(kind, 0) for key, system in systems.items()},
        }
        for kind in kinds
    ]


def listening_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """A listening test's lines: name, mean, interval, ratings, and places on the scale in per cent."""
    low, high = result["scale"]

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 1)

    return {
        "result": result,
        "lines": [
            {
                "name": rated_name(name),
                "mean": f"{system['mean']['value']:.2f}",
                "interval": f"{system['mean']['low']:.2f} to {system['mean']['high']:.2f}",
                "fill": place(system["mean"]["value"]),
                "low": place(system["mean"]["low"]),
                "width": round(place(system["mean"]["high"]) - place(system["mean"]["low"]), 1),
                "ratings": system["n_ratings"],
            }
            for name, system in result["systems"].items()
        ],
    }


def make_examples(run: Run, rows: Sequence[UtteranceScore], count: int, seed: int) -> list[Example]:
    """Pairs to listen to: prompt and every system side by side."""
    by_pair = {system: {row.pair_id: row for row in rows} for system, rows in run.rows.items()}
    examples = []
    for pair_id, choice in choose(rows, count, seed).items():
        trial = run.trials.get(pair_id)
        prompt, seconds = (trial.prompt, trial.prompt_seconds) if trial else (None, None)
        clips = [make_clip("Prompt", prompt, note="the voice to imitate", seconds=seconds)]
        clips += [
            make_clip(
                system_name(system),
                run.wavs.get(system, {}).get(pair_id),
                by_pair.get(system, {}).get(pair_id),
            )
            for system in run.scores["systems"]
        ]
        text = trial.text if trial else "unknown"
        outcome, alignment = run.outcomes.get(pair_id, ""), run.alignments.get(pair_id)
        examples.append(Example(pair_id, choice, text, outcome, clips, alignment))
    return examples


def training(model: str, folder: Path) -> dict[str, Any]:
    """Title, machine and charts of one training; no chart where nothing was recorded."""
    return {
        "title": MODELS.get(model, model),
        "folder": str(folder),
        "charts": [training_chart(curve) for curve in read_curves(folder)],
        "machine": read_machine(folder),
    }


def read_machine(train_dir: Path) -> dict[str, str]:
    """Read from a training's config.yaml the machine and what was chosen for it; empty if nothing."""
    config = train_dir / "config.yaml"
    if not config.is_file():
        return {}
    return read_yaml(config, str(config)).get("machine") or {}


def _expected(train_dirs: Mapping[str, Path], tested: str) -> list[tuple[str, Path]]:
    """Trainings to show: those of the system that the report is about, and others that there are."""
    own = TRAINED.get(tested, TRAINED["valle"])
    hidden = {model for models in TRAINED.values() for model in models} - {*own}
    shown = ((model, folder) for model, folder in train_dirs.items() if model not in hidden)
    return [(model, folder) for model, folder in shown if model in own or folder.is_dir()]


def duration(seconds: float) -> str:
    """Seconds for people: `8 s`, `2 min 5 s`, `1 h 3 min`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
