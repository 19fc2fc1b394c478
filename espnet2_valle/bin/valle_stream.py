"""Say a text while it is still being made: each chunk is written as soon as it is there.

With `--output_wav -` raw samples (16 bit, little endian, mono) go to standard output, to be played at once:
`valle_stream ... --output_wav - | aplay -f S16_LE -r 24000`.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import soundfile
from espnet2.utils import config_argparse

from espnet2_valle.bin.valle_inference import (
    add_model_arguments,
    add_prompt_arguments,
    model_options,
    require,
)
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.text2speech import Request, open_text2speech
from espnet2_valle.valle.chunks import Chunks

STDOUT = "-"
INT16 = 32768  # the tail leaves room below full scale


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads them from YAML."""
    parser = config_argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add_model_arguments(parser)
    group = parser.add_argument_group("stream")
    group.add_argument("--first_chunk_seconds", type=float, default=0.2, help="until something is heard")
    group.add_argument("--chunk_seconds", type=float, help="of the later chunks; as in the NAR's training")
    group.add_argument("--text", help="what to say")
    add_prompt_arguments(group)
    group.add_argument("--output_wav", help="where the speech goes as it comes, or - for standard output")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Stream what the options name."""
    args = get_parser().parse_args(argv)
    require(args, "text", "prompt_speech", "output_wav")
    text2speech = open_text2speech(json.dumps(model_options(args)))
    streamer = Streamer.of(text2speech)
    rate = text2speech.codec.frame_rate
    size = round(args.chunk_seconds * rate) if args.chunk_seconds else streamer.chunks.size
    try:
        streamer.chunks = Chunks(min(size, round(args.first_chunk_seconds * rate)), size)
    except ValueError as error:
        raise InputError("--chunk_seconds", str(error), f"Give at least {1 / rate:g} s") from error
    begun = time.perf_counter()
    state = streamer.start(text2speech.prepare(Request(args.text, args.prompt_speech, args.prompt_text)))
    first, samples = write_chunks(args.output_wav, streamer.run(state), text2speech.fs)
    if state.outcome is Outcome.NO_SPEECH:
        raise InputError("--text", "no speech came out", "Try another --seed or a longer prompt")
    assert state.outcome is not None
    seconds = samples / text2speech.fs
    total = time.perf_counter() - begun
    print(
        f"{args.output_wav}: {state.outcome.value}, first sound after {first - begun:.3f} s, "
        f"{seconds:.2f} s of speech in {total:.2f} s",
        file=sys.stderr,
    )


def write_chunks(output: str, chunks: Iterable[np.ndarray], rate: int) -> tuple[float, int]:
    """Write each chunk when it comes; returns when the first one came, and the number of samples."""
    first, samples = time.perf_counter(), 0
    sink: Any = (
        sys.stdout.buffer
        if output == STDOUT
        else soundfile.SoundFile(output, "w", rate, 1, subtype="PCM_16", format="WAV")
    )
    for wav in chunks:
        if not samples:
            first = time.perf_counter()
        sink.write(np.round(wav * INT16).astype("<i2").tobytes() if output == STDOUT else wav)
        sink.flush()
        samples += len(wav)
    if output != STDOUT:
        sink.close()
    return first, samples


if __name__ == "__main__":
    run_command(main)
