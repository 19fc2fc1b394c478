"""One utterance's sound file -> mono 16-bit FLAC at the codec's rate, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from espnet2_valle.common.audio import Span, read_audio, write_audio
from espnet2_valle.common.errors import InputError

SILENCE = 1e-4  # a recording whose loudest sample is below this (-80 dBFS) has nothing in it


class Source(NamedTuple):
    """An utterance, its sound file, and the part of it that is the utterance (None: all)."""

    utterance: str
    wav: str
    span: Span | None = None


@dataclass(frozen=True)
class Formatted:
    """What became of one utterance.

    Attributes:
        utterance: its id.
        num_samples: at the target rate; 0 when it could not be used.
        channels: of the source file; 0 when it could not be used.
        rate: of the source file in Hz; 0 when it could not be used.
        error: why it could not be used.
    """

    utterance: str
    num_samples: int
    channels: int = 0
    rate: int = 0
    error: InputError | None = None


def format_utterance(job: Source, output_dir: str | Path, sample_rate: int) -> Formatted:
    """Write `output_dir`/<utterance>.flac; a source that cannot be used leaves none.

    Args:
        job: the utterance.
        output_dir: where the FLAC goes.
        sample_rate: its rate in Hz.
    """
    utterance, source, span = job
    target = Path(output_dir) / f"{utterance}.flac"
    try:
        wav, _ = read_audio(source, sample_rate, span)
        if np.abs(wav).max() < SILENCE:
            raise InputError(source, "the sound file is silent", "Record it again or remove the utterance")
    except InputError as error:
        target.unlink(missing_ok=True)
        return Formatted(utterance, 0, error=error)
    write_audio(target, wav, sample_rate)
    info = soundfile.info(source)
    return Formatted(utterance, len(wav), info.channels, info.samplerate)
