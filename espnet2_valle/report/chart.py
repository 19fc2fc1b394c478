"""Line charts as SVG, drawn by the report's template.

Not by matplotlib, which draws a study's PNG: its SVG brings colours and fonts of its own, where these follow
the page into its dark dress, ids that are the same in each picture of a page, and no values at the dots.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 34
NUM_TICKS = 4
SMALLEST_SPAN = 1e-9  # of an axis; what is flatter is drawn flat, and ticks have twelve decimals
NICE_STEPS = (1, 2, 2.5, 5, 10)

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """Data of one line.

    Attributes:
        name: in the legend.
        style: class of the page.
        points: (x, y) in order.
        dots: (x, y, text that the pointer shows there, or none).
    """

    name: str
    style: str
    points: Points
    dots: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Line:
    """One series, in pixels; see `Series`."""

    name: str
    style: str
    corners: str
    dots: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Chart:
    """Layout of a chart for the template.

    Attributes:
        title: of the chart.
        x_title: of the horizontal axis.
        summary: the lines in words, for those who cannot see them.
        lines: one a series.
        x_ticks: (pixel, label).
        y_ticks: (pixel, label).
    """

    title: str
    x_title: str
    summary: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def line_chart(
    title: str,
    x_title: str,
    summary: str,
    series: Sequence[Series],
    whole: bool = False,
    origin: float = math.inf,
) -> Chart:
    """Lay out a chart.

    Args:
        title: of the chart.
        x_title: of the horizontal axis.
        summary: the lines in words.
        series: one a line.
        whole: only whole numbers stand on the horizontal axis.
        origin: the vertical axis begins there at the latest.
    """
    xs = [x for one in series for x, _ in one.points]
    ys = [y for one in series for _, y in one.points]
    x_low, x_high = min(xs), max(xs)
    x_ticks = [tick for tick in nice_ticks(x_low, x_high) if x_low <= tick <= x_high]
    y_ticks = nice_ticks(min(origin, *ys), max(ys))
    y_low, y_high = min(ys + y_ticks), max(ys + y_ticks)

    def x_of(x: float) -> float:
        return round(_scale(x, x_low, x_high, LEFT, WIDTH - RIGHT), 1)

    def y_of(y: float) -> float:
        return round(_scale(y, y_low, y_high, HEIGHT - BOTTOM, TOP), 1)

    lines = [
        Line(
            one.name,
            one.style,
            " ".join(f"{x_of(x)},{y_of(y)}" for x, y in one.points),
            [(x_of(x), y_of(y), said) for x, y, said in one.dots],
        )
        for one in series
    ]
    return Chart(
        title,
        x_title,
        summary,
        lines,
        [(x_of(tick), f"{tick:g}") for tick in x_ticks if not whole or tick == int(tick)],
        [(y_of(tick), f"{tick:g}") for tick in y_ticks],
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """About NUM_TICKS round numbers from at most `low` to at least `high`."""
    span = max(high - low or abs(high) or 1.0, SMALLEST_SPAN)
    power = 10 ** math.floor(math.log10(span / NUM_TICKS))
    step = next(power * nice for nice in NICE_STEPS if power * nice * NUM_TICKS >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, max(last, first + 1) + 1)]


def _scale(value: float, low: float, high: float, start: float, end: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return start + share * (end - start)


def shares(values: Sequence[float]) -> list[float]:
    """Each value as per cent of the largest, for bars."""
    largest = max(values, default=0.0)
    return [100 * value / largest if largest > 0 else 0.0 for value in values]
