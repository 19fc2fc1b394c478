"""A prompt made ready of a recording: cut, checked, transcribed, encoded, and kept in one file."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.common.audio import read_channels, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.prompt_check import Embed, PromptLimits, PromptReport, prepare_prompt

Transcribe = Callable[[np.ndarray, int], str]  # samples (S,), their rate in Hz -> the words in them


def prepare_recording(
    recording: str | Path,
    codec: AbsCodec,
    text: str | None,
    transcribe: Transcribe,
    limits: PromptLimits,
    embed: Embed | None = None,
    listener: str = "the recogniser",
) -> tuple[PreparedPrompt, PromptReport]:
    """Make a prompt of a sound file.

    Args:
        recording: any rate and channels.
        codec: the model's.
        text: what is said in all of it; only silent edges are cut then. None: about `limits.seconds` are
            chosen, and transcribed.
        transcribe: a recogniser.
        limits: wanted length, and what to warn of.
        embed: a speaker encoder, to look for a second voice.
        listener: the recogniser's name, for errors.

    Raises:
        InputError: see `prepare_prompt`, or no word is heard.
    """
    samples, rate = read_channels(recording)
    where = str(recording)
    return prepare_samples(samples, rate, codec, text, transcribe, limits, embed, listener, where)


def prepare_samples(
    samples: np.ndarray,
    rate: int,
    codec: AbsCodec,
    text: str | None,
    transcribe: Transcribe,
    limits: PromptLimits,
    embed: Embed | None = None,
    listener: str = "the recogniser",
    where: str = "prompt_speech",
) -> tuple[PreparedPrompt, PromptReport]:
    """Make a prompt of samples (S, channels) float32 at `rate` Hz; else as `prepare_recording`.

    Args:
        where: what to call them in errors.
    """
    wav, report = prepare_prompt(samples, rate, codec.sample_rate, limits, text is None, embed, where)
    if text is None:
        text = transcribe(wav, codec.sample_rate)
        if not text:
            raise InputError(where, f"{listener} hears no word in it", "Give --prompt_text")
    return PreparedPrompt.encode(wav, text, codec), report


def save_prompt(
    prompt: PreparedPrompt,
    report: PromptReport,
    output: str | Path,
    output_wav: str | Path | None = None,
    report_file: str | Path | None = None,
) -> None:
    """Write a prompt and, where asked for, its sound and what was found as JSON."""
    prompt.save(output)
    if output_wav:
        write_audio(output_wav, prompt.wav, prompt.spec.sample_rate)
    if report_file:
        with atomic_open(report_file) as stream:
            json.dump({**dataclasses.asdict(report), "text": prompt.text}, stream, indent=2)
