"""Positions, and embeddings of texts and codes."""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.valle.rows import on_device

# Training pads lengths to multiples of this. CPU kernels are compiled for each shape they meet; left alone,
# nearly every batch has a shape of its own, and compiling costs more than computing.
SHAPE_STEP = 16


# Of the widths that a given share of a target may take, in nearest and in longest distances of codewords.
NARROWEST, WIDEST = 1e-3, 1e2
HALVINGS = 40


def sinusoids(positions: torch.Tensor, width: int) -> torch.Tensor:
    """Sinusoidal position embedding (Vaswani et al., 2017).

    Args:
        positions: (...,) positions; fractions are allowed.
        width: channels, even.

    Returns:
        (..., width) float32
    """
    half = width // 2
    rates = torch.exp(-math.log(10000.0) / half * torch.arange(half, device=positions.device))
    angles = positions.unsqueeze(-1).float() * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def fourier_features(points: torch.Tensor, width: int, generator: torch.Generator) -> torch.Tensor:
    """Random Fourier features (Rahimi and Recht, 2007): near points get like vectors, distant ones unlike.

    What is near is told on many scales, from the distance to the next point to that between any two.

    Args:
        points: (N, dim), at least two that differ.
        width: features.
        generator: of the random directions.

    Returns:
        (N, width) float32, of length 1 on average and mean 0.
    """
    points = points.double()
    distances = _distances(points)
    low, high = _nearest(distances).log(), distances[distances > 0].mean().log()
    scales = torch.exp(low + (high - low) * torch.rand(width, generator=generator, dtype=torch.double))
    directions = torch.randn(points.shape[1], width, generator=generator, dtype=torch.double) / scales
    phases = 2 * math.pi * torch.rand(width, generator=generator, dtype=torch.double)
    features = torch.cos(points @ directions + phases)
    features = features - features.mean(0)
    return (features / features.norm(dim=1).mean()).float()


def _distances(points: torch.Tensor) -> torch.Tensor:
    """(N, dim) -> (N, N), exactly 0 between equal points."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")


def _nearest(distances: torch.Tensor) -> torch.Tensor:
    """Median over points of the distance (N, N) to the nearest other one."""
    return distances.where(distances > 0, torch.inf).amin(1).median()


def neighbourhoods(codewords: Sequence[torch.Tensor], mass: float) -> torch.Tensor:
    """Share of the target that each code gets when a code is to be predicted: much if it sounds alike.

    Each code has a Gaussian around it as wide as it takes to leave the code itself `mass`, however codewords
    lie around it. Of codes that stand for the same, each gets an equal share of what is left to them, even if
    that is less.

    Args:
        codewords: (size, dim) of each codebook, as many rows in all of them.
        mass: above 0, below 1.

    Returns:
        (Q, size, size) float32; row k sums to 1 and has its largest entry at k.
    """
    return torch.stack([_shares_by_mass(_distances(points), mass) for points in codewords]).float()


def _shares_by_mass(distances: torch.Tensor, mass: float) -> torch.Tensor:
    """Halve, for each row of (N, N), an interval of widths that are too narrow and too wide."""
    narrow = torch.full((len(distances), 1), _nearest(distances).item() * NARROWEST)
    wide = torch.full_like(narrow, distances.max().item() * WIDEST)
    narrow, wide = narrow.to(distances).log(), wide.to(distances).log()
    for _ in range(HALVINGS):
        middle = (narrow + wide) / 2
        shares = _gaussian(distances, middle.exp())
        too_narrow = shares.diagonal().unsqueeze(1) > mass
        narrow, wide = torch.where(too_narrow, middle, narrow), torch.where(too_narrow, wide, middle)
    return _gaussian(distances, narrow.exp())


def _gaussian(distances: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    return (-0.5 * (distances / width) ** 2).softmax(1)


class TextEmbedding(nn.Module):
    """Token ids, with an end mark appended, -> embeddings with positions from zero.

    Args:
        vocab_size: ids 0..vocab_size-1; the last one is ESPnet's <sos/eos>, used as the end mark.
        width: channels.
    """

    def __init__(self, vocab_size: int, width: int):
        super().__init__()
        self.end = vocab_size - 1
        self.table = nn.Embedding(vocab_size, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.scale = math.sqrt(width)
        self.lora_rows: nn.Parameter | None = None  # what is added to the rows of new tokens

    def grow_from(self, size: int) -> None:
        """Let the weights of a model with `size` tokens be loaded.

        Its ids stay but for the last, which is the last here, too; the rows between are as initialised.
        """

        def grow(module: nn.Module, state: dict[str, torch.Tensor], prefix: str, *_: object) -> None:
            rows = state.get(f"{prefix}table.weight")
            if rows is not None and len(rows) == size:
                grown = self.table.weight.detach().clone().to(rows)
                grown[: size - 1], grown[-1] = rows[:-1], rows[-1]
                state[f"{prefix}table.weight"] = grown

        self.register_load_state_dict_pre_hook(grow)

    def adapt_rows(self, size: int) -> None:
        """Train the rows that a model of `size` tokens did not have, beside adapters and a frozen table."""
        table = self.table.weight
        self.lora_rows = nn.Parameter(torch.zeros_like(table[size - 1 : -1]))

    def forward(self, text: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, time) ids and (batch,) lengths -> (batch, time + 1, width), lengths + 1."""
        text = F.pad(text, (0, 1)).scatter(1, on_device(lengths, text.device).unsqueeze(1), self.end)
        positions = sinusoids(torch.arange(text.shape[1], device=text.device), self.table.embedding_dim)
        embedded = self.table(text)
        if self.lora_rows is not None:
            rows = F.pad(self.lora_rows, (0, 0, self.end - len(self.lora_rows), 1))
            embedded = embedded + F.embedding(text, rows)
        return embedded * self.scale + positions, lengths + 1


