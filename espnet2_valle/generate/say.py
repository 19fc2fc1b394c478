"""One text to one sound file: at once, sentence by sentence, or while it is still being made."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np

from espnet2_valle.common.audio import create_audio, read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.longform import LongformOptions, check_sentences, speak, with_language
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.playback import open_card, play
from espnet2_valle.generate.sentences import Sentence, decoded, read_text, split_text
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.streaming import FIRST_SECONDS, Streamer, check_streams, choose_chunks
from espnet2_valle.generate.voice import Voice
from espnet2_valle.text.characters import check_characters, check_said
from espnet2_valle.text.multilingual import normal_code

STDIN = STDOUT = "-"
INT16 = 32768  # the tail leaves room below full scale
SHORT_WORDS = 12  # what is longer is said sentence by sentence
Write = Callable[[np.ndarray], None]  # of samples (S,) float32
NO_SPEECH = InputError("--text", "no speech came out", "Try another --seed or a longer prompt")


def say(model: ModelSpec, text: str, voice: Voice, output: str | Path, control: str | None = None) -> Speech:
    """Say `text` and write it to `output`; `control`: see `Text2Speech.__call__`.

    Raises:
        InputError: see `Text2Speech` and `Voice.open`, or no speech came out.
    """
    text2speech = open_text2speech(model)
    text2speech.check_text(text)
    prompt = voice.open(text2speech.codec, model.options.trim_prompt)
    speech = text2speech(text, prompt, control=control)
    if speech.outcome is Outcome.NO_SPEECH:
        raise NO_SPEECH
    write_audio(output, speech.wav.numpy(), text2speech.fs, speech.provenance.comment())
    return speech


def read_aloud(
    model: ModelSpec, text: str, voice: Voice, longform_config: str | Path, output: str | Path
) -> list[str]:
    """Read a long text aloud, sentence by sentence, and go on where a former run was broken off.

    Args:
        model: to speak with.
        text: what to say; empty lines part paragraphs.
        voice: whose.
        longform_config: pauses, prompts and levels, see `LongformOptions`.
        output: a WAV or FLAC file.

    Returns:
        the outcome of each sentence.

    Raises:
        InputError: see `Text2Speech`, `Voice.open`, `LongformOptions.load` and `speak`.
    """
    options = LongformOptions.load(longform_config)
    language = normal_code(model.options.lang) or options.language
    sentences = split_text(text, options.pauses, language, options.max_words)
    text2speech = open_text2speech(model)
    sentences = with_language(text2speech, sentences)
    prompt = voice.open(text2speech.codec, model.options.trim_prompt)
    return speak(text2speech, sentences, prompt, options, output)


def given_text(text: str | None, text_file: str | None, stdin: BinaryIO) -> tuple[str, str]:
    """The text that a command's options name, and what to call it in errors.

    Args:
        text: as it is given, "-" for standard input.
        text_file: holds it.
        stdin: standard input.

    Raises:
        InputError: none or both are given, it cannot be read, or it holds what is no writing.
    """
    if bool(text) == bool(text_file):
        raise InputError("--text", "one of it and --text_file is needed", "Give one")
    if text_file:
        found, where = read_text(text_file), text_file
    elif text == STDIN:
        found, where = decoded(stdin.read(), "standard input"), "standard input"
    else:
        found, where = text or "", "--text"
    check_said(found, where)
    check_characters(found, where)
    return found, where


@contextmanager
def delivery(output: str | None, stdout: BinaryIO) -> Iterator[str]:
    """The file to write speech to, which then goes where it is wanted.

    Args:
        output: a sound file, "-" for a WAV on `stdout`, or None for the sound card.
        stdout: standard output.

    Raises:
        InputError: see `play`; where there is no sound card, before anything is said.
    """
    if output is None:
        open_card()
    elif output != STDOUT:
        yield output
        return
    with TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        yield str(path)
        if output is None:
            play(*read_audio(path))
        else:
            stdout.write(path.read_bytes())
            stdout.flush()


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
    voice: Voice,
    output: str,
    stdout: BinaryIO,
    first_seconds: float = FIRST_SECONDS,
    seconds: float | None = None,
) -> None:
    """Say the sentences, write each chunk as soon as it is there, and tell on stderr how long it took.

    Args:
        model: to speak with.
        sentences: what to say.
        voice: whose.
        output: a sound file, or "-" for raw samples on `stdout`.
        stdout: where they go.
        first_seconds, seconds: of the first chunk and of the others, see `choose_chunks`.

    Raises:
        InputError: see `Text2Speech` and `Voice.open`; chunks of less than a frame, or no speech came out.
    """
    text2speech = open_text2speech(model)
    check_streams(text2speech)
    rate = text2speech.codec.frame_rate
    try:
        chunks = choose_chunks(text2speech.nar, rate, first_seconds, seconds)
    except ValueError as error:
        raise InputError("--chunk_seconds", str(error), f"Give at least {1 / rate:g} s") from error
    streamer = Streamer.of(text2speech, chunks)
    sentences = with_language(text2speech, sentences)
    check_sentences(text2speech, sentences)
    prompt = voice.open(text2speech.codec, model.options.trim_prompt)
    begun = time.perf_counter()
    first, samples = None, 0
    with open_sink(output, text2speech.fs, stdout, prompt.provenance.comment()) as write:
        for wav in streamer.read(text2speech, sentences, prompt):
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
def open_sink(output: str, rate: int, stdout: BinaryIO, comment: str | None = None) -> Iterator[Write]:
    """A function that writes samples as soon as they come: to a file, which carries the comment, or raw."""
    if output == STDOUT:

        def write_raw(wav: np.ndarray) -> None:
            stdout.write(np.round(wav * INT16).astype("<i2").tobytes())
            stdout.flush()

        yield write_raw
        return
    with create_audio(output, rate, comment) as sink:

        def write(wav: np.ndarray) -> None:
            sink.write(wav)
            sink.flush()

        yield write
