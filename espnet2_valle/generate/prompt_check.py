"""From any recording to a prompt: listen to it, cut about three clean seconds out, and say what was found."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from espnet2_valle.common.audio import mix_down, resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.prompt import load_prompt

FRAME = 0.02  # seconds
QUIET_DB = 40.0  # below the loudest frames nothing is speech
ABOVE_NOISE_DB = 6.0  # speech stands out of the noise by this
LOUD_DB = 15.0  # frames this close to the loudest are speech, however noisy
MAX_SNR_DB = 60.0  # more is not told from digital silence
LOUD_SHARE, NOISE_SHARE = 95.0, 5.0  # percentiles of the frames' levels
MARGIN = 0.05  # seconds of edge that stay around speech
LENGTH_WEIGHT = 20.0  # dB that being off the wanted length by all of it costs
PAUSE_WEIGHT = 20.0  # dB that a cut of pauses alone costs
CLIP_WEIGHT = 1000.0  # dB that a cut of clipped samples alone costs
LENGTHS = (0.7, 1.3)  # of the wanted length
FLAT_RUN = 3  # equal samples at the peak that make a flat top
WINDOW, HOP = 1.6, 0.8  # seconds of speech that voices are compared in


@dataclass(frozen=True)
class PromptLimits:
    """From where on something is worth a warning.

    Attributes:
        seconds: wanted length.
        min_seconds: shorter prompts hold little of a voice.
        min_level: dBFS of speech.
        min_snr: dB.
        max_clipped: share of samples in flat tops.
        min_similarity: of the least alike parts of the recording; with a second voice it is lower. Of 27
            LibriSpeech speakers alone Resemblyzer gave 0.60 to 0.84, of 30 pairs 0.33 to 0.57.
    """

    seconds: float = 3.0
    min_seconds: float = 1.5
    min_level: float = -45.0
    min_snr: float = 15.0
    max_clipped: float = 0.001
    min_similarity: float = 0.58


@dataclass(frozen=True)
class PromptReport:
    """Findings about a recording and the prompt made of it.

    Attributes:
        recorded_seconds, recorded_rate, channels: of the recording.
        start, end: of the prompt in it, in seconds.
        level: dBFS of its speech.
        snr: dB, speech over the quietest moments of the recording; at most 60.
        clipped: share of samples in flat tops.
        similarity: cosine of the least alike two parts of the recording's speech, or None where it was not
            looked for or too little is said.
        warnings: what may make the prompt a bad one, in words.
    """

    recorded_seconds: float
    recorded_rate: int
    channels: int
    start: float
    end: float
    level: float
    snr: float
    clipped: float
    similarity: float | None
    warnings: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report in words."""
        alike = "not compared" if self.similarity is None else f"alike to {self.similarity:.2f} or more"
        return [
            f"recording: {self.recorded_seconds:.2f} s, {self.recorded_rate} Hz, {self.channels} channel(s)",
            f"prompt: {self.start:.2f} s to {self.end:.2f} s, speech at {self.level:.0f} dBFS",
            f"signal to noise: {self.snr:.0f} dB; clipped: {self.clipped:.2%}; its parts: {alike}",
            *[f"warning: {warning}" for warning in self.warnings],
        ]


# wav (S,), its rate in Hz -> a vector of length 1 of the voice in it
Embed = Callable[[np.ndarray, int], np.ndarray]


def prepare_prompt(
    recording: np.ndarray,
    rate: int,
    target_rate: int,
    limits: PromptLimits | None = None,
    cut: bool = True,
    embed: Embed | None = None,
    where: str = "prompt_speech",
) -> tuple[np.ndarray, PromptReport]:
    """Make a prompt of a recording.

    Args:
        recording: (S,) or (S, channels) float32 in [-1, 1].
        rate: its rate in Hz.
        target_rate: the codec's.
        limits: what to warn of, and how long the prompt is to be.
        cut: choose about `limits.seconds`; otherwise only silent edges go, since a text of the whole
            recording is known.
        embed: a speaker encoder, to look for a second voice.
        where: what to call the recording in errors.

    Returns:
        the prompt (S',) float32 at `target_rate`, and what was found.

    Raises:
        InputError: a recording without samples, without speech, or clipped throughout.
    """
    limits = limits or PromptLimits()
    if recording.shape[0] == 0:
        raise InputError(where, "has no samples", "Give a recording of the voice")
    channels = recording[:, None] if recording.ndim == 1 else recording
    mono = mix_down(channels)
    flat = flat_tops(mono)
    wav = resample(mono, rate, target_rate)
    levels = frame_levels(wav, target_rate)
    threshold = speech_threshold(levels)
    first, last = find_cut(levels, flat, threshold, limits.seconds) if cut else edges(levels, threshold)
    start = max(0.0, first * FRAME - MARGIN)
    end = min(len(wav) / target_rate, last * FRAME + MARGIN)
    chosen = wav[round(start * target_rate) : round(end * target_rate)]
    try:
        prompt = load_prompt(chosen, target_rate, target_rate)  # whatever else a prompt must be
    except InputError as error:
        raise InputError(where, error.problem, error.remedy) from error
    speaking = levels > threshold
    report = PromptReport(
        recorded_seconds=len(mono) / rate,
        recorded_rate=rate,
        channels=channels.shape[1],
        start=start,
        end=end,
        level=mean_db(levels[first:last][speaking[first:last]]),
        snr=min(MAX_SNR_DB, mean_db(levels[speaking]) - float(np.percentile(levels, NOISE_SHARE))),
        clipped=float(flat[round(start * rate) : round(end * rate)].mean()),
        similarity=least_alike(wav, speaking, target_rate, embed) if embed else None,
        warnings=(),
    )
    return prompt, dataclasses.replace(report, warnings=tuple(_warnings(report, limits)))


