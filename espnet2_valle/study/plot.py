"""A study's results as a picture."""

from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.evaluation.table import Measure
from espnet2_valle.study.config import LOG, Study
from espnet2_valle.study.table import SHOWN, Result

PANEL_INCHES = (4.2, 2.9)
COLUMNS = 2
DOTS_PER_INCH = 100


def draw(study: Study, results: Sequence[Result], path: Path) -> None:
    """Write a PNG: a panel a measure with 95 % intervals, a line a series.

    Where a result has no place on the axis, the results stand in their order under their names.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(SHOWN) // COLUMNS)
    size = (PANEL_INCHES[0] * COLUMNS, PANEL_INCHES[1] * rows)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=size, squeeze=False, layout="constrained")
    named = any(result.x is None for result in results)
    series = list(dict.fromkeys(result.series for result in results))
    for panel, shown in zip(axes.flat, SHOWN):
        for name in series:
            _draw_line(panel, shown, name, line(results, name, shown.key), "o" if named else "o-")
        panel.set_title(f"{shown.name}{' (%)' if shown.percent else ''}", fontsize=10)
        panel.set_xlabel(study.axis)
        panel.grid(alpha=0.3)
        if study.scale == LOG:
            panel.set_xscale("log")
            places = sorted({result.x for result in results if result.x is not None})
            panel.set_xticks(places, [f"{place:g}" for place in places], minor=False)
            panel.set_xticks([], minor=True)
        if named:
            panel.set_xticks(
                range(len(results)), [result.name for result in results], rotation=30, ha="right"
            )
    if any(series):
        axes.flat[0].legend(fontsize=8)
    figure.suptitle(study.title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH)
    pyplot.close(figure)


def line(results: Sequence[Result], series: str, key: str) -> list[tuple[float, Result]]:
    """The results of a series that have a figure, with their places from left to right."""
    named = any(result.x is None for result in results)
    places = [float(number) if named else result.x or 0.0 for number, result in enumerate(results)]
    found = [
        (place, result)
        for place, result in zip(places, results)
        if result.series == series and (result.summary.get(key) or {}).get("value") is not None
    ]
    return sorted(found, key=lambda point: point[0])


def _draw_line(panel, shown: Measure, name: str, points: list, marks: str) -> None:  # type: ignore[no-untyped-def]
    """One series: values with their intervals as bars."""
    scale = 100 if shown.percent else 1
    figures = [result.summary[shown.key] for _, result in points]
    values = [scale * figure["value"] for figure in figures]
    spread = [
        [value - scale * figure["low"] for value, figure in zip(values, figures)],
        [scale * figure["high"] - value for value, figure in zip(values, figures)],
    ]
    panel.errorbar([x for x, _ in points], values, yerr=spread, fmt=marks, capsize=3, label=name or None)
