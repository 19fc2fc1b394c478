"""Paired tests of two systems on the same pairs."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import permutation_test

from espnet2_valle.evaluation.aggregate import MIN_SPEAKERS, Ratios
from espnet2_valle.evaluation.bootstrap import CHUNK_ELEMENTS, group_sums, ratio_metric
from espnet2_valle.evaluation.table import SECOND

NUM_FLIPS = 9999
COMPARED = (
    "wer",
    "cer",
    "sim_prompt",
    "dnsmos",
    *(f"{SECOND}{name}" for name in ("wer", "cer", "sim_prompt")),
    "distillmos",
)


def paired_tests(
    measured: Mapping[str, Mapping[str, Ratios]], speakers: Mapping[str, str], seed: int = 0
) -> list[dict[str, Any]]:
    """Every two systems against each other.

    Args:
        measured: system -> metric -> its ratios.
        speakers: pair id -> speaker.
        seed: of the resampling.

    Returns:
        For each two systems and each of COMPARED that both have: system, base, measure, `difference`
        (system − base, with its interval over pairs), `p` (over pairs), `p_holm` (corrected for how many
        systems are compared by this measure), `n` pairs, and with two speakers or more
        `difference_by_speaker` and `p_by_speaker`.
    """
    tests: list[dict[str, Any]] = []
    for name in COMPARED:
        some = [
            _compare(system, base, name, measured, speakers, seed)
            for base, system in combinations(measured, 2)
        ]
        found = [test for test in some if test is not None]
        for test, corrected in zip(found, holm([test["p"] for test in found])):
            tests.append({**test, "p_holm": corrected})
    return tests


def _compare(
    system: str,
    base: str,
    name: str,
    measured: Mapping[str, Mapping[str, Ratios]],
    speakers: Mapping[str, str],
    seed: int,
) -> dict[str, Any] | None:
    """One test; None where the systems share no pair with this metric."""
    one, other = _by_pair(measured[system].get(name)), _by_pair(measured[base].get(name))
    pairs = [pair for pair in one if pair in other]
    if not pairs:
        return None
    # By rate and shared length: the systems may have different numbers of samples of a pair.
    lengths = [other[pair][1] / other[pair][2] for pair in pairs]
    gaps = [
        (one[pair][0] / one[pair][1] - other[pair][0] / other[pair][1]) * length if length else 0.0
        for pair, length in zip(pairs, lengths)
    ]
    if not sum(lengths):
        return None
    test = {
        "system": system,
        "base": base,
        "measure": name,
        "n": len(pairs),
        "difference": ratio_metric(gaps, lengths, seed),
        "p": flip_test(gaps, None, seed),
    }
    labels = [speakers[pair] for pair in pairs]
    if len(set(labels)) >= MIN_SPEAKERS:
        test["difference_by_speaker"] = ratio_metric(gaps, lengths, seed, groups=labels)
        test["p_by_speaker"] = flip_test(gaps, labels, seed)
    return test


def _by_pair(ratios: Ratios | None) -> dict[str, tuple[float, float, int]]:
    """Pair -> sums of its samples' numerators and denominators, and how many samples."""
    sums: dict[str, tuple[float, float, int]] = {}
    for pair, top, bottom in zip(ratios.pairs, ratios.numerators, ratios.denominators) if ratios else ():
        before = sums.get(pair, (0.0, 0.0, 0))
        sums[pair] = (before[0] + top, before[1] + bottom, before[2] + 1)
    return sums


def flip_test(
    gaps: Sequence[float], groups: Sequence[Hashable] | None = None, seed: int = 0, num_flips: int = NUM_FLIPS
) -> float:
    """Two-sided p of a paired randomisation test (Fisher, Pitman).

    If the systems were alike, each pair's results might as well be swapped between them: how often is the
    summed gap, with random signs, at least as large as what was seen? Where there are no more sign patterns
    than `num_flips`, all are tried and p is exact.

    Args:
        gaps: one a pair.
        groups: a label a pair; those of one label are swapped together.
        seed: of the random signs.
        num_flips: how many patterns.
    """
    sums = group_sums(np.asarray(gaps, dtype=np.float64)[None], groups)[0]
    sums = sums[sums != 0]
    if sums.size < 2:  # a lone gap is as large with either sign
        return 1.0
    test = permutation_test(
        (sums,),
        _size_of_sum,
        permutation_type="samples",  # of one sample: its signs
        alternative="greater",
        n_resamples=num_flips,
        batch=max(1, CHUNK_ELEMENTS // sums.size),
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def _size_of_sum(values: np.ndarray, axis: int) -> np.ndarray:
    return np.abs(values.sum(axis=axis))


def holm(values: Iterable[float]) -> list[float]:
    """p values corrected for being several (Holm, 1979), in the order given."""
    ps = list(values)
    corrected = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, ps[index] * (len(ps) - rank)))
        corrected[index] = largest
    return corrected
