"""Conditions of style: emotion, speaking rate, pitch and energy, told to the tokens of a text.

Each value of a condition has a learned embedding, which is added to those of the tokens that are said so. In
training conditions are hidden by chance, so that a model knows speech of no given style, too, and
classifier-free guidance (Ho and Salimans, 2022; of codec language models: AudioGen, Kreuk et al., 2023) sets
at decoding how strongly an emotion is heard. As tokens are told and not frames, words may have their own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.valle.rows import length_mask, on_device

EMOTION = "emotion"
ATTRIBUTES = ("speaking_rate", "pitch_level", "pitch_variation", "energy")
CONDITIONS = (EMOTION, *ATTRIBUTES)
BINS = 5  # of an attribute: so many values, from the lowest to the highest
PARTS = 2  # utterances that may be joined in training
Entry = TypeVar("Entry")


@dataclass(frozen=True, eq=False)
class SpokenStyle:
    """Style of one utterance that is to be said.

    Attributes:
        weights: (text_time, values) of each token, see `StyleConditions`; zeros where nothing is told.
        baseline: the style that guidance leads away from; None: there is no guidance.
        strength: s of guidance: logits become baseline + s * (told - baseline). 1: as told.
    """

    weights: torch.Tensor
    baseline: "SpokenStyle | None" = None
    strength: float = 1.0


class StyleConditions(nn.Module):
    """The embeddings that a model adds to tokens for the style in which they are said.

    Args:
        names: conditions that are told, of CONDITIONS; none: no embeddings.
        emotions: labels, whose order gives their numbers; only with the condition emotion.
        bins: values of each of ATTRIBUTES.
        dropout: share of utterances in training whose emotion is hidden. Of the attributes none to all are
            told, each number of them equally often, so that each is known alone and beside others.
        width: channels.

    Attributes:
        sizes: values of each condition, in the order of CONDITIONS.

    Raises:
        ValueError: there is no such condition, no list of different emotions where they are told, or a number
            out of range.
    """

    def __init__(self, names: Sequence[str], emotions: Sequence[str], bins: int, dropout: float, width: int):
        super().__init__()
        if set(names) - set(CONDITIONS) or len(set(names)) != len(names):
            raise ValueError(f"style must name some of {', '.join(CONDITIONS)}, each once, not {names!r}")
        if EMOTION in names and (not emotions or len(set(emotions)) != len(emotions)):
            raise ValueError(f"style: emotion needs emotions, each once, not {emotions!r}")
        if bins < 2 or not 0 <= dropout < 1:
            raise ValueError(
                f"style_bins must be 2 or more and style_dropout from 0 to below 1, not {bins} and {dropout}"
            )
        self.emotions = tuple(emotions) if EMOTION in names else ()
        self.bins = bins
        self.dropout = dropout
        self.sizes = {
            name: len(self.emotions) if name == EMOTION else bins for name in CONDITIONS if name in names
        }
        self.table: nn.Parameter | None = None
        if self.sizes:
            self.table = nn.Parameter(torch.randn(sum(self.sizes.values()), width) * width**-0.5)
        self.scale = math.sqrt(width)

    @property
    def names(self) -> tuple[str, ...]:
        """The conditions that are told."""
        return tuple(self.sizes)

    def first(self, name: str) -> int:
        """Place of a condition's first value among those of all."""
        names = self.names
        return sum(self.sizes[each] for each in names[: names.index(name)])

    def forward(
        self, embedded: torch.Tensor, weights: torch.Tensor | None, lengths: torch.Tensor
    ) -> torch.Tensor:
        """Embeddings of texts with those of their styles.

        Args:
            embedded: (batch, time + 1, width) of `TextEmbedding`; the end mark is of no style.
            weights: (batch, time, values) of each value at each token, such as 0.6 and 0.4 of two emotions;
                None: nothing is told.
            lengths: (batch,) of the texts.
        """
        if self.table is None or weights is None:
            return embedded
        inside = length_mask(on_device(lengths, embedded.device), weights.shape[1]).unsqueeze(2)
        added = (weights.to(self.table.dtype) * inside) @ self.table * self.scale
        return embedded + F.pad(added, (0, 0, 0, 1)).to(embedded.dtype)

    def weights(self, numbers: torch.Tensor) -> torch.Tensor:
        """Weights (batch, time, values) of what tokens are told; in training some is hidden.

        Args:
            numbers: (batch, time, 1 + conditions) int64: which of the joined utterances a token is of, and
                the number of its value of each condition, all counted from 1; 0: not known, or padding.
        """
        values = numbers[..., 1:]
        if self.training:
            part = (numbers[..., :1] - 1).clamp(min=0).expand_as(values)
            values = values * self._told(len(numbers), numbers.device).gather(1, part)
        sizes = self.sizes.values()
        known = [F.one_hot(value, size + 1)[..., 1:] for value, size in zip(values.unbind(-1), sizes)]
        return torch.cat(known, dim=-1)

    def _told(self, batch: int, device: torch.device) -> torch.Tensor:
        """Draw what is told, (batch, PARTS, conditions) of 0 and 1."""
        attributes = len(self.sizes) - (EMOTION in self.sizes)
        number = torch.randint(0, attributes + 1, (batch, PARTS, 1), device=device)
        order = torch.rand(batch, PARTS, attributes, device=device).argsort(-1).argsort(-1)
        told = [order < number]
        if EMOTION in self.sizes:
            told = [torch.rand(batch, PARTS, 1, device=device) >= self.dropout, *told]
        return torch.cat(told, dim=-1).long()


class Lanes:
    """Rows of a batch as a model reads them: each as told and, where it is guided, once more by its baseline.

    Args:
        styles: of the rows; None: nothing is told.

    Attributes:
        owners: number of each lane's row.
        weights: of each lane, see `SpokenStyle`.
    """

    def __init__(self, styles: Sequence[SpokenStyle | None]):
        self.owners: list[int] = []
        self.styles: list[SpokenStyle | None] = []
        self._first: list[int] = []
        self._guided: list[int] = []
        for row, style in enumerate(styles):
            self._first.append(len(self.owners))
            lanes = [style]
            if style is not None and style.baseline is not None:
                self._guided.append(row)
                lanes.append(style.baseline)
            self.owners += [row] * len(lanes)
            self.styles += lanes
        self._strengths = [getattr(styles[row], "strength", 1.0) for row in self._guided]

    @property
    def weights(self) -> list[torch.Tensor | None]:
        """The styles that each lane's tokens are told."""
        return [style and style.weights for style in self.styles]

    def combined(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (lanes, ...) -> (rows, ...), guided where they are to be."""
        if not self._guided:
            return logits
        told = logits[self._first]
        baseline = logits[[self._first[row] + 1 for row in self._guided]]
        strength = torch.tensor(self._strengths, dtype=logits.dtype, device=logits.device)
        strength = strength.view(-1, *[1] * (logits.dim() - 1))
        told[self._guided] = baseline + strength * (told[self._guided] - baseline)
        return told

    def spread(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows, ...) -> (lanes, ...)."""
        return rows[self.owners] if self._guided else rows

    def gathered(self, lanes: Sequence[Entry]) -> list[Entry]:
        """Entries of the rows' own lanes, of one for each lane."""
        return [lanes[first] for first in self._first]

    def of_rows(self, rows: Sequence[int]) -> list[int]:
        """The lanes of some rows."""
        chosen = {*rows}
        return [lane for lane, owner in enumerate(self.owners) if owner in chosen]
