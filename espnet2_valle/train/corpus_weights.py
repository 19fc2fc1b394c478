"""Sampling weights of corpora and languages: so often a pass over a training index draws each utterance."""

from collections.abc import Mapping

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.ids import corpus_of
from espnet2_valle.train.index import TrainingIndex

OPTION = "--corpus_weights"
TEMPERATURE = "--language_temperature"


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


def check_temperature(temperature: float) -> None:
    """Raise InputError at a temperature below 1."""
    if not temperature >= 1:
        raise InputError(
            TEMPERATURE,
            f"{temperature:g} is out of range",
            "Give 1 (languages as they are), 5, or inf (even)",
        )


def language_weights(index: TrainingIndex, temperature: float) -> np.ndarray:
    """Weight of each utterance by its language: shares of the speech become share^(1 / temperature).

    A pass has as many frames as without weights (Arivazhagan et al., 2019, arXiv 1907.05019, sec. 4).

    Args:
        index: of several languages.
        temperature: 1 leaves the languages as they are, infinity gives all the same share.

    Returns:
        (utterances,) float64.
    """
    language = index.columns["language"]
    frames = np.bincount(language, weights=index.frames, minlength=len(index.languages))
    there = frames > 0
    shares = np.where(there, frames / frames.sum(), 1.0)
    wanted = np.where(there, shares ** (1 / temperature), 0.0)
    return (wanted / wanted.sum() / shares)[language]


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
