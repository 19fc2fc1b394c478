"""Say a text while it is still being made: each chunk is written as soon as it is there.

With `--output_wav -` raw samples (16 bit, little endian, mono) go to standard output, to be played at once:
`valle_stream ... --output_wav - | aplay -f S16_LE -r 24000`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import BinaryIO

import numpy as np
import soundfile
from espnet2.utils import config_argparse

from espnet2_valle.common.audio import check_writable
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.longform import LongformOptions
from espnet2_valle.generate.open_model import (
    add_model_arguments,
    add_prompt_arguments,
    model_options,
    open_text2speech,
    require,
)
from espnet2_valle.generate.prepared_prompt import open_prompt
from espnet2_valle.generate.sentences import Sentence, read_text, split_text
from espnet2_valle.generate.streaming import FIRST_SECONDS, Streamer, choose_chunks

STDOUT = "-"
INT16 = 32768  # the tail leaves room below full scale


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads them from YAML."""
    parser = config_argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add_model_arguments(parser)
    group = parser.add_argument_group("stream")
    group.add_argument(
        "--first_chunk_seconds", type=float, default=FIRST_SECONDS, help="until something is heard"
    )
    group.add_argument("--chunk_seconds", type=float, help="of the later chunks; as in the NAR's training")
    group.add_argument("--text", help="what to say")
    group.add_argument("--text_file", help="in place of it: a long text; empty lines part paragraphs")
    group.add_argument(
        "--max_words",
        type=int,
        default=12,
        help="what is longer is said sentence by sentence, and sentences cut",
    )
    group.add_argument(
        "--longform_config", default=str(find("longform.yaml")), help="pauses between sentences"
    )
    add_prompt_arguments(group)
    group.add_argument(
        "--output_wav", help="where the speech goes as it comes (.wav or .flac), or - for standard output"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Stream what the options name."""
    args = get_parser().parse_args(argv)
    require(args, "prompt_speech", "output_wav")
    if args.output_wav != STDOUT:
        check_writable(args.output_wav, "--output_wav")
    stdout = sys.stdout.buffer
    with redirect_stdout(sys.stderr):  # whatever a library prints must not get between the samples
        stream(args, stdout)


def stream(args: argparse.Namespace, stdout: BinaryIO) -> None:
    """Say the text of the options and tell how long it took; `stdout` is where samples go for `-`."""
    sentences = cut_text(args)
    text2speech = open_text2speech(json.dumps(model_options(args)))
    rate = text2speech.codec.frame_rate
    try:
        chunks = choose_chunks(text2speech.nar, rate, args.first_chunk_seconds, args.chunk_seconds)
    except ValueError as error:
        raise InputError("--chunk_seconds", str(error), f"Give at least {1 / rate:g} s") from error
    streamer = Streamer.of(text2speech, chunks)
    voice = open_prompt(args.prompt_speech, args.prompt_text, None, text2speech.codec)
    begun = time.perf_counter()
    first, samples = None, 0
    with open_sink(args.output_wav, text2speech.fs, stdout) as write:
        for wav in streamer.read(text2speech, sentences, voice):
            first = time.perf_counter() if first is None else first
            write(wav)
            samples += len(wav)
    if first is None:
        raise InputError("--text", "no speech came out", "Try another --seed or a longer prompt")
    seconds, total = samples / text2speech.fs, time.perf_counter() - begun
    print(
        f"{args.output_wav}: first sound {first - begun:.3f} s after the text, "
        f"{seconds:.2f} s of speech in {total:.2f} s",
        file=sys.stderr,
    )


def cut_text(args: argparse.Namespace) -> list[Sentence]:
    """What to say, in pieces of at most `--max_words`.

    Raises:
        InputError: no text, an unreadable file, or one of `split_text`.
    """
    if bool(args.text) == bool(args.text_file):
        raise InputError("--text", "one of it and --text_file is needed", "Give one")
    if args.max_words < 1:
        raise InputError("--max_words", f"{args.max_words} is out of range", "Give 1 or more")
    text = args.text or read_text(args.text_file)
    if len(text.split()) <= args.max_words:
        return [Sentence(text, 0.0)]
    options = LongformOptions.load(args.longform_config)
    return split_text(text, options.pauses, options.language, args.max_words)


@contextmanager
def open_sink(output: str, rate: int, stdout: BinaryIO) -> Iterator[Callable[[np.ndarray], None]]:
    """What writes samples (S,) float32 as soon as they come: to a file, or raw to `stdout`."""
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


if __name__ == "__main__":
    run_command(main)
