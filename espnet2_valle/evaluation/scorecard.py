"""From the rows of all systems to what scores.json holds."""

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.evaluation.aggregate import Ratios, badness, measure
from espnet2_valle.evaluation.paired_tests import paired_tests
from espnet2_valle.evaluation.scorers import AbsScorerPlan
from espnet2_valle.evaluation.systems import compare_words, count_outcomes, summarise
from espnet2_valle.evaluation.table import SECOND, WORD_MEASURES
from espnet2_valle.evaluation.utterance import UtteranceScore

GROUND_TRUTH, CODEC = "ground_truth", "codec"
Rows = Sequence[UtteranceScore]


@dataclass(frozen=True)
class Scored:
    """One system after scoring.

    Attributes:
        samples: rows of each sample, all of the same pairs in the same order; most systems have one sample.
        outcomes: pair id -> outcome of each sample, as decoding wrote them; {} where it did not.
    """

    samples: Sequence[Rows]
    outcomes: Sequence[Mapping[str, str]] = field(default_factory=tuple)

    @property
    def rows(self) -> list[UtteranceScore]:
        """The rows of all samples."""
        return [row for sample in self.samples for row in sample]

    def outcomes_of(self, sample: int) -> Mapping[str, str]:
        """Outcome of decoding in a sample."""
        return self.outcomes[sample] if sample < len(self.outcomes) else {}


def best_of(samples: Sequence[Rows]) -> list[UtteranceScore]:
    """For each pair the sample with fewest word errors, then most like the prompt.

    The recogniser that chooses is the one that scores, so this bounds what choosing can bring.
    """
    return [min(of_pair, key=badness) for of_pair in zip(*samples)]


def best_name(name: str, count: int) -> str:
    """Name of the system that is the best of several samples."""
    return f"{name}_best_of_{count}"


def with_best(systems: Mapping[str, Scored]) -> dict[str, Scored]:
    """The systems, each of several samples followed by the best of them as a system of its own."""
    found: dict[str, Scored] = {}
    for name, scored in systems.items():
        found[name] = scored
        if len(scored.samples) > 1:
            found[best_name(name, len(scored.samples))] = Scored([best_of(scored.samples)])
    return found


def assemble(
    systems: Mapping[str, Scored],
    plan: AbsScorerPlan,
    times: Mapping[str, float],
    speakers: Mapping[str, str],
    seed: int = 0,
) -> dict[str, Any]:
    """The content of scores.json.

    Args:
        systems: by name.
        plan: the scorers.
        times: stage -> seconds.
        speakers: pair id -> speaker.
        seed: of the resampling.
    """
    measured = {name: measure(scored.rows) for name, scored in systems.items()}
    scores: dict[str, Any] = {
        "systems": {name: summarise_samples(scored, seed, speakers) for name, scored in systems.items()},
        "judge": plan.recognizer_name,
        "speaker_encoder": plan.speaker_name,
        "pairs": len(next(iter(systems.values())).samples[0]),
        "commit": git_commit(),
        "seconds_by_stage": dict(times),
        "paired_tests": paired_tests(measured, speakers, seed),
    }
    scores |= _relative_word_accuracy(systems, seed)
    if plan.second_speaker_name:
        scores["second_speaker_encoder"] = plan.second_speaker_name
    if plan.second_name:
        keys = [measure.key for measure in WORD_MEASURES]
        scores["second_judge"] = {
            "name": plan.second_name,
            "systems": {
                name: {key: summary[SECOND + key] for key in keys}
                for name, summary in scores["systems"].items()
            },
            **_relative_word_accuracy(systems, seed, SECOND),
        }
    return scores


def _relative_word_accuracy(systems: Mapping[str, Scored], seed: int, mark: str = "") -> dict[str, Any]:
    """Word accuracy of each system over that of codec resynthesis, {} without one; SECOND: by the second."""
    base = systems.get(CODEC)
    if base is None:
        return {}
    relative = {
        name: compare_words(scored.rows, base.rows, seed, mark)
        for name, scored in systems.items()
        if name not in (GROUND_TRUTH, CODEC)
    }
    return {"relative_word_accuracy": relative}


def summarise_samples(scored: Scored, seed: int, speakers: Mapping[str, str]) -> dict[str, Any]:
    """Figures of a system: over all its samples, and how far each sample's own lie apart."""
    summary = summarise(scored.rows, scored.outcomes_of(0), seed, speakers)
    count = len(scored.samples)
    if count == 1:
        return summary
    outcomes: Counter[str] = Counter()
    for number, rows in enumerate(scored.samples):
        outcomes.update(count_outcomes(rows, scored.outcomes_of(number)))
    own = [{name: _value(ratios) for name, ratios in measure(rows).items()} for rows in scored.samples]
    return {
        **summary,
        "outcomes": dict(sorted(outcomes.items())),
        "samples": count,
        "by_sample": {name: _spread(values) for name, values in _in_all(own).items()},
    }


def _in_all(samples: Sequence[Mapping[str, float | None]]) -> dict[str, list[float]]:
    """The values of those metrics that every sample has."""
    values = {name: [sample.get(name) for sample in samples] for name in samples[0]}
    kept = {name: [value for value in found if value is not None] for name, found in values.items()}
    return {name: found for name, found in kept.items() if len(found) == len(samples)}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {"values": list(values), "deviation": float(np.std(values, ddof=1))}


def _value(ratios: Ratios) -> float | None:
    bottom = sum(ratios.denominators)
    return sum(ratios.numerators) / bottom if bottom else None


def git_commit() -> str | None:
    """Commit of the checkout that this file belongs to, or None outside of one."""
    here = Path(__file__).resolve()
    try:
        # An installed copy may lie inside a checkout of something else.
        _git(here, "ls-files", "--error-unmatch", here.name)
        return _git(here, "rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(here: Path, *arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, check=True)
    return found.stdout.strip()
