"""Batches of one pass over a training index.

Utterances of about the same length go together, as many as a budget of positions allows; which ones meet
changes from pass to pass, and so does the order of the batches. Every rank gets as many utterances of the
same length at each step, so that none waits for another and none ends before another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.train.concatenate import ALONE, choose_companions
from espnet2_valle.train.corpus_weights import draw, language_weights, weights_of
from espnet2_valle.train.index import TrainingIndex

Positions = Callable[[np.ndarray, np.ndarray], np.ndarray]
Item = tuple[int, int]  # an utterance and the one laid behind it, or ALONE


@dataclass(frozen=True)
class BatchRule:
    """Limits of a batch.

    Attributes:
        bins: positions of a step over all ranks, padding included.
        step: padded lengths are multiples of this.
        positions: (tokens, frames) of utterances -> positions that the model sees.
        world_size: ranks.
        max_join_frames: utterances are also laid behind one another up to this length; 0: not at all.
        separator: token between the texts of two joined utterances; None: nothing.
        weights: of several corpora: name -> how often a pass has an utterance, alone and joined, on average.
            Those that are not named come once.
        language_temperature: 1 or more: how far utterances of rare languages come oftener, see
            `language_weights`.
    """

    bins: int
    step: int
    positions: Positions
    world_size: int = 1
    max_join_frames: int = 0
    separator: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    language_temperature: float = 1.0

    def padded(self, tokens: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Lengths in units of `step`, rounded up; uint16, which numpy sorts in linear time."""
        steps = -(-self.positions(tokens, frames) // self.step)
        return steps.clip(max=np.iinfo(np.uint16).max).astype(np.uint16)


class BatchPlan:
    """The batches of one pass.

    Args:
        index: of the utterances.
        rule: see `BatchRule`.
        seed: numbers from which composition and order follow.
        shuffle: without it the batches come in falling length, the same in every pass.

    Raises:
        InputError: the index is empty, or its speakers are not of the corpora that have weights.
    """

    def __init__(self, index: TrainingIndex, rule: BatchRule, seed: tuple[int, ...], shuffle: bool = True):
        if not len(index):
            raise InputError(index.directory, "has no utterance", "Build the index of a set that has some")
        rng = np.random.default_rng(seed if shuffle else 0)
        self.rule = rule
        self.num_utterances = len(index)
        self.companions: np.ndarray | None = None
        lengths = rule.padded(index.tokens, index.frames)
        if rule.max_join_frames:
            self.companions = choose_companions(index, rule.max_join_frames, rng)
            lengths = np.concatenate([lengths, self._joined_lengths(index)])
            self.joined = np.flatnonzero(self.companions != ALONE).astype(np.int32)
        items = np.arange(len(lengths), dtype=np.int32)
        if rule.weights or rule.language_temperature != 1:
            items = np.repeat(items, self._draws(index, rng))
        self.starts = cut(np.bincount(lengths[items]), rule)
        rng.shuffle(items)
        by_length = np.argsort(lengths[items], kind="stable")[::-1]
        self.items = items[by_length]
        self.order = rng.permutation(len(self)) if shuffle else np.arange(len(self))

    def _joined_lengths(self, index: TrainingIndex) -> np.ndarray:
        assert self.companions is not None
        first = np.flatnonzero(self.companions != ALONE)
        second = self.companions[first]
        tokens = index.tokens[first] + index.tokens[second] + (self.rule.separator is not None)
        return self.rule.padded(tokens, index.frames[first] + index.frames[second])

    def _draws(self, index: TrainingIndex, rng: np.random.Generator) -> np.ndarray:
        """Draw the number of times that each item comes in this pass, (items,) int64."""
        weights = weights_of(index, self.rule.weights)
        if self.rule.language_temperature != 1:
            weights = weights * language_weights(index, self.rule.language_temperature)
        if self.companions is not None:
            weights = np.concatenate([weights, weights[self.joined]])
        return draw(weights, rng)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def batch(self, number: int, rank: int = 0) -> list[Item]:
        """The share of `rank` in batch `number`, counted from 0 in this pass's order.

        Where a last batch does not go up evenly, its first utterances are given out once more.
        """
        place = self.order[number]
        chosen = self.items[self.starts[place] : self.starts[place + 1]]
        chosen = np.resize(chosen, -(-len(chosen) // self.rule.world_size) * self.rule.world_size)
        return [self._item(int(item)) for item in chosen[rank :: self.rule.world_size]]

    def _item(self, item: int) -> Item:
        if item < self.num_utterances:
            return item, ALONE
        assert self.companions is not None
        first = int(self.joined[item - self.num_utterances])
        return first, int(self.companions[first])


def cut(histogram: np.ndarray, rule: BatchRule) -> np.ndarray:
    """Cut utterances in falling order of length into batches.

    All batches of a length have the same number of utterances, a multiple of the ranks: few shapes occur.

    Args:
        histogram: how many utterances have a padded length of 0, 1, 2 ... times `rule.step`.
        rule: see `BatchRule`.

    Returns:
        where each batch begins, and the number of utterances: (batches + 1,) int64.
    """
    starts = [np.zeros(1, np.int64)]
    begin = end = 0  # `begin` is of the next batch, `end` of the utterances of this length or more
    for length in range(len(histogram) - 1, -1, -1):
        end += int(histogram[length])
        if begin >= end:
            continue
        ranks = rule.world_size
        size = max(ranks, rule.bins // max(1, length * rule.step) // ranks * ranks)
        cuts = np.arange(begin + size, end + size, size)
        starts.append(cuts)
        begin = int(cuts[-1])
    joined = np.concatenate(starts)
    joined[-1] = end
    return joined
