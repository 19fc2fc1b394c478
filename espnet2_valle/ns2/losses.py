"""Losses of the diffusion model."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

SMALLEST_SPREAD = 1e-6  # of weights that a mean is divided by
SMALLEST_VARIANCE = 1e-6  # of predictions


class CodewordLoss(nn.Module):
    """Cross-entropy of the codes under a predicted latent (CE-RVQ).

    What the true codewords of the codebooks before leave of the predicted latent is compared with the
    codewords of a codebook; the nearer, the likelier, as under Gaussian noise of the variance that the
    predictions of the batch have about the true codewords. Thus the loss is of use for latents of any codec:
    it asks for a little more than there is, and a perfect prediction has none.

    Args:
        codewords: (Q, K, D) of which latents are sums.
        weights: (Q, D) of each dimension in the distances of each codebook.
    """

    codewords: torch.Tensor
    weights: torch.Tensor

    def __init__(self, codewords: torch.Tensor, weights: torch.Tensor):
        super().__init__()
        self.register_buffer("codewords", codewords)
        self.register_buffer("weights", weights)

    def forward(self, latent: torch.Tensor, codes: torch.Tensor, book: int) -> torch.Tensor:
        """Cross-entropy (N,) of codebook `book` at frames (N, D) with codes (N, Q)."""
        residual = latent
        for before in range(book):
            residual = residual - self.codewords[before][codes[:, before]]
        points = self.codewords[book] * self.weights[book]
        distances = torch.cdist(residual * self.weights[book], points).square()
        wrong = distances.detach().gather(1, codes[:, book, None]).mean()
        variance = (wrong / (self.weights[book] != 0).sum()).clamp(min=SMALLEST_VARIANCE)
        return F.cross_entropy(-0.5 * distances / variance, codes[:, book], reduction="none")


@dataclass(frozen=True)
class LossWeights:
    """Weights in the sum of the losses; see `ESPnetNS2Model`."""

    data: float
    score: float
    ce: float
    duration: float
    pitch: float

    def total(self, losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The weighted sum of the losses that there are, by the names of the weights."""
        weighted = [getattr(self, name) * value for name, value in losses.items()]
        return torch.stack(weighted).sum()


def masked_mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean of `values` (batch, time) by `weights`, of which some are not 0; 0 where none are."""
    return (values * weights).sum() / weights.sum().clamp(min=SMALLEST_SPREAD)
