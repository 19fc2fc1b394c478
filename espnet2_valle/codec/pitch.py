"""Pitch and voicing by autocorrelation: ten times as fast as WORLD's harvest, steadier than its dio.

Source: Boersma, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993: the autocorrelation of a
windowed frame divided by that of its window, several candidates a frame, and the cheapest path
through them.
"""

import numpy as np

from espnet2_valle.common.audio import resample

WORKING_RATE = 8000  # Hz; harmonics above half of it do not help
PERIODS = 2.5  # of the lowest F0 in a window
NUM_CANDIDATES = 6  # voiced candidates a frame
VOICING_THRESHOLD = 0.3  # strength of the unvoiced candidate in a loud frame
SILENCE_THRESHOLD = 0.02  # peaks below this part of the loudest are silence
OCTAVE_COST = 0.01  # an octave: prefers the higher of two equal candidates
JUMP_COST = 0.35  # an octave of pitch change in 10 ms
VOICING_COST = 0.14  # a change of voicing in 10 ms
REFERENCE_STEP = 0.01  # seconds
QUIETEST = 1e-9  # amplitude of a waveform that is all silence
CHUNK = 2048  # frames at a time


def track_pitch(wav: np.ndarray, rate: int, times: np.ndarray, floor: float, ceil: float) -> np.ndarray:
    """F0 in Hz, 0 where unvoiced.

    Args:
        wav: (S,) at `rate` Hz.
        rate: sample rate in Hz.
        times: (T,) where to look, in seconds, a constant step apart.
        floor: lowest F0 in Hz.
        ceil: highest F0 in Hz.

    Returns:
        (T,) F0.
    """
    low = resample(wav, rate, WORKING_RATE).astype(np.float64)
    frequency, strength = candidates(low, times, floor, ceil)
    step = float(times[1] - times[0]) if len(times) > 1 else REFERENCE_STEP
    return cheapest_path(frequency, strength, step)


def candidates(
    wav: np.ndarray, times: np.ndarray, floor: float, ceil: float
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of each frame: F0 (T, 1 + NUM_CANDIDATES), the first 0 for unvoiced, and their strengths."""
    length = int(PERIODS * WORKING_RATE / floor)
    window = np.hanning(length + 2)[1:-1]
    size = 1 << int(np.ceil(np.log2(1.5 * length)))
    window_correlation = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)
    shortest, longest = int(WORKING_RATE / ceil), int(np.ceil(WORKING_RATE / floor))
    num_frames = len(times)
    padded = np.pad(wav, (length, length))
    starts = np.round(times * WORKING_RATE).astype(int) + length - length // 2
    starts = np.minimum(starts, len(padded) - length)
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)
    loudest = max(float(np.abs(wav - wav.mean()).max(initial=0.0)), QUIETEST)
    frequency = np.zeros((num_frames, NUM_CANDIDATES + 1))
    strength = np.full((num_frames, NUM_CANDIDATES + 1), -np.inf)
    for first in range(0, num_frames, CHUNK):
        rows = slice(first, first + CHUNK)
        frame = frames[starts[rows]]
        frame = frame - frame.mean(axis=1, keepdims=True)
        peak = np.abs(frame).max(axis=1) / loudest
        spectrum = np.fft.rfft(frame * window, size, axis=1)
        correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, : longest + 2]
        correlation /= np.maximum(correlation[:, :1], np.finfo(np.float64).tiny)
        correlation *= window_correlation[0] / window_correlation[: longest + 2]
        frequency[rows, 1:], strength[rows, 1:] = peaks(correlation, shortest, longest, floor)
        silence = 2.0 - peak * (1.0 + VOICING_THRESHOLD) / SILENCE_THRESHOLD
        strength[rows, 0] = VOICING_THRESHOLD + np.maximum(0.0, silence)
    return frequency, strength


def peaks(
    correlation: np.ndarray, shortest: int, longest: int, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """F0 and strength, each (T, NUM_CANDIDATES), of the maxima of `correlation` (T, lags)."""
    lags = np.arange(shortest, longest + 1)
    before, here, after = (correlation[:, lags + shift] for shift in (-1, 0, 1))
    slope, bend = (after - before) / 2, 2 * here - before - after
    is_peak = (here > before) & (here >= after)
    offset = np.where(is_peak, slope / np.where(is_peak, bend, 1.0), 0.0)
    height = np.minimum(here + 0.5 * slope * offset, 1.0)
    period = (lags + offset) / WORKING_RATE
    strength = np.where(is_peak, height - OCTAVE_COST * np.log2(floor * period), -np.inf)
    best = np.argsort(-strength, axis=1, kind="stable")[:, :NUM_CANDIDATES]
    return np.take_along_axis(1.0 / period, best, axis=1), np.take_along_axis(strength, best, axis=1)


def cheapest_path(frequency: np.ndarray, strength: np.ndarray, step: float) -> np.ndarray:
    """F0 (T,) of the candidates that join the greatest strength with the smallest changes (Viterbi)."""
    scale = REFERENCE_STEP / step
    num_frames, num_candidates = frequency.shape
    octaves = np.log2(np.where(frequency > 0, frequency, 1.0))
    voiced = frequency > 0
    came_from = np.zeros((num_frames, num_candidates), dtype=np.int64)
    total = strength[0]
    for frame in range(1, num_frames):
        jump = JUMP_COST * np.abs(octaves[frame - 1][:, None] - octaves[frame])
        both = voiced[frame - 1][:, None] & voiced[frame]
        change = np.where(both, jump, VOICING_COST * (voiced[frame - 1][:, None] != voiced[frame]))
        score = total[:, None] - scale * change
        came_from[frame] = score.argmax(axis=0)
        total = score.max(axis=0) + strength[frame]
    path = np.empty(num_frames, dtype=np.int64)
    path[-1] = total.argmax()
    for frame in range(num_frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return frequency[np.arange(num_frames), path]
