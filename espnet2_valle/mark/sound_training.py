"""Training on labelled sounds with one of ESPnet's tasks, of the detector and of recognisers of labels."""

import argparse
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import soundfile
import torch
import yaml

from espnet2_valle.common.conf import with_bases
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import digest, file_state, is_done, mark_done
from espnet2_valle.data.datadir import write_scp

if TYPE_CHECKING:
    from espnet2.tasks.abs_task import AbsTask

MODEL, CONFIG = "valid.loss.best.pth", "config.yaml"
ORDER_SEED = 0  # of the batches


@dataclass(frozen=True)
class Labelled:
    """A sound file to learn from.

    Attributes:
        name: unique.
        wav: the file.
        label: of it.
    """

    name: str
    wav: str
    label: int | str


def write_shapes(path: Path, sounds: Iterable[Labelled]) -> None:
    """Write names and samples of sounds in a random order, from which ESPnet cuts the batches.

    By their names each batch would be of one system or speaker, and nothing would be learnt.
    """
    lines = [f"{sound.name} {soundfile.info(sound.wav).frames}\n" for sound in sounds]
    random.Random(ORDER_SEED).shuffle(lines)
    with atomic_open(path) as stream:
        stream.writelines(lines)


def train_on_sounds(
    task: "Callable[[], type[AbsTask]]",
    sets: Mapping[str, Sequence[Labelled]],
    folder: Path,
    config: str | Path,
    options: Sequence[str],
    label_type: str,
    done: Path,
    kind: str,
) -> None:
    """Train, or go on where a killed run was; does nothing where it was done on the same.

    Args:
        task: imports the task, which takes seconds, when there is something to train.
        sets: "train" and "valid", of which the latter chooses the best epoch.
        folder: ESPnet training directory.
        config: of the task.
        options: further words for ESPnet's trainer.
        label_type: ESPnet's type of the labels' file.
        done: marker.
        kind: what is trained, for messages.

    Raises:
        InputError: the folder has one that learnt from something else.
    """
    learnt = [f"{part} {one.label} {file_state(one.wav)}" for part in sorted(sets) for one in sets[part]]
    state = digest([*(file.read_bytes().hex() for file in with_bases(config)), *options, *learnt])
    if is_done(done, {"made_from": state, "ended": True}):
        logging.info("%s is there already", folder)
        return
    begun = folder / "made_from"
    if begun.is_file() and not is_done(begun, state):
        raise InputError(
            folder, f"has a {kind} of other sounds or options", "Remove that folder to train anew"
        )
    mark_done(begun, state)
    words = ["--config", str(config), "--output_dir", str(folder), "--resume", "true", "--ngpu", "0"]
    words += options
    for name, sounds in sets.items():
        by_name = {sound.name: sound for sound in sounds}
        write_scp(folder / f"{name}_wav.scp", {one: sound.wav for one, sound in by_name.items()})
        write_scp(folder / f"{name}_label", {one: sound.label for one, sound in by_name.items()})
        write_shapes(folder / f"{name}_shape", by_name.values())
        words += [f"--{name}_data_path_and_name_and_type", f"{folder}/{name}_wav.scp,speech,sound"]
        words += [f"--{name}_data_path_and_name_and_type", f"{folder}/{name}_label,label,{label_type}"]
        words += [f"--{name}_shape_file", f"{folder}/{name}_shape"]
    asked = task()
    from espnet2_valle.common.config_parser import run_task  # which imports ESPnet, as the task has by now

    run_task(asked, words)
    mark_done(done, {"made_from": state, "ended": True})


def open_trained(
    folder: str | Path, task: "Callable[[], type[AbsTask]]", remedy: str
) -> tuple[torch.nn.Module, argparse.Namespace]:
    """Open what `train_on_sounds` left: the model in evaluation mode, and its configuration.

    Args:
        folder: of the training.
        task: imports the task, which takes seconds, when the files are there.
        remedy: where they are not.

    Raises:
        InputError: they are not there, or do not fit each other.
    """
    folder = Path(folder)
    for name in (CONFIG, MODEL):
        if not (folder / name).is_file():
            raise InputError(folder, f"has no {name}", remedy)
    args = argparse.Namespace(**yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")))
    model = cast(torch.nn.Module, task().build_model(args))
    try:
        model.load_state_dict(torch.load(folder / MODEL, map_location="cpu", weights_only=True))
    except RuntimeError as error:
        raise InputError(
            folder / MODEL, f"its weights do not fit {CONFIG} ({error})", "Train it anew"
        ) from error
    return model.eval(), args
