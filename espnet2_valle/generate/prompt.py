"""The prompt: a few seconds of the voice to clone, checked before anything is spent on it."""

import logging
from pathlib import Path

import numpy as np
import torch

from espnet2_valle.common.audio import read_audio, resample
from espnet2_valle.common.errors import InputError

MIN_SECONDS = 0.5  # less holds no voice to speak of
SILENCE_DB = -60.0  # a prompt quieter than this (dBFS, RMS) is taken for silence
CLIPPED_SHARE = 0.01  # of samples at full scale
FULL_SCALE = 0.999
TRIM_DB = -40.0  # frames quieter than this against the loudest frame are edges to trim
TRIM_FRAME = 0.02  # seconds
TRIM_MARGIN = 0.05  # seconds of edge that stay
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def is_sound(prompt: torch.Tensor, prompt_fs: int | None) -> bool:
    """Whether a tensor holds samples and not codes: floats, or a row of integers that comes with its rate."""
    return prompt.is_floating_point() or (prompt.ndim == 1 and prompt_fs is not None)


def to_samples(prompt: torch.Tensor) -> np.ndarray:
    """What `load_prompt` takes, of a tensor of samples on any device."""
    prompt = prompt.detach().cpu()
    return (prompt.float() if prompt.is_floating_point() else prompt).numpy()


def check_codes(codes: torch.Tensor, num_codebooks: int, codebook_size: int) -> torch.Tensor:
    """Return codes (T, Q) as int64.

    Raises:
        InputError: another type or shape, or codes that the codec does not have.
    """
    remedy = (
        f"Give codes (frames, {num_codebooks}) as `encode_prompt` makes them, or samples with prompt_fs in Hz"
    )
    kind = f"a tensor of {str(codes.dtype).removeprefix('torch.')} with shape {tuple(codes.shape)}"
    if codes.dtype not in INTEGERS or codes.ndim != 2 or codes.shape[1] != num_codebooks or not len(codes):
        raise InputError("prompt_speech", f"is {kind}: neither codes nor sound", remedy)
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= codebook_size:
        raise InputError(
            "prompt_speech", f"has codes from {low} to {high}, the codec 0 to {codebook_size - 1}", remedy
        )
    return codes.long()


def load_prompt(prompt: str | Path | np.ndarray, prompt_fs: int | None, sample_rate: int) -> np.ndarray:
    """Bring a prompt to the codec's rate and check that it can be used.

    Args:
        prompt: a sound file, or samples (S,) or (S, channels) in [-1, 1]; channels are averaged.
        prompt_fs: rate of the samples in Hz; not needed for a file.
        sample_rate: the codec's, in Hz.

    Returns:
        wav (S,) float32, silent edges trimmed.

    Raises:
        InputError: missing or unreadable file, samples without a rate, silent, clipped or too short.
    """
    if isinstance(prompt, np.ndarray):
        where = "prompt_speech"
        if prompt_fs is None:
            raise InputError(where, "samples are given without their rate", "Give prompt_fs in Hz")
        wav = resample(_to_mono(prompt), prompt_fs, sample_rate)
    else:
        where = str(prompt)
        wav, _ = read_audio(prompt, sample_rate)
    return _trim(_check(where, wav, sample_rate), sample_rate)


def _to_mono(wav: np.ndarray) -> np.ndarray:
    """(S,) or (S, channels), floats or 16-bit integers -> (S,) float32."""
    if wav.dtype == np.int16:
        wav = wav / np.iinfo(np.int16).max
    if wav.ndim == 2:
        logging.warning("prompt_speech has %d channels; their mean is used", wav.shape[1])
        wav = wav.mean(axis=1)
    if wav.ndim != 1:
        raise InputError("prompt_speech", f"has shape {wav.shape}", "Give (samples,) or (samples, channels)")
    return wav.astype(np.float32)


def _check(where: str, wav: np.ndarray, rate: int) -> np.ndarray:
    """Raise InputError unless `wav` (S,) can serve as a prompt."""
    seconds = len(wav) / rate
    if seconds < MIN_SECONDS:
        raise InputError(where, f"lasts {seconds:.2f} s", f"Give at least {MIN_SECONDS} s, better 3 s")
    if not np.isfinite(wav).all():
        raise InputError(where, "has NaN or infinite samples", "Export it again")
    level = 10 * np.log10(np.mean(wav.astype(np.float64) ** 2) + 1e-20)
    if level < SILENCE_DB:
        raise InputError(where, f"is silent ({level:.0f} dBFS)", "Give a recording of the voice")
    clipped = float(np.mean(np.abs(wav) >= FULL_SCALE))
    if clipped > CLIPPED_SHARE:
        raise InputError(where, f"{clipped:.0%} of its samples are clipped", "Record it again with less gain")
    return wav


def _trim(wav: np.ndarray, rate: int) -> np.ndarray:
    """Cut silent edges down to a margin: a prompt that ends in silence reads as one that has ended."""
    frame = int(TRIM_FRAME * rate)
    count = len(wav) // frame
    energy = np.mean(wav[: count * frame].reshape(count, frame) ** 2, axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (TRIM_DB / 10))
    margin = int(TRIM_MARGIN * rate)
    return wav[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin]
