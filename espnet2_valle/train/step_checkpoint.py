"""Checkpoints inside an epoch, beside ESPnet's, which are those of whole epochs.

`step.pth` has the keys of ESPnet's checkpoint.pth and, beyond them, how far the epoch is and what it has
reported. It is written whole or not at all. ESPnet's own checkpoints are not: one that a kill has cut short
is replaced from it.
"""

import logging
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import torch

from espnet2_valle.common.fileio import atomic_path

STEP = "step.pth"
EPOCH = "checkpoint.pth"  # ESPnet's
NOTHING_REPORTED: dict[str, Any] = {"stats": {}, "epoch": 0}  # ESPnet's reporter before the first epoch
BROKEN = (EOFError, OSError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile)


def save_whole(state: Any, path: Path) -> None:
    """torch.save, whole or not at all."""
    with atomic_path(path, alone=True) as temporary:
        torch.save(state, temporary)


def load(path: Path) -> dict[str, Any] | None:
    """A checkpoint, its tensors read when they are used; None if it is not there or was cut short."""
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=False, mmap=True)
    except BROKEN as error:
        logging.warning("%s was not written to its end (%s)", path, error)
        return None


def reporter_state(output_dir: Path) -> dict[str, Any]:
    """State of ESPnet's reporter at the end of the last epoch."""
    done = load(output_dir / EPOCH)
    return done["reporter"] if done else NOTHING_REPORTED


def repair(output_dir: Path) -> None:
    """Make ESPnet's files what they should be after a kill at any moment."""
    step, done = load(output_dir / STEP), load(output_dir / EPOCH)
    if done is None and step is not None:
        with atomic_path(output_dir / EPOCH, alone=True) as temporary:
            shutil.copyfile(output_dir / STEP, temporary)
    elif done is None:
        (output_dir / EPOCH).unlink(missing_ok=True)
    else:
        model = output_dir / f"{done['reporter']['epoch']}epoch.pth"
        if done["reporter"]["epoch"] and "epoch" not in done and load(model) is None:
            save_whole(done["model"], model)


def find(output_dir: Path) -> dict[str, Any] | None:
    """The state to go on from inside or right behind an epoch, if there is one that is not outdated."""
    step, done = load(output_dir / STEP), load(output_dir / EPOCH)
    if step is None or done is None:
        return None
    return step if step["epoch"] - done["reporter"]["epoch"] in (0, 1) else None
