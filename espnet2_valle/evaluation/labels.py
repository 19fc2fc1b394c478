"""Labels that a recogniser hears in the systems' speech, against those that were to be heard."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import file_state
from espnet2_valle.evaluation.bootstrap import ratio_metric
from espnet2_valle.evaluation.table import NOTHING
from espnet2_valle.jobs.kept import kept_map
from espnet2_valle.labels.kinds import Label
from espnet2_valle.labels.recognizer import open_recognizer
from espnet2_valle.mark.sound_training import MODEL

WORTH = 50  # recordings, for a worker of its own
Sounds = Mapping[
    str, Sequence[Mapping[str, str]]
]  # system -> sound file of each pair, of each of its samples


def check_known(label: Label, recognizer: str, wanted: Iterable[str]) -> None:
    """Refuse a recogniser that does not know a label of the test set.

    Args:
        label: of what kind.
        recognizer: folder of the recogniser.
        wanted: what is to be heard.

    Raises:
        InputError: it does not, or cannot be had.
    """
    known = open_recognizer(recognizer, label).labels
    for one in sorted({*wanted}):
        if one not in known:
            raise InputError(
                recognizer, f"does not know '{one}' of the test set", "Train one on recordings that have it"
            )


def heard_scores(
    label: Label,
    recognizer: str,
    wavs: Sounds,
    intended: Mapping[str, str],
    folder: Path,
    groups: Mapping[str, Collection[str]],
    seed: int = 0,
    nj: int = 1,
) -> dict[str, Any]:
    """Labels that the recogniser hears, as scores.json has them.

    Args:
        label: of what kind.
        recognizer: its folder.
        wavs: of the systems.
        intended: pair id -> label that is to be heard, in order.
        folder: keeps what was heard, for a run that goes on.
        groups: name -> pair ids, of groups with figures of their own.
        seed: of the bootstrap.
        nj: workers.

    Returns:
        labels, and of each of the systems accuracy and confusion matrix (row: intended, column: heard, the
        last one: nothing), those of each group by its name.

    Raises:
        InputError: see `check_known`.
    """
    check_known(label, recognizer, intended.values())
    labels = open_recognizer(recognizer, label).labels
    systems = {}
    for name, samples in wavs.items():
        heard = [
            _heard(label, recognizer, {pair: one[pair] for pair in intended if pair in one}, folder, name, nj)
            for one in samples
        ]
        systems[name] = _figures(heard, intended, labels, seed)
        for group, pairs in groups.items():
            some = {pair: one for pair, one in intended.items() if pair in {*pairs}}
            if some:
                systems[name][group] = _figures(heard, some, labels, seed)
    return {"labels": list(labels), "systems": systems}


def _figures(
    samples: Sequence[Mapping[str, str]], intended: Mapping[str, str], labels: Sequence[str], seed: int
) -> dict[str, Any]:
    """Accuracy and confusion matrix of what was heard of a system, over all its samples."""
    columns = [*labels, NOTHING]
    pairs = [(wanted, heard.get(pair, NOTHING)) for heard in samples for pair, wanted in intended.items()]
    confusion = {
        wanted: [sum((wanted, one) == pair for pair in pairs) for one in columns]
        for wanted in sorted(set(intended.values()))
    }
    hits = [float(wanted == heard) for wanted, heard in pairs]
    return {"accuracy": ratio_metric(hits, seed=seed), "confusion": confusion}


def _heard(
    label: Label, recognizer: str, wavs: Mapping[str, str], folder: Path, name: str, nj: int
) -> dict[str, str]:
    """Label that is heard in each sound file; what was heard before in the same ones is kept."""
    weights = file_state(Path(recognizer, MODEL))
    states = {pair: f"{file_state(path)} {weights}" for pair, path in wavs.items()}
    kept, listen = folder / f"{name}.{label.several}.jsonl", partial(_listen, label, recognizer)
    return kept_map(listen, wavs, states, kept, nj, f"{label.several} {name}", WORTH)


def _listen(label: Label, recognizer: str, path: str) -> str:
    try:
        wav, rate = read_audio(path)
        posteriors = open_recognizer(recognizer, label).posteriors(wav, rate, path)
    except InputError:  # scoring has told of it
        return NOTHING
    return max(posteriors, key=lambda one: posteriors[one])
