"""Properties of a codec that the rest of the system needs to know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CodecSpec:
    """The numbers that describe a codec's codes.

    Args:
        name: the kind of codec, a key of `build.CODECS`.
        sample_rate: of the waveform, in Hz.
        frame_rate: rows of codes a second.
        num_codebooks: Q, the columns of codes.
        codebook_size: every code is in 0 .. codebook_size - 1.
    """

    name: str
    sample_rate: int
    frame_rate: float
    num_codebooks: int
    codebook_size: int
