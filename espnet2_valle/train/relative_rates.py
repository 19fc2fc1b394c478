"""Speaking rates of languages and styles in a training set, against the usual one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from espnet2_valle.text.multilingual import normal_code
from espnet2_valle.train.index import SPEAKER_SHIFT, TrainingIndex
from espnet2_valle.train.told_style import ToldStyle
from espnet2_valle.valle.relative_rates import LANGUAGE, SPEAKING_RATE
from espnet2_valle.valle.styles import EMOTION

DIGITS = 4
NONE = -1  # number of a value that the model does not know


def measured_rates(
    index: TrainingIndex, languages: Sequence[str] | None, told: ToldStyle | None
) -> dict[str, list[float]]:
    """Rates in tokens a second over the usual one, by geometric means.

    A language is compared with all; an emotion, and a value of the speaking rate, with all of its speaker.

    Args:
        index: of the training set.
        languages: of the model; None: it is told none.
        told: conditions of style that it is told; None: none.

    Returns:
        language, emotion and speaking_rate, as far as model and set have them -> the rate of each, in the
        order of the model; 1 of those that the set does not have.
    """
    log = np.log(index.tokens[:] / index.frames[:])
    found = {}
    if languages is not None:
        codes = [normal_code(name) for name in index.languages]
        numbers = np.array([languages.index(code) if code in languages else NONE for code in codes])
        found[LANGUAGE] = _by_value(log - log.mean(), numbers[index.columns["language"]], len(languages))
    if told is not None:
        speakers = np.empty(len(index), np.int64)
        speakers[index.columns["by_speaker"]] = index.columns["speaker_frames"] >> SPEAKER_SHIFT
        usual = np.bincount(speakers, log) / np.maximum(1, np.bincount(speakers))
        for name, values in ((EMOTION, len(told.emotions)), (SPEAKING_RATE, told.bins)):
            if name in told.names and name in index.columns:
                own = replace(told, names=[name]).numbers_of(index)[:, 0].astype(np.int64)
                found[name] = _by_value(log - usual[speakers], own - 1, values)
    return found


def _by_value(log: np.ndarray, numbers: np.ndarray, values: int) -> list[float]:
    """Geometric mean of the rates of each value."""
    means = [log[numbers == value].mean() if (numbers == value).any() else 0.0 for value in range(values)]
    return [round(float(np.exp(mean)), DIGITS) for mean in means]