class CodeTables(nn.Module):
    """One embedding table for each codebook, tied with the output layer of the same codebook.

    Args:
        num_codebooks: Q.
        size: entries of each table.
        width: channels.
    """

    def __init__(self, num_codebooks: int, size: int, width: int):
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.randn(num_codebooks, size, width) * width**-0.5)
        self.scale = math.sqrt(width)

    @torch.no_grad()
    def start_from(self, codewords: Sequence[torch.Tensor], seed: int = 0) -> None:
        """Let codes that sound alike begin with like embeddings; see `fourier_features`.

        Not in the papers, where data abounds: a small model on little data needs long to learn from tokens
        alone which of a thousand codes resemble each other.

        Args:
            codewords: what each code stands for, (size, dim) for each of the first codebooks. Tables that
                are longer (an end code) keep the rest, and those without codewords all, as they are.
            seed: of the features.
        """
        generator = torch.Generator().manual_seed(seed)
        for table, points in zip(self.weight, codewords):
            table[: len(points)] = fourier_features(points, table.shape[1], generator).to(table)

    def sum(self, codes: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Sum the embeddings of each row's first codebooks.

        Args:
            codes: (batch, time, Q) int64.
            counts: (batch,) how many codebooks of each row.

        Returns:
            (batch, time, width)
        """
        batch, time, num_codebooks = codes.shape
        offsets = torch.arange(num_codebooks, device=codes.device)
        used = (offsets < counts.unsqueeze(1)).to(self.weight.dtype)
        weights = used * self.scale
        flat = F.embedding_bag(
            (codes + offsets * self.size).reshape(-1, num_codebooks),
            self.weight.reshape(-1, self.weight.shape[2]),
            per_sample_weights=weights.unsqueeze(1).expand(batch, time, -1).reshape(-1, num_codebooks),
            mode="sum",
        )
        return flat.view(batch, time, -1)

    def embed(self, codes: torch.Tensor, codebook: int) -> torch.Tensor:
        """(batch, time) codes of one `codebook` -> (batch, time, width)."""
        return F.embedding(codes, self.weight[codebook]) * self.scale

    def logits(self, hidden: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
        """(batch, time, width) -> (batch, time, size) for the `codebook` (batch,) of each row."""
        return torch.bmm(hidden, self.weight[codebook].transpose(1, 2).to(hidden.dtype))
