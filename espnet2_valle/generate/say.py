"""One text to one sound file, whole or while it is still being made."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.longform import LongformOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import Prompt, open_prompt
from espnet2_valle.generate.sentences import Sentence, split_text
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.streaming import FIRST_SECONDS, Streamer, choose_chunks
from espnet2_valle.generate.text2speech import Text2Speech

STDOUT = "-"
INT16 = 32768  # the tail leaves room below full scale
SHORT_WORDS = 12  # what is longer is said sentence by sentence
Write = Callable[[np.ndarray], None]  # of samples (S,) float32
NO_SPEECH = InputError("--text", "no speech came out", "Try another --seed or a longer prompt")


def say(
    text2speech: Text2Speech, text: str, prompt: Prompt, prompt_text: str | None, output: str | Path
) -> Speech:
    """Say `text` and write it to `output`.

    Raises:
        InputError: see `Text2Speech.__call__`, or no speech came out.
    """
    speech = text2speech(text, prompt, prompt_text)
    if speech.outcome is Outcome.NO_SPEECH:
        raise NO_SPEECH
    write_audio(output, speech.wav.numpy(), text2speech.fs)
    return speech


def cut_text(text: str, max_words: int, longform_config: str | Path) -> list[Sentence]:
    """Cut a text into pieces of at most `max_words`; a short text is one piece.

    Raises:
        InputError: `max_words` is less than 1, or one of `LongformOptions.load` and `split_text`.
    """
    if max_words < 1:
        raise InputError("--max_words", f"{max_words} is out of range", "Give 1 or more")
    if len(text.split()) <= max_words:
        return [Sentence(text, 0.0)]
    options = LongformOptions.load(longform_config)
    return split_text(text, options.pauses, options.language, max_words)


def open_chunks(
    text2speech: Text2Speech, first_seconds: float = FIRST_SECONDS, seconds: float | None = None
) -> Streamer:
    """A streamer whose sound leaves in chunks of `seconds` behind a first one; see `choose_chunks`.

    Raises:
        InputError: less than a frame.
    """
    rate = text2speech.codec.frame_rate
    try:
        chunks = choose_chunks(text2speech.nar, rate, first_seconds, seconds)
    except ValueError as error:
        raise InputError("--chunk_seconds", str(error), f"Give at least {1 / rate:g} s") from error
    return Streamer.of(text2speech, chunks)


def stream(
    text2speech: Text2Speech,
    streamer: Streamer,
    sentences: Sequence[Sentence],
    prompt: Prompt,
    prompt_text: str | None,
    output: str,
    stdout: BinaryIO,
) -> None:
    """Say the sentences, write each chunk as soon as it is there, and tell on stderr how long it took.

    Args:
        text2speech: the model; streamer: of it.
        sentences: what to say.
        prompt, prompt_text: the voice.
        output: a sound file, or "-" for raw samples on `stdout`.
        stdout: where they go.

    Raises:
        InputError: see `open_prompt`, or no speech came out.
    """
    voice = open_prompt(prompt, prompt_text, None, text2speech.codec)
    begun = time.perf_counter()
    first, samples = None, 0
    with open_sink(output, text2speech.fs, stdout) as write:
        for wav in streamer.read(text2speech, sentences, voice):
            first = time.perf_counter() if first is None else first
            write(wav)
            samples += len(wav)
    if first is None:
        raise NO_SPEECH
    seconds, total = samples / text2speech.fs, time.perf_counter() - begun
    print(
        f"{output}: first sound {first - begun:.3f} s after the text, "
        f"{seconds:.2f} s of speech in {total:.2f} s",
        file=sys.stderr,
    )


@contextmanager
def open_sink(output: str, rate: int, stdout: BinaryIO) -> Iterator[Write]:
    """A function that writes samples as soon as they come: to a file, or raw to `stdout`."""
    if output == STDOUT:

        def write_raw(wav: np.ndarray) -> None:
            stdout.write(np.round(wav * INT16).astype("<i2").tobytes())
            stdout.flush()

        yield write_raw
        return
    with soundfile.SoundFile(output, "w", rate, 1, subtype="PCM_16") as sink:

        def write(wav: np.ndarray) -> None:
            sink.write(wav)
            sink.flush()

        yield write
