"""Seeds of many utterances and of several goes at each, and which go is kept."""

import zlib

from espnet2_valle.generate.outcome import Outcome

# Best first. What was cut at the cap holds all of the text more often than what got stuck.
PREFERENCE = (
    Outcome.OK,
    Outcome.HIT_LENGTH_CAP,
    Outcome.STUCK,
    Outcome.NO_SPEECH,
    Outcome.PROMPT_REJECTED,
)


def seed_of(seed: int, utterance: str | int) -> int:
    """The seed of one of the utterances of a run, whatever their order and number."""
    return zlib.crc32(f"{seed} {utterance}".encode())


def derive_seed(seed: int, attempt: int, candidate: int) -> int:
    """The seed of a candidate (0..best_of-1) of an attempt (0..retries); the first of all keeps `seed`."""
    if attempt == 0 and candidate == 0:
        return seed
    return zlib.crc32(f"{seed} {attempt} {candidate}".encode())


def rank(outcome: Outcome, score: float) -> tuple[int, float]:
    """The larger, the better: the outcome decides, then the score."""
    return -PREFERENCE.index(outcome), score
