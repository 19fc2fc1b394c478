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
        utterance_codebooks: n, where the codes of codebooks 2 .. n + 1 are the same in all frames of an
            utterance, since they say what belongs to it as a whole: its voice, its level. They are taken
            from the prompt and not predicted.
    """

    name: str
    sample_rate: int
    frame_rate: float
    num_codebooks: int
    codebook_size: int
    utterance_codebooks: int = 0
