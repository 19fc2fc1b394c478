"""Continuous latents of a codec: what they are sums of, and their statistics."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

SMALLEST_STD = 1e-3  # of a dimension that hardly moves; it is not blown up by more than the inverse


@dataclass(frozen=True)
class LatentCodewords:
    """Codewords in the space of the latent: a latent is the sum of one of each codebook.

    Attributes:
        codewords: (Q, K, D) float32.
        weights: (Q, D) float32, of each dimension in the distance by which a code is chosen.
    """

    codewords: np.ndarray
    weights: np.ndarray

    def sum(self, codes: np.ndarray) -> np.ndarray:
        """Latent (T, D) float32 of `codes` (T, q): the sum of the first q codebooks' codewords."""
        latent = np.zeros((len(codes), self.codewords.shape[2]), dtype=np.float32)
        for book, column in zip(self.codewords, codes.T):
            latent += book[column]
        return latent

    @classmethod
    def unweighted(cls, books: Iterable[np.ndarray]) -> "LatentCodewords":
        """Those of a codec that chooses by plain distance; books: (K, D) each."""
        codewords = np.stack(list(books)).astype(np.float32)
        return cls(codewords, np.ones((len(codewords), codewords.shape[2]), dtype=np.float32))


@dataclass(frozen=True)
class LatentStatistics:
    """Mean and standard deviation of each dimension, by which latents are normalised.

    Attributes:
        mean, std: (D,) float32.
    """

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, latents: Iterable[np.ndarray]) -> "LatentStatistics":
        """Those of the frames of latents (T, D), each read once.

        Raises:
            ValueError: there is no frame.
        """
        count, total, squares = 0, np.zeros(1), np.zeros(1)
        for latent in latents:
            count += len(latent)
            total = total + latent.sum(axis=0, dtype=np.float64)
            squares = squares + np.square(latent, dtype=np.float64).sum(axis=0)
        if not count:
            raise ValueError("no frame of a latent")
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, SMALLEST_STD**2))
        return cls(mean.astype(np.float32), std.astype(np.float32))
