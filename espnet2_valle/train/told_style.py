"""Conditions of style that the utterances of a training index have, by the numbers of a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.combine import UNKNOWN_EMOTION
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.valle.styles import EMOTION

EMOTIONS_REMEDY = "Write utt2emo into the data directory (stage 1) and run stages 2 to 4 again"
STYLE_REMEDY = "Run stage 4 again with --measure_style true"


@dataclass(frozen=True)
class ToldStyle:
    """Conditions that a model is told of each utterance.

    Attributes:
        names: of `styles.CONDITIONS`, in their order.
        emotions: labels whose numbers utterances are to have, in that order.
        bins: values of each of the others.
    """

    names: Sequence[str]
    emotions: Sequence[str]
    bins: int

    def numbers_of(self, index: TrainingIndex) -> np.ndarray:
        """The number (utterances, conditions) of each value, counted from 1; 0: not known.

        Raises:
            InputError: the index lacks a condition, or has another emotion or more values.
        """
        return np.stack([self._column(index, name) for name in self.names], axis=1).astype(np.int16)

    def _column(self, index: TrainingIndex, name: str) -> np.ndarray:
        if name not in index.columns:
            raise InputError(
                index.directory,
                f"does not tell the {name} of its utterances, and valle_conf: style names it",
                EMOTIONS_REMEDY if name == EMOTION else STYLE_REMEDY,
            )
        column = index.columns[name]
        if name != EMOTION:
            if column.max(initial=0) > self.bins:
                raise InputError(
                    index.directory,
                    f"has {column.max()} values of {name}, and valle_conf: style_bins is {self.bins}",
                    "Choose as many bins as stage 4 measured",
                )
            return column
        other = sorted({*index.emotions} - {*self.emotions, UNKNOWN_EMOTION})
        if other:
            raise InputError(
                index.directory / "emotions.txt",
                f"has '{other[0]}', which is none of the emotions of the model: {', '.join(self.emotions)}",
                f"{EMOTIONS_REMEDY}, or name it in valle_conf: emotions",
            )
        numbers = [
            0 if label == UNKNOWN_EMOTION else self.emotions.index(label) + 1 for label in index.emotions
        ]
        return np.array(numbers, dtype=np.int64)[column]
