"""Line charts as SVG that takes its colours from the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from espnet2_valle.report.curves import Curve

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 34
NUM_TICKS = 4
SMALLEST_SPAN = 1e-9  # of an axis; what is flatter is drawn flat, and ticks have twelve decimals
NICE_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Line:
    """One series, in pixels: name, corners, and the end point with its value written out."""

    name: str
    corners: str
    end: tuple[float, float]
    last: str


@dataclass(frozen=True)
class Chart:
    """What the template draws.

    Attributes:
        title: of the curve.
        summary: the curve in words, for those who cannot see it.
        lines: the series.
        x_ticks: (pixel, label).
        y_ticks: (pixel, label).
    """

    title: str
    summary: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def build_chart(curve: Curve) -> Chart:
    """Lay out a curve."""
    epochs = [epoch for points in curve.series.values() for epoch, _ in points]
    values = [value for points in curve.series.values() for _, value in points]
    x_ticks = [tick for tick in nice_ticks(min(epochs), max(epochs)) if tick == int(tick)]
    y_ticks = nice_ticks(min(values), max(values))
    x_low, x_high = min(epochs), max(epochs)
    y_low, y_high = min(values + y_ticks), max(values + y_ticks)

    def x_of(epoch: float) -> float:
        return round(_scale(epoch, x_low, x_high, LEFT, WIDTH - RIGHT), 1)

    def y_of(value: float) -> float:
        return round(_scale(value, y_low, y_high, HEIGHT - BOTTOM, TOP), 1)

    lines = tuple(
        Line(
            name,
            " ".join(f"{x_of(epoch)},{y_of(value)}" for epoch, value in points),
            (x_of(points[-1][0]), y_of(points[-1][1])),
            f"{points[-1][1]:.3g}",
        )
        for name, points in curve.series.items()
    )
    return Chart(
        curve.title,
        _summary(curve),
        lines,
        tuple((x_of(tick), f"{tick:.0f}") for tick in x_ticks if x_low <= tick <= x_high),
        tuple((y_of(tick), f"{tick:g}") for tick in y_ticks),
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


def _summary(curve: Curve) -> str:
    parts = [
        f"{name} from {points[0][1]:.3g} in epoch {points[0][0]:.0f} to {points[-1][1]:.3g} "
        f"in epoch {points[-1][0]:.0f}"
        for name, points in curve.series.items()
    ]
    return f"{curve.title} over epochs: {'; '.join(parts)}."


def shares(values: Sequence[float]) -> list[float]:
    """Each value as per cent of the largest, for bars."""
    largest = max(values, default=0.0)
    return [100 * value / largest if largest > 0 else 0.0 for value in values]
