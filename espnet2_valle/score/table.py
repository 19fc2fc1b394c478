"""The score table in Markdown, readable in a terminal too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One figure of a system.

    Attributes:
        key: in scores.json.
        name: for people.
        percent: shown in per cent.
        decimals: shown.
        better: "higher", "lower", or "" where it is only there for comparison.
        meaning: in a line.
    """

    key: str
    name: str
    percent: bool
    decimals: int
    better: str
    meaning: str

    def show(self, value: float | None) -> str:
        """Write a figure down."""
        if value is None:
            return "–"
        return f"{value * 100:.{self.decimals}f} %" if self.percent else f"{value:.{self.decimals}f}"

    def show_interval(self, figure: Mapping[str, float | None]) -> str:
        """Write its interval down, without the unit."""
        low, high = figure["low"], figure["high"]
        if low is None or high is None:
            return ""
        scale = 100 if self.percent else 1
        return f"{low * scale:.{self.decimals}f} to {high * scale:.{self.decimals}f}"


MEASURES = (
    Measure(
        "word_accuracy", "Word accuracy", True, 1, "higher",
        "Share of the words that the judge heard right, less the words added: 1 − WER.",
    ),
    Measure(
        "wer", "WER", True, 1, "lower",
        "Words wrong, missing or added, for each word to be said.",
    ),
    Measure("cer", "CER", True, 1, "lower", "The same for characters."),
    Measure(
        "sim_prompt", "Similarity to the prompt", False, 3, "higher",
        "Cosine between the voice of the output and that of its prompt; 1 is the same voice.",
    ),
    Measure(
        "sim_other", "Similarity to another voice", False, 3, "",
        "The same with a speaker it should not sound like: the floor for the line above.",
    ),
    Measure(
        "prompt_beats_other", "Prompt beats other voice", True, 1, "higher",
        "Share of the pairs that are more like their prompt than like the other voice.",
    ),
    Measure(
        "dnsmos", "DNSMOS", False, 2, "higher",
        "Estimate of how good a listener finds the sound, from 1 to 5.",
    ),
)  # fmt: skip
WORD_MEASURES = MEASURES[:3]
SYSTEM_NAMES = {"ground_truth": "Ground truth", "codec": "Codec resynthesis", "valle": "VALL-E"}


def system_name(key: str) -> str:
    """Name of a system for people; its key where it has no other."""
    return SYSTEM_NAMES.get(key, key)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A padded Markdown table, the first column to the left and the others to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        for row in (cells[0], rule, *cells[1:])
    ]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def score_table(systems: Mapping[str, Mapping[str, Any]], measures: Sequence[Measure] = MEASURES) -> str:
    """Measures down, systems across, each figure with its 95 % interval."""
    rows = [
        [measure.name, *(_cell(measure, s.get(measure.key)) for s in systems.values())]
        for measure in measures
    ]
    return markdown_table(["", *map(system_name, systems)], rows)


def _cell(measure: Measure, figure: Mapping[str, float | None] | None) -> str:
    if figure is None:
        return "–"
    interval = measure.show_interval(figure)
    return f"{measure.show(figure['value'])} ({interval})" if interval else measure.show(figure["value"])


def results_markdown(scores: Mapping[str, Any], title: str, command: str = "") -> str:
    """The text of RESULTS.md.

    Args:
        scores: the content of scores.json.
        title: of the run.
        command: that made the scores, or "".
    """
    systems = scores["systems"]
    facts = [
        f"{scores['pairs']} pairs",
        f"judge: {scores['judge']}",
        f"commit: {scores['commit'] or 'unknown'}",
    ]
    parts = [
        f"# {title}\n",
        ", ".join(facts) + ". In brackets: 95 % bootstrap interval.\n",
        score_table(systems),
    ]
    parts += [
        _relative_line(name, figure) for name, figure in scores.get("relative_word_accuracy", {}).items()
    ]
    second = scores.get("second_judge")
    if second:
        parts += [f"Second judge, {second['name']}:\n", score_table(second["systems"], WORD_MEASURES)]
    parts += ["Outcomes:\n", outcome_table(systems)]
    if scores["seconds_by_stage"]:
        rows = [[stage, f"{seconds:.0f}"] for stage, seconds in scores["seconds_by_stage"].items()]
        parts += ["Time:\n", markdown_table(["stage", "seconds"], rows)]
    if command:
        parts += [f"Made by `{command}`.\n"]
    return "\n".join(parts)


def outcome_table(systems: Mapping[str, Mapping[str, Any]]) -> str:
    """How many pairs of each system ended how."""
    kinds = sorted({kind for system in systems.values() for kind in system["outcomes"]})
    rows = [[kind, *(str(s["outcomes"].get(kind, 0)) for s in systems.values())] for kind in kinds]
    return markdown_table(["outcome", *map(system_name, systems)], rows)


def _relative_line(name: str, figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return f"Word accuracy of {system_name(name)} cannot be set against the codec's, which is 0.\n"
    low, high = figure["low"] or 0.0, figure["high"] or 0.0
    return (
        f"Word accuracy of {system_name(name)} is {figure['value'] * 100:.1f} % "
        f"({low * 100:.1f} to {high * 100:.1f}) of that of codec resynthesis.\n"
    )
