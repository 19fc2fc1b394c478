"""A detector of synthetic speech: trained by ESPnet's asvspoof task, and opened to hear."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from espnet2_valle.common.audio import resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.mark.detector_sounds import RATE, prepared
from espnet2_valle.mark.sound_training import Labelled, open_trained, train_on_sounds

if TYPE_CHECKING:
    from espnet2_valle.mark.detector_task import DetectorTask

DONE, ABOUT = "detector.done", "detector.json"
REAL, SYNTHETIC = 0, 1


@dataclass(frozen=True)
class Verdict:
    """The detector's opinion of a sound.

    Attributes:
        score: log odds of synthetic speech, where it is as frequent as in the training set.
        threshold: the score from which on a sound is said to be synthetic.
        error_rate: equal error rate on speakers that the detector had not heard; of systems unlike those that
            it learnt from it says nothing.
    """

    score: float
    threshold: float
    error_rate: float

    @property
    def synthetic(self) -> bool:
        """The sound is more likely synthetic than not."""
        return self.score >= self.threshold

    def words(self) -> str:
        """The opinion, and what it is worth."""
        likely = "likely synthetic" if self.synthetic else "likely real"
        return (
            f"{likely} (score {self.score:+.1f}, from {self.threshold:+.1f} on synthetic; the detector errs "
            f"in {self.error_rate:.0%} of what is like its training set)"
        )


class Detector:
    """A trained detector.

    Args:
        model: in evaluation mode.
        threshold, error_rate: see `Verdict`.
    """

    def __init__(self, model: torch.nn.Module, threshold: float = 0.0, error_rate: float = 0.5):
        self.model = model
        self.threshold, self.error_rate = threshold, error_rate

    @classmethod
    def open(cls, folder: str | Path) -> "Detector":
        """Open what `valle detector train` wrote.

        Raises:
            InputError: no detector is there, or its files do not fit each other.
        """
        model, _ = open_trained(folder, _task, "Train a detector there: valle detector train")
        about = Path(folder, ABOUT)
        known = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
        return cls(model, known.get("threshold", 0.0), known.get("error_rate", 0.5))

    @torch.inference_mode()
    def score(self, wav: np.ndarray) -> float:
        """Log odds that a prepared sound (samples,) is synthetic."""
        speech = torch.from_numpy(np.asarray(wav, dtype=np.float32))[None]
        encoded, lengths = self.model.encode(speech, torch.tensor([speech.shape[1]]))
        return float(self.model.decoder(encoded, lengths))

    def hear(self, wav: np.ndarray, rate: int, where: str | Path = "sound") -> Verdict:
        """Judge a sound (samples,) at any rate.

        Raises:
            InputError: it has too little sound.
        """
        score = self.score(prepared(resample(wav, rate, RATE), where))
        return Verdict(score, self.threshold, self.error_rate)

    def hear_if_enough(self, wav: np.ndarray, rate: int, where: str | Path) -> Verdict | None:
        """The same; None with a warning for a sound that is too short to tell."""
        try:
            return self.hear(wav, rate, where)
        except InputError as error:
            logging.warning("%s", error)
            return None


def write_about(folder: str | Path, threshold: float, error_rate: float, systems: Sequence[str]) -> None:
    """Write what `Detector.open` knows of a detector beside its weights."""
    with atomic_open(Path(folder) / ABOUT) as stream:
        json.dump({"threshold": threshold, "error_rate": error_rate, "systems": list(systems)}, stream)


def train_detector(
    sets: Mapping[str, Sequence[Labelled]],
    folder: str | Path,
    config: str | Path,
    options: Sequence[str] = (),
) -> None:
    """Train a detector, or go on where a killed run was; does nothing where one was trained on the same.

    Args:
        sets: "train" and "valid", of which the latter chooses the best epoch.
        folder: ESPnet training directory.
        config: of ESPnet's asvspoof task, with the decoder of `detector_task`.
        options: further words for ESPnet's trainer.

    Raises:
        InputError: the folder has a detector that learnt from something else.
    """
    folder = Path(folder)
    train_on_sounds(_task, sets, folder, config, options, "text_int", folder / DONE, "detector")


def _task() -> type["DetectorTask"]:
    from espnet2_valle.common.espnet_imports import import_espnet_quietly

    import_espnet_quietly()
    from espnet2_valle.mark.detector_task import DetectorTask

    return DetectorTask
