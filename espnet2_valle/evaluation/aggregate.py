"""From rows of scores to what metrics are ratios of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from espnet2_valle.asr.wer import ErrorCounts, count_characters, count_words
from espnet2_valle.evaluation.bootstrap import Metric, ratio_metric
from espnet2_valle.evaluation.table import SECOND
from espnet2_valle.evaluation.utterance import UtteranceScore

MIN_SPEAKERS = 2  # of one speaker nothing can be drawn


@dataclass
class Ratios:
    """A metric before it is summed: numerator and denominator of each output that has one.

    Attributes:
        numerators, denominators: one each of an output that has the metric.
        pairs: pair id of each.
    """

    numerators: list[float] = field(default_factory=list)
    denominators: list[float] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)

    def add(self, pair: str, numerator: float, denominator: float = 1.0) -> None:
        """Take in one output."""
        self.pairs.append(pair)
        self.numerators.append(numerator)
        self.denominators.append(denominator)

    def metric(self, seed: int = 0) -> Metric:
        """The metric, with the interval over pairs: samples of one pair are drawn together."""
        return ratio_metric(self.numerators, self.denominators, seed, groups=self.pairs)

    def of_pairs(self) -> dict[str, tuple[float, float]]:
        """Pair id -> mean numerator and denominator of its samples."""
        count = Counter(self.pairs)
        numerators, denominators = (dict.fromkeys(count, 0.0) for _ in range(2))
        for pair, numerator, denominator in zip(self.pairs, self.numerators, self.denominators, strict=True):
            numerators[pair] += numerator / count[pair]
            denominators[pair] += denominator / count[pair]
        return {pair: (numerators[pair], denominators[pair]) for pair in count}

    def metric_by_speaker(self, speakers: Mapping[str, str], seed: int = 0) -> Metric | None:
        """The metric with the interval over speakers (pair id -> speaker); None for fewer than two."""
        labels = [speakers[pair] for pair in self.pairs]
        if len(set(labels)) < MIN_SPEAKERS:
            return None
        return ratio_metric(self.numerators, self.denominators, seed, groups=labels)


def measure(rows: Iterable[UtteranceScore]) -> dict[str, Ratios]:
    """Every figure's ratios: wer, cer, sim_prompt, sim_other, prompt_beats_other, dnsmos and the extra ones.

    A row without audio counts in wer and cer, with all words deleted, and in no other metric. Those of the
    second recogniser and of the second speaker encoder have SECOND before their names.
    """
    names = ("wer", "cer", "sim_prompt", "sim_other", "prompt_beats_other", "dnsmos")
    measured = {name: Ratios() for name in names}
    for row in rows:
        for mark, heard in (("", row.heard), (SECOND, row.second_heard)):
            if heard is not None:
                words, characters = count_words(row.text, heard), count_characters(row.text, heard)
                for name, count in ((f"{mark}wer", words), (f"{mark}cer", characters)):
                    measured.setdefault(name, Ratios()).add(row.pair_id, count.errors, count.length)
        for name, value in plain_values(row).items():
            measured.setdefault(name, Ratios()).add(row.pair_id, value)
    return measured


def plain_values(row: UtteranceScore) -> dict[str, float]:
    """Figures of one row that are plain numbers."""
    values: dict[str, float | None] = {
        "sim_prompt": row.sim_prompt,
        "sim_other": row.sim_other,
        "dnsmos": row.dnsmos,
        **row.extra,
    }
    for mark in ("", SECOND):
        prompt, other = values.get(f"{mark}sim_prompt"), values.get(f"{mark}sim_other")
        if prompt is not None and other is not None:
            values[f"{mark}prompt_beats_other"] = float(prompt > other)
    return {name: value for name, value in values.items() if value is not None}


def count_errors(rows: Iterable[UtteranceScore]) -> dict[str, int]:
    """Word errors by kind over all rows, and the words that were to be said."""
    counts = [count_words(row.text, row.heard) for row in rows]
    kinds = ("substitutions", "deletions", "insertions")
    total = {kind: sum(getattr(count, kind) for count in counts) for kind in kinds}
    return {**total, "words": sum(count.length for count in counts)}


def badness(row: UtteranceScore) -> tuple[float, float, str]:
    """Key by which worse rows come first: word errors for each word (no audio is worst), then unlikeness."""
    counts: ErrorCounts = count_words(row.text, row.heard)
    errors = counts.errors / max(1, counts.length) if row.has_audio else float("inf")
    return errors, -(row.sim_prompt or 0.0), row.pair_id


def worst(rows: Sequence[UtteranceScore], count: int) -> list[dict[str, Any]]:
    """The `count` worst rows with errors, worst first: pair_id, text, heard and errors for each word."""
    ranked = sorted(rows, key=badness, reverse=True)[:count]
    return [
        {"pair_id": row.pair_id, "text": row.text, "heard": row.heard, "has_audio": row.has_audio}
        for row in ranked
        if badness(row)[0] > 0
    ]
