"""Outcomes of a synthesis. Every utterance gets exactly one of these, and the report counts them."""

from enum import Enum


class Outcome(str, Enum):
    """The typed result of synthesising one utterance."""

    OK = "ok"  # the model said that it was done
    UNKNOWN_TOKENS = "unknown_tokens"  # it was, but the text has tokens that the model never learnt
    HIT_LENGTH_CAP = "hit_length_cap"  # it never did; what was there at the cap is returned
    STUCK = "stuck"  # it repeated itself; what was there when this was noticed is returned
    NO_SPEECH = "no_speech"  # it ended at once, or what came out is silence
    PROMPT_REJECTED = "prompt_rejected"  # the prompt cannot be used; nothing was synthesised
    TEXT_REJECTED = "text_rejected"  # the text cannot be said; nothing was synthesised


# Best first. What was cut at the cap holds all of the text more often than what got stuck.
PREFERENCE = (
    Outcome.OK,
    Outcome.UNKNOWN_TOKENS,
    Outcome.HIT_LENGTH_CAP,
    Outcome.STUCK,
    Outcome.NO_SPEECH,
    Outcome.PROMPT_REJECTED,
    Outcome.TEXT_REJECTED,
)


def rank(outcome: Outcome, score: float) -> tuple[int, float]:
    """The larger, the better: the outcome decides, then the score."""
    return -PREFERENCE.index(outcome), score
