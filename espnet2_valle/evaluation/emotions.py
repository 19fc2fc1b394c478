"""Scores by emotion, and the emotions that a recogniser hears in the systems' speech."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.data.combine import UNKNOWN_EMOTION
from espnet2_valle.evaluation.groups import figures_of_groups
from espnet2_valle.evaluation.labels import Sounds, heard_scores
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.labels.kinds import EMOTION


def intended_of(pairs: Mapping[str, str]) -> dict[str, str]:
    """The pairs whose emotion is known, in order; none where all have the same."""
    known = {
        pair: emotion for pair, emotion in sorted(pairs.items()) if emotion and emotion != UNKNOWN_EMOTION
    }
    return known if len(set(known.values())) > 1 else {}


def emotion_scores(
    rows: Mapping[str, Sequence[UtteranceScore]],
    wavs: Sounds,
    intended: Mapping[str, str],
    recognizer: str | None,
    folder: Path,
    seed: int = 0,
    nj: int = 1,
) -> dict[str, Any]:
    """Figures by emotion for scores.json, and what the recogniser hears; nothing where all are of one.

    Args:
        rows: system -> rows of all pairs.
        wavs: of the systems.
        intended: pair id -> emotion of the recording that is to be imitated.
        recognizer: folder of the recogniser, if there is one.
        folder: keeps what was heard, for a run that goes on.
        seed: of the bootstrap.
        nj: workers.

    Returns:
        "by_emotion": emotion -> number of pairs, and figures of each system; "emotion": see `heard_scores`.

    Raises:
        InputError: the recogniser cannot be had, or does not know an emotion.
    """
    intended = intended_of(intended)
    if not intended:
        return {}
    emotions = sorted(set(intended.values()))
    groups = {emotion: [pair for pair, own in intended.items() if own == emotion] for emotion in emotions}
    scores: dict[str, Any] = {"by_emotion": figures_of_groups(rows, groups, seed)}
    if recognizer is None:
        return scores
    return scores | {"emotion": heard_scores(EMOTION, recognizer, wavs, intended, folder, {}, seed, nj)}
