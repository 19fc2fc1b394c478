"""A detector of synthetic speech: trained by ESPnet's asvspoof task, and opened to hear."""

import argparse
import json
import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml

from espnet2_valle.common.audio import resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import digest, file_state, is_done, mark_done
from espnet2_valle.data.datadir import write_scp
from espnet2_valle.mark.detector_sounds import RATE, prepared

DONE, MODEL, CONFIG, ABOUT = "detector.done", "valid.loss.best.pth", "config.yaml", "detector.json"
REAL, SYNTHETIC = 0, 1
ORDER_SEED = 0  # of the batches


@dataclass(frozen=True)
class Labelled:
    """A sound file for the detector to learn from.

    Attributes:
        name: unique.
        wav: as `prepare_sounds` writes it.
        label: REAL or SYNTHETIC.
    """

    name: str
    wav: str
    label: int


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
        folder = Path(folder)
        for name in (CONFIG, MODEL):
            if not (folder / name).is_file():
                raise InputError(folder, f"has no {name}", "Train a detector there: valle detector train")
        from espnet2_valle.common.espnet_imports import import_espnet_quietly

        import_espnet_quietly()
        from espnet2_valle.mark.detector_task import DetectorTask

        args = argparse.Namespace(**yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")))
        model = DetectorTask.build_model(args)
        try:
            model.load_state_dict(torch.load(folder / MODEL, map_location="cpu", weights_only=True))
        except RuntimeError as error:
            raise InputError(
                folder / MODEL, f"its weights do not fit {CONFIG} ({error})", "Train it anew"
            ) from error
        about = folder / ABOUT
        known = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
        return cls(model.eval(), known.get("threshold", 0.0), known.get("error_rate", 0.5))

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


def write_shapes(path: Path, sounds: Iterable[Labelled]) -> None:
    """Write names and samples of sounds in a random order, from which ESPnet cuts the batches.

    By their names each batch would be of one system, real or synthetic, and nothing would be learnt.
    """
    lines = [f"{sound.name} {soundfile.info(sound.wav).frames}\n" for sound in sounds]
    random.Random(ORDER_SEED).shuffle(lines)
    with atomic_open(path) as stream:
        stream.writelines(lines)


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
    learnt = [f"{kind} {one.label} {file_state(one.wav)}" for kind in sorted(sets) for one in sets[kind]]
    state = digest([Path(config).read_bytes().hex(), *options, *learnt])
    if is_done(folder / DONE, {"made_from": state, "ended": True}):
        logging.info("%s is there already", folder)
        return
    begun = folder / "made_from"
    if begun.is_file() and not is_done(begun, state):
        raise InputError(
            folder, "has a detector of other sounds or options", "Remove that folder to train anew"
        )
    mark_done(begun, state)
    words = [
        "--config",
        str(config),
        "--output_dir",
        str(folder),
        "--resume",
        "true",
        "--ngpu",
        "0",
        *options,
    ]
    for kind, sounds in sets.items():
        by_name = {sound.name: sound for sound in sounds}
        write_scp(folder / f"{kind}_wav.scp", {name: sound.wav for name, sound in by_name.items()})
        write_scp(folder / f"{kind}_label", {name: sound.label for name, sound in by_name.items()})
        write_shapes(folder / f"{kind}_shape", by_name.values())
        words += [f"--{kind}_data_path_and_name_and_type", f"{folder}/{kind}_wav.scp,speech,sound"]
        words += [f"--{kind}_data_path_and_name_and_type", f"{folder}/{kind}_label,label,text_int"]
        words += [f"--{kind}_shape_file", f"{folder}/{kind}_shape"]
    from espnet2_valle.common.espnet_imports import import_espnet_quietly

    import_espnet_quietly()
    from espnet2_valle.mark.detector_task import DetectorTask

    DetectorTask.main(cmd=words)
    mark_done(folder / DONE, {"made_from": state, "ended": True})
