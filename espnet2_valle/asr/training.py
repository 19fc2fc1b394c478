"""Training a recogniser with ESPnet's own task."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from espnet2_valle.asr.normalise import basic as normalise
from espnet2_valle.asr.phones import PhoneUnits
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.conf import read_config, read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import is_done, mark_done
from espnet2_valle.data.datadir import DataDir, write_scp
from espnet2_valle.text.markup import in_language
from espnet2_valle.text.multilingual import choices_by_language, normal_code
from espnet2_valle.train import step_checkpoint
from espnet2_valle.train.schedule import MAX_PASSES, Schedule

_DONE = "judge.done"
_ENDED = "training ended\n"
_ONE_CYCLE = "onecyclelr"
_BATCHES_OF_A_SIZE = ("sorted", "unsorted")
_SCHEDULE = ("max_epoch", "num_iters_per_epoch", "scheduler_conf")
_WINDOW_SECONDS = 0.025
_HOP_SECONDS = 0.010
_FFT_SIZES = (256, 512, 1024, 2048)
_HIGHEST_HZ = 8000.0  # nothing above is needed to tell words apart
_BAND_UTTERANCES = 40
_BAND_FLOOR_DB = -65.0  # below the loudest frequency: nothing is there


def is_trained(judge_dir: str | Path) -> bool:
    """Tell whether training ended there."""
    return is_done(Path(judge_dir) / _DONE, _ENDED)


def train_recognizer(
    train_dir: str | Path,
    valid_dir: str | Path,
    judge_dir: str | Path,
    config: str | Path,
    units: PhoneUnits | None = None,
    max_passes: float = MAX_PASSES,
) -> None:
    """Train a CTC recogniser of words, or of phones, on ground-truth speech, unless it is there.

    One that is there goes on if the config now has more epochs.

    Args:
        train_dir: data directory (wav.scp, text, utt2spk); it knows the words (phones) said there.
        valid_dir: data directory to choose the best epoch on.
        judge_dir: ESPnet training directory; a killed run goes on there.
        config: ESPnet's training config, to which rate, window, band and words are added.
        units: phones to learn; None: whole words.
        max_passes: over the training set; a longer schedule is shortened in proportion; 0: it is not.

    Raises:
        InputError: bad data directories, a missing config or one whose schedule ends before its epochs, or
            audio of mixed rates.
    """
    config, judge_dir = Path(config), Path(judge_dir)
    if not config.is_file():
        raise InputError(config, "no such file", "Correct --config")
    settings = read_config(config)
    train, valid = DataDir.load(train_dir), DataDir.load(valid_dir)
    schedule = _schedule(settings)
    shorter = _for_few(schedule, settings, len(train.wavs), max_passes)
    if is_trained(judge_dir) and not _goes_on(settings, shorter, judge_dir):
        logging.info("%s is there already", judge_dir)
        return
    _check_cycle(schedule, settings, config)
    if units is None:
        train, valid = _normalised(train), _normalised(valid)
        _check_words(valid, _write_words(train, judge_dir / "tokens.txt"))
    else:
        train, valid = _in_phones(train, units), _in_phones(valid, units)
        _write_words(train, judge_dir / "tokens.txt")
        units.save(judge_dir)
    for name, data in (("train", train), ("valid", valid)):
        write_scp(judge_dir / f"{name}_text", data.texts)
    rate = _write_shapes(train, judge_dir / "train_shape")
    if _write_shapes(valid, judge_dir / "valid_shape") != rate:
        raise InputError(valid.path, "its sample rate is not that of the training set", "Format both alike")
    arguments = ["--config", str(config), "--output_dir", str(judge_dir), "--resume", "true", "--ngpu", "0"]
    arguments += ["--token_list", str(judge_dir / "tokens.txt"), "--preprocessor_conf", f"fs={rate}"]
    arguments += frontend_options(rate, highest_frequency(train, rate))
    if shorter is not schedule:
        arguments += _schedule_options(shorter)
    for name, data in (("train", train), ("valid", valid)):
        arguments += [f"--{name}_data_path_and_name_and_type", f"{data.path / 'wav.scp'},speech,sound"]
        arguments += [f"--{name}_data_path_and_name_and_type", f"{judge_dir / f'{name}_text'},text,text"]
        arguments += [f"--{name}_shape_file", str(judge_dir / f"{name}_shape")]
    from espnet2_valle.common.espnet_imports import import_espnet_quietly

    import_espnet_quietly()
    from espnet2.tasks.asr import ASRTask

    from espnet2_valle.common.config_parser import run_task

    (judge_dir / _DONE).unlink(missing_ok=True)
    step_checkpoint.repair(judge_dir)  # ESPnet would stumble over a checkpoint that a kill cut short
    run_task(ASRTask, arguments)
    mark_done(judge_dir / _DONE, _ENDED)


def _schedule(settings: Mapping[str, Any]) -> Schedule:
    """The schedule of a training config."""
    return Schedule(
        settings.get("max_epoch", 0), settings.get("num_iters_per_epoch"), settings.get("scheduler_conf", {})
    )


def _for_few(schedule: Schedule, settings: Mapping[str, Any], utterances: int, max_passes: float) -> Schedule:
    """The schedule, shortened if it would pass more than `max_passes` times over so many utterances."""
    size = settings.get("batch_size", 0)
    if not max_passes or not size or settings.get("batch_type") not in _BATCHES_OF_A_SIZE:
        return schedule
    batches = max(1, utterances // size)  # as ESPnet's samplers have it
    shorter = schedule.bounded(batches, max_passes)
    if shorter is not schedule:
        logging.warning(
            "%d steps would be %d passes over the training set of %d utterances: "
            "shortened to %d steps in %d epochs",
            *(schedule.steps(batches), schedule.passes(batches), utterances),
            *(shorter.steps(batches), shorter.max_epoch),
        )
    return shorter


def _schedule_options(schedule: Schedule) -> list[str]:
    words = [
        "--max_epoch",
        str(schedule.max_epoch),
        "--num_iters_per_epoch",
        str(schedule.num_iters_per_epoch),
    ]
    for key, value in schedule.scheduler_conf.items():
        words += ["--scheduler_conf", f"{key}={value}"]
    return words


def _goes_on(settings: Mapping[str, Any], schedule: Schedule, judge_dir: Path) -> bool:
    """Tell whether a config wants more epochs than the finished training has, and nothing else."""
    trained = read_yaml(judge_dir / "config.yaml", "--output_dir")
    rest = {key: value for key, value in settings.items() if key not in _SCHEDULE}
    return bool(schedule.max_epoch > trained["max_epoch"]) and _is_within(rest, trained)


def _is_within(part: Any, whole: Any) -> bool:
    """Tell whether a config has the values of another one, at any depth, and maybe more."""
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(key in whole and _is_within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


def _check_cycle(schedule: Schedule, settings: Mapping[str, Any], config: Path) -> None:
    """Raise InputError if the learning rate's one cycle ends before the training, where torch stumbles."""
    steps = schedule.max_epoch * (schedule.num_iters_per_epoch or 0)
    cycle = schedule.scheduler_conf.get("total_steps") or steps
    if settings.get("scheduler") == _ONE_CYCLE and steps > cycle:
        raise InputError(
            config,
            f"has {steps} steps, and its learning rate's cycle (scheduler_conf) {cycle}",
            f"Write total_steps: {steps}",
        )


