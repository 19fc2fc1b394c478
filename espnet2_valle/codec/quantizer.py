"""A residual quantiser whose stages each weight the dimensions in their own way."""

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

CHUNK = 4096


def nearest(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Index (N,) of the centroid (K, D) nearest to each point (N, D); the lowest on a tie."""
    offset = 0.5 * (centroids**2).sum(axis=1)
    found = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        found[start : start + CHUNK] = (offset - part @ centroids.T).argmin(axis=1)
    return found


def spread_start(points: np.ndarray, weights: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Choose `size` starting centroids by k-means++ (Arthur and Vassilvitskii, 2007)."""
    chosen = np.empty((size, points.shape[1]), dtype=points.dtype)
    chosen[0] = points[rng.choice(len(points), p=weights / weights.sum())]
    distance = np.full(len(points), np.inf)
    for index in range(1, size):
        distance = np.minimum(distance, ((points - chosen[index - 1]) ** 2).sum(axis=1))
        mass = np.cumsum(distance * weights)
        chosen[index] = points[min(np.searchsorted(mass, rng.random() * mass[-1]), len(points) - 1)]
    return chosen


def group_means(values: np.ndarray, weights: np.ndarray, groups: np.ndarray, size: int) -> np.ndarray:
    """Weighted mean (size, D) of `values` (N, D) in each group; 0 for an empty one."""
    total = np.bincount(groups, weights, minlength=size)
    sums = np.stack([np.bincount(groups, weights * column, minlength=size) for column in values.T], axis=1)
    return sums / np.maximum(total, np.finfo(np.float64).tiny)[:, None]


def kmeans(
    points: np.ndarray, weights: np.ndarray, size: int, iterations: int, rng: np.random.Generator
) -> np.ndarray:
    """Centroids (size, D) of weighted `points` (N, D)."""
    centroids = spread_start(points, weights, size, rng)
    for _ in range(iterations):
        groups = nearest(points, centroids)
        filled = np.bincount(groups, minlength=size) > 0
        means = group_means(points, weights, groups, size).astype(points.dtype)
        centroids = np.where(filled[:, None], means, centroids)
    return centroids


class ResidualQuantizer:
    """Residual quantiser: a vector as a sum of one codeword a stage.

    Args:
        codebooks: (Q, K, D) codewords.
        scales: (Q, D) factor on each dimension in the distance of each stage; 0 where it does not look.
    """

    def __init__(self, codebooks: np.ndarray, scales: np.ndarray):
        self.codebooks = codebooks.astype(np.float32)
        self.scales = scales.astype(np.float32)

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        widened: np.ndarray,
        jitter: np.ndarray,
        weights: np.ndarray,
        scales: np.ndarray,
        size: int,
        iterations: int,
        seed: int,
        first: int = 0,
    ) -> "ResidualQuantizer":
        """Fit codebooks; the same input gives the same bits.

        A stage codes the dimensions of positive scale; a tiny one lets it carry along a dimension that
        its choice does not depend on.

        Args:
            vectors: (N, D) for the first stage, which is to hold what is typical.
            widened: (N, D) the same with more variety, for the stages that code what is left.
            jitter: (D,) noise for those stages, in parts of the spread of what the first one leaves.
            weights: (N,) how much each vector counts.
            scales: (Q, D) see the class.
            size: K, codewords a stage.
            iterations: of k-means.
            seed: of where k-means starts.
            first: stage to begin with; what those before it say was taken from the vectors already, and
                their codewords are zeros.
        """
        rng = np.random.default_rng(seed)
        codebooks = np.zeros((len(scales), size, vectors.shape[1]), dtype=np.float32)
        fitted = cls(codebooks, scales)
        residual = vectors.astype(np.float32)
        with threadpool_limits(limits=1):
            for stage in tqdm(range(len(scales)), desc="fit codebooks", disable=None):
                if stage >= first:
                    used = fitted.scales[stage] > 0
                    scale = fitted.scales[stage][used]
                    centroids = kmeans(residual[:, used] * scale, weights, size, iterations, rng)
                    fitted.codebooks[stage][:, used] = centroids / scale
                if stage == 0:
                    residual = widened.astype(np.float32)
                residual = residual - fitted.codebooks[stage][fitted.choose(stage, residual)]
                if stage == 0:
                    noise = rng.standard_normal(residual.shape, dtype=np.float32)
                    residual += (jitter * residual.std(axis=0)).astype(np.float32) * noise
        return fitted

    def codewords(self, stage: int) -> np.ndarray:
        """Codewords (K, d) of `stage` as its distance sees them: the dimensions of positive scale, scaled."""
        used = self.scales[stage] > 0
        return self.codebooks[stage][:, used] * self.scales[stage][used]

    def choose(self, stage: int, residual: np.ndarray) -> np.ndarray:
        """Codeword (T,) of `stage` for what earlier ones left of each vector, (T, D)."""
        used = self.scales[stage] > 0
        return nearest(residual[:, used] * self.scales[stage][used], self.codewords(stage))

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """Codes (T, Q) int16 of `vectors` (T, D)."""
        residual = vectors.astype(np.float32)
        codes = np.empty((len(vectors), len(self.codebooks)), dtype=np.int16)
        for stage, codebook in enumerate(self.codebooks):
            chosen = self.choose(stage, residual)
            codes[:, stage] = chosen
            residual = residual - codebook[chosen]
        return codes

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Vectors (T, D) float32 of `codes` (T, q): the sum of the first q stages."""
        levels = range(codes.shape[1])
        chosen = [self.codebooks[level][codes[:, level]] for level in levels]
        return np.asarray(np.sum(chosen, axis=0, dtype=np.float32))
