"""The interface of the VALL-E family's models to training."""

from abc import ABC, abstractmethod
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from espnet2_valle.valle.embeddings import SHAPE_STEP, CodeTables, TextEmbedding
from espnet2_valle.valle.languages import BatchLanguages, LanguageIDs
from espnet2_valle.valle.styles import StyleConditions
from espnet2_valle.valle.transformer import Transformer

Lengths = TypeVar("Lengths", torch.Tensor, np.ndarray)


class Prediction(NamedTuple):
    """Predictions of a batch in training.

    Attributes:
        logits: (N, classes) of each predicted code.
        targets: (N,) the codes.
        codebooks: (N,) the zero-based codebook of each.
        alignment: loss of the aligner and of the head that it teaches to read, in nats; None: there is none.
    """

    logits: torch.Tensor
    targets: torch.Tensor
    codebooks: torch.Tensor
    alignment: torch.Tensor | None = None


class AbsVALLE(torch.nn.Module, ABC):
    """Base of the registered models (`--valle ar`, `--valle nar`).

    Attributes:
        causal: whether a position sees only those before it.
        positions_by_part: whether it is to be told where joined utterances meet.
        transformer, text, codes, language_ids, styles: see the classes.
    """

    causal: bool
    positions_by_part: bool = False
    transformer: Transformer
    text: TextEmbedding
    codes: CodeTables
    language_ids: LanguageIDs
    styles: StyleConditions

    @abstractmethod
    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        codes: torch.Tensor,
        codes_lengths: torch.Tensor,
        languages: BatchLanguages | None = None,
        styles: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
    ) -> Prediction:
        """Predict the codes that the model is trained on.

        Args:
            text: (batch, text_time) token ids.
            text_lengths: (batch,), on the CPU: a GPU would have to be waited for.
            codes: (batch, time, Q) codec codes.
            codes_lengths: (batch,), on the CPU.
            languages: of tokens and frames; None only for models without language IDs.
            styles: (batch, text_time, values) of the tokens, see `StyleConditions`; None: nothing is told.
            parts: (batch, 2), tokens and frames of the first of two joined utterances, or of the only one;
                None only for models without `positions_by_part`.
        """

    @abstractmethod
    def positions(self, text_lengths: Lengths, codes_lengths: Lengths) -> Lengths:
        """Length of the sequence that the Transformer sees in training, (batch,)."""

    def embed_text(
        self,
        text: torch.Tensor,
        lengths: torch.Tensor,
        languages: torch.Tensor | None,
        styles: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings of texts (batch, time) with their ends, languages and styles, and their lengths.

        Args:
            text, lengths: see `TextEmbedding`.
            languages: see `LanguageIDs.of_text`.
            styles: see `StyleConditions.forward`.
        """
        embedded, embedded_lengths = self.text(text, lengths)
        embedded = self.language_ids.of_text(embedded, languages, lengths)
        return self.styles(embedded, styles, lengths), embedded_lengths

    @property
    def shape_step(self) -> int:
        """The multiple that padded lengths are rounded up to: in training batches share shapes, else 1."""
        return SHAPE_STEP if self.training else 1
