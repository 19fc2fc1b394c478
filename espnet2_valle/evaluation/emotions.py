"""Emotions that a recogniser hears in the systems' speech, against those that were to be heard."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import file_state
from espnet2_valle.data.combine import UNKNOWN_EMOTION
from espnet2_valle.emotion.recognizer import open_recognizer
from espnet2_valle.evaluation.bootstrap import ratio_metric
from espnet2_valle.evaluation.groups import figures_of_groups
from espnet2_valle.evaluation.table import NOTHING
from espnet2_valle.evaluation.utterance import UtteranceScore
from espnet2_valle.jobs.kept import kept_map
from espnet2_valle.mark.sound_training import MODEL

WORTH = 50  # recordings, for a worker of its own


def intended_of(pairs: Mapping[str, str]) -> dict[str, str]:
    """The pairs whose emotion is known, in order; none where all have the same."""
    known = {
        pair: emotion for pair, emotion in sorted(pairs.items()) if emotion and emotion != UNKNOWN_EMOTION
    }
    return known if len(set(known.values())) > 1 else {}


def emotion_scores(
    rows: Mapping[str, Sequence[UtteranceScore]],
    wavs: Mapping[str, Sequence[Mapping[str, str]]],
    intended: Mapping[str, str],
    recognizer: str | None,
    folder: Path,
    seed: int = 0,
    nj: int = 1,
) -> dict[str, Any]:
    """Figures by emotion for scores.json, and what the recogniser hears; nothing where all are of one.

    Args:
        rows: system -> rows of all pairs.
        wavs: system -> sound file of each pair, of each of its samples.
        intended: pair id -> emotion of the recording that is to be imitated.
        recognizer: folder of the recogniser, if there is one.
        folder: keeps what was heard, for a run that goes on.
        seed: of the bootstrap.
        nj: workers.

    Returns:
        "by_emotion": emotion -> number of pairs, and figures of each system; "emotion": labels, and of each
        system accuracy and confusion matrix (row: intended, column: heard, the last one: nothing).

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
    labels = open_recognizer(recognizer).labels
    for emotion in emotions:
        if emotion not in labels:
            raise InputError(
                recognizer,
                f"does not know '{emotion}' of the test set",
                "Train one on recordings that have it",
            )
    systems = {}
    for name, samples in wavs.items():
        heard = [
            _heard({pair: one[pair] for pair in intended if pair in one}, recognizer, folder, name, nj)
            for one in samples
        ]
        systems[name] = _figures(heard, intended, labels, seed)
    return scores | {"emotion": {"labels": list(labels), "systems": systems}}


def _figures(
    samples: Sequence[Mapping[str, str]], intended: Mapping[str, str], labels: Sequence[str], seed: int
) -> dict[str, Any]:
    """Accuracy and confusion matrix of what was heard of a system, over all its samples."""
    columns = [*labels, NOTHING]
    pairs = [(emotion, heard.get(pair, NOTHING)) for heard in samples for pair, emotion in intended.items()]
    confusion = {
        emotion: [sum((emotion, label) == pair for pair in pairs) for label in columns]
        for emotion in sorted(set(intended.values()))
    }
    hits = [float(emotion == label) for emotion, label in pairs]
    return {"accuracy": ratio_metric(hits, seed=seed), "confusion": confusion}


def _heard(wavs: Mapping[str, str], recognizer: str, folder: Path, name: str, nj: int) -> dict[str, str]:
    """Emotion that is heard in each sound file; what was heard before in the same ones is kept."""
    weights = file_state(Path(recognizer, MODEL))
    states = {pair: f"{file_state(path)} {weights}" for pair, path in wavs.items()}
    kept = folder / f"{name}.emotions.jsonl"
    return kept_map(partial(_listen, recognizer), wavs, states, kept, nj, f"emotions {name}", WORTH)


def _listen(recognizer: str, path: str) -> str:
    try:
        wav, rate = read_audio(path)
        posteriors = open_recognizer(recognizer).posteriors(wav, rate, path)
    except InputError:  # scoring has told of it
        return NOTHING
    return max(posteriors, key=lambda label: posteriors[label])
