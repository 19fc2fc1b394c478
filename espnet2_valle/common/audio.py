"""Reading and writing sound files: mono float32 at a known rate, or a clear error."""

import errno
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.sound_formats import conversion, is_other_sound
from espnet2_valle.common.walk import existing

PCM_16_BYTES = 2
CANCELLED_DB = 6.0  # the mean of channels may be this much below the loudest of them
LFS_POINTER = b"version https://git-lfs"
SPAN_SLACK = 0.1  # seconds that a segment may end behind its recording: manifests round

Span = tuple[float, float]  # start and end of a part of a sound file, seconds; infinity is the file's end


def resample(wav: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Resample `wav` (samples,) from `rate` to `target_rate` Hz with soxr's best quality."""
    if rate == target_rate:
        return wav
    import soxr

    return soxr.resample(wav, rate, target_rate, quality="VHQ").astype(np.float32)


@contextmanager
def _opened(path: str | Path) -> Iterator[Path]:
    """Give the file that a path means, and turn what soundfile raises about it into InputError."""
    path = existing(path)
    if path.is_dir():
        raise InputError(path, "is a folder, not a sound file", "Give a file in it")
    if not os.path.isfile(path):
        raise InputError(path, "no such audio file", "Correct the path or remove the utterance")
    try:
        yield path
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:  # TypeError: no header, as in .raw
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    if is_other_sound(path):
        return InputError(path, f"libsndfile does not read {path.suffix} files", conversion(path))
    with open(path, "rb") as file:
        start = file.read(len(LFS_POINTER))
    if start == LFS_POINTER:
        return InputError(path, "is a pointer of Git LFS, not the sound itself", "Fetch it with git lfs pull")
    reason = getattr(error, "error_string", error)  # libsndfile's own words would name the file once more
    return InputError(path, f"not a readable sound file ({reason})", "Convert it to WAV or FLAC or remove it")


def audio_seconds(path: str | Path) -> float:
    """Duration of a sound file, read from its header.

    Raises:
        InputError: missing or unreadable file.
    """
    with _opened(path) as path:
        return float(soundfile.info(path).duration)


def audio_rate(path: str | Path) -> int:
    """Rate of a sound file in Hz, read from its header.

    Raises:
        InputError: missing or unreadable file.
    """
    with _opened(path) as path:
        return int(soundfile.info(path).samplerate)


def read_channels(path: str | Path, span: Span | None = None) -> tuple[np.ndarray, int]:
    """Read a sound file, or a part of it, as it is.

    Args:
        path: any format that libsndfile reads.
        span: the part; None reads all of it.

    Returns:
        wav (samples, channels) float32 in [-1, 1], and its rate in Hz.

    Raises:
        InputError: missing, unreadable or empty file, samples that are not finite, or a span beyond its end.
    """
    with _opened(path) as path, soundfile.SoundFile(path) as file:
        rate, frames = int(file.samplerate), len(file)
        if span:
            start = round(span[0] * rate)
            stop = len(file) if math.isinf(span[1]) else round(span[1] * rate)
            if stop > len(file) + SPAN_SLACK * rate:
                raise InputError(
                    path,
                    f"lasts {len(file) / rate:.2f} s, and a segment of it ends at {span[1]:.2f} s",
                    "Give the recording that the segments were made for",
                )
            file.seek(min(start, len(file)))
            frames = stop - start
        wav = file.read(frames, dtype="float32", always_2d=True)
    if wav.shape[0] == 0:
        raise InputError(path, "the sound file has no samples", "Replace or remove it")
    if not np.isfinite(wav).all():
        raise InputError(path, "the sound file has NaN or infinite samples", "Export it again")
    return wav, rate


def read_audio(
    path: str | Path, sample_rate: int | None = None, span: Span | None = None
) -> tuple[np.ndarray, int]:
    """Read a sound file, or a part of it, as mono.

    Args:
        path: any format that libsndfile reads.
        sample_rate: resample to this rate (Hz); None keeps the file's own.
        span: the part; None reads all of it.

    Returns:
        wav (samples,) float32 in [-1, 1], and its rate in Hz.

    Raises:
        InputError: see `read_channels`.
    """
    wav, rate = read_channels(path, span)
    target = sample_rate or rate
    return resample(mix_down(wav), rate, target), target


def cancelled_channel(channels: np.ndarray) -> int | None:
    """The loudest of `channels` (S, C) where their mean loses it; None where the mean will do.

    It does where they are of opposite phase, or all but one are silent.
    """
    if channels.shape[1] == 1:
        return None
    mean = channels.mean(axis=1)
    energies = (channels.astype(np.float64) ** 2).mean(axis=0)
    if (mean.astype(np.float64) ** 2).mean() < energies.max() * 10 ** (-CANCELLED_DB / 10):
        return int(energies.argmax())
    return None


def mix_down(channels: np.ndarray) -> np.ndarray:
    """(S, C) -> (S,): the mean, or the loudest channel where the mean loses it."""
    return mix_down_checked(channels)[0]


def mix_down_checked(channels: np.ndarray) -> tuple[np.ndarray, bool]:
    """`mix_down`, and True where it took the loudest channel."""
    loudest = cancelled_channel(channels)
    if loudest is None:
        return channels.mean(axis=1), False
    return np.ascontiguousarray(channels[:, loudest]), True


def read_first_seconds(path: str | Path, seconds: float | None) -> tuple[np.ndarray, int]:
    """The first `seconds` of a sound file, as far as it lasts, or all of it for None; see `read_audio`."""
    wav, rate = read_audio(path)
    return (wav if seconds is None else wav[: round(seconds * rate)]), rate


def check_writable(path: str | Path, option: str) -> None:
    """Check, before there is anything to write, that `write_audio` knows the format of `path`.

    Args:
        path: where sound is to go.
        option: which named it, for the error.

    Raises:
        InputError: its suffix is of no format that holds 16-bit PCM.
    """
    suffix = Path(path).suffix
    if not soundfile.check_format(suffix[1:], "PCM_16"):
        ending = f"'{suffix}'" if suffix else "no suffix"
        raise InputError(
            option, f"{path} has {ending}, which is no format of 16-bit PCM", "Let it end in .wav or .flac"
        )


def read_comment(path: str | Path) -> str | None:
    """Comment that a sound file carries (RIFF INFO, Vorbis comment), if it does.

    Raises:
        InputError: missing or unreadable file.
    """
    with _opened(path) as path, soundfile.SoundFile(path) as file:
        return file.comment or None


@contextmanager
def create_audio(
    path: str | Path, sample_rate: int, comment: str | None = None
) -> Iterator[soundfile.SoundFile]:
    """A new mono file of 16-bit PCM, to be written to; see `write_audio`."""
    with soundfile.SoundFile(path, "w", sample_rate, 1, subtype="PCM_16") as file:
        if comment:
            file.comment = comment
        yield file


def write_audio(path: str | Path, wav: np.ndarray, sample_rate: int, comment: str | None = None) -> None:
    """Write mono `wav` (samples,) as 16-bit PCM; the format follows the suffix of `path`.

    Args:
        path: of the file.
        wav: samples.
        sample_rate: in Hz.
        comment: that the file carries (RIFF INFO, Vorbis comment).

    Raises:
        OSError: it could not be written; ENOSPC, which libsndfile does not tell, if the disk is full.
    """
    with atomic_path(path) as temporary:
        try:
            with create_audio(temporary, sample_rate, comment) as file:
                file.write(wav)
        except soundfile.LibsndfileError as error:
            full = shutil.disk_usage(temporary.parent).free < wav.size * PCM_16_BYTES
            number = errno.ENOSPC if full else errno.EIO
            raise OSError(number, os.strerror(number), str(path)) from error