def highest_frequency(data: DataDir, rate: int) -> float:
    """Up to which frequency (Hz) the recordings hold sound: above it the recogniser need not listen.

    Speech that was upsampled has none above its former rate's half, but a codec may well put some there.
    """
    utterances = sorted(data.wavs)
    utterances = utterances[:: max(1, len(utterances) // _BAND_UTTERANCES)]
    size = _fft_size(rate)
    power = np.zeros(size // 2 + 1)
    for utterance in utterances:
        wav, _ = read_audio(data.wavs[utterance])
        if len(wav) < size:
            continue
        # Whole frames only: the edge of a padded one would have sound at all frequencies.
        frames = wav[: len(wav) // size * size].reshape(-1, size) * np.hanning(size)
        power += np.square(np.abs(np.fft.rfft(frames))).sum(axis=0)
    if not power.any():
        return min(_HIGHEST_HZ, rate / 2)
    level = 10 * np.log10(power / power.max() + 1e-12)
    top = float(np.flatnonzero(level > _BAND_FLOOR_DB).max()) * rate / size
    return min(top, _HIGHEST_HZ, rate / 2)


def _fft_size(rate: int) -> int:
    """The smallest usual size that holds a window."""
    return next((size for size in _FFT_SIZES if size >= _WINDOW_SECONDS * rate), _FFT_SIZES[-1])


def frontend_options(rate: int, highest: float) -> list[str]:
    """Words of ESPnet's frontend for windows of a rate (Hz) and frequencies up to the `highest` (Hz)."""
    settings = {
        "fs": rate,
        "n_fft": _fft_size(rate),
        "win_length": round(_WINDOW_SECONDS * rate),
        "hop_length": round(_HOP_SECONDS * rate),
        "fmax": round(highest),
    }
    return [part for key, value in settings.items() for part in ("--frontend_conf", f"{key}={value}")]


def _normalised(data: DataDir) -> DataDir:
    """The same with its texts as words are counted: `Seven,` and `seven` are one word."""
    return replace(data, texts={utterance: normalise(text) for utterance, text in data.texts.items()})


def _in_phones(data: DataDir, units: PhoneUnits) -> DataDir:
    """The same with phones in place of words.

    Raises:
        InputError: a text without any, or no languages for a g2p of several.
    """
    marked = data.texts
    if choices_by_language(units.g2p):
        if not data.languages:
            raise InputError(
                data.path / "utt2lang", "is missing, and --g2p names several languages", "Write it"
            )
        marked = {
            utterance: in_language(text, normal_code(data.languages[utterance]))
            for utterance, text in data.texts.items()
        }
    texts = {utterance: " ".join(units.of(text)) for utterance, text in marked.items()}
    silent = next((utterance for utterance, phones in texts.items() if not phones), None)
    if silent is not None:
        raise InputError(
            data.path / "text",
            f"'{data.texts[silent]}' of '{silent}' has no phones",
            "Correct it, or remove the utterance",
        )
    return replace(data, texts=texts)


def _write_words(data: DataDir, path: Path) -> set[str]:
    words = {word for text in data.texts.values() for word in text.split()}
    with atomic_open(path) as stream:
        stream.writelines(f"{word}\n" for word in ("<blank>", "<unk>", *sorted(words), "<sos/eos>"))
    return words


def _check_words(data: DataDir, words: set[str]) -> None:
    for utterance, text in sorted(data.texts.items()):
        unknown = sorted(set(text.split()) - words)
        if unknown:
            raise InputError(
                data.path / "text",
                f"'{unknown[0]}' of '{utterance}' is never said in the training set",
                "A recogniser needs a closed vocabulary: remove the utterance, or run stage 1 with "
                "--local_data_opts '--vocabulary none', so that pocketsphinx scores",
            )


def _write_shapes(data: DataDir, path: Path) -> int:
    """Write the number of samples of each utterance; return the sample rate they share."""
    infos = {utterance: soundfile.info(wav) for utterance, wav in data.wavs.items()}
    rates = sorted({info.samplerate for info in infos.values()})
    if len(rates) != 1:
        raise InputError(data.path / "wav.scp", f"mixed sample rates {rates}", "Run stage 2 first")
    write_scp(path, {utterance: info.frames for utterance, info in infos.items()})
    return rates[0]
