"""A study's results: variants against the first one, and their table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from espnet2_valle.evaluation.aggregate import measure
from espnet2_valle.evaluation.paired_tests import holm, paired_tests
from espnet2_valle.evaluation.table import (
    MEASURES,
    MORE_MEASURES,
    SECOND,
    Measure,
    markdown_table,
    show_p,
)
from espnet2_valle.evaluation.utterance import UtteranceScore

NAMES = {"wer": "WER", "sim_prompt": "similarity", "prompt_beats_other": "beats other", "dnsmos": "DNSMOS"}
SHOWN = tuple(replace(shown, name=NAMES[shown.key]) for shown in MEASURES if shown.key in NAMES)
# Of the second recogniser and encoder, and of a second predictor of opinions, where there are any.
SHOWN_TOO = tuple(
    replace(shown, key=SECOND + shown.key, name=f"{shown.name}, second") for shown in SHOWN[:-1]
) + tuple(shown for shown in MORE_MEASURES if shown.key == "distillmos")
TESTED = ("wer", "sim_prompt", "dnsmos", f"{SECOND}wer", f"{SECOND}sim_prompt")
NOT_ENDED = ("hit_length_cap", "stuck")
Rows = Sequence[UtteranceScore]


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        name: of the variant, with the run's where there are several.
        x: place on the plot's axis, None where it has none.
        series: line of the plot.
        summary: metrics and outcomes, as `scorecard.summarise_samples` gives them.
        prompt_seconds: mean length of the prompts.
        p: measure -> p against the first line, corrected for the number of lines; {} for the first itself.
    """

    name: str
    x: float | None
    series: str
    summary: Mapping[str, Any]
    prompt_seconds: float | None = None
    p: Mapping[str, float] = field(default_factory=dict)

    @property
    def not_ended(self) -> float:
        """Share of the utterances that did not end by themselves."""
        outcomes = self.summary["outcomes"]
        return sum(outcomes.get(kind, 0) for kind in NOT_ENDED) / max(1, sum(outcomes.values()))


def against_first(rows: Sequence[Rows], speakers: Mapping[str, str], seed: int = 0) -> list[dict[str, float]]:
    """p values of each list of rows against the first, for each of TESTED, after Holm.

    Args:
        rows: of each line; those of several seeds behind one another.
        speakers: pair id -> speaker.
        seed: of the randomisation.
    """
    measured = [measure(some) for some in rows]
    found = []
    for other in measured[1:]:
        tests = paired_tests({"first": measured[0], "other": other}, speakers, seed)
        found.append({test["measure"]: test["p"] for test in tests})
    corrected: list[dict[str, float]] = [{} for _ in rows]
    for name in TESTED:
        lines = [number for number, tests in enumerate(found, 1) if name in tests]
        for number, p in zip(lines, holm(found[number - 1][name] for number in lines)):
            corrected[number][name] = p
    return corrected


def study_table(results: Sequence[Result]) -> str:
    """Variants down, measures across, each metric with its 95 % interval."""
    kinds = sorted({kind for result in results for kind in result.summary["outcomes"]} | {"ok"})
    kinds.sort(key=lambda kind: kind != "ok")
    lengths = any(result.prompt_seconds is not None for result in results)
    too = [shown for shown in SHOWN_TOO if any(shown.key in result.summary for result in results)]
    columns = [*SHOWN, *too]
    header = ["", *(["prompt"] if lengths else [])]
    for shown in columns:
        header += [shown.name, *(["p"] if shown.key in TESTED else [])]
    header += [*(f"`{kind}`" for kind in kinds), "not ended"]
    rows = []
    for result in results:
        cells = [result.name, *([_seconds(result)] if lengths else [])]
        for shown in columns:
            cells += [_metric(shown, result), *([_p(result, shown.key)] if shown.key in TESTED else [])]
        cells += [str(result.summary["outcomes"].get(kind, 0)) for kind in kinds]
        rows.append([*cells, f"{100 * result.not_ended:.1f} %"])
    return markdown_table(header, rows)


def _metric(shown: Measure, result: Result) -> str:
    metric = result.summary.get(shown.key)
    if metric is None or metric["value"] is None:
        return "–"
    return f"{shown.show(metric['value'])} ({shown.show_interval(metric)})"


def _p(result: Result, key: str) -> str:
    return show_p(result.p[key]) if key in result.p else "–"


def _seconds(result: Result) -> str:
    return "–" if result.prompt_seconds is None else f"{result.prompt_seconds:.1f} s"
