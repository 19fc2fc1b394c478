"""From ratings to metrics: who is counted, means of systems with intervals, differences between them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.bootstrap import CONFIDENCE, Metric
from espnet2_valle.listening.build import GOLD, KEY, PUBLIC, REFERENCE, TEST
from espnet2_valle.listening.kinds import KINDS, Kind
from espnet2_valle.listening.raters import read_raters

NUM_RESAMPLES = 2000
MIN_CHECKS_RIGHT = 5 / 6  # Woods et al. (2017)
MIN_GOLD_RIGHT = 0.7  # P.808
MIN_ANSWERED = 0.9
MUSHRA_REFERENCE, MUSHRA_MISSES = (
    90.0,
    0.15,
)  # BS.1534-3: hidden reference below 90 in more than 15 % of the items
SAME_ANSWERS = 6  # so many trials, all with one answer, are no judgement


@dataclass(frozen=True)
class Rating:
    """One answer about one system.

    Attributes:
        rater: who.
        item: the pair.
        system: which.
        value: what; in a comparison that of the system over the base.
    """

    rater: str
    item: str
    system: str
    value: float


def analyse(test_dir: str | Path, files: Sequence[Path] = (), seed: int = 0) -> dict[str, Any]:
    """Figures of a test.

    Args:
        test_dir: with public/, key.json and the ratings.
        files: answers that raters saved, where there was no server.
        seed: of the resampling.

    Returns:
        kind, source, `systems`: name -> mean with interval, n_ratings; `differences` between systems;
        `failed`: system -> how many of its recordings could not be loaded, by all raters; `raters`: who is
        counted, and why not.

    Raises:
        InputError: there is no test, or no ratings, or a file is not of this test.
    """
    test_dir = Path(test_dir)
    if not (test_dir / KEY).is_file():
        raise InputError(test_dir, f"has no {KEY}", "Give the folder that `valle listening make` wrote")
    key = json.loads((test_dir / KEY).read_text(encoding="utf-8"))
    page = json.loads((test_dir / PUBLIC / "test.json").read_text(encoding="utf-8"))
    kind = KINDS[key["design"]["kind"]]
    raters = read_raters(test_dir, files)
    expected = min(len(block) for block in page["blocks"])
    failures = {rater["rater"]: screen(rater, key, kind, expected) for rater in raters}
    ratings = [
        rating for rater in raters if not failures[rater["rater"]] for rating in ratings_of(rater, key, kind)
    ]
    draw = resampler(ratings, seed)
    systems = list(dict.fromkeys(rating.system for rating in ratings))
    return {
        "kind": kind.name,
        "source": kind.source,
        "question": kind.question,
        "scale": [kind.low, kind.high],
        "systems": {
            name: {
                "mean": draw(_of(name)),
                "n_ratings": sum(rating.system == name for rating in ratings),
            }
            for name in sorted(systems)
        },
        "differences": [
            {"system": system, "base": base, "difference": draw(_of(system), _of(base))}
            for base, system in combinations(sorted(systems), 2)
        ],
        "failed": count_failed(raters, key, kind),
        "raters": {
            "counted": sum(not reasons for reasons in failures.values()),
            "all": len(raters),
            "screened_out": {name: reasons for name, reasons in failures.items() if reasons},
        },
    }


def _of(system: str) -> Callable[[Rating], float]:
    """Function that gives weight to the ratings of one system."""
    return lambda rating: float(rating.system == system)


def screen(rater: Mapping[str, Any], key: Mapping[str, Any], kind: Kind, expected: int) -> list[str]:
    """Reasons not to count a rater; [] for one who counts. What could not be loaded counts neither way."""
    answers = rater["answers"]
    trials = {
        name: trial
        for name, trial in key["trials"].items()
        if name in answers and trial["role"] in (TEST, GOLD)
    }
    done = [name for name in trials if any(v is not None for v in answers[name]["scores"].values())]
    failed = len(trials) - len(done)
    reasons = []
    if not done or len(done) < MIN_ANSWERED * (expected - failed):
        lost = f", {failed} could not be loaded" if failed else ""
        reasons.append(f"answered {len(done)} of {expected}{lost}")
    reasons += _screen_checks(answers, key["checks"])
    reasons += _screen_gold(answers, trials)
    values = [rating.value for rating in ratings_of(rater, key, kind)]
    if len(values) >= SAME_ANSWERS and len(set(values)) == 1:
        reasons.append("always the same answer")
    if kind.has_sliders:
        hidden = [v for name in done for v in _of_system(answers[name]["scores"], trials[name], REFERENCE)]
        missed = sum(value < MUSHRA_REFERENCE for value in hidden)
        if missed > MUSHRA_MISSES * len(hidden):
            reasons.append(f"hidden reference below {MUSHRA_REFERENCE:g} in {missed} of {len(hidden)}")
    return reasons


def _screen_checks(answers: Mapping[str, Any], tones: Mapping[str, int]) -> list[str]:
    """The reason that too few tone triples, or none, were heard right."""
    given = [(answers.get(name, {}).get("scores", {}).get("choice", 0), tone) for name, tone in tones.items()]
    right = [choice == tone for choice, tone in given if choice is not None]
    if tones and (not right or sum(right) < MIN_CHECKS_RIGHT * len(right)):
        return [f"headphone check {sum(right)} of {len(right)}"]
    return []


def _screen_gold(answers: Mapping[str, Any], trials: Mapping[str, Any]) -> list[str]:
    """The reason that too few gold trials' judged recording, the last one, was rated as it must be."""
    hits = []
    for name, trial in trials.items():
        value = answers[name]["scores"][list(trial["systems"])[-1]]
        if trial["role"] == GOLD and value is not None:
            hits.append(trial["expect"][0] <= value <= trial["expect"][1])
    return [f"gold {sum(hits)} of {len(hits)}"] if sum(hits) < MIN_GOLD_RIGHT * len(hits) else []


