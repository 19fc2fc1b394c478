"""One text to one sound file: at once, sentence by sentence, or while it is still being made."""

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
from espnet2_valle.generate.longform import LongformOptions, check_sentences, speak
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prompt import Prompt, open_prompt
from espnet2_valle.generate.sentences import Sentence, read_text, split_text
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.streaming import FIRST_SECONDS, Streamer, choose_chunks
from espnet2_valle.text.characters import check_characters

STDOUT = "-"
INT16 = 32768  # the tail leaves room below full scale
SHORT_WORDS = 12  # what is longer is said sentence by sentence
Write = Callable[[np.ndarray], None]  # of samples (S,) float32
NO_SPEECH = InputError("--text", "no speech came out", "Try another --seed or a longer prompt")


def say(model: ModelSpec, text: str, prompt: Prompt, prompt_text: str | None, output: str | Path) -> Speech:
    """Say `text` and write it to `output`.

    Raises:
        InputError: see `Text2Speech`, or no speech came out.
    """
    text2speech = open_text2speech(model)
    speech = text2speech(text, prompt, prompt_text)
    if speech.outcome is Outcome.NO_SPEECH:
        raise NO_SPEECH
    write_audio(output, speech.wav.numpy(), text2speech.fs)
    return speech


def read_aloud(
    model: ModelSpec,
    text_file: str | Path,
    prompt: Prompt,
    prompt_text: str | None,
    longform_config: str | Path,
    output: str | Path,
) -> list[str]:
    """Read a long text aloud, sentence by sentence, and go on where a former run was broken off.

    Args:
        model: to speak with.
        text_file: what to say; empty lines part paragraphs.
        prompt, prompt_text: the voice.
        longform_config: pauses, prompts and levels, see `LongformOptions`.
        output: a WAV or FLAC file.

    Returns:
        the outcome of each sentence.

    Raises:
        InputError: see `Text2Speech`, `LongformOptions.load` and `speak`.
    """
    options = LongformOptions.load(longform_config)
    text = read_text(text_file)
    check_characters(text, str(text_file))
    sentences = split_text(text, options.pauses, options.language, options.max_words)
    text2speech = open_text2speech(model)
    voice = open_prompt(prompt, prompt_text, None, text2speech.codec, text2speech.options.trim_prompt)
    return speak(text2speech, sentences, voice, options, output)


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


def stream(
    model: ModelSpec,
    sentences: Sequence[Sentence],
    prompt: Prompt,
    prompt_text: str | None,
    output: str,
    stdout: BinaryIO,
    first_seconds: float = FIRST_SECONDS,
    seconds: float | None = None,
) -> None:
    """Say the sentences, write each chunk as soon as it is there, and tell on stderr how long it took.

    Args:
        model: to speak with.
        sentences: what to say.
        prompt, prompt_text: the voice.
        output: a sound file, or "-" for raw samples on `stdout`.
        stdout: where they go.
        first_seconds, seconds: of the first chunk and of the others, see `choose_chunks`.

    Raises:
        InputError: see `Text2Speech` and `open_prompt`; chunks of less than a frame, or no speech came out.
    """
    text2speech = open_text2speech(model)
    rate = text2speech.codec.frame_rate
    try:
        chunks = choose_chunks(text2speech.nar, rate, first_seconds, seconds)
    except ValueError as error:
        raise InputError("--chunk_seconds", str(error), f"Give at least {1 / rate:g} s") from error
    streamer = Streamer.of(text2speech, chunks)
    check_sentences(text2speech, sentences)
    voice = open_prompt(prompt, prompt_text, None, text2speech.codec, text2speech.options.trim_prompt)
    begun = time.perf_counter()
    first, samples = None, 0
    with open_sink(output, text2speech.fs, stdout) as write:
        for wav in streamer.read(text2speech, sentences, voice):
            first = time.perf_counter() if first is None else first
            write(wav)
            samples += len(wav)
    if first is None:
        raise NO_SPEECH
    length, total = samples / text2speech.fs, time.perf_counter() - begun
    print(
        f"{output}: first sound {first - begun:.3f} s after the text, "
        f"{length:.2f} s of speech in {total:.2f} s",
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
