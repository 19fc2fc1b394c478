"""The denoiser: a WaveNet whose layers are modulated by what they ask of the prompt."""

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.ns2.layers import Attention, MaskedConv, TimeEmbedding


class WaveNetLayer(nn.Module):
    """Gated convolution (van den Oord et al., 2016), with FiLM (Perez et al., 2018) where it attends.

    Args:
        width: channels.
        condition_width: of the condition of each frame.
        kernel, dilation: of the convolution.
        heads: of attention to the prompt's summary; 0: none in this layer.
        dropout: before the convolution.
    """

    def __init__(
        self, width: int, condition_width: int, kernel: int, dilation: int, heads: int, dropout: float
    ):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.time = nn.Linear(width, width)
        self.conv = MaskedConv(width, 2 * width, kernel, dilation)
        self.condition = nn.Linear(condition_width, 2 * width)
        self.attention = Attention(width, condition_width, heads) if heads else None
        self.film = nn.Linear(width, 4 * width) if heads else None
        self.out = nn.Linear(width, 2 * width)
        if self.film is not None:  # the identity at the start
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(
        self,
        x: torch.Tensor,
        frames: torch.Tensor,
        time: torch.Tensor,
        condition: torch.Tensor,
        summary: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One layer.

        Args:
            x: (batch, time, width).
            frames: (batch, time, 1), 0 where there is padding.
            time: (batch, width) embedding of the diffusion time.
            condition: (batch, time, condition_width).
            summary: (batch, queries, condition_width) of the prompt.

        Returns:
            the next layer's input, and what it adds to the output, (batch, time, width) each.
        """
        hidden = self.dropout(x) + self.time(time).unsqueeze(1)
        gates = self.conv(hidden, frames) + self.condition(condition)
        if self.attention is not None and self.film is not None:
            scale, shift = self.film(self.attention(x, summary, None)).chunk(2, dim=2)
            gates = gates * (1 + scale) + shift
        left, right = gates.chunk(2, dim=2)
        residual, skip = self.out(torch.tanh(left) * torch.sigmoid(right)).chunk(2, dim=2)
        return (x + residual) * 0.5**0.5, skip


class WaveNet(nn.Module):
    """Noisy latent, diffusion time, condition and prompt -> the clean latent.

    Args:
        dim: D of the latent.
        layers, width, kernel: of the WaveNet.
        dilations: of its layers, from the first again behind the last.
        condition_width: of the condition and of the prompt.
        heads: of attention.
        attend_every: layers between those with attention and FiLM.
        queries: learned ones that summarise the prompt.
        dropout: in each layer.
    """

    def __init__(
        self,
        dim: int,
        layers: int,
        width: int,
        kernel: int,
        dilations: list[int],
        condition_width: int,
        heads: int,
        attend_every: int,
        queries: int,
        dropout: float,
    ):
        super().__init__()
        self.inward = nn.Linear(dim, width)
        self.time = TimeEmbedding(width)
        self.queries = nn.Parameter(torch.randn(queries, condition_width))
        self.summarise = Attention(condition_width, condition_width, heads)
        self.layers = nn.ModuleList(
            WaveNetLayer(
                width,
                condition_width,
                kernel,
                dilations[number % len(dilations)],
                heads if number % attend_every == 0 else 0,
                dropout,
            )
            for number in range(layers)
        )
        self.hidden = nn.Linear(width, width)
        self.outward = nn.Linear(width, dim)
        nn.init.zeros_(self.outward.weight)

    def summary(self, prompt: torch.Tensor, prompt_inside: torch.Tensor) -> torch.Tensor:
        """(batch, places, condition_width) of the prompt -> answers to the queries, (batch, queries, ..)."""
        queries = self.queries.to(prompt.dtype).expand(len(prompt), -1, -1)
        return queries + self.summarise(queries, prompt, prompt_inside)

    def forward(
        self,
        noisy: torch.Tensor,
        time: torch.Tensor,
        condition: torch.Tensor,
        summary: torch.Tensor,
        inside: torch.Tensor,
    ) -> torch.Tensor:
        """Predict the clean latent.

        Args:
            noisy: (batch, time, D).
            time: (batch,) from 0 to 1.
            condition: (batch, time, condition_width).
            summary: (batch, queries, condition_width), see `summary`.
            inside: (batch, time) bool, False where there is padding.

        Returns:
            (batch, time, D) float32
        """
        frames = inside.unsqueeze(2).to(noisy.dtype)
        x = F.relu(self.inward(noisy))
        embedded = self.time(time)
        skips = torch.zeros_like(x)
        for layer in self.layers:
            x, skip = layer(x, frames, embedded, condition, summary)
            skips = skips + skip
        skips = skips * len(self.layers) ** -0.5
        return self.outward(F.relu(self.hidden(F.relu(skips)))).float()
