"""Seeds of many utterances and of several goes at each."""

import zlib


def seed_of(seed: int, utterance: str | int) -> int:
    """The seed of one of the utterances of a run, whatever their order and number."""
    return zlib.crc32(f"{seed} {utterance}".encode())


def derive_seed(seed: int, attempt: int, candidate: int) -> int:
    """The seed of a candidate (0..best_of-1) of an attempt (0..retries); the first of all keeps `seed`."""
    if attempt == 0 and candidate == 0:
        return seed
    return zlib.crc32(f"{seed} {attempt} {candidate}".encode())
