"""Figures with 95 % intervals, by resampling utterances, or speakers with all of theirs."""

from collections.abc import Hashable, Sequence

import numpy as np

CONFIDENCE = 0.95
NUM_SAMPLES = 1000
CHUNK_ELEMENTS = 5_000_000  # resampled indices held at once

Metric = dict[str, float | None]
NO_METRIC: Metric = {"value": None, "low": None, "high": None}


def ratio_metric(
    numerators: Sequence[float],
    denominators: Sequence[float] | None = None,
    seed: int = 0,
    num_samples: int = NUM_SAMPLES,
    groups: Sequence[Hashable] | None = None,
) -> Metric:
    """Ratio of sums over utterances, with its percentile bootstrap interval.

    WER is a ratio of sums (errors over words): each resample of the utterances gives a ratio of its own.
    Without denominators it is the mean. The interval tells how the metric would move with other utterances
    of the same speakers and texts, not with other training runs. With speakers as groups whole speakers are
    resampled (cluster bootstrap), and it tells how the metric would move with other speakers.

    Args:
        numerators: one an utterance.
        denominators: one an utterance; None is 1 each.
        seed: of the resampling; equal arguments give equal metrics.
        num_samples: how many resamples.
        groups: a label an utterance; those of one label are drawn together. None draws each by itself.

    Returns:
        value, low and high; all None when there is no utterance or the denominators sum to 0.
    """
    top = np.asarray(numerators, dtype=np.float64)
    bottom = np.ones_like(top) if denominators is None else np.asarray(denominators, dtype=np.float64)
    if top.size == 0 or bottom.sum() == 0:
        return dict(NO_METRIC)
    sums = np.stack([top, bottom])
    return interval(top.sum() / bottom.sum(), _resampled(group_sums(sums, groups), seed, num_samples))


def group_sums(sums: np.ndarray, groups: Sequence[Hashable] | None) -> np.ndarray:
    """Add up the columns of `sums` (rows, utterances) of each label: (rows, labels), first come first."""
    if groups is None:
        return sums
    order = {label: number for number, label in enumerate(dict.fromkeys(groups))}
    index = [order[label] for label in groups]
    return np.stack([np.bincount(index, weights=row) for row in sums])


def relative_accuracy(
    errors: Sequence[float],
    base_errors: Sequence[float],
    lengths: Sequence[float],
    seed: int = 0,
    num_samples: int = NUM_SAMPLES,
) -> Metric:
    """Word accuracy of one system over that of another on the same utterances, resampled together.

    Args:
        errors: of the system, one an utterance.
        base_errors: of the system it is compared with.
        lengths: words of each utterance.
        seed: of the resampling.
        num_samples: how many resamples.
    """
    length = np.asarray(lengths, dtype=np.float64)
    top = length - np.asarray(errors, dtype=np.float64)
    bottom = length - np.asarray(base_errors, dtype=np.float64)
    if top.size == 0 or bottom.sum() <= 0:
        return dict(NO_METRIC)
    value = max(0.0, top.sum()) / bottom.sum()
    return interval(value, np.maximum(0.0, _resampled(np.stack([top, bottom]), seed, num_samples)))


def complement(metric: Metric) -> Metric:
    """1 - metric, not below 0: accuracy from an error rate."""
    value, low, high = (metric[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return dict(NO_METRIC)
    return {"value": max(0.0, 1 - value), "low": max(0.0, 1 - high), "high": max(0.0, 1 - low)}


def _resampled(sums: np.ndarray, seed: int, num_samples: int) -> np.ndarray:
    """Ratios (num_samples,) of row 0 over row 1 of `sums` (2, utterances); empty resamples are left out."""
    size = sums.shape[1]
    generator = np.random.default_rng(seed)
    step = max(1, CHUNK_ELEMENTS // size)
    totals = np.concatenate(
        [
            sums[:, generator.integers(size, size=(min(step, num_samples - start), size))].sum(axis=2)
            for start in range(0, num_samples, step)
        ],
        axis=1,
    )
    usable = totals[:, totals[1] > 0]
    return usable[0] / usable[1]


def interval(value: float, samples: np.ndarray) -> Metric:
    """A metric with the interval that holds CONFIDENCE of its resamples (samples,)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(samples, [tail, 1 - tail]) if samples.size else (value, value)
    # A resample sums in another order, so its last bits may put a constant outside its own interval.
    return {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}
