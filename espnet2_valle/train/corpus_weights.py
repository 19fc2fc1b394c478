"""Sampling weights of corpora: so often a pass over a training index draws each utterance."""

from collections.abc import Mapping

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.ids import corpus_of
from espnet2_valle.train.index import TrainingIndex

OPTION = "--corpus_weights"


def check_weights(weights: Mapping[str, object]) -> None:
    """Raise InputError unless each weight is a number of 0 or more."""
    for corpus, weight in weights.items():
        if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 <= weight < np.inf:
            raise InputError(OPTION, f"{corpus}: {weight!r} is no weight", "Give a number of 0 or more")


def weights_of(index: TrainingIndex, weights: Mapping[str, float]) -> np.ndarray:
    """Weight of each utterance: that of its speaker's corpus, or 1.

    Args:
        index: of several corpora, whose names begin its speakers'.
        weights: corpus -> how often a pass draws an utterance, on average.

    Returns:
        (utterances,) float64.

    Raises:
        InputError: no speaker is of one of the corpora, or nothing would be drawn.
    """
    corpora = [corpus_of(speaker, weights) for speaker in index.speakers]
    for corpus in weights:
        if corpus not in corpora:
            raise InputError(
                OPTION,
                f"no speaker of {index.directory} is of a corpus '{corpus}'",
                f"Name a corpus as the speakers in {index.directory / 'speakers.txt'} begin",
            )
    of_speakers = np.array([weights.get(corpus, 1.0) for corpus in corpora])
    found = of_speakers[index.columns["speaker"]]
    if not found.any():
        raise InputError(OPTION, "leaves nothing to learn from", "Give one corpus more than 0")
    return found


def draw(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each utterance comes: its weight rounded down, and once more as often as the rest says.

    Args:
        weights: (utterances,).
        rng: of the rest.

    Returns:
        (utterances,) int64, at least one of them 1 or more.
    """
    whole = np.floor(weights)
    counts = (whole + (rng.random(len(weights)) < weights - whole)).astype(np.int64)
    if not counts.any():  # few utterances and small weights
        counts[rng.choice(len(weights), p=weights / weights.sum())] = 1
    return counts
