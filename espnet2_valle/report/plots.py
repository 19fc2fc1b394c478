"""Metrics by the length of text and prompt, with a line for each system."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from espnet2_valle.asr.wer import count_words
from espnet2_valle.common.audio import audio_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.table import system_name
from espnet2_valle.evaluation.utterance import Trial, UtteranceScore
from espnet2_valle.report.chart import Chart, Series, line_chart

NUM_BINS = 4
NUM_COLOURS = 9  # of the page; with more systems they come again
Point = tuple[float, float, float]  # x, numerator, denominator


def length_plots(rows: Mapping[str, Sequence[UtteranceScore]], trials: Mapping[str, Trial]) -> list[Chart]:
    """WER by words of the text and similarity by seconds of the prompt; those that have something to show."""
    errors: dict[str, list[Point]] = {}
    likeness: dict[str, list[Point]] = {}
    seconds = prompt_seconds(trials)
    for system, found in rows.items():
        counts = [count_words(row.text, row.heard) for row in found]
        errors[system] = [(c.length, c.errors, c.length) for c in counts if c.length]
        likeness[system] = [
            (seconds[row.pair_id], row.sim_prompt, 1.0)
            for row in found
            if row.sim_prompt is not None and row.pair_id in seconds
        ]
    plots = [
        build_plot("WER by length of the text", "words to be said", errors),
        build_plot("Similarity to the prompt by its length", "seconds of prompt", likeness),
    ]
    return [plot for plot in plots if plot is not None]


def prompt_seconds(trials: Mapping[str, Trial]) -> dict[str, float]:
    """Pair id -> length of its prompt, where that can be read."""
    known: dict[str, float] = {}
    for trial in trials.values():
        if trial.prompt_seconds is None and trial.prompt not in known:
            try:
                known[trial.prompt] = audio_seconds(trial.prompt)
            except InputError:
                continue  # the players say what is wrong with it
    seconds = {key: trial.prompt_seconds or known.get(trial.prompt) for key, trial in trials.items()}
    return {key: length for key, length in seconds.items() if length is not None}


def build_plot(title: str, x_title: str, series: Mapping[str, Sequence[Point]]) -> Chart | None:
    """Lay out a plot with a line for each system; None where no system has two lengths."""
    binned = {name: bins(points) for name, points in series.items()}
    shown = [(system_name(name), points) for name, points in binned.items() if len(points) > 1]
    if not shown:
        return None
    lines = [
        Series(
            name,
            f"series-{number % NUM_COLOURS}",
            points,
            [(x, y, f"{name}: {y:.2f} at {x:.3g}") for x, y in points],
        )
        for number, (name, points) in enumerate(shown)
    ]
    xs = [x for _, points in shown for x, _ in points]
    said = [f"{name} {points[0][1]:.2f} to {points[-1][1]:.2f}" for name, points in shown]
    summary = f"{title}, from {min(xs):.3g} to {max(xs):.3g} {x_title}: {'; '.join(said)}."
    return line_chart(title, x_title, summary, lines, origin=0.0)


def bins(points: Sequence[Point]) -> list[tuple[float, float]]:
    """Mean x and ratio of sums in up to NUM_BINS bins of about as many points; equal x stay together."""
    if not points:
        return []
    data = np.array(sorted(points))
    edges = np.unique(np.quantile(data[:, 0], np.linspace(0, 1, NUM_BINS + 1)[1:-1], method="lower"))
    which = np.searchsorted(edges, data[:, 0])
    parts = [data[which == number] for number in np.unique(which)]
    return [(float(part[:, 0].mean()), float(part[:, 1].sum() / part[:, 2].sum())) for part in parts]


def outcome_shares(systems: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each system its outcomes as parts of a bar, in per cent, `ok` first."""
    bars = []
    for key, system in systems.items():
        counts = sorted(system["outcomes"].items(), key=lambda pair: (pair[0] != "ok", pair[0]))
        total = sum(count for _, count in counts) or 1
        parts = [{"kind": kind, "share": round(100 * count / total, 1)} for kind, count in counts if count]
        bars.append({"name": system_name(key), "parts": parts})
    return bars
