"""Speaker verification on real recordings: the scale on which similarities are read."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.extras import import_extra
from espnet2_valle.evaluation.bootstrap import NUM_SAMPLES, Metric, interval, ratio_metric
from espnet2_valle.evaluation.scorers import AbsScorerPlan, load_scorers
from espnet2_valle.evaluation.speaker import similarity
from espnet2_valle.evaluation.utterance import DECIMALS
from espnet2_valle.jobs.pool import parallel_map

Comparison = tuple[str, str, float]  # speakers of two recordings, and how alike they are


def speaker_reference(
    wavs: Mapping[str, str],
    speakers: Mapping[str, str],
    plan: AbsScorerPlan,
    limit: int,
    seed: int,
    nj: int = 1,
    encoder: int = 0,
) -> dict[str, Any] | None:
    """Similarities between real recordings of the same and of different speakers.

    Args:
        wavs: utterance -> sound file.
        speakers: utterance -> speaker.
        plan: has the speaker encoder.
        limit: most recordings that are compared; speakers take turns.
        seed: of their choice and of the intervals.
        nj: number of processes.
        encoder: 0 for the plan's speaker encoder, 1 for its second.

    Returns:
        `same` and `other` speaker (means with intervals over speakers), `eer`: the error rate of telling by
        the similarity whether two recordings have one speaker, at the `threshold` where both errors are as
        frequent, `eer_interval`: the same with its interval over speakers, `n_utterances`, `n_speakers`; None
        without two speakers or without two recordings of one.
    """
    chosen = choose(wavs, speakers, limit, seed)
    if len({speakers[key] for key in chosen}) < 2:
        return None
    embed = partial(_embed, plan=plan, encoder=encoder)
    voices = list(parallel_map(embed, [wavs[key] for key in chosen], nj, "real voices"))
    same: list[Comparison] = []
    other: list[Comparison] = []
    for (one, voice), (two, second) in combinations(zip(chosen, voices), 2):
        group = same if speakers[one] == speakers[two] else other
        group.append((speakers[one], speakers[two], round(similarity(voice, second), DECIMALS)))
    if not same:
        return None
    eer, threshold = equal_error_rate([value for *_, value in same], [value for *_, value in other])
    return {
        "same": ratio_metric([value for *_, value in same], seed=seed, groups=[who for who, *_ in same]),
        "other": other_speaker_metric(other, seed),
        "eer": eer,
        "eer_interval": equal_error_rate_metric(same, other, seed),
        "threshold": threshold,
        "n_utterances": len(chosen),
        "n_speakers": len({speakers[key] for key in chosen}),
    }


def choose(wavs: Iterable[str], speakers: Mapping[str, str], limit: int, seed: int) -> list[str]:
    """At most `limit` utterances, as many of each speaker as can be."""
    keys = sorted(wavs)
    drawn = random.Random(seed).sample(keys, len(keys))
    turns: dict[str, int] = {}
    ranked = []
    for key in drawn:
        turn = turns[speakers[key]] = turns.get(speakers[key], 0) + 1
        ranked.append((turn, key))
    return [key for _, key in sorted(ranked)[:limit]]


def _embed(path: str, plan: AbsScorerPlan, encoder: int) -> np.ndarray:
    return load_scorers(plan).encoders[encoder].embed(*read_audio(path))


def equal_error_rate(
    same: Sequence[float],
    other: Sequence[float],
    same_weights: np.ndarray | None = None,
    other_weights: np.ndarray | None = None,
) -> tuple[float, float]:
    """Error rate where as many same-speaker pairs are rejected as others accepted, and its threshold.

    Args:
        same: similarities of pairs of one speaker.
        other: similarities of pairs of two speakers.
        same_weights: how often each pair of one speaker counts; None is once. Some count.
        other_weights: the same for pairs of two speakers.
    """
    metrics = import_extra("sklearn.metrics", "the equal error rate")
    alike = np.repeat([True, False], [len(same), len(other)])
    weights = np.concatenate([_weights(same, same_weights), _weights(other, other_weights)])
    false_alarms, hits, thresholds = metrics.roc_curve(
        alike, np.concatenate([same, other]), sample_weight=weights, drop_intermediate=False
    )
    misses = 1 - hits
    at = 1 + np.argmin(np.abs(misses - false_alarms)[1:])  # the curve begins with an infinite threshold
    return float((misses[at] + false_alarms[at]) / 2), float(thresholds[at])


def _weights(values: Sequence[float], weights: np.ndarray | None) -> np.ndarray:
    return np.ones(len(values)) if weights is None else weights


def equal_error_rate_metric(same: Sequence[Comparison], other: Sequence[Comparison], seed: int) -> Metric:
    """The equal error rate with its bootstrap interval over speakers, drawn with all of their recordings.

    A pair of two speakers counts as often as both are drawn together; a pair of one as often as it is drawn.

    Args:
        same: pairs of one speaker; not empty.
        other: pairs of two speakers; not empty.
        seed: of the drawing.
    """
    likeness, unlikeness = ([value for *_, value in pairs] for pairs in (same, other))
    rates = [
        equal_error_rate(likeness, unlikeness, own, crossed)[0]
        for own, crossed in _draws(same, other, seed)
        if own.sum() and crossed.sum()
    ]
    value = equal_error_rate(likeness, unlikeness)[0]
    return interval(value, np.array(rates))


def other_speaker_metric(other: Sequence[Comparison], seed: int) -> Metric:
    """Mean similarity of two speakers, with its bootstrap interval over speakers.

    A pair counts as often as both are drawn together: with one of them drawn alone the other would stay as it
    is, and the interval would be too narrow.

    Args:
        other: pairs of two speakers; not empty.
        seed: of the drawing.
    """
    values = np.array([value for *_, value in other])
    means = [np.average(values, weights=crossed) for _, crossed in _draws((), other, seed) if crossed.sum()]
    return interval(float(values.mean()), np.array(means))


def _draws(
    same: Sequence[Comparison], other: Sequence[Comparison], seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Count each pair of one speaker and each of two in each resample of the speakers."""
    names = sorted({one for one, *_ in (*same, *other)} | {two for _, two, _ in other})
    number = {name: position for position, name in enumerate(names)}
    own = np.array([number[one] for one, *_ in same], dtype=int)
    first = np.array([number[one] for one, *_ in other], dtype=int)
    second = np.array([number[two] for _, two, _ in other], dtype=int)
    generator = np.random.default_rng(seed)
    for _ in range(NUM_SAMPLES):
        drawn = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        yield drawn[own], drawn[first] * drawn[second]
