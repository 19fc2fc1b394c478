"""Training a recogniser of emotions on recordings (utt2emo), with ESPnet's classification task."""

from collections.abc import Sequence
from pathlib import Path

import soundfile

from espnet2_valle.asr.training import frontend_options, highest_frequency
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.combine import UNKNOWN_EMOTION
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.emotion.recognizer import emotion_task
from espnet2_valle.mark.sound_training import Labelled, train_on_sounds

DONE = "emotion.done"
LABELS = "labels.txt"
UTT2EMO = "Write utt2emo into the data directory (stage 1) and run stage 2 again"


def train_emotion_recognizer(
    train_dir: str | Path,
    valid_dir: str | Path,
    folder: str | Path,
    config: str | Path,
    options: Sequence[str] = (),
) -> None:
    """Train a recogniser, or go on where a killed run was; does nothing where one was trained on the same.

    Args:
        train_dir, valid_dir: data directories with utt2emo; the latter chooses the best epoch.
        folder: ESPnet training directory.
        config: of the task, to which rate, window and band are added.
        options: further words for ESPnet's trainer.

    Raises:
        InputError: a set without emotions or with one that training lacks, fewer than two of them, mixed
            rates, or a recogniser that learnt from something else.
    """
    folder = Path(folder)
    train, valid = DataDir.load(train_dir), DataDir.load(valid_dir)
    sets = {"train": _labelled(train), "valid": _labelled(valid)}
    labels = sorted({str(one.label) for one in sets["train"]})
    if len(labels) < 2:
        raise InputError(train.path / "utt2emo", f"has no emotion but {labels[0]}", "Give at least two")
    for one in sets["valid"]:
        if one.label not in labels:
            raise InputError(
                valid.path / "utt2emo", f"'{one.name}' is '{one.label}', which training lacks", "Remove it"
            )
    rates = sorted({soundfile.info(one.wav).samplerate for part in sets.values() for one in part})
    if len(rates) != 1:
        raise InputError(train.path / "wav.scp", f"mixed sample rates {rates}", "Run stage 2 first")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_open(folder / LABELS) as stream:
        stream.writelines(f"{label}\n" for label in (*labels, "<unk>"))
    words = [*frontend_options(rates[0], highest_frequency(train, rates[0])), *options]
    words += ["--token_list", str(folder / LABELS)]
    train_on_sounds(emotion_task, sets, folder, config, words, "text", folder / DONE, "recogniser")


def _labelled(data: DataDir) -> list[Labelled]:
    """Recordings whose emotion is known.

    Raises:
        InputError: there is none, or a label with a space, which ESPnet takes for two.
    """
    known = {key: label for key, label in sorted(data.emotions.items()) if label != UNKNOWN_EMOTION}
    if not known:
        raise InputError(data.path / "utt2emo", "is missing, or tells no emotion", UTT2EMO)
    for key, label in known.items():
        if len(label.split()) > 1:
            raise InputError(
                data.path / "utt2emo", f"'{key}' is '{label}', of several words", "Write it as one"
            )
    return [Labelled(key, data.wavs[key], label) for key, label in known.items()]
