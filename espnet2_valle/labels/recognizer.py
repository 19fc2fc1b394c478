"""A trained recogniser of emotions or of languages, opened to hear."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from espnet2_valle.common.audio import read_audio, resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import file_state
from espnet2_valle.labels.kinds import EMOTION, Label
from espnet2_valle.mark.sound_training import open_trained

if TYPE_CHECKING:
    from espnet2_valle.labels.task import LabelTask

SHORTEST = 0.1  # seconds


def label_task() -> type["LabelTask"]:
    """The task of ESPnet that recognisers are trained with, imported when it is needed."""
    from espnet2_valle.common.espnet_imports import import_espnet_quietly

    import_espnet_quietly()
    from espnet2_valle.labels.task import LabelTask

    return LabelTask


class LabelRecognizer:
    """A recogniser.

    Args:
        model: in evaluation mode.
        labels: those that it knows, in the order of its output.
        rate: of its sounds, in Hz.
        label: of what kind they are.
    """

    def __init__(self, model: torch.nn.Module, labels: Sequence[str], rate: int, label: Label):
        self.model = model
        self.labels = tuple(labels)
        self.rate = rate
        self.label = label

    @classmethod
    def open(cls, folder: str | Path, label: Label) -> "LabelRecognizer":
        """Open what `valle emotion train` or `valle language train` wrote.

        Raises:
            InputError: none is there, or its files do not fit each other.
        """
        model, args = open_trained(folder, label_task, label.remedy)
        return cls(model, args.token_list[:-1], int(args.frontend_conf["fs"]), label)

    @torch.inference_mode()
    def posteriors(self, wav: np.ndarray, rate: int, where: str | Path = "sound") -> dict[str, float]:
        """Label -> its probability, in a sound (samples,) at any rate.

        Raises:
            InputError: it is too short.
        """
        speech = torch.from_numpy(np.ascontiguousarray(resample(wav, rate, self.rate), dtype=np.float32))
        if len(speech) < SHORTEST * self.rate:
            raise InputError(where, f"is too short to tell its {self.label.name}", "Give a longer recording")
        encoded, lengths = self.model.encode(speech[None], torch.tensor([len(speech)]))
        shares = self.model.decoder(encoded, lengths)[0].float().softmax(-1)
        return dict(zip(self.labels, shares.tolist()))


@lru_cache(maxsize=4)
def open_recognizer(folder: str, label: Label) -> LabelRecognizer:
    """Open a recogniser once in each process; see `LabelRecognizer.open`."""
    return LabelRecognizer.open(folder, label)


def heard_emotions(folder: str, recording: str) -> dict[str, float]:
    """Emotions of a recording and their shares, as the recogniser of a folder hears them.

    Raises:
        InputError: see `LabelRecognizer`, or the recording cannot be read.
    """
    if not Path(recording).is_file():
        raise InputError("--emotion_reference", f"no such file '{recording}'", "Correct the path")
    return dict(_heard(folder, recording, file_state(recording)))


@lru_cache(maxsize=64)
def _heard(folder: str, recording: str, state: str) -> tuple[tuple[str, float], ...]:
    wav, rate = read_audio(recording)
    return tuple(open_recognizer(folder, EMOTION).posteriors(wav, rate, recording).items())
