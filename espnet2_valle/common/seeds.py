"""Seeds of many utterances and of several goes at each."""

import random
import zlib
from collections.abc import Iterator


def seed_of(seed: int, utterance: str | int) -> int:
    """The seed of one of the utterances of a run, whatever their order and number."""
    return zlib.crc32(f"{seed} {utterance}".encode())


def derive_seed(seed: int, attempt: int, candidate: int) -> int:
    """The seed of a candidate (0..best_of-1) of an attempt (0..retries); the first of all keeps `seed`."""
    if attempt == 0 and candidate == 0:
        return seed
    return zlib.crc32(f"{seed} {attempt} {candidate}".encode())


def shuffled(count: int, rng: random.Random) -> Iterator[int]:
    """Yield 0 to `count` - 1 in the order of `rng.sample(range(count), count)`, drawn one by one.

    What is not drawn takes no memory.
    """
    moved: dict[int, int] = {}  # places that hold another number than their own
    for left in range(count, 0, -1):
        place = rng.randrange(left)
        yield moved.get(place, place)
        moved[place] = moved.pop(left - 1, left - 1)