def _of_system(scores: Mapping[str, float | None], trial: Mapping[str, Any], system: str) -> list[float]:
    found = [scores[stimulus] for stimulus, name in trial["systems"].items() if name == system]
    return [value for value in found if value is not None]


def ratings_of(rater: Mapping[str, Any], key: Mapping[str, Any], kind: Kind) -> list[Rating]:
    """A rater's answers to the trials that count."""
    return [
        Rating(rater["rater"], item, system, float(value))
        for item, system, value in _scores_of(rater, key, kind)
        if value is not None
    ]


def count_failed(raters: Sequence[Mapping[str, Any]], key: Mapping[str, Any], kind: Kind) -> dict[str, int]:
    """System -> how often one of its recordings was to be rated and could not be loaded."""
    scores = [score for rater in raters for score in _scores_of(rater, key, kind)]
    return dict(sorted(Counter(system for _, system, value in scores if value is None).items()))


def _scores_of(
    rater: Mapping[str, Any], key: Mapping[str, Any], kind: Kind
) -> Iterator[tuple[str, str, float | None]]:
    """(item, system, score) of what a rater was asked in the trials that count."""
    for name, answer in rater["answers"].items():
        trial = key["trials"].get(name)
        if trial is None or trial["role"] != TEST:
            continue
        judged = list(trial["systems"].items())
        # The base of a comparison has the opposite value.
        for stimulus, system in judged[1:] if kind.is_comparison else judged:
            yield trial["item"], system, answer["scores"][stimulus]


def resampler(ratings: Sequence[Rating], seed: int) -> Callable[..., Metric]:
    """A function that turns weights of ratings into a mean, or the difference of two, with its interval.

    Raters and items are both drawn anew in each resample (Owen's pigeonhole bootstrap): the interval tells
    how the mean would move with other raters and other sentences.
    """
    generator = np.random.default_rng(seed)
    raters = {name: number for number, name in enumerate(dict.fromkeys(r.rater for r in ratings))}
    items = {name: number for number, name in enumerate(dict.fromkeys(r.item for r in ratings))}
    values = np.array([rating.value for rating in ratings])

    def counts(size: int) -> np.ndarray:
        drawn = generator.integers(max(1, size), size=(NUM_RESAMPLES, size))
        return np.stack([np.bincount(row, minlength=size) for row in drawn])

    weights = np.empty((NUM_RESAMPLES, 0))
    if ratings:
        times_rater, times_item = counts(len(raters)), counts(len(items))
        weights = (
            times_rater[:, [raters[r.rater] for r in ratings]]
            * times_item[:, [items[r.item] for r in ratings]]
        ).astype(float)

    def means(chosen: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (weights @ (chosen * values)) / (weights @ chosen)

    def draw(one: Callable[[Rating], float], other: Callable[[Rating], float] | None = None) -> Metric:
        parts = [np.array([choose(r) for r in ratings]) for choose in (one, other) if choose is not None]
        centre = [fmean(values[part > 0]) for part in parts]
        sampled = [means(part) for part in parts]
        value = centre[0] - (centre[1] if len(centre) > 1 else 0.0)
        samples = sampled[0] - (sampled[1] if len(sampled) > 1 else 0.0)
        samples = samples[np.isfinite(samples)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(samples, [tail, 1 - tail]) if samples.size else (value, value)
        return {"value": value, "low": float(min(low, value)), "high": float(max(high, value))}

    return draw
