"""Forced alignment on latents: one Gaussian a token, and the likeliest path (Viterbi training).

What a recogniser of 25 frames a second knows roughly is found to the frame here, as by the monophone models
of HMM toolkits (Rabiner, 1989): each frame is of a token, tokens come in order, a sound takes at least a
frame, a pause may take none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from espnet2_valle.text.roles import Role

SMALLEST_STD = 1e-3  # of a latent's dimension in an utterance
VARIANCE_FLOOR = 0.05  # of the frames of all tokens
PRIOR_FRAMES = 10.0  # of all tokens' statistics in those of each: a rare one is like the others
IMPOSSIBLE = -1e30


@dataclass(frozen=True)
class Timed:
    """An utterance whose tokens have durations.

    Attributes:
        latent: (T, D).
        ids: (S,) of the tokens, edges included.
        roles: (S,).
        durations: (S,) frames of each, with the sum T.
    """

    latent: np.ndarray
    ids: np.ndarray
    roles: np.ndarray
    durations: np.ndarray


class TokenGaussians:
    """Means and variances of the frames of each token, each utterance normalised by its own.

    Pauses of all kinds, the edges among them, have one Gaussian: that between two words would else become
    one of the sounds beside it wherever nobody pauses.

    Args:
        mean, variance: (V, D) of each token id.
    """

    def __init__(self, mean: np.ndarray, variance: np.ndarray):
        self.mean = mean.astype(np.float64)
        self.precision = 1.0 / variance.astype(np.float64)
        self._constant = -0.5 * (np.log(variance).sum(1) + (self.mean**2 * self.precision).sum(1))

    @classmethod
    def of(cls, utterances: Iterable[Timed], vocab_size: int) -> "TokenGaussians":
        """Those of utterances as their durations have them."""
        count, pauses = np.zeros(vocab_size), np.zeros(vocab_size, dtype=bool)
        sums = squares = np.zeros((vocab_size, 1))
        for one in utterances:
            frames = normalised(one.latent)
            owner = np.repeat(one.ids, one.durations)
            if sums.shape[1] != frames.shape[1]:
                sums, squares = (np.zeros((vocab_size, frames.shape[1])) for _ in range(2))
            np.add.at(sums, owner, frames)
            np.add.at(squares, owner, frames**2)
            count += np.bincount(owner, minlength=vocab_size)
            pauses[one.ids[one.roles == Role.PAUSE]] = True
        total = max(count.sum(), 1.0)
        mean, square = sums.sum(0) / total, squares.sum(0) / total
        for told in (sums, squares, count):
            told[pauses] = told[pauses].sum(0)
        spread = np.maximum(square - mean**2, SMALLEST_STD**2)
        weights = (count + PRIOR_FRAMES)[:, None]
        means = (sums + PRIOR_FRAMES * mean) / weights
        variances = (squares + PRIOR_FRAMES * square) / weights - means**2
        return cls(means, np.maximum(variances, VARIANCE_FLOOR * spread))

    @classmethod
    def fit(cls, utterances: list[Timed], vocab_size: int, rounds: int) -> "TokenGaussians":
        """Fit to utterances whose durations are a first guess, aligning them anew in each round."""
        fitted = cls.of(utterances, vocab_size)
        for _ in range(rounds):
            utterances = [
                Timed(one.latent, one.ids, one.roles, fitted.align(one.latent, one.ids, one.roles))
                for one in utterances
            ]
            fitted = cls.of(utterances, vocab_size)
        return fitted

    def align(self, latent: np.ndarray, ids: np.ndarray, roles: np.ndarray) -> np.ndarray:
        """Durations (S,) int16 of the likeliest path through the frames of `latent` (T, D).

        Of pauses that follow one another the first takes all.

        Raises:
            ValueError: fewer frames than sounds.
        """
        places = emitting(roles)
        optional = roles[places] == Role.PAUSE
        if (~optional).sum() > len(latent):
            raise ValueError(f"{len(latent)} frames for {(~optional).sum()} sounds")
        path = best_path(self.log_likelihood(normalised(latent), ids[places]), optional)
        durations = np.zeros(len(ids), dtype=np.int16)
        durations[places] = np.bincount(path, minlength=len(places))
        return durations

    def log_likelihood(self, frames: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """(T, N) of normalised frames (T, D) under the Gaussians of the tokens (N,)."""
        precision, mean = self.precision[ids], self.mean[ids]
        crossed = frames @ (mean * precision).T - 0.5 * frames**2 @ precision.T
        return np.asarray(crossed + self._constant[ids])

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Arguments of the constructor."""
        return {"mean": self.mean, "variance": 1.0 / self.precision}


def normalised(latent: np.ndarray) -> np.ndarray:
    """Each dimension of an utterance (T, D) with mean 0 and variance 1: whoever speaks counts less."""
    latent = latent.astype(np.float64)
    return (latent - latent.mean(0)) / np.maximum(latent.std(0), SMALLEST_STD)


def emitting(roles: np.ndarray) -> np.ndarray:
    """Places (N,) of the tokens that may take time: no marks, and the first of pauses in a row."""
    timed = np.flatnonzero(roles != Role.MARK)
    pauses = roles[timed] == Role.PAUSE
    repeated = np.concatenate([[False], pauses[1:] & pauses[:-1]])
    return timed[~repeated]


def best_path(scores: np.ndarray, optional: np.ndarray) -> np.ndarray:
    """State (T,) of each frame on the best path; states come in order, and only `optional` ones are left out.

    Args:
        scores: (T, N) of each frame in each state.
        optional: (N,) bool; no two in a row.
    """
    frames, states = scores.shape
    skips = np.zeros(states, dtype=bool)
    skips[2:] = optional[1:-1]
    came_from = np.zeros((frames, states), dtype=np.int8)  # states back
    total = np.full(states, IMPOSSIBLE)
    total[0] = scores[0, 0]
    if optional[0] and states > 1:
        total[1] = scores[0, 1]
    options = np.full((3, states), IMPOSSIBLE)
    for frame in range(1, frames):
        options[0] = total
        options[1, 1:] = total[:-1]
        options[2, 2:] = np.where(skips[2:], total[:-2], IMPOSSIBLE)
        came_from[frame] = options.argmax(0)
        total = options.max(0) + scores[frame]
    last = states - 1
    if optional[last] and states > 1 and total[last - 1] > total[last]:
        last -= 1
    path = np.empty(frames, dtype=np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = last
        last -= came_from[frame, last]
    return path
