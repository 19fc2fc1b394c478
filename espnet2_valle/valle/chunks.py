"""The part of the target that the NAR model may see: all of it, or chunks up to the frame's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

# Kinds of masks in the mix of training (CosyVoice 2, Du et al., 2024, sec. 2.4): whole chunks of the given
# size in chunks; causal is chunks of one frame.
MASK_KINDS = ("full", "causal", "chunk", "two_chunks")


@dataclass(frozen=True)
class Chunks:
    """A target cut into one chunk of `first` frames and then chunks of `size` frames.

    A frame sees text, prompt, the chunks before its own, and its own as a whole. Text and prompt see each
    other alone: what they know must not depend on speech that is not there yet.

    Raises:
        ValueError: a size below one.
    """

    first: int
    size: int

    def __post_init__(self) -> None:
        if self.first < 1 or self.size < 1:
            raise ValueError(f"chunks have at least one frame, not {self.first} and {self.size}")

    def bounds(self, frames: int) -> Iterator[tuple[int, int]]:
        """Start and end of each chunk of `frames` frames; the last one may be short."""
        start, end = 0, min(self.first, frames)
        while start < end:
            yield start, end
            start, end = end, min(end + self.size, frames)

    def ranks(self, frames: int, device: torch.device) -> torch.Tensor:
        """Number of each frame's chunk, from 1, (1, frames)."""
        first, size = torch.tensor([self.first], device=device), torch.tensor([self.size], device=device)
        return chunk_ranks(first, size, frames)


def chunk_ranks(first: torch.Tensor, size: torch.Tensor, frames: int) -> torch.Tensor:
    """Number of each frame's chunk, row by row.

    Args:
        first, size: (batch,) as in `Chunks`; a `size` of 0 makes the row one with text and prompt, so
            that all see all.
        frames: how many.

    Returns:
        (batch, frames) int64, from 1; 0 in rows of size 0.
    """
    behind = torch.arange(frames, device=size.device) - first.unsqueeze(1)
    ranks = torch.div(behind, size.clamp(min=1).unsqueeze(1), rounding_mode="floor").clamp(min=-1) + 2
    return torch.where(size.unsqueeze(1) > 0, ranks, 0)


def draw_chunk_ranks(
    chunk_frames: int,
    mix: Mapping[str, float],
    rows: int,
    frames: int,
    device: torch.device,
    numbers: torch.Tensor | None = None,
) -> torch.Tensor:
    """Masks of a training batch, one for each row.

    Where chunks begin is drawn too, so that any length of the first chunk has been met. In evaluation each
    row's own number decides, kinds are alike often and the first chunk is a whole one, so that losses can be
    compared.

    Args:
        chunk_frames: length of a chunk.
        mix: share of each kind of mask; kinds left out do not occur.
        rows, frames: size of the batch.
        device: where.
        numbers: (rows,) int64, not negative, in place of chance.

    Returns:
        (batch, frames), see `chunk_ranks`.
    """
    kinds = [kind for kind in MASK_KINDS if mix.get(kind, 0) > 0]
    lengths = {"full": 0, "causal": 1, "chunk": chunk_frames, "two_chunks": 2 * chunk_frames}
    sizes = torch.tensor([lengths[kind] for kind in kinds], device=device)
    if numbers is not None:
        size = sizes[numbers % len(kinds)]
        return chunk_ranks(size, size, frames)
    shares = torch.tensor([float(mix[kind]) for kind in kinds], device=device)
    size = sizes[torch.multinomial(shares, rows, replacement=True)]
    first = (torch.rand(rows, device=device) * size).long() + 1
    return chunk_ranks(first, size, frames)
