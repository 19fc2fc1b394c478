"""Training curves, read from the event files that ESPnet's trainer leaves in a training directory."""

import math
from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.report.chart import Chart, Points, Series, line_chart

EPOCH_TAG = "iter_epoch"  # written once an epoch, at its last step
PLOTTED = {
    "loss": "Loss",
    "acc": "Accuracy",
    "cer_ctc": "Character error rate",
    "generator_mel_loss": "Mel loss of the generator",
    "discriminator_loss": "Loss of the discriminator",
}
SETS = {"train": "training", "valid": "validation"}


@dataclass(frozen=True)
class Curve:
    """One quantity over epochs.

    Attributes:
        title: of the quantity.
        series: set -> (epoch, value) in order; only sets with a finite value.
    """

    title: str
    series: dict[str, Points]


def training_chart(curve: Curve) -> Chart:
    """Lay out a curve: a dot marks the last value of each set, which the legend has too."""
    series = [
        Series(f"{SETS[name]} {points[-1][1]:.3g}", name, points, [(*points[-1], "")])
        for name, points in curve.series.items()
    ]
    return line_chart(curve.title, "epoch", _summary(curve), series, whole=True)


def _summary(curve: Curve) -> str:
    parts = [
        f"{name} from {points[0][1]:.3g} in epoch {points[0][0]:.0f} to {points[-1][1]:.3g} "
        f"in epoch {points[-1][0]:.0f}"
        for name, points in curve.series.items()
    ]
    return f"{curve.title} over epochs: {'; '.join(parts)}."


def read_curves(train_dir: Path) -> list[Curve]:
    """Curves of a training directory, from `tensorboard/{train,valid}`; none where nothing was recorded.

    A run that was resumed has several event files; where they overlap the later one counts.
    """
    scalars = {name: _read_scalars(train_dir / "tensorboard" / name) for name in SETS}
    epochs = scalars["train"].pop(EPOCH_TAG, {})
    curves = []
    for tag, title in PLOTTED.items():
        series = {name: _by_epoch(scalars[name].get(tag, {}), epochs) for name in SETS}
        series = {name: points for name, points in series.items() if points}
        if series:
            curves.append(Curve(title, series))
    return curves


def _by_epoch(values: dict[int, float], epochs: dict[int, float]) -> Points:
    """Values at the ends of epochs; those in between are of a few batches each."""
    points = {
        epochs[step]: value for step, value in values.items() if step in epochs and math.isfinite(value)
    }
    return sorted(points.items())


def _read_scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Tag -> step -> last value written."""
    if not folder.is_dir():
        return {}
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})  # 0 keeps all
    events.Reload()
    wanted = set(events.Tags()["scalars"]) & {EPOCH_TAG, *PLOTTED}
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in wanted}
