"""Training a recogniser of emotions or of languages on recordings, with ESPnet's classification task."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import soundfile

from espnet2_valle.asr.training import frontend_options, highest_frequency
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.labels.kinds import Label
from espnet2_valle.labels.recognizer import label_task
from espnet2_valle.mark.sound_training import Labelled, train_on_sounds

LIST = "labels.txt"
FEWEST = 2  # labels of a training set


def train_label_recognizer(
    label: Label,
    train_dir: str | Path,
    valid_dir: str | Path,
    folder: str | Path,
    config: str | Path,
    options: Sequence[str] = (),
) -> None:
    """Train a recogniser, or go on where a killed run was; does nothing where one was trained on the same.

    Args:
        label: that is to be heard.
        train_dir, valid_dir: data directories that tell it; the latter chooses the best epoch.
        folder: ESPnet training directory.
        config: of the task, to which rate, window and band are added.
        options: further words for ESPnet's trainer.

    Raises:
        InputError: a set without labels or with one that training lacks, fewer than two of them, mixed
            rates, or a recogniser that learnt from something else.
    """
    folder = Path(folder)
    train, valid = DataDir.load(train_dir), DataDir.load(valid_dir)
    sets = {"train": _labelled(train, label), "valid": _labelled(valid, label)}
    labels = labels_of(label, label.told(train).values(), train.path, FEWEST)
    labels_of(label, label.told(valid).values(), valid.path)
    for one in sets["valid"]:
        if one.label not in labels:
            raise InputError(
                valid.path / label.file, f"'{one.name}' is '{one.label}', which training lacks", "Remove it"
            )
    rates = sorted({soundfile.info(one.wav).samplerate for part in sets.values() for one in part})
    if len(rates) != 1:
        raise InputError(train.path / "wav.scp", f"mixed sample rates {rates}", "Run stage 2 first")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_open(folder / LIST) as stream:
        stream.writelines(f"{one}\n" for one in (*labels, "<unk>"))
    words = [*frontend_options(rates[0], highest_frequency(train, rates[0])), *options]
    words += ["--token_list", str(folder / LIST)]
    train_on_sounds(
        label_task, sets, folder, config, words, "text", folder / f"{label.name}.done", "recogniser"
    )


def labels_of(label: Label, told: Iterable[str], data_dir: Path, fewest: int = 1) -> list[str]:
    """Labels of a set as a recogniser has them, in order, each once, without what is not known.

    Args:
        label: of what kind they are.
        told: of its utterances.
        data_dir: the set, for errors.
        fewest: as many there must be.

    Raises:
        InputError: there are fewer.
    """
    found = sorted({label.alike(one) for one in told} - {label.unknown})
    if not found:
        raise InputError(
            data_dir / label.file,
            f"is missing, or tells no {label.name}",
            f"Write {label.file} into the data directory (stage 1) and run stage 2 again",
        )
    if len(found) < fewest:
        raise InputError(data_dir / label.file, f"has no {label.name} but {found[0]}", "Give at least two")
    return found


def _labelled(data: DataDir, label: Label) -> list[Labelled]:
    """Recordings whose label is known.

    Raises:
        InputError: one has a space, which ESPnet takes for two.
    """
    told = {key: label.alike(one) for key, one in sorted(label.told(data).items())}
    found = {key: one for key, one in told.items() if one != label.unknown}
    for key, one in found.items():
        if len(one.split()) > 1:
            raise InputError(
                data.path / label.file, f"'{key}' is '{one}', of several words", "Write it as one"
            )
    return [Labelled(key, data.wavs[key], one) for key, one in found.items()]
