"""Training a recogniser with ESPnet's own task."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.asr.normalise import basic as normalise
from espnet2_valle.asr.phones import PhoneUnits
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import is_done, mark_done
from espnet2_valle.data.datadir import DataDir, write_scp
from espnet2_valle.train import step_checkpoint

_DONE = "judge.done"
_ENDED = "training ended\n"
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
) -> None:
    """Train a CTC recogniser of words, or of phones, on ground-truth speech, unless it is there.

    Args:
        train_dir: data directory (wav.scp, text, utt2spk); it knows the words (phones) said there.
        valid_dir: data directory to choose the best epoch on.
        judge_dir: ESPnet training directory; a killed run goes on there.
        config: ESPnet's training config, to which rate, window, band and words are added.
        units: phones to learn; None: whole words.

    Raises:
        InputError: bad data directories, a missing config, or audio of mixed rates.
    """
    if is_trained(judge_dir):
        logging.info("%s is there already", judge_dir)
        return
    config, judge_dir = Path(config), Path(judge_dir)
    if not config.is_file():
        raise InputError(config, "no such file", "Correct --config")
    train, valid = DataDir.load(train_dir), DataDir.load(valid_dir)
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
    arguments += _frontend_options(rate, highest_frequency(train, rate))
    for name, data in (("train", train), ("valid", valid)):
        arguments += [f"--{name}_data_path_and_name_and_type", f"{data.path / 'wav.scp'},speech,sound"]
        arguments += [f"--{name}_data_path_and_name_and_type", f"{judge_dir / f'{name}_text'},text,text"]
        arguments += [f"--{name}_shape_file", str(judge_dir / f"{name}_shape")]
    from espnet2_valle.common.espnet_imports import import_espnet_quietly

    import_espnet_quietly()
    from espnet2.tasks.asr import ASRTask

    step_checkpoint.repair(judge_dir)  # ESPnet would stumble over a checkpoint that a kill cut short
    ASRTask.main(cmd=arguments)
    mark_done(judge_dir / _DONE, _ENDED)


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


def _frontend_options(rate: int, highest: float) -> list[str]:
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
        InputError: a text without any.
    """
    texts = {utterance: " ".join(units.of(text)) for utterance, text in data.texts.items()}
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