def flat_tops(wav: np.ndarray) -> np.ndarray:
    """Mask (S,) of samples in runs of equal samples at the peak: what clipping leaves, at any level."""
    size = np.abs(wav)
    at_peak = (size >= 0.999 * size.max(initial=0.0)) & (size > 0)
    runs = np.convolve(at_peak, np.ones(FLAT_RUN), mode="valid") == FLAT_RUN
    return np.convolve(runs, np.ones(FLAT_RUN))[: len(wav)] > 0


def frame_levels(wav: np.ndarray, rate: int) -> np.ndarray:
    """Level of each frame in dBFS, (T,)."""
    size = int(FRAME * rate)
    padded = np.pad(wav, (0, -len(wav) % size)).reshape(-1, size)
    return 10 * np.log10((padded.astype(np.float64) ** 2).mean(axis=1) + 1e-12)


def speech_threshold(levels: np.ndarray) -> float:
    """The level above which a frame is taken for speech."""
    loud = float(np.percentile(levels, LOUD_SHARE))
    noise = float(np.percentile(levels, NOISE_SHARE))
    return min(max(loud - QUIET_DB, noise + ABOVE_NOISE_DB), loud - LOUD_DB)


def edges(levels: np.ndarray, threshold: float) -> tuple[int, int]:
    """First frame of speech and the one behind the last."""
    speech = np.flatnonzero(levels > threshold)
    return int(speech[0]), int(speech[-1]) + 1


def find_cut(levels: np.ndarray, flat: np.ndarray, threshold: float, seconds: float) -> tuple[int, int]:
    """Choose a cut of about `seconds`: quiet at both ends, few pauses, nothing clipped.

    Args:
        levels: (T,) of the frames, dBFS.
        flat: (S,) clipped samples, at any rate.
        threshold: of speech.
        seconds: wanted length.

    Returns:
        first frame and the one behind the last; all of the speech if it is hardly longer than wanted.
    """
    first, last = edges(levels, threshold)
    wanted = seconds / FRAME
    shortest, longest = (round(share * wanted) for share in LENGTHS)
    if last - first <= longest:
        return first, last
    frames = np.linspace(0, len(flat), len(levels) + 1).astype(int)
    clipped = np.concatenate([[0], np.cumsum(np.add.reduceat(flat, frames[:-1]) / np.diff(frames))])
    pauses = np.concatenate([[0], np.cumsum(levels <= threshold)])
    # A cut lies between two frames: what is lost is the quieter one's.
    at_cut = np.minimum(np.concatenate([levels[:1], levels]), np.concatenate([levels, levels[-1:]]))
    at_cut = np.maximum(at_cut, threshold - LOUD_DB)
    best, chosen = np.inf, (first, last)
    for start in range(first, last - shortest + 1):
        ends = np.arange(start + shortest, min(start + longest, last) + 1)
        length = ends - start
        costs = at_cut[start] + at_cut[ends] + LENGTH_WEIGHT * np.abs(length - wanted) / wanted
        costs += PAUSE_WEIGHT * (pauses[ends] - pauses[start]) / length
        costs += CLIP_WEIGHT * (clipped[ends] - clipped[start]) / length
        if costs.min() < best:
            best, chosen = float(costs.min()), (start, int(ends[costs.argmin()]))
    return chosen


def least_alike(wav: np.ndarray, speaking: np.ndarray, rate: int, embed: Embed) -> float | None:
    """Cosine of the least alike two stretches of speech; None with less than two.

    Args:
        wav: (S,) at `rate`.
        speaking: (T,) which frames are speech; the rest is left out.
        rate: in Hz.
        embed: the speaker encoder.
    """
    samples = np.repeat(speaking, int(FRAME * rate))[: len(wav)]
    speech = wav[: len(samples)][samples]
    size, hop = int(WINDOW * rate), int(HOP * rate)
    vectors = [embed(speech[at : at + size], rate) for at in range(0, len(speech) - size + 1, hop)]
    if len(vectors) < 2:
        return None
    return float((np.stack(vectors) @ np.stack(vectors).T).min())


def mean_db(levels: np.ndarray) -> float:
    """Level of the mean power of frames."""
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _warnings(report: PromptReport, limits: PromptLimits) -> list[str]:
    """Warnings of what is beyond the limits."""
    found = []
    seconds = report.end - report.start
    if seconds < limits.min_seconds:
        found.append(f"only {seconds:.1f} s long; {limits.seconds:.0f} s show more of a voice")
    if seconds > limits.seconds * LENGTHS[1]:
        found.append(f"{seconds:.1f} s long; about {limits.seconds:.0f} s are enough and faster")
    if report.level < limits.min_level:
        found.append(f"quiet ({report.level:.0f} dBFS): noise of the recording will be copied")
    if report.snr < limits.min_snr:
        found.append(f"noisy, or without a pause (signal to noise {report.snr:.0f} dB): noise will be copied")
    if report.clipped > limits.max_clipped:
        found.append(f"clipped ({report.clipped:.2%} of the samples): it will sound harsh")
    if report.similarity is not None and report.similarity < limits.min_similarity:
        found.append(
            f"perhaps more than one voice: some parts are alike to no more than {report.similarity:.2f}"
        )
    return found
