"""The noise of the diffusion: how much of a latent is left at each time, and the way back.

dz = -1/2 beta(t) z dt + sqrt(beta(t)) dw with beta(t) = beta_0 + (beta_1 - beta_0) t (Song et al., 2021), so
that z_t is drawn from N(alpha(t) z_0, sigma(t)^2 I) with alpha(t) = exp(-1/2 int_0^t beta) and
sigma(t)^2 = 1 - alpha(t)^2.
"""

from dataclasses import dataclass

import torch

SOLVERS = ("ddim", "euler")
FIRST = 1e-3  # the time that a solver ends at: at 0 the score has no bound


@dataclass(frozen=True)
class NoiseSchedule:
    """Linear beta(t).

    Attributes:
        beta_0, beta_1: at the times 0 and 1.
    """

    beta_0: float = 0.05
    beta_1: float = 20.0

    def beta(self, time: torch.Tensor) -> torch.Tensor:
        """Rate of noise at `time`."""
        return self.beta_0 + (self.beta_1 - self.beta_0) * time

    def alpha(self, time: torch.Tensor) -> torch.Tensor:
        """Share of the clean latent at `time`: 1 at 0, almost 0 at 1."""
        return torch.exp(-0.5 * (self.beta_0 * time + 0.5 * (self.beta_1 - self.beta_0) * time**2))

    def variance(self, time: torch.Tensor) -> torch.Tensor:
        """Of the noise at `time`: 0 at 0, almost 1 at 1."""
        return -torch.expm1(-(self.beta_0 * time + 0.5 * (self.beta_1 - self.beta_0) * time**2))

    def add_noise(self, clean: torch.Tensor, time: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Latent (batch, time, D) at the times (batch,), of clean latents and standard noise."""
        alpha, sigma = self.alpha(time), self.variance(time).sqrt()
        return alpha[:, None, None] * clean + sigma[:, None, None] * noise

    def score_weight(self, time: torch.Tensor, most: float) -> torch.Tensor:
        """Weight of the squared error of a predicted z_0 that makes it that of the score, times the variance.

        The score is (alpha z_0 - z_t) / sigma^2, so its error is alpha / sigma^2 times that of z_0. Weighted
        by sigma^2 (Song et al., 2021) that is alpha^2 / sigma^2, which has no bound at 0: it ends at `most`.
        """
        return (self.alpha(time) ** 2 / self.variance(time).clamp(min=1e-8)).clamp(max=most)

    def times(self, steps: int) -> torch.Tensor:
        """Times (steps + 1,) that a solver passes, from 1 to almost 0."""
        return torch.linspace(1.0, FIRST, steps + 1, dtype=torch.float64)

    def step(
        self, solver: str, latent: torch.Tensor, clean: torch.Tensor, now: torch.Tensor, then: torch.Tensor
    ) -> torch.Tensor:
        """One step of the probability-flow ODE.

        Args:
            solver: `euler`, on dz/dt = -1/2 beta (z + score); or `ddim`, which is exact as long as the
                prediction stays (Song et al., 2021, arXiv:2010.02502).
            latent: (batch, time, D) at time `now`.
            clean: prediction of z_0.
            now, then: scalar times, `then` is the smaller one.

        Raises:
            ValueError: there is no such solver.
        """
        alpha, variance = self.alpha(now), self.variance(now)
        if solver == "euler":
            score = (alpha * clean - latent) / variance
            return latent + (now - then) * 0.5 * self.beta(now) * (latent + score)
        if solver == "ddim":
            noise = (latent - alpha * clean) / variance.sqrt()
            return self.alpha(then) * clean + self.variance(then).sqrt() * noise
        raise ValueError(f"there is no solver {solver!r}: {', '.join(SOLVERS)}")
