"""What a speaker encoder says of real recordings: the scale on which similarities are read."""

import random
from collections.abc import Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from espnet2_valle.common.audio import read_audio
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.score.bootstrap import ratio_figure
from espnet2_valle.score.scorers import AbsScorerPlan, load_scorers
from espnet2_valle.score.speaker import similarity
from espnet2_valle.score.utterance import DECIMALS


def speaker_reference(
    wavs: Mapping[str, str],
    speakers: Mapping[str, str],
    plan: AbsScorerPlan,
    limit: int,
    seed: int,
    nj: int = 1,
) -> dict[str, Any] | None:
    """Similarities between real recordings of the same and of different speakers.

    Args:
        wavs: utterance -> sound file.
        speakers: utterance -> speaker.
        plan: has the speaker encoder.
        limit: most recordings that are compared; speakers take turns.
        seed: of their choice and of the intervals.
        nj: number of processes.

    Returns:
        `same` and `other` speaker (means with intervals over speakers), `eer`: the error rate of telling by
        the similarity whether two recordings have one speaker, at the `threshold` where both errors are as
        frequent, `n_utterances`, `n_speakers`; None without two speakers or without two recordings of one.
    """
    chosen = choose(wavs, speakers, limit, seed)
    if len({speakers[key] for key in chosen}) < 2:
        return None
    voices = list(parallel_map(partial(_embed, plan=plan), [wavs[key] for key in chosen], nj, "real voices"))
    same: list[tuple[str, float]] = []
    other: list[tuple[str, float]] = []
    for (one, voice), (two, second) in combinations(zip(chosen, voices), 2):
        group = same if speakers[one] == speakers[two] else other
        group.append((speakers[one], round(similarity(voice, second), DECIMALS)))
    if not same:
        return None
    eer, threshold = equal_error_rate([value for _, value in same], [value for _, value in other])
    return {
        "same": ratio_figure([value for _, value in same], seed=seed, groups=[who for who, _ in same]),
        "other": ratio_figure([value for _, value in other], seed=seed, groups=[who for who, _ in other]),
        "eer": eer,
        "threshold": threshold,
        "n_utterances": len(chosen),
        "n_speakers": len({speakers[key] for key in chosen}),
    }


def choose(wavs: Mapping[str, str], speakers: Mapping[str, str], limit: int, seed: int) -> list[str]:
    """At most `limit` utterances, as many of each speaker as can be."""
    drawn = random.Random(seed).sample(sorted(wavs), len(wavs))
    turns: dict[str, int] = {}
    ranked = []
    for key in drawn:
        turn = turns[speakers[key]] = turns.get(speakers[key], 0) + 1
        ranked.append((turn, key))
    return [key for _, key in sorted(ranked)[:limit]]


def _embed(path: str, plan: AbsScorerPlan) -> np.ndarray:
    return load_scorers(plan).speaker.embed(*read_audio(path))


def equal_error_rate(same: list[float], other: list[float]) -> tuple[float, float]:
    """Error rate where as many same-speaker pairs are rejected as others accepted, and its threshold."""
    values = np.array(same + other)
    labels = np.array([True] * len(same) + [False] * len(other))
    order = np.argsort(-values, kind="stable")
    accepted = labels[order]
    misses = 1 - np.cumsum(accepted) / len(same)
    false_alarms = np.cumsum(~accepted) / len(other)
    # Pairs of one similarity are accepted or rejected together.
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    at = last[np.argmin(np.abs(misses[last] - false_alarms[last]))]
    return float((misses[at] + false_alarms[at]) / 2), float(values[order][at])
